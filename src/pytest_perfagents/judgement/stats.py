"""Paired samples to intervals. Numerics are NumPy's and SciPy's; only what they do not offer stands here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, inf
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def top_trimmed_mean(values: Sequence[float], share: float = 0.1) -> float:
    """Mean without the largest ``share`` of the values (at least one of them goes where there are three or more).

    Interruptions only ever lengthen a turn, so trimming is one-sided; the median is not used because it hides
    costs that fall on few calls (a garbage collection, a resize).
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("the mean of no values")
    dropped = ceil(share * len(ordered)) if len(ordered) >= 3 else 0
    return float(np.mean(ordered[: len(ordered) - dropped]))


def trimmed_ratio(numerators: Sequence[float], denominators: Sequence[float], share: float = 0.1) -> float:
    """Ratio of the sums of pairs, without the ``share`` whose own ratios are smallest and largest.

    At least one pair goes at either end where there are three. A ratio of sums and no mean of ratios, nor of their
    logs, because what counts is time: Smith, *Characterizing computer performance with a single number*, CACM 31(10),
    1988. Who is a thousand times as fast in one turn of three and slower by a half in the others has gained nothing.
    """
    pairs = sorted(zip(numerators, denominators, strict=True), key=lambda pair: pair[0] / pair[1])
    if not pairs:
        raise ValueError("the ratio of no values")
    dropped = min(ceil(share * len(pairs)), (len(pairs) - 1) // 2)
    kept = pairs[dropped : len(pairs) - dropped]
    return sum(one for one, _ in kept) / sum(other for _, other in kept)


def walsh_averages(values: Sequence[float]) -> Floats:
    """All ``n (n + 1) / 2`` pairwise averages, each value with itself too, sorted.

    Hollander, Wolfe & Chicken, *Nonparametric Statistical Methods*, 3rd ed., section 3.2.
    """
    x: Floats = np.asarray(values, dtype=np.float64)
    i, j = np.triu_indices(len(x))
    averages: Floats = np.sort((x[i] + x[j]) / 2)
    return averages


@lru_cache(maxsize=256)
def signed_rank_cdf(n: int) -> Floats:
    """P(T <= t) for t = 0 … n(n+1)/2 of Wilcoxon's signed-rank statistic under the null, exactly.

    The number of subsets of {1 … n} with sum t, by convolution (Hollander et al., section 3.1, comment 5).
    """
    weights: Floats = np.ones(1)
    for rank in range(1, n + 1):
        wider: Floats = np.zeros(len(weights) + rank)
        wider[: len(weights)] += weights / 2
        wider[rank:] += weights / 2
        weights = wider
    return np.cumsum(weights)


def hodges_lehmann(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """``(estimate, low, high)``: the median of the Walsh averages and its distribution-free interval.

    Hollander et al., sections 3.2 and 3.3 (Tukey's interval). The interval is infinite where ``n`` is too small for
    the confidence asked for: five values cannot give 95 %.
    """
    averages = walsh_averages(values)
    if not len(averages):
        raise ValueError("an estimate from no values")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, got {confidence}")
    point = float(np.median(averages))
    tail = (1 - confidence) / 2
    excluded = int(np.searchsorted(signed_rank_cdf(len(values)), tail, side="right"))  # T <= excluded - 1 is too rare
    if excluded == 0:
        return point, -inf, inf
    return point, float(averages[excluded - 1]), float(averages[len(averages) - excluded])


def signed_rank_p(values: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test against a symmetric distribution about 0 (SciPy)."""
    from scipy.stats import wilcoxon

    x: Floats = np.asarray(values, dtype=np.float64)
    if not np.any(x):
        return 1.0
    result: Any = wilcoxon(x, zero_method="pratt", method="auto")
    return float(result.pvalue)


def false_discovery_adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values (SciPy), in the order given."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(list(p_values))] if p_values else []
