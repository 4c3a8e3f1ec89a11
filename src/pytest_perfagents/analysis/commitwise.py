"""Commit by commit: what each side came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from pytest_perfagents.analysis.entries import Entry, grouped
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, table

MOST_SIDES = 6


def commit_section(sides: Mapping[str, Sequence[Entry]]) -> Section | None:
    """A row for each commit that two sides have, a column for each side; None without such a commit, or of many sides.

    A cell is the speedup, of several measured attempts their geometric mean, or else the category of the last attempt.
    """
    if len(sides) > MOST_SIDES:
        return None
    groups = {name: grouped(entries, lambda entry: entry.place) for name, entries in sides.items()}
    places = dict.fromkeys(place for group in groups.values() for place in group)
    common = [place for place in places if sum(place in group for group in groups.values()) > 1]
    rows: list[Row] = [
        (short, repo, *(_came_to(group.get((repo, short), ())) for group in groups.values()))
        for repo, short in sorted(common)
    ]
    if not rows:
        return None
    columns = {"commit": Kind.CODE, "repo": Kind.TEXT} | {_title(name): Kind.TEXT for name in groups}
    return Section("Commit by commit", (), (table("What each came to", columns, rows, what="commits"),))


def _title(name: str) -> str:
    """A side may be called as a column is."""
    return f"{name} (side)" if name in ("commit", "repo") else name


def _came_to(attempts: Sequence[Entry]) -> Cell:
    if not attempts:
        return None
    logs = [log(entry.speedup.point) for entry in attempts if entry.speedup is not None]
    return f"{exp(sum(logs) / len(logs)):.3f}x" if logs else attempts[-1].category.value
