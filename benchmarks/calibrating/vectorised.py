"""`judgement.judge` for many trials at once: the same rule, row by row, proven equal to it by a test.

Only what is slow in a loop stands here: all pairwise averages of all trials in one array. Quantiles and margins are the
judge's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from pytest_perfagents.judgement import judge, stats
from pytest_perfagents.judgement.schedule import look_confidence

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Per trial: the stated interval (logs), and both answers. A trial that is neither of two is undecided."""

    point: Floats
    low: Floats
    high: Floats
    faster: Flags
    slower: Flags
    same: Flags
    improvement: Flags
    regression: Flags
    neutral: Flags

    @property
    def decided(self) -> Flags:
        """Whether both questions are answered."""
        changed = self.faster | self.slower | self.same
        return changed & (self.improvement | self.regression | self.neutral)


def judge_all(ratios: Floats, rule: judge.Rule) -> Verdicts:
    """``ratios``: trials x starts, log speedups, positive where the candidate is faster."""
    levels = (
        judge.stated(rule.confidence),
        look_confidence(1 - rule.alpha, rule.looks),
        1 - 2 * (1 - look_confidence(rule.confidence, rule.looks)),
    )
    point, ((low, high), (claim_low, claim_high), (same_low, same_high)) = intervals(ratios, levels)
    below, above = claim_high < 0, claim_low > 0
    faster = above & (point >= judge.LEAST_CHANGE)
    slower = below & (point <= -judge.LEAST_CHANGE)
    bound = log(1 + rule.threshold)
    improvement, regression = above & (point > bound), below & (point < -bound)
    return Verdicts(
        point,
        low,
        high,
        faster,
        slower,
        ~(faster | slower) & (same_low > -judge.SAME_MARGIN) & (same_high < judge.SAME_MARGIN),
        improvement,
        regression,
        ~(improvement | regression) & (same_low > -bound) & (same_high < bound),
    )


def intervals(ratios: Floats, levels: tuple[float, ...]) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """The Hodges-Lehmann estimate of each row, then ``(low, high)`` for each level, as `stats.hodges_lehmann` does."""
    trials, starts = ratios.shape
    first, second = np.triu_indices(starts)
    count = len(first)
    excluded = [int(np.searchsorted(stats.signed_rank_cdf(starts), (1 - level) / 2, side="right")) for level in levels]
    middle = [(count - 1) // 2, count // 2]
    ranks = sorted({*middle, *(r for e in excluded if e for r in (e - 1, count - e))})
    picked = np.empty((trials, len(ranks)))
    step = max(1, CHUNK_BYTES // (8 * count))
    for begin in range(0, trials, step):
        part = ratios[begin : begin + step]
        averages = (part[:, first] + part[:, second]) / 2
        averages.partition(ranks, axis=1)
        picked[begin : begin + step] = averages[:, ranks]
    column = {rank: picked[:, index] for index, rank in enumerate(ranks)}
    endless = np.full(trials, np.inf)
    point: Floats = (column[middle[0]] + column[middle[1]]) / 2
    return point, [(column[e - 1], column[count - e]) if e else (-endless, endless) for e in excluded]
