"""From recorded starts to trials: our protocol as it runs live, without its idle end.

A trial takes one start after the other, judges at the planned looks and stops when it has decided or when its budget
is spent; the next trial begins with the next unused start. Starts are independent (new processes, layout and hash seed
by chance), so it does not matter that some seconds may lie between two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from calibrating.bench import KITS, Seat
from calibrating.datafile import Row
from calibrating.recording import Cell
from calibrating.shares import Share
from calibrating.workloads import UNITS
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement import clocks, judge
from pytest_perfagents.measurement.trial import rule_of
from pytest_perfagents.model import BASELINE, Category, Change, Comparison, Role, Side, SideSamples

DRAWS = 200
"""Trials at most that use up their budget, for each slowdown."""
CANDIDATE = Side(Role.PATCHED, "candidate")
Times = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PairedStart:
    """Both sides of one start: their turns in seconds per call, and whether their paths were of equal length."""

    baseline: Times
    candidate: Times
    iterations: int
    equal_paths: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What the protocol said in the end, after ``starts`` starts at ``cost_s`` in all."""

    comparison: Comparison
    starts: int
    cost_s: float
    equal_paths: bool

    @property
    def is_change(self) -> bool:
        """Whether it claims a difference, in either of its two answers."""
        claims = (Category.SUCCESS_IMPROVEMENT, Category.SUCCESS_REGRESSION)
        return self.comparison.change in (Change.FASTER, Change.SLOWER) or self.comparison.category in claims

    @property
    def is_neutral(self) -> bool:
        """Whether it is called neutral."""
        return self.comparison.category is Category.SUCCESS_NEUTRAL

    @property
    def is_slower(self) -> bool:
        """Whether it is called slower."""
        return self.comparison.change is Change.SLOWER


def start_cost_s(rows: Iterable[Row], cell: Cell) -> float | None:
    """What a start with two sides costs in this cell, in the mean; None where none was recorded."""
    costs = [row["seconds"] for row in rows if cell.holds(row) and row["kit"] == "pair"]
    return fmean(costs) if costs else None


def twins(rows: Sequence[Row], cell: Cell) -> list[PairedStart]:
    """A/A: every pair of sides with the same code, the starts of one pair after those of the other.

    Those whose paths are of unequal length come first, so that few trials are of both kinds.
    """
    found = [
        pair
        for kit, all_units in {**KITS, "pair": (UNITS,)}.items()
        for units in all_units
        for pair in _pairs(rows, cell, kit, Seat(units, 0), Seat(units, 1))
    ]
    return sorted(found, key=lambda pair: pair.equal_paths)


def injected(rows: Sequence[Row], cell: Cell, units: int) -> list[PairedStart]:
    """A true slowdown to ``units``: the first twins of a start, and the second ones, which share no process."""
    return [
        pair
        for kit, all_units in KITS.items()
        if units in all_units
        for copy in (0, 1)
        for pair in _pairs(rows, cell, kit, Seat(UNITS, copy), Seat(units, copy))
    ]


def _pairs(rows: Sequence[Row], cell: Cell, kit: str, first: Seat, second: Seat) -> Iterator[PairedStart]:
    for row in rows:
        if cell.holds(row) and row["kit"] == kit:
            places = {(side["units"], side["copy"]): side for side in row["sides"]}
            one, other = places[first.units, first.copy], places[second.units, second.copy]
            yield PairedStart(one, other, row["iterations"], one["is_long"] == other["is_long"])


def affordable_starts(cost_s: float, budget_s: float, protocol: ProtocolConfig) -> int:
    """Starts that fit into the budget: `measuring.measure` begins none that would lead over it."""
    return min(max(1, int(budget_s / cost_s)), protocol.looks[-1])


def trials(starts: Sequence[PairedStart], cost_s: float, budget_s: float, protocol: ProtocolConfig) -> list[Trial]:
    """Trial after trial until every start is used; none where there are fewer starts than a single one may need.

    The last trial borrows what it lacks from the beginning. To drop it would favour short trials (Wald's equation holds
    for a sum that includes the trial in which the recording ends, not for the one without it).
    """
    most = affordable_starts(cost_s, budget_s, protocol)
    done: list[Trial] = []
    if len(starts) < most:
        return done
    ring, position = [*starts, *starts[:most]], 0
    while position < len(starts):
        trial = _trial(ring[position : position + most], cost_s, protocol)
        done.append(trial)
        position += trial.starts
    return done


def power(starts: Sequence[PairedStart], cost_s: float, budget_s: float, protocol: ProtocolConfig, seed: int) -> Share:
    """In how many trials that use up their budget the stated interval lies below 1, whatever it has shown before.

    A trial is a run of as many recorded starts, one after the other, as the budget pays for; it begins anywhere
    (overlapping subsamples of a series: Politis, Romano & Wolf 1999). All of them together count for as many trials as
    have no start in common.
    """
    most = affordable_starts(cost_s, budget_s, protocol)
    if len(starts) < most:
        return Share(0, 0)
    begins = range(len(starts) - most + 1)
    begins = begins if len(begins) <= DRAWS else Random(seed).sample(begins, DRAWS)
    found = sum(compare(starts[begin : begin + most], protocol).high < 1 for begin in begins)
    disjoint = len(starts) / most
    return Share(disjoint * found / len(begins), disjoint)


def _trial(starts: Sequence[PairedStart], cost_s: float, protocol: ProtocolConfig) -> Trial:
    counts = [look for look in protocol.looks if look < len(starts)] + [len(starts)]
    for count in counts:
        comparison = compare(starts[:count], protocol)
        if count in protocol.looks and judge.is_decided(comparison):
            break
    return Trial(comparison, count, count * cost_s, all(start.equal_paths for start in starts[:count]))


def compare(starts: Sequence[PairedStart], protocol: ProtocolConfig) -> Comparison:
    """The verdict over these starts, with the clock that the judge chooses."""
    baseline = samples(BASELINE, [start.baseline for start in starts], starts[0].iterations)
    candidate = samples(CANDIDATE, [start.candidate for start in starts], starts[0].iterations)
    clock = clocks.clock_for([baseline, candidate])
    return judge.compare(baseline, candidate, clock=clock, rule=rule_of(protocol))


def samples(side: Side, starts: Sequence[Times], iterations: int) -> SideSamples:
    """One side of these starts as the judge takes it."""
    wall, cpu, ready = (tuple(tuple(start[name]) for start in starts) for name in ("wall", "cpu", "ready"))
    is_known = [*map(len, ready)] == [*map(len, cpu)]
    return SideSamples(side, iterations, wall, cpu, ready if is_known else ())
