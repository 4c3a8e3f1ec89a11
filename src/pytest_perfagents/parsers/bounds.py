"""Which numbers can be a measurement at all. A number beyond is none, whoever wrote it down. Pure."""

from __future__ import annotations

SHORTEST_S, LONGEST_S = 1e-12, 1e9
"""A thousandth of a clock's cycle, and thirty years: what a time lies between, in seconds."""
LEAST, MOST = 1e-12, 1e12
"""What a benchmark's figure lies between, in whatever unit: tokens per second, milliseconds, dollars, counts."""


def possible_time(seconds: float | None) -> float | None:
    """The seconds, if somebody can have measured them; None for nothing, for 0 and for what is out of bounds."""
    return seconds if seconds is not None and SHORTEST_S <= seconds <= LONGEST_S else None


def is_possible_figure(value: float) -> bool:
    """Whether a benchmark can have given it; a 0 is what one gives that served nothing."""
    return value == 0 or LEAST <= abs(value) <= MOST
