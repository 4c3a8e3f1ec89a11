"""The geometric mean of speedups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import exp, log

from pytest_perfagents.scores.bootstrap import CONFIDENCE, Score, ratio_score


def geometric_mean(
    speedups: Sequence[float], clusters: Sequence[Hashable], *, seed: int, confidence: float = CONFIDENCE
) -> Score | None:
    """``exp(mean(log(speedup)))`` of speedups above 0, None of none; ``clusters`` are the runs' commits.

    The only mean of ratios that does not depend on which side is the baseline: Fleming & Wallace, "How Not to Lie with
    Statistics: The Correct Way to Summarize Benchmark Results", CACM 29(3), 1986.
    """
    logs = [log(speedup) for speedup in speedups]
    return ratio_score(logs, [1.0] * len(logs), clusters, exp, seed=seed, confidence=confidence)
