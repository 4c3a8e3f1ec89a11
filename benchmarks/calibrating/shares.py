"""Shares and thresholds with their intervals; SciPy's where it has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, nan

import numpy as np

DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n`` trials; fractions of one where trials have been drawn that overlap."""

    hits: float
    n: float

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else nan

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's exact 95 % interval (SciPy), of whole trials."""
        from scipy.stats import binomtest

        if not self.n:
            return 0.0, 1.0
        found = binomtest(int(self.hits), int(self.n)).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def __add__(self, other: Share) -> Share:
        return Share(self.hits + other.hits, self.n + other.n)


def share_of(flags: Iterable[bool]) -> Share:
    """How many are true."""
    counted = [bool(flag) for flag in flags]
    return Share(sum(counted), len(counted))


def total(shares: Iterable[Share]) -> Share:
    """All trials together."""
    return sum(shares, Share(0, 0))


@dataclass(frozen=True, slots=True)
class Threshold:
    """The smallest effect found in 90 % of trials, ``least`` where the smallest that was injected already is.

    Infinite where even the largest is not. ``n`` are the trials of the effect that had the fewest.
    """

    value: float
    low: float
    high: float
    n: float
    least: float


@cache
def smallest_found(found: tuple[tuple[float, Share], ...], seed: int, wanted: float = 0.9) -> Threshold:
    """Where the power curve crosses ``wanted``; ``found`` has the effects in ascending order.

    The curve is monotone (isotonic regression) and straight between the effects.

    The interval comes from 1,000 curves drawn from the shares' posteriors (beta, Jeffreys' prior: Brown, Cai & DasGupta
    2001): resampling trials of which all were hits would claim to know their share exactly.
    """
    curve = {effect: share for effect, share in found if share.n}
    if not curve:
        return Threshold(nan, nan, nan, 0, nan)
    effects, counts = list(curve), [share.n for share in curve.values()]
    hits = np.array([share.hits for share in curve.values()])
    random = np.random.default_rng(seed)
    misses = np.array(counts) - hits
    drawn = random.beta(hits + 0.5, misses + 0.5, (DRAWS, len(effects)))
    crossings = [_crossing(effects, shares, counts, wanted) for shares in drawn]
    low, high = (float(np.quantile(crossings, q, method="nearest")) for q in (0.025, 0.975))
    value = _crossing(effects, hits / np.array(counts), counts, wanted)
    return Threshold(value, min(low, value), max(high, value), min(counts), effects[0])


def _crossing(effects: Sequence[float], shares: Sequence[float], weights: Sequence[int], wanted: float) -> float:
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(shares, weights=weights).x
    reached = np.flatnonzero(curve >= wanted - 1e-12)
    if not len(reached):
        return inf
    first = int(reached[0])
    if first == 0:
        return effects[0]
    rise = (wanted - curve[first - 1]) / (curve[first] - curve[first - 1])
    return float(effects[first - 1] + rise * (effects[first] - effects[first - 1]))


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and Student's 95 % interval of it (SciPy)."""
    from scipy.stats import t

    count, mean = len(values), float(np.mean(values)) if len(values) else nan
    if count < 2:
        return mean, -inf, inf
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    return mean, mean - half, mean + half
