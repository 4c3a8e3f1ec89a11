"""Instruction counts as a second opinion: they break ties and never overrule time. Pure."""

from __future__ import annotations

from dataclasses import replace
from math import log

from pytest_perfagents.judgement.judge import LEAST_CHANGE
from pytest_perfagents.model import Change, Comparison

MOST_EXTRA_CALLS = 200
MOST_FIRST_CALLS = 50
EXTRA_S = 2.0
"""Seconds that the calls between the two counts may take under the counter."""


def calls_to_count(call_s: float, slowdown: float) -> tuple[int, int]:
    """``(n1, n2)`` of (Ir(n2) - Ir(n1)) / (n2 - n1): start-up, import, set-up and first calls stand in both."""
    extra = int(min(MOST_EXTRA_CALLS, max(1.0, EXTRA_S / max(call_s * slowdown, 1e-9))))
    first = max(2, min(MOST_FIRST_CALLS, extra // 2))
    return first, first + extra


def per_call(first: int, second: int, calls: tuple[int, int]) -> float | None:
    """Instructions of one call; None where the longer run had no more of them, so that something else was counted."""
    extra = (second - first) / (calls[1] - calls[0])
    return extra if extra > 0 else None


def tie_broken(comparison: Comparison, ratio: float, *, error: float) -> Comparison:
    """``change`` by ``ratio`` (the baseline's instructions over the candidate's) where time leaves it open.

    All of this must hold: time calls it unclear and does not exclude "no change" at ``error``; its estimate leans the
    way of the counts; its interval holds the ratio; and the ratio is beyond 1 %. The category stays what time says,
    and equal counts prove nothing, since the same instructions can take longer.
    """
    is_open = comparison.change is Change.UNCLEAR and comparison.p_value > error and comparison.clock in ("cpu", "wall")
    leans = (comparison.point - 1) * (ratio - 1) > 0
    if not (is_open and leans and comparison.low <= ratio <= comparison.high and abs(log(ratio)) >= LEAST_CHANGE):
        return comparison
    change = Change.FASTER if ratio > 1 else Change.SLOWER
    return replace(comparison, change=change, decided_by="instructions")
