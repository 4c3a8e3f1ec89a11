"""Other people's rules, on values that were recorded in the same run.

`sequential` rows hold one process a side, one after the other, as the first three protocols run them. pyperf's values
are taken from the starts of our own recording: its twenty processes of one side from twenty starts, those of the other
side from the twenty starts that come next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrating.bench import KITS
from calibrating.datafile import Row
from calibrating.recording import Cell
from calibrating.workloads import UNITS

Verdict = str
FASTER, SLOWER, NONE = "faster", "slower", "none"
PROCESSES, VALUES = 20, 3
"""pyperf's defaults: ``--processes 20 --values 3``."""
NEIGHBOURS = {
    UNITS: ((UNITS, 0), (UNITS, 1)),
    UNITS + 4: ((UNITS, 0), (UNITS + 4, 0)),
    UNITS + 10: ((UNITS, 1), (UNITS + 10, 0)),
}
"""Of `recording.SEQUENCE`, which process is compared with which: always the one that ran next to it."""
Process = Mapping[str, Any]


def direction(before: float, after: float) -> Verdict:
    """Which way it goes, by two times."""
    return FASTER if after < before else SLOWER


def predecessor(baseline: Process, candidate: Process) -> Verdict:
    """The mean of 50 iterations, and a change is what exceeds 5 %: ``old / new`` beyond 1.05 or 1 / 1.05."""
    before, after = (float(np.mean(process["values"])) for process in (baseline, candidate))
    return direction(before, after) if max(before / after, after / before) > 1.05 else NONE


def iqr_mann_whitney(baseline: Process, candidate: Process) -> Verdict:
    """20 values a side, those beyond 1.5 interquartile ranges left out, Mann-Whitney p < .1 (SWE-Perf)."""
    from scipy.stats import mannwhitneyu

    before, after = (_within_fences(process["values"][:20]) for process in (baseline, candidate))
    significant = mannwhitneyu(before, after, alternative="two-sided").pvalue < 0.1
    return direction(float(np.mean(before)), float(np.mean(after))) if significant else NONE


def pytest_benchmark(baseline: Process, candidate: Process) -> Verdict:
    """``--benchmark-compare-fail=mean:5%`` over rounds of at least a second; it only ever fails what is slower."""
    return SLOWER if candidate["mean"] / baseline["mean"] * 100 - 100 > 5 else NONE


def pyperf(before: Sequence[float], after: Sequence[float]) -> Verdict:
    """``pyperf compare_to``: Student's two-sided two-sample t test over all values, pooled variance, 95 %."""
    from scipy.stats import ttest_ind

    significant = ttest_ind(before, after, equal_var=True).pvalue <= 0.05
    return direction(float(np.mean(before)), float(np.mean(after))) if significant else NONE


def _within_fences(values: Sequence[float]) -> Sequence[float]:
    low, high = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (high - low)
    return [value for value in values if low - reach <= value <= high + reach]


@dataclass(frozen=True, slots=True)
class Peer:
    """A rule and how to feed it."""

    name: str
    title: str
    rule: Callable[[Any, Any], Verdict]
    is_sequential: bool = True


PEERS = (
    Peer("predecessor", "the predecessor: one process a side, mean of 50, 5 % rule", predecessor),
    Peer("iqr-mann-whitney", "20 values, IQR filter, Mann-Whitney p < .1", iqr_mann_whitney),
    Peer("pytest-benchmark", "pytest-benchmark, compare-fail mean:5%", pytest_benchmark),
    Peer("pyperf", "pyperf, 20 processes a side, compare_to", pyperf, is_sequential=False),
)


def verdicts(peer: Peer, rows: Sequence[Row], cell: Cell, units: int) -> list[Verdict]:
    """What the rule says of each independent pair; ``units`` as many as the baseline's make it A/A."""
    pairs = _in_sequence(rows, cell, units) if peer.is_sequential else _in_runs(rows, cell, units)
    return [peer.rule(baseline, candidate) for baseline, candidate in pairs]


def _in_sequence(rows: Sequence[Row], cell: Cell, units: int) -> Iterator[tuple[Process, Process]]:
    for row in rows:
        if cell.holds(row) and row["kind"] == "sequential":
            processes = {(each["units"], each["copy"]): each for each in row["processes"]}
            baseline, candidate = NEIGHBOURS[units]
            yield processes[baseline], processes[candidate]


def _in_runs(rows: Sequence[Row], cell: Cell, units: int) -> Iterator[tuple[list[float], list[float]]]:
    """Twenty starts for the baseline, the next twenty for the other side; and the same with the other twins."""
    for kit, all_units in KITS.items():
        starts = [row for row in rows if cell.holds(row) and row["kit"] == kit]
        twins = all_units if units == UNITS else (UNITS,) * (units in all_units)
        for first in range(0, len(starts) - 2 * PROCESSES + 1, 2 * PROCESSES):
            before, after = starts[first : first + PROCESSES], starts[first + PROCESSES : first + 2 * PROCESSES]
            for base in twins:
                for copy in (0, 1):
                    other = (base, 1 - copy) if units == UNITS else (units, copy)
                    yield _values(before, (base, copy)), _values(after, other)


def _values(starts: Sequence[Row], seat: tuple[int, int]) -> list[float]:
    """Three values a process, each over a third of its turns."""
    values: list[float] = []
    for start in starts:
        walls = next(side["wall"] for side in start["sides"] if (side["units"], side["copy"]) == seat)
        values.extend(float(np.mean(part)) for part in np.array_split(walls, VALUES) if len(part))
    return values
