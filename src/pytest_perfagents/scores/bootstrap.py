"""A ratio of sums with its interval: every score here is one, so that one resampling serves them all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

CONFIDENCE = 0.95
RESAMPLES = 1000
_FEWEST_RESAMPLES = 200
_DRAWS = 5_000_000
_DRAWS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` of ``count`` runs or tasks; ``low``..``high`` is None where one commit alone says nothing of others."""

    value: float
    low: float | None
    high: float | None
    count: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """``(low, high)``, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def ratio_score(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[Hashable],
    finish: Callable[[float], float] = float,
    *,
    seed: int,
    confidence: float = CONFIDENCE,
) -> Score | None:
    """``finish(sum of numerators / sum of denominators)``, None of nothing; ``finish`` rises, denominators are above 0.

    The interval is the percentile bootstrap (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13)
    over whole ``clusters``: runs of one commit share its script and its machine, so they are drawn together (Davison &
    Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8). It always holds the value. Of many thousand
    clusters fewer resamples are drawn, for there its ends hardly vary. In which order the runs come is nothing to it.
    """
    if not numerators:
        return None
    above, below = _sums(numerators, denominators, clusters)
    value = finish(float(above.sum() / below.sum()))
    if len(above) < 2:
        return Score(value, None, None, len(numerators))
    tail = 100 * (1 - confidence) / 2
    low, high = (finish(float(end)) for end in np.percentile(_resampled(above, below, seed), [tail, 100 - tail]))
    return Score(value, min(low, value), max(high, value), len(numerators))


def _sums(
    numerators: Sequence[float], denominators: Sequence[float], clusters: Sequence[Hashable]
) -> tuple[Floats, Floats]:
    """By cluster; clusters and runs are put in order, so that draws and roundings are the same for the same data."""
    tops, bottoms = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    places = _numbered(tuple(clusters))
    order = np.lexsort((bottoms, tops, places))
    above, below = np.zeros(places.max() + 1), np.zeros(places.max() + 1)
    np.add.at(above, places[order], tops[order])
    np.add.at(below, places[order], bottoms[order])
    return above, below


@lru_cache(maxsize=8)
def _numbered(clusters: tuple[Hashable, ...]) -> Indices:
    """The number of each run's cluster; kept, for several scores of an agent have the same runs."""
    numbers = {cluster: number for number, cluster in enumerate(sorted(set(clusters), key=str))}
    return np.asarray([numbers[cluster] for cluster in clusters], dtype=np.int64)


def _resampled(above: Floats, below: Floats, seed: int) -> Floats:
    size = len(above)
    resamples = int(np.clip(_DRAWS // size, _FEWEST_RESAMPLES, RESAMPLES))
    ratios: Floats = np.concatenate(
        [above[drawn].sum(axis=1) / below[drawn].sum(axis=1) for drawn in _draws(size, resamples, seed)]
    )
    return ratios


def _draws(size: int, resamples: int, seed: int) -> Iterable[Indices]:
    """Which clusters each resample holds, a row for each; of many clusters some rows at a time."""
    if resamples * size <= _DRAWS_AT_ONCE:
        return (_drawn(size, resamples, seed),)
    random, at_once = np.random.default_rng(seed), max(1, _DRAWS_AT_ONCE // size)
    starts = range(0, resamples, at_once)
    return (random.integers(0, size, (min(at_once, resamples - start), size)) for start in starts)


@lru_cache(maxsize=8)
def _drawn(size: int, resamples: int, seed: int) -> Indices:
    """Kept, for the scores of one agent ask for the same again and again."""
    return np.random.default_rng(seed).integers(0, size, (resamples, size))
