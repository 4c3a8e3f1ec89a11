#!/usr/bin/env python3
"""
Performance test for commit af5971715f3a8cf5d8f6172fb9a50bae8060a757
[Fix] Mailbox: an empty slot has no message

Peeks at a ring that is half empty. The commit before reads through a null pointer and is killed.
"""

import json
import os
import statistics
import time

from ministuck.mailbox import Mailbox

COMMIT_HASH = os.getenv("COMMIT_HASH", "af5971715f3a8cf5d8f6172fb9a50bae8060a757")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Every second slot holds a message."""
    mailbox = Mailbox(slots=512)
    for slot in range(0, 512, 2):
        mailbox.post(slot, b"message %d" % slot)
    return mailbox


def experiment(mailbox):
    """Returns how many slots hold something."""
    return sum(1 for slot in range(512) if mailbox.peek(slot) is not None)


def store_result(result, filepath):
    """Save the result as JSON."""
    with open(filepath, "w") as file:
        json.dump(result, file)


def load_result(filepath):
    """Load a result that store_result() saved."""
    with open(filepath) as file:
        return json.load(file)


def check_equivalence(current_result, reference_result):
    """Raise AssertionError unless both results are the same."""
    current = json.loads(json.dumps(current_result))
    assert current == reference_result, f"results differ: {str(current)[:200]} != {str(reference_result)[:200]}"


def run_test(eqcheck=False, reference=False, prefix=""):
    """Run the experiment; returns average milliseconds."""
    data = setup()
    for _ in range(WARMUP):
        result = experiment(data)
    times = []
    for _ in range(ITERATIONS):
        start = time.perf_counter()
        result = experiment(data)
        times.append((time.perf_counter() - start) * 1000)
    filename = f"{prefix}_reference.json" if prefix else "reference.json"
    if reference:
        store_result(result, filename)
    if eqcheck:
        check_equivalence(result, load_result(filename))
    return statistics.mean(times)


# Note: command line parsing is appended by the harness.
