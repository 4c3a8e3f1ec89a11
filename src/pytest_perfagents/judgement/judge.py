"""Samples to verdicts: did it change, and what is that called. Pure; ``docs/measurement.md`` explains the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isinf, log

from pytest_perfagents.judgement.power import smallest_effect
from pytest_perfagents.judgement.schedule import look_confidence
from pytest_perfagents.judgement.stats import hodges_lehmann, signed_rank_p, top_trimmed_mean
from pytest_perfagents.model import Category, Change, Comparison, SideSamples

LEAST_CHANGE = log(1.01)
SAME_MARGIN = log(1.02)
BUSY_SHARE, LEAST_SHARE = 0.95, 0.75
TICK_S = 1e-9


@dataclass(frozen=True, slots=True)
class Rule:
    """How to judge: ``threshold`` 0.05 is the field's 5 %; ``looks`` are the planned numbers of starts.

    A claim costs more than an estimate: the interval that is stated has ``confidence``; that something changed is
    claimed with an error of at most ``alpha`` over all looks, that it did not with ``1 - confidence`` over all looks.
    """

    threshold: float = 0.05
    confidence: float = 0.95
    alpha: float = 0.01
    looks: tuple[int, ...] = (10, 20, 40, 80)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Log speedups: the estimate, and the intervals that decide whether it changed and whether it stayed."""

    point: float
    claim_low: float
    claim_high: float
    same_low: float
    same_high: float


def bounds(ratios: Sequence[float], rule: Rule) -> Bounds:
    """The deciding intervals; two one-sided tests at level a are the 1 - 2 a interval (Schuirmann 1987)."""
    point, *claim = hodges_lehmann(ratios, look_confidence(1 - rule.alpha, rule.looks))
    _, *same = hodges_lehmann(ratios, 1 - 2 * (1 - look_confidence(rule.confidence, rule.looks)))
    return Bounds(point, *claim, *same)


def log_speedups(baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> list[float]:
    """Per start, the log of the ratio of the top-trimmed means: positive where the candidate is faster."""
    return [
        log(max(top_trimmed_mean(before), TICK_S) / max(top_trimmed_mean(after), TICK_S))
        for before, after in zip(baseline, candidate, strict=True)
    ]


def clock_for(sides: Sequence[SideSamples]) -> str:
    """``cpu`` where every side computes on one thread all the time that it could, ``wall`` otherwise.

    CPU time over wall time, in the fastest quarter of a side's turns (a busy machine disturbs those least), tells:
    below one it waits, above one several threads compute. Time for which it was ready and another process had the core
    (``ready_s``, the kernel's run delay) is no waiting of its own.
    """
    return "cpu" if all(_computes_alone(side) for side in sides) else "wall"


def _computes_alone(side: SideSamples) -> bool:
    walls, cpus = ([s for turns in starts for s in turns] for starts in (side.wall_s, side.cpu_s))
    delays = [s for turns in side.ready_s for s in turns] or [0.0] * len(walls)
    if side.ready_s and sum(cpus) + sum(delays) < LEAST_SHARE * sum(walls):
        return False  # some turns wait, for a child that computes in their place
    turns = sorted(zip(walls, cpus, delays, strict=True))
    wall_s, cpu_s, ready_s = (float(sum(times)) for times in zip(*turns[: max(1, len(turns) // 4)], strict=True))
    wall_s = max(wall_s, TICK_S)
    return cpu_s <= wall_s / BUSY_SHARE and cpu_s + min(ready_s, wall_s) >= BUSY_SHARE * wall_s


def compare(baseline: SideSamples, candidate: SideSamples, *, clock: str, rule: Rule) -> Comparison:
    """One side against the baseline, by intervals over process starts.

    Raises ValueError where there is no start at all. Where the CPU clock and the wall clock contradict each other, each
    with an interval clear of 1, the verdict is inconclusive.
    """
    mine, other = ("cpu_s", "wall_s") if clock == "cpu" else ("wall_s", "cpu_s")
    ratios = log_speedups(getattr(baseline, mine), getattr(candidate, mine))
    seen = bounds(ratios, rule)
    change, category = _change(seen), _category(seen, rule.threshold)
    if clock == "cpu":
        others = bounds(log_speedups(getattr(baseline, other), getattr(candidate, other)), rule)
        if (seen.claim_low > 0 and others.claim_high < 0) or (seen.claim_high < 0 and others.claim_low > 0):
            change, category = Change.UNCLEAR, Category.SUCCESS_INCONCLUSIVE
    _, low, high = hodges_lehmann(ratios, rule.confidence)
    return Comparison(
        baseline.side,
        candidate.side,
        len(ratios),
        exp(seen.point),
        exp(low),
        exp(high),
        rule.confidence,
        signed_rank_p(ratios),
        clock,
        change,
        category,
        _needed_starts(len(ratios), seen, rule) if category is Category.SUCCESS_INCONCLUSIVE else None,
        smallest_effect(ratios, error=1 - look_confidence(1 - rule.alpha, rule.looks), least=LEAST_CHANGE),
    )


def is_decided(comparison: Comparison) -> bool:
    """Whether both questions are answered, so that measuring can stop."""
    return comparison.change is not Change.UNCLEAR and comparison.category is not Category.SUCCESS_INCONCLUSIVE


def _change(seen: Bounds) -> Change:
    if seen.claim_low > 0 and seen.point >= LEAST_CHANGE:
        return Change.FASTER
    if seen.claim_high < 0 and seen.point <= -LEAST_CHANGE:
        return Change.SLOWER
    return Change.SAME if seen.same_low > -SAME_MARGIN and seen.same_high < SAME_MARGIN else Change.UNCLEAR


def _category(seen: Bounds, threshold: float) -> Category:
    bound = log(1 + threshold)
    if seen.claim_low > 0 and seen.point > bound:
        return Category.SUCCESS_IMPROVEMENT
    if seen.claim_high < 0 and seen.point < -bound:
        return Category.SUCCESS_REGRESSION
    if seen.same_low > -bound and seen.same_high < bound:
        return Category.SUCCESS_NEUTRAL
    return Category.SUCCESS_INCONCLUSIVE


def _needed_starts(starts: int, seen: Bounds, rule: Rule) -> int:
    """Starts that would decide, were the spread to stay: half-widths shrink with the square root of the starts."""
    least = rule.looks[0]
    if isinf(seen.claim_low) or starts < least:
        return least
    distance, bound = abs(seen.point), log(1 + rule.threshold)
    if distance > bound:
        room, half_width = distance, max(seen.claim_high - seen.point, seen.point - seen.claim_low)
    else:
        room, half_width = bound - distance, max(seen.same_high - seen.point, seen.point - seen.same_low)
    needed = starts * (half_width / room) ** 2 if room > 0 else inf
    return int(min(max(ceil(needed), starts + 1), 100_000))
