"""Recorded times as a comparison: the old rule of 5 %, without an interval."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from statistics import median
from typing import Any

from pytest_perfagents.figures import times
from pytest_perfagents.model import BASELINE, Category, Change, Comparison, Side, SideSamples, StatedTimes
from pytest_perfagents.recorded.files import number
from pytest_perfagents.recorded.records import Half

THRESHOLD = 0.05
RULE = "a recorded mean more than 5 % off the baseline's is a change; there is no interval"

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
    """Mean and median of a side; a median that is not recorded is not made up, one of recorded times is a median."""
    raw: Mapping[str, Any] = half.report.raw if half.report else {}
    mean_s = next((raw_s for key in ("avg_ms", "mean_ms") if (raw_s := _positive(raw.get(key), 1e-3))), half.seconds)
    return StatedTimes(mean_s=mean_s, median_s=_median(raw))


def _median(raw: Mapping[str, Any]) -> float | None:
    for key, scale in _SAMPLES.items():
        times = raw.get(key)
        if isinstance(times, list) and times and all(_positive(time, scale) for time in times):
            return scale * float(median(times))
    return next((found for key, scale in _MEDIANS.items() if (found := _positive(raw.get(key), scale))), None)


def _positive(value: object, scale: float) -> float | None:
    figure = number(value)
    return figure * scale if figure is not None and figure > 0 else None


def side_of(side: Side, half: Half) -> SideSamples:
    """The side as a record states it, without samples."""
    iterations = number(half.report.raw.get("iters")) if half.report else None
    return SideSamples(side, int(iterations or 1), (), (), stated=stated_times(half))


def by_medians(baseline: StatedTimes, patched: StatedTimes) -> float | None:
    """The speedup of the medians, where both are recorded."""
    return baseline.median_s / patched.median_s if baseline.median_s and patched.median_s else None


def contradiction(comparison: Comparison) -> str:
    """Mean and median that would be called differently: the mean has outliers in it."""
    if comparison.median is None or _called(comparison.median) == _called(comparison.point):
        return ""
    called = _called(comparison.median)[0].removeprefix("SUCCESS_").lower()
    return (
        f"mean and median contradict each other: {times(comparison.point)} by the means, {times(comparison.median)} "
        f"by the medians, which would be {called}"
    )
