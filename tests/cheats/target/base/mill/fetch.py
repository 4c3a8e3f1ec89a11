"""Parts come from a store that takes its time."""

import time

DELAY_S = 0.001


def fetch(numbers):
    """The parts of these numbers, one after the other."""
    parts = []
    for number in numbers:
        time.sleep(DELAY_S)
        parts.append(number * number)
    return parts
