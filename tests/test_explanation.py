"""The plot of an explanation: where marks stand, what an interval looks like, and that no start is lost."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, exp, inf, log
from pathlib import Path

import pytest
from canned import measured
from cases import case_of
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.report.consoles import Screen
from pytest_perfagents.report.explanation.axis import Axis, axis_over, tick_line
from pytest_perfagents.report.explanation.page import explain
from pytest_perfagents.report.explanation.parts import NAME_WIDTH
from pytest_perfagents.report.explanation.starts import MOST_ROWS, Row, plot, speedups_of_starts
from pytest_perfagents.report.explanation.types import Again, Explained, PatchText

RATIOS = tuple(log(1 + number / 100) for number in range(-2, 3))


def drawn(*rows, columns=61, bound=None):
    """The lines of a plot without the names, by what they show."""
    lines = plot(rows, columns, bound)
    return [line[NAME_WIDTH + 1 :] for line in lines[:-1]], lines[-1]


def row(ratios=RATIOS, point=0.0, low=-0.01, high=0.01, name="patched"):
    return Row(name, tuple(ratios), point, low, high)


def test_starts_estimate_and_interval_stand_on_one_axis():
    lines, legend = drawn(row(), bound=log(1.01))
    heap, interval, axis, numbers = lines[0], lines[1], lines[3], lines[4]
    middle = heap.index("o", heap.index("o", heap.index("o") + 1) + 1)  # the third of five: as fast as the baseline
    assert heap.count("o") == 5
    assert axis[middle] == "+" and numbers[middle - 2 : middle + 3].strip() in ("1.00", "1.000")
    assert interval[middle] == "x"
    inside = interval.strip().strip(":")
    assert (inside[0], inside[-1], set(inside[1:-1])) == ("[", "]", {"-", "x"})
    assert legend.startswith("o 1 start ") and ": threshold" in legend


def test_an_end_that_is_not_known_is_an_arrow_at_the_edge():
    (_, interval, *_), _ = drawn(row(low=-inf, high=inf))
    assert (interval[0], interval[60]) == ("<", ">")
    (_, interval, *_), _ = drawn(row(low=-0.005, high=inf))
    assert (interval.strip()[0], interval[60]) == ("[", ">")


def test_far_starts_do_not_squeeze_the_rest_and_are_told():
    near = [log(1 + number / 1000) for number in range(20)]
    rows = plot([row([*near, log(9.0)], point=0.01, low=0.005, high=0.015)], 61, None)
    assert any(line.endswith(">") and "o" in line for line in rows)
    assert "beyond the axis (patched): 9.00x" in rows
    numbers = rows[-3].split()
    assert "1.000" in numbers and max(map(float, numbers)) < 1.1


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=200))
def test_no_start_is_lost(ratios):
    lines = plot([row(ratios, point=0.0, low=-0.1, high=0.1)], 61, None)
    unit = int(lines[-1].split()[1])
    axis = axis_over([ratios], [-0.1, 0.0, 0.1], 61)
    within = [axis.column(ratio) for ratio in ratios if axis.holds(ratio)]
    end = next(number for number, line in enumerate(lines) if line.startswith("1.000x"))
    assert sum(line[NAME_WIDTH + 1 :].count("o") for line in lines[:end]) == sum(
        ceil(within.count(column) / unit) for column in set(within)
    )
    assert end <= MOST_ROWS
    far = len(ratios) - len(within)
    told = [line for line in lines if line.startswith("beyond")]
    assert bool(told) == bool(far)


def test_each_side_has_its_own_axis_where_an_interval_would_not_be_seen():
    far = [value + log(8) for value in RATIOS]
    rows = [row(), row(far, log(8), log(7.9), log(8.1), name="human")]
    lines, legend = drawn(*rows)
    assert len([line for line in lines if "+" in line]) == 2
    intervals = [line for line in lines if "x" in line and "[" in line]
    assert all(line.index("]") - line.index("[") > 10 for line in intervals) and len(intervals) == 2
    assert "the baseline's speed" in legend and not any("|" in line for line in lines[4:])
    near, _ = drawn(rows[0], row([value + 0.05 for value in RATIOS], 0.05, 0.04, 0.06, name="human"))
    assert len([line for line in near if "+" in line]) == 1


@given(st.floats(-20, 20), st.floats(0.01, 20), st.integers(20, 100))
def test_an_axis_has_round_numbers_that_do_not_overlap(low, length, columns):
    axis = Axis(low, low + length, columns)
    line, numbers = tick_line(axis)
    assert len(line) == columns and set(line) <= {"+", "-"} and len(numbers) <= columns
    values = [float(word) for word in numbers.split()]
    assert values == sorted(set(values))
    step = length / (columns - 1)
    assert all(axis.low - step <= log(value) <= axis.high + step for value in values if value > 0)


@pytest.mark.parametrize("high", [0.021, 0.3, 2.0, 9.0, 30.0])
def test_the_baselines_speed_is_one_of_them(high):
    _, numbers = tick_line(Axis(-high / 2, high, 65))
    assert 1.0 in [float(word) for word in numbers.split()]
    assert len(numbers.split()) >= 2


def test_each_start_has_its_speedup_and_the_patched_side_comes_first():
    outcome = measured(case_of(), "SUCCESS_IMPROVEMENT")
    speedups = speedups_of_starts(outcome)
    assert [exp(ratio) for ratio in speedups["human"]] == pytest.approx([2.0, 2.0])
    assert [exp(ratio) for ratio in speedups["patched"]] == pytest.approx([1.5, 1.5])
    starts = page(outcome).partition("\nStarts\n")[2].partition("\nIntegrity\n")[0]
    assert starts.index("patched  ") < starts.index("human  ") < starts.index("o 1 start")


def test_a_side_with_other_starts_than_the_baseline_has_no_plot_and_harms_none():
    outcome = measured(case_of(), "SUCCESS_IMPROVEMENT")
    human = outcome.sides["human"]
    short = replace(human, wall_s=human.wall_s[:1], cpu_s=human.cpu_s[:1], ready_s=human.ready_s[:1])
    outcome = replace(outcome, sides={**outcome.sides, "human": short})
    assert list(speedups_of_starts(outcome)) == ["patched"]
    starts = page(outcome).partition("\nStarts\n")[2]
    assert starts.startswith("patched  ") and "\nhuman  " not in starts


def page(outcome, **screen):
    told = Explained(outcome, {}, Path("x.jsonl"), 0, PatchText(Path("p.diff"), "as evaluated", "+a\n-b\n"), Again(""))
    return explain(told, Screen(**{"width": 80, **screen}))


def test_colours_are_for_terminals_only():
    outcome = measured(case_of(), "SUCCESS_REGRESSION")
    assert "\x1b[32m+a" in page(outcome, colour=True) and "\x1b[31m-b" in page(outcome, colour=True)
    assert "\x1b" not in page(outcome)
    page(outcome, encoding="ascii").encode("ascii")
