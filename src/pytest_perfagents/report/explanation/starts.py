"""The samples as a plot of text: each start's speedup, the estimate and the interval, all sides on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from math import ceil, exp, inf, isfinite, log

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.figures import times
from pytest_perfagents.judgement.clocks import log_speedups
from pytest_perfagents.model import Comparison, Outcome, Role
from pytest_perfagents.report.explanation.axis import Axis, axis_over, tick_line
from pytest_perfagents.report.explanation.parts import NAME_WIDTH, heading

MOST_COLUMNS = 100
MOST_ROWS = 6
_FEWEST_COLUMNS = 20
_NAMED_OUTSIDE = 4
_LEAST_COLUMNS = 6
"""An interval that takes fewer of them shows nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One side: the log speedups of its starts, and the estimate with its interval, which may be infinite."""

    name: str
    ratios: tuple[float, ...]
    point: float
    low: float
    high: float


def starts_part(outcome: Outcome, width: int) -> Iterator[RenderableType]:
    """The plot, or why there is none; nothing of what was not measured."""
    if outcome.comparison is None:
        return
    yield from heading("Starts")
    rows = _rows(outcome)
    if not rows:
        recorded = outcome.comparison.recorded
        yield Text("no samples: the record states a time for each side" if recorded else "the record has no samples")
        return
    threshold = outcome.protocol.get("threshold")
    bound = log(1 + threshold) if isinstance(threshold, float) and threshold > 0 else None
    for line in plot(rows, max(min(width, MOST_COLUMNS) - NAME_WIDTH - 1, _FEWEST_COLUMNS), bound):
        yield Text(line)


def speedups_of_starts(outcome: Outcome) -> dict[str, list[float]]:
    """Log speedups by side, a number for each start; without the sides that have no samples beside the baseline's."""
    baseline, clock = outcome.sides.get(Role.BASELINE.value), outcome.comparison.clock if outcome.comparison else "wall"
    found: dict[str, list[float]] = {}
    for role in (Role.PATCHED.value, Role.HUMAN.value):
        side = outcome.sides.get(role)
        if baseline is None or side is None:
            continue
        before, after = (one.cpu_s if clock == "cpu" else one.wall_s for one in (baseline, side))
        if before and [len(turns) for turns in before] == [len(turns) for turns in after]:
            found[role] = log_speedups(before, after)
    return found


def _rows(outcome: Outcome) -> list[Row]:
    sides = {Role.PATCHED.value: outcome.comparison, Role.HUMAN.value: outcome.human}
    ratios = speedups_of_starts(outcome)
    return [_row(name, ratios[name], sides[name]) for name in ratios if sides[name] is not None]


def _row(name: str, ratios: Sequence[float], comparison: Comparison | None) -> Row:
    assert comparison is not None
    low, point = (log(value) if value > 0 else -inf for value in (comparison.low, comparison.point))
    return Row(name, tuple(ratios), point, low, log(comparison.high) if isfinite(comparison.high) else inf)


def plot(rows: Sequence[Row], columns: int, bound: float | None) -> list[str]:
    """For each side a heap of marks and its interval, above an axis; ``bound`` is the threshold's log speedup.

    All sides and the baseline's speed share the axis, unless an interval would be too small on it to be seen: then each
    side has one of its own.
    """
    common = _axis(rows, columns, 0.0)
    groups: list[tuple[Sequence[Row], Axis]] = [(rows, common)]
    if any(_is_squeezed(row, common) for row in rows):
        groups = [([row], _axis([row], columns)) for row in rows]
    heights = [_heights(row, axis).values() for group, axis in groups for row in group]
    unit = max(1, ceil(max(max(each, default=1) for each in heights) / MOST_ROWS))
    lines = [line for group, axis in groups for line in _drawn(group, axis, unit, bound)]
    axes = [axis for _, axis in groups]
    return [*lines, _legend(unit, _marks(axes, 0.0), bound is not None and _marks(axes, -bound, bound))]


def _axis(rows: Sequence[Row], columns: int, *marks: float) -> Axis:
    ends = [value for row in rows for value in (row.low, row.point, row.high) if isfinite(value)]
    return axis_over([row.ratios for row in rows], [*ends, *marks], columns)


def _is_squeezed(row: Row, axis: Axis) -> bool:
    is_known = isfinite(row.low) and isfinite(row.high)
    return is_known and axis.column(row.high) - axis.column(row.low) < _LEAST_COLUMNS


def _drawn(rows: Sequence[Row], axis: Axis, unit: int, bound: float | None) -> Iterator[str]:
    ground = [" "] * axis.columns
    for value, mark in ((-(bound or 0.0), ":"), (bound or 0.0, ":"), (0.0, "|")):
        if axis.holds(value):
            ground[axis.column(value)] = mark
    for row in rows:
        names = chain([row.name], repeat(""))
        yield from (_named(name, line) for name, line in zip(names, _heap(row, axis, ground, unit), strict=False))
        yield _named(times(exp(row.point)), _interval(row, axis, ground))
        yield _named("", "".join(ground))
    yield from (_named("", line) for line in tick_line(axis))
    for row in rows:
        yield from _outside(row, axis)


def _heights(row: Row, axis: Axis) -> Counter[int]:
    """How many starts stand in each column; those beyond the axis in none."""
    return Counter(axis.column(ratio) for ratio in row.ratios if axis.holds(ratio))


def _heap(row: Row, axis: Axis, ground: Sequence[str], unit: int) -> list[str]:
    """Lines of marks, the lowest last, an ``o`` for each ``unit`` of starts that has begun."""
    heights = {column: ceil(height / unit) for column, height in _heights(row, axis).items()}
    lines = [list(ground) for _ in range(max(heights.values(), default=1))]
    for column, height in heights.items():
        for line in lines[len(lines) - height :]:
            line[column] = "o"
    for ratio in row.ratios:
        if not axis.holds(ratio):
            lines[-1][axis.column(ratio)] = "<" if ratio < axis.low else ">"
    return ["".join(line) for line in lines]


def _interval(row: Row, axis: Axis, ground: Sequence[str]) -> str:
    """``[---x--]``; an end that no data give is an arrow at the edge."""
    line = list(ground)
    low, high = axis.column(row.low), axis.column(row.high)
    line[low : high + 1] = "-" * (high + 1 - low)
    line[low] = "[" if isfinite(row.low) else "<"
    line[high] = "]" if isfinite(row.high) else ">"
    line[axis.column(row.point)] = "x"
    return "".join(line)


def _outside(row: Row, axis: Axis) -> Iterator[str]:
    """What the axis leaves out, in numbers."""
    far = sorted(ratio for ratio in row.ratios if not axis.holds(ratio))
    if far:
        named = ", ".join(times(exp(ratio)) for ratio in far[:_NAMED_OUTSIDE])
        more = f" and {len(far) - _NAMED_OUTSIDE} more" if len(far) > _NAMED_OUTSIDE else ""
        yield f"beyond the axis ({row.name}): {named}{more}"


def _named(name: str, line: str) -> str:
    return f"{name:{NAME_WIDTH}} {line}".rstrip()


def _marks(axes: Iterable[Axis], *values: float) -> bool:
    """Whether one of the values stands on an axis."""
    return any(axis.holds(value) for axis in axes for value in values)


def _legend(unit: int, has_baseline: bool, has_threshold: bool) -> str:
    parts = [f"o {unit} start{'s'[: unit != 1]}", "[--x--] estimate, interval"]
    parts += ["| the baseline's speed"] if has_baseline else ["the baseline's speed, 1, lies beyond"]
    return "   ".join([*parts, *([": threshold"] if has_threshold else [])])
