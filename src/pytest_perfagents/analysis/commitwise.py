"""Commit by commit: what each side came to, and of reruns what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from pytest_perfagents.analysis.entries import Entry, grouped
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, table
from pytest_perfagents.analysis.transitions import change, standing

MOST_SIDES = 6
CHANGED = "what changed"
Place = tuple[str, str]
Groups = Mapping[str, Mapping[Place, Sequence[Entry]]]


def commit_section(sides: Mapping[str, Sequence[Entry]], *, reruns: bool = False) -> Section | None:
    """A row for each commit that two sides have, a column for each side; None without such a commit, or of many sides.

    A cell is the speedup, of several measured attempts their geometric mean, or else the category of the last attempt.
    Of ``reruns`` what changed since the first side that has a task to the last one is told, and those rows come first.
    """
    if len(sides) > MOST_SIDES:
        return None
    groups = {name: grouped(entries, lambda entry: entry.place) for name, entries in sides.items()}
    places = dict.fromkeys(place for group in groups.values() for place in group)
    common = sorted(place for place in places if sum(place in group for group in groups.values()) > 1)
    if not common:
        return None
    changed = {place: _changed(place, groups) for place in common} if reruns else {}
    common.sort(key=lambda place: not changed.get(place))
    columns = {"commit": Kind.CODE, "repo": Kind.TEXT} | {_title(name): Kind.TEXT for name in groups}
    rows: list[Row] = []
    for place in common:
        cells = (_came_to(group.get(place, ())) for group in groups.values())
        rows.append((place[1], place[0], *cells, *([changed[place]] if reruns else ())))
    lines: tuple[str, ...] = ()
    if reruns:
        columns[CHANGED] = Kind.TEXT
        count = sum(what is not None for what in changed.values())
        lines = (f"{count} of {len(rows)} commits changed and come first. A speedup that moved is no change alone.",)
    return Section("Commit by commit", lines, (table("What each came to", columns, rows, what="commits"),))


def _changed(place: Place, groups: Groups) -> str | None:
    """What changed on a commit, task by task; with the agents' names where it has several."""
    first: dict[tuple[str, ...], Entry] = {}
    last: dict[tuple[str, ...], Entry] = {}
    for group in groups.values():
        for task, entry in standing(group.get(place, ())).items():
            first.setdefault(task, entry)
            last[task] = entry
    told = {task: change(first[task], entry) for task, entry in last.items()}
    words = [f"{last[task].who}: {what}" if len(told) > 1 else what for task, what in sorted(told.items()) if what]
    return "; ".join(words) or None


def _title(name: str) -> str:
    """A side may be called as a column is."""
    return f"{name} (side)" if name in ("commit", "repo", CHANGED) else name


def _came_to(attempts: Sequence[Entry]) -> Cell:
    if not attempts:
        return None
    logs = [log(entry.speedup.point) for entry in attempts if entry.speedup is not None]
    return f"{exp(sum(logs) / len(logs)):.3f}x" if logs else attempts[-1].category.value
