"""A logarithmic axis of speedups in columns of characters, and round numbers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil, exp, floor, log, log10
from statistics import quantiles

_NARROWEST = log(1.02)
_MARGIN = 0.03
_FENCE = 3.0
"""Interquartile ranges beyond the quartiles: what lies farther out is told in words (Tukey, *Exploratory Data
Analysis*, 1977, section 2D: "far out")."""
_LINEAR = log(4)
_TICK_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class Axis:
    """From the log speedup ``low`` in the first of ``columns`` to ``high`` in the last."""

    low: float
    high: float
    columns: int

    def __post_init__(self) -> None:
        if not (self.low < self.high and self.columns > 1):
            raise ValueError(f"an axis goes from low to high in two columns or more, got {self}")

    def column(self, value: float) -> int:
        """Where a log speedup stands; what lies outside stands at the edge."""
        place = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(place * (self.columns - 1))

    def holds(self, value: float) -> bool:
        """Whether a log speedup lies on it."""
        return self.low <= value <= self.high


def axis_over(values: Sequence[Sequence[float]], marks: Sequence[float], columns: int) -> Axis:
    """An axis that holds ``marks``, and of each sequence of ``values`` all but far outliers."""
    ends = list(marks)
    for each in values:
        low, high = _fences(each)
        ends += [value for value in each if low <= value <= high]
    low, high = min(ends), max(ends)
    spare = max(_NARROWEST - (high - low), 0.0) / 2 + _MARGIN * (high - low)
    return Axis(low - spare, high + spare, columns)


def _fences(values: Sequence[float]) -> tuple[float, float]:
    if len(values) >= 4:
        lower, _, upper = quantiles(values, n=4)
        if upper > lower:
            return lower - _FENCE * (upper - lower), upper + _FENCE * (upper - lower)
    return min(values, default=0.0), max(values, default=0.0)


def tick_line(axis: Axis) -> tuple[str, str]:
    """The axis and its numbers: a ``+`` above each."""
    line, numbers = ["-"] * axis.columns, [" "] * axis.columns
    end = 0
    for value, label in _ticks(axis):
        place = axis.column(log(value))
        line[place] = "+"
        start = min(max(place - len(label) // 2, 0), axis.columns - len(label))
        if start >= end:
            numbers[start : start + len(label)] = label
            end = start + len(label) + 1
    return "".join(line), "".join(numbers).rstrip()


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Round speedups on the axis, 1 among them where it is on it."""
    low, high, most = exp(axis.low), exp(axis.high), max(2, axis.columns // _TICK_COLUMNS)
    if axis.high - axis.low < _LINEAR:
        step, digits = _step((high - low) / most)
        return [(n * step, f"{n * step:.{digits}f}") for n in range(ceil(low / step), floor(high / step) + 1)]
    first, last = floor(log10(low)), ceil(log10(high))
    stride = max(1, ceil((last - first) / most))
    factors = (1, 2, 5) if 3 * (last - first) <= most else (1,)
    powers = [power for power in range(first, last + 1) if power % stride == 0]
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [(value, f"{value:g}") for value in values if low <= value <= high]


def _step(least: float) -> tuple[float, int]:
    """The smallest of 0.001, 0.002, 0.005, 0.01, ... that is not below ``least``, and the places after its point."""
    for power in count(-3):
        for factor in (1, 2, 5):
            if factor * 10.0**power >= least:
                return factor * 10.0**power, max(0, -power)
    raise AssertionError("no number is endless")
