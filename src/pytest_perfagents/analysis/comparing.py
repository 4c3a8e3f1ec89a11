"""Result sets, agents or repositories beside each other: the sides, and every pair of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, islice

from pytest_perfagents.analysis.commitwise import commit_section
from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.pairing import paired_section
from pytest_perfagents.analysis.reruns import transition_section
from pytest_perfagents.analysis.tables import Document, Kind, Row, Section, Table, share, table
from pytest_perfagents.analysis.timeline import time_cells, time_lines
from pytest_perfagents.analysis.transitions import transitions
from pytest_perfagents.scores.geometric import geometric_mean

MOST_PAIRS = 15
_COLUMNS = {
    "name": Kind.TEXT,
    "runs": Kind.COUNT,
    "tasks": Kind.COUNT,
    "measured": Kind.COUNT,
    "success rate": Kind.SHARE,
    "faster": Kind.COUNT,
    "slower": Kind.COUNT,
    "geometric mean": Kind.SPEEDUP,
    "its interval": Kind.SPEEDUPS,
    "start (UTC)": Kind.TIME,
    "end (UTC)": Kind.TIME,
    "span": Kind.SECONDS,
    "total": Kind.SECONDS,
    "commits": Kind.COUNT,
    "average per commit": Kind.SECONDS,
}
_TIME = 9
"""Where the columns of time begin."""


def comparison(sides: Mapping[str, Sequence[Entry]], *, reruns: bool, seed: int = 0) -> Document:
    """``sides`` by name, two or more. ``reruns``: each later one may be a rerun of an earlier one."""
    sections: list[Section | None] = [_beside(sides, seed)]
    pairs = list(islice(combinations(sides.items(), 2), MOST_PAIRS))
    overlap = False
    for (first, before), (second, after) in pairs:
        found = transitions(before, after) if reruns else None
        if found is not None and found.common:
            overlap = True
            sections.append(transition_section(found, first, second, before, after))
        if found is None or not found.only_failures:
            sections.append(paired_section(first, before, second, after, seed=seed))
    total = len(sides) * (len(sides) - 1) // 2
    if total > len(pairs):
        line = f"{len(pairs)} of {total} pairs are shown; name fewer result sets, or select fewer runs."
        sections.append(Section("More pairs", (line,)))
    sections.append(commit_section(sides, reruns=overlap))
    return Document("Comparison", tuple(section for section in sections if section is not None))


def side_table(sides: Mapping[str, Sequence[Entry]], *, seed: int = 0) -> Table:
    """A row for each side, with all that one side alone tells."""
    return table("Sides", _COLUMNS, [_row(name, entries, seed) for name, entries in sides.items()], most=0)


def _beside(sides: Mapping[str, Sequence[Entry]], seed: int) -> Section:
    """What they came to and how long they took: two tables, for one would be wider than a screen."""
    whole = side_table(sides, seed=seed)
    parts = {"What they came to": range(_TIME), "How long they took": (0, *range(_TIME, len(_COLUMNS)))}
    tables = [
        Table(title, tuple(whole.columns[n] for n in kept), tuple(tuple(row[n] for n in kept) for row in whole.rows))
        for title, kept in parts.items()
    ]
    everything = [entry for entries in sides.values() for entry in entries]
    return Section("Side by side", time_lines(everything), tuple(tables))


def _row(name: str, entries: Sequence[Entry], seed: int) -> Row:
    measured = [(entry.speedup.point, entry.place) for entry in entries if entry.speedup is not None]
    mean = geometric_mean([point for point, _ in measured], [place for _, place in measured], seed=seed)
    return (
        name,
        len(entries),
        len({entry.task for entry in entries}),
        len(measured),
        share(len(measured), len(entries)),
        sum(entry.category == "SUCCESS_IMPROVEMENT" for entry in entries),
        sum(entry.category == "SUCCESS_REGRESSION" for entry in entries),
        mean.value if mean else None,
        mean.interval if mean else None,
        *time_cells(entries),
    )
