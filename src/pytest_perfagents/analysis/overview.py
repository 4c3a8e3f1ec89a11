"""Outcomes counted: what became of the runs, in a few lines and by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_perfagents.analysis.entries import NOBODY, Entry
from pytest_perfagents.analysis.families import FAMILIES, FAMILY_OF
from pytest_perfagents.analysis.tables import Kind, Row, Section, Table, many, share, table
from pytest_perfagents.model import Category


def overview(entries: Sequence[Entry]) -> Section:
    """How many runs ended how, with their share of all."""
    commits, agents = len({entry.place for entry in entries}), len({(entry.agent, entry.model) for entry in entries})
    line = f"{many(len(entries), 'run')} of {many(agents, 'agent')} (each with its model) on {many(commits, 'commit')}."
    return Section("Summary", (line,), (_groups(entries), _categories(entries), _moves(entries)))


def _groups(entries: Sequence[Entry]) -> Table:
    counts = Counter(FAMILY_OF[entry.category].group for entry in entries)
    titles = dict.fromkeys(family.group for family in FAMILIES)
    rows = [(title, counts[title], share(counts[title], len(entries))) for title in titles if counts[title]]
    columns = {"outcome": Kind.TEXT, "runs": Kind.COUNT, "share": Kind.SHARE}
    return table("Outcomes", columns, [*rows, ("total", len(entries), share(len(entries), len(entries)))], most=0)


def _categories(entries: Sequence[Entry]) -> Table:
    counts = Counter(entry.category for entry in entries)
    columns = {"category": Kind.CODE, "runs": Kind.COUNT, "share": Kind.SHARE, "whose move": Kind.TEXT}
    moves: dict[Category, Counter[str]] = {}
    for entry in entries:
        moves.setdefault(entry.category, Counter())[entry.whose_move] += 1
    rows: list[Row] = [
        (category.value, counts[category], share(counts[category], len(entries)), _split(moves[category]))
        for family in FAMILIES
        for category in family.categories
        if counts[category]
    ]
    return table("Categories", columns, rows, most=0)


def _split(moves: Counter[str]) -> str | None:
    """``environment``, or ``2 environment, 2 script`` where the runs of a category differ."""
    if len(moves) == 1:
        return next(iter(moves)) or None
    ordered = sorted(moves.items(), key=lambda move: (-move[1], move[0]))
    return ", ".join(f"{count} {blame or NOBODY}" for blame, count in ordered)


def _moves(entries: Sequence[Entry]) -> Table:
    counts = Counter(entry.whose_move or NOBODY for entry in entries)
    ordered = sorted(counts.items(), key=lambda move: (move[0] == NOBODY, -move[1], move[0]))
    rows: list[Row] = [(blame, count, share(count, len(entries))) for blame, count in ordered]
    columns = {"whose move": Kind.TEXT, "runs": Kind.COUNT, "share": Kind.SHARE}
    return table("Whose move", columns, rows, most=0)
