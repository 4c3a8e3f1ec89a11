"""Outcomes counted: what became of the runs, in a few lines and by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.families import FAMILIES, FAMILY_OF
from pytest_perfagents.analysis.tables import Kind, Section, Table, many, share, table
from pytest_perfagents.diagnosis.taxonomy import default_blame


def overview(entries: Sequence[Entry]) -> Section:
    """How many runs ended how, with their share of all."""
    commits, agents = len({entry.place for entry in entries}), len({entry.alias for entry in entries})
    line = f"{many(len(entries), 'run')} of {many(agents, 'agent')} on {many(commits, 'commit')}."
    return Section("Summary", (line,), (_groups(entries), _categories(entries)))


def _groups(entries: Sequence[Entry]) -> Table:
    counts = Counter(FAMILY_OF[entry.category].group for entry in entries)
    titles = dict.fromkeys(family.group for family in FAMILIES)
    rows = [(title, counts[title], share(counts[title], len(entries))) for title in titles if counts[title]]
    columns = {"outcome": Kind.TEXT, "runs": Kind.COUNT, "share": Kind.SHARE}
    return table("Outcomes", columns, [*rows, ("total", len(entries), share(len(entries), len(entries)))], most=0)


def _categories(entries: Sequence[Entry]) -> Table:
    counts = Counter(entry.category for entry in entries)
    columns = {"category": Kind.CODE, "runs": Kind.COUNT, "share": Kind.SHARE, "whose move": Kind.TEXT}
    blames = {
        category: Counter(e.blame for e in entries if e.category is category).most_common(1) for category in counts
    }
    rows = []
    for category in (category for family in FAMILIES for category in family.categories if counts[category]):
        blame = blames[category][0][0] or default_blame(category)
        rows.append((category.value, counts[category], share(counts[category], len(entries)), blame))
    return table("Categories", columns, rows, most=0)
