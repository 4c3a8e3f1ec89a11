"""Samples to verdicts: did it change, and what is that called. Pure; ``docs/measurement.md`` explains the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isinf, log

from pytest_perfagents.judgement.clocks import disagreement, log_speedups
from pytest_perfagents.judgement.power import smallest_effect
from pytest_perfagents.judgement.schedule import look_confidence
from pytest_perfagents.judgement.stats import hodges_lehmann, signed_rank_p
from pytest_perfagents.model import Category, Change, Comparison, SideSamples

LEAST_CHANGE = log(1.01)
SAME_MARGIN = log(1.02)
MARGIN = 1.5
STOPPING_COST = 0.1


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

    @property
    def claim_confidence(self) -> float:
        """Of the interval at each look that a claim of change needs."""
        return look_confidence(1 - self.alpha, self.looks)


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
    point, *claim = hodges_lehmann(ratios, rule.claim_confidence)
    _, *same = hodges_lehmann(ratios, 1 - 2 * (1 - look_confidence(rule.confidence, rule.looks)))
    return Bounds(point, *claim, *same)


def compare(baseline: SideSamples, candidate: SideSamples, *, clock: str, rule: Rule) -> Comparison:
    """One side against the baseline, by intervals over process starts.

    Raises ValueError where there is no start at all. Where it is CPU time that changed, and wall time did not, the
    verdict is inconclusive.
    """
    mine = "cpu_s" if clock == "cpu" else "wall_s"
    ratios = log_speedups(getattr(baseline, mine), getattr(candidate, mine))
    seen = bounds(ratios, rule)
    change, category = _change(seen), _category(seen, rule.threshold)
    is_torn = clock == "cpu" and disagreement(baseline, candidate, rule.claim_confidence) is not None
    if is_torn:
        change, category = Change.UNCLEAR, Category.SUCCESS_INCONCLUSIVE
    _, low, high = hodges_lehmann(ratios, stated(rule.confidence))
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
        _needed_starts(len(ratios), seen, rule) if category is Category.SUCCESS_INCONCLUSIVE and not is_torn else None,
        smallest_effect(ratios, error=1 - rule.claim_confidence, least=LEAST_CHANGE),
    )


def stated(confidence: float) -> float:
    """At which confidence the stated interval is drawn, so that it covers with ``confidence`` though trials may stop.

    Who stops when something shows, stops more often where chance helped: an interval for a fixed number of starts then
    covers less (in the simulations of ``docs/calibration.md`` 92 to 96 % where it says 95).
    """
    return 1 - (1 - confidence) * (1 - STOPPING_COST)


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
    """Starts that would decide, were the spread to stay: half-widths shrink with the square root of the starts.

    Half as many again are asked for, since neither the spread nor the distance is known better than it was measured.
    """
    least = rule.looks[0]
    if isinf(seen.claim_low) or starts < least:
        return least
    distance, bound = abs(seen.point), log(1 + rule.threshold)
    if distance > bound:
        room, half_width = distance, max(seen.claim_high - seen.point, seen.point - seen.claim_low)
    else:
        room, half_width = bound - distance, max(seen.same_high - seen.point, seen.point - seen.same_low)
    needed = MARGIN * starts * (half_width / room) ** 2 if room > 0 else inf
    return int(min(max(ceil(needed), starts + 1), 100_000))
