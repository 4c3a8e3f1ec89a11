"""Samples to verdicts: did it change, and what is that called. Pure; ``docs/measurement.md`` explains the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isinf, log

from pytest_perfagents.judgement.schedule import look_confidence
from pytest_perfagents.judgement.stats import hodges_lehmann, signed_rank_p, top_trimmed_mean
from pytest_perfagents.model import Category, Change, Comparison, SideSamples

LEAST_CHANGE = log(1.01)
SAME_MARGIN = log(1.02)
BUSY_SHARE = 0.95
TICK_S = 1e-9


@dataclass(frozen=True, slots=True)
class Rule:
    """How to judge: ``threshold`` 0.05 is the field's 5 %; ``looks`` are the planned numbers of starts."""

    threshold: float = 0.05
    confidence: float = 0.95
    looks: tuple[int, ...] = (10, 20, 40, 80)


def log_speedups(baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> list[float]:
    """Per start, the log of the ratio of the top-trimmed means: positive where the candidate is faster."""
    return [
        log(max(top_trimmed_mean(before), TICK_S) / max(top_trimmed_mean(after), TICK_S))
        for before, after in zip(baseline, candidate, strict=True)
    ]


def clock_for(sides: Sequence[SideSamples]) -> str:
    """``cpu`` where every side computes on one thread all the time that it runs, ``wall`` otherwise.

    CPU time over wall time, in the fastest quarter of a side's turns (a busy machine disturbs those least), tells:
    below one it waits, above one several threads compute.
    """
    return "cpu" if all(BUSY_SHARE <= _busy_share(side) <= 1 / BUSY_SHARE for side in sides) else "wall"


def _busy_share(side: SideSamples) -> float:
    turns = sorted(
        (wall, cpu)
        for walls, cpus in zip(side.wall_s, side.cpu_s, strict=True)
        for wall, cpu in zip(walls, cpus, strict=True)
    )
    fastest = turns[: max(1, len(turns) // 4)]
    return sum(cpu for _, cpu in fastest) / max(sum(wall for wall, _ in fastest), TICK_S)


def compare(baseline: SideSamples, candidate: SideSamples, *, clock: str, rule: Rule) -> Comparison:
    """One side against the baseline, by the interval over process starts.

    Raises ValueError where there is no start at all. Where the CPU clock and the wall clock contradict each other, each
    with an interval clear of 1, the verdict is inconclusive.
    """
    mine, other = ("cpu_s", "wall_s") if clock == "cpu" else ("wall_s", "cpu_s")
    ratios = log_speedups(getattr(baseline, mine), getattr(candidate, mine))
    confidence = look_confidence(rule.confidence, rule.looks)
    point, low, high = hodges_lehmann(ratios, confidence)
    change = _change(point, low, high, ratios, confidence)
    category = _category(point, low, high, rule.threshold)
    if clock == "cpu" and _contradicted(baseline, candidate, other, low, high, confidence):
        change, category = Change.UNCLEAR, Category.SUCCESS_INCONCLUSIVE
    needed = None
    if category is Category.SUCCESS_INCONCLUSIVE:
        needed = _needed_starts(len(ratios), point, low, high, rule)
    return Comparison(
        baseline.side,
        candidate.side,
        len(ratios),
        exp(point),
        exp(low),
        exp(high),
        rule.confidence,
        signed_rank_p(ratios),
        clock,
        change,
        category,
        needed,
    )


def is_decided(comparison: Comparison) -> bool:
    """Whether both questions are answered, so that measuring can stop."""
    return comparison.change is not Change.UNCLEAR and comparison.category is not Category.SUCCESS_INCONCLUSIVE


def _change(point: float, low: float, high: float, ratios: Sequence[float], confidence: float) -> Change:
    if low > 0 and point >= LEAST_CHANGE:
        return Change.FASTER
    if high < 0 and point <= -LEAST_CHANGE:
        return Change.SLOWER
    # Two one-sided tests at level alpha are the 1 - 2 alpha interval inside the margin (Schuirmann 1987).
    _, lower, upper = hodges_lehmann(ratios, 1 - 2 * (1 - confidence))
    return Change.SAME if lower > -SAME_MARGIN and upper < SAME_MARGIN else Change.UNCLEAR


def _category(point: float, low: float, high: float, threshold: float) -> Category:
    bound = log(1 + threshold)
    if low > 0 and point > bound:
        return Category.SUCCESS_IMPROVEMENT
    if high < 0 and point < -bound:
        return Category.SUCCESS_REGRESSION
    if -bound < low and high < bound:
        return Category.SUCCESS_NEUTRAL
    return Category.SUCCESS_INCONCLUSIVE


def _contradicted(
    baseline: SideSamples, candidate: SideSamples, other: str, low: float, high: float, confidence: float
) -> bool:
    _, other_low, other_high = hodges_lehmann(
        log_speedups(getattr(baseline, other), getattr(candidate, other)), confidence
    )
    return (low > 0 and other_high < 0) or (high < 0 and other_low > 0)


def _needed_starts(starts: int, point: float, low: float, high: float, rule: Rule) -> int:
    """Starts that would decide, were the spread to stay: half-widths shrink with the square root of the starts."""
    least = rule.looks[0]
    if isinf(low) or starts < least:
        return least
    bound = log(1 + rule.threshold)
    room = abs(point) if abs(point) > bound else bound - abs(point)
    half_width = max(high - point, point - low)
    needed = starts * (half_width / room) ** 2 if room > 0 else inf
    return int(min(max(ceil(needed), starts + 1), 100_000))
