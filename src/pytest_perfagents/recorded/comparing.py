"""Recorded times as a comparison: the old rule of 5 %, without an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

from pytest_perfagents.figures import times
from pytest_perfagents.model import BASELINE, Category, Change, Comparison, Side, SideSamples, StatedTimes
from pytest_perfagents.parsers.bounds import MOST, possible_time
from pytest_perfagents.parsers.numbers import number
from pytest_perfagents.recorded.records import Half

THRESHOLD = 0.05
RULE = (
    "a recorded mean more than 5 % off the baseline's is a change, or a median where a side has no mean; there is no "
    "interval"
)

_MEDIANS = {"p50_ms": 1e-3, "median_ms": 1e-3, "p50_us": 1e-6, "median_us": 1e-6, "p50_s": 1.0, "median_s": 1.0}
_SAMPLES = {"times_ms": 1e-3, "samples_ms": 1e-3, "timings_ms": 1e-3, "raw_ms": 1e-3, "times_s": 1.0, "samples_s": 1.0}


def recorded_comparison(
    candidate: Side, point: float, by_medians: float | None = None, clock: str = "script"
) -> Comparison:
    """``point`` is the recorded speedup; it is beyond the threshold or it is not, and nothing more is known."""
    category, change = _called(point)
    return Comparison(
        baseline=BASELINE,
        candidate=candidate,
        starts=1,
        point=point,
        low=0.0,
        high=inf,
        confidence=0.0,
        p_value=1.0,
        clock=clock,
        change=change,
        category=category,
        recorded=True,
        median=by_medians,
    )


def _called(point: float) -> tuple[Category, Change]:
    if point > 1 + THRESHOLD:
        return Category.SUCCESS_IMPROVEMENT, Change.FASTER
    if point < 1 - THRESHOLD:
        return Category.SUCCESS_REGRESSION, Change.SLOWER
    return Category.SUCCESS_NEUTRAL, Change.SAME


def stated_times(half: Half) -> StatedTimes:
    """Mean and median of a side; neither is made up where it is not recorded, and one of recorded times is a median.

    A time of which nobody says what it is counts as a mean.
    """
    raw: Mapping[str, Any] = half.report.raw if half.report else {}
    is_median = half.report is not None and half.report.is_median
    return StatedTimes(mean_s=None if is_median else half.seconds, median_s=_median(raw))


@dataclass(frozen=True, slots=True)
class Ratio:
    """The speedup of two recorded sides, by one statistic of both. ``by_medians`` is what their medians say, where both
    are recorded; ``without_mean`` names the sides that have no mean, which makes it a speedup of the medians.
    """

    point: float
    by_medians: float | None = None
    without_mean: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """That there is no mean to judge by; empty where there is."""
        if not self.without_mean:
            return ""
        return f"no mean is recorded of {' and '.join(self.without_mean)}: the medians of both sides are compared"


def recorded_ratio(baseline: Half, patched: Half) -> Ratio | None:
    """The means' speedup, the medians' where a side has no mean; None where no statistic is known of both sides."""
    one, other = stated_times(baseline), stated_times(patched)
    medians = one.median_s / other.median_s if one.median_s and other.median_s else None
    if one.mean_s and other.mean_s:
        return Ratio(one.mean_s / other.mean_s, medians)
    named = (("the baseline", one), ("the patched side", other))
    without = tuple(name for name, times in named if not times.mean_s)
    return None if medians is None else Ratio(medians, medians, without)


def _median(raw: Mapping[str, Any]) -> float | None:
    for key, scale in _SAMPLES.items():
        times = raw.get(key)
        if isinstance(times, list) and times and all(_positive(time, scale) for time in times):
            return scale * float(median(times))
    return next((found for key, scale in _MEDIANS.items() if (found := _positive(raw.get(key), scale))), None)


def _positive(value: object, scale: float) -> float | None:
    figure = number(value)
    return possible_time(figure * scale) if figure is not None else None


def side_of(side: Side, half: Half) -> SideSamples:
    """The side as a record states it, without samples."""
    iterations = number(half.report.raw.get("iters")) if half.report else None
    count = int(iterations) if iterations is not None and 1 <= iterations <= MOST else 1
    return SideSamples(side, count, (), (), stated=stated_times(half))


def contradiction(comparison: Comparison) -> str:
    """Mean and median that would be called differently: the mean has outliers in it."""
    if comparison.median is None or _called(comparison.median) == _called(comparison.point):
        return ""
    called = _called(comparison.median)[0].removeprefix("SUCCESS_").lower()
    return (
        f"mean and median contradict each other: {times(comparison.point)} by the means, {times(comparison.median)} "
        f"by the medians, which would be {called}"
    )
