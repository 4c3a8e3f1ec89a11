"""What failed, family by family: by category, by agent and model, the particulars, sample runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.families import FAMILIES, Family
from pytest_perfagents.analysis.missing import bases_table, modules_table, scripts_table, targets_table
from pytest_perfagents.analysis.tables import Kind, Section, Table, many, share, table

SAMPLES = 10

_PARTICULARS: Mapping[str, Callable[[Sequence[Entry]], Table | None]] = {
    "Baseline gave no result": modules_table,
    "Module not installed": modules_table,
    "Target not resolved": targets_table,
    "No worktree": bases_table,
    "No test script": scripts_table,
}
"""By family, what a person needs to know besides how often."""


def breakdowns(entries: Sequence[Entry]) -> list[Section]:
    """A section for every family that failed, in the order of the families."""
    sections = []
    for family in FAMILIES:
        members = [entry for entry in entries if entry.category in family.categories]
        if members and not members[0].measured:
            sections.append(_section(family, members))
    return sections


def _section(family: Family, members: Sequence[Entry]) -> Section:
    particulars = _PARTICULARS.get(family.title)
    tables = [
        _categories(members),
        _agents(members),
        particulars(members) if particulars is not None else None,
        _samples(members),
    ]
    title = f"{family.title} ({many(len(members), 'run')})"
    return Section(title, (family.means,), tuple(each for each in tables if each is not None))


def _categories(members: Sequence[Entry]) -> Table | None:
    counts = Counter(entry.category.value for entry in members)
    if len(counts) < 2:
        return None
    rows = [(name, count, share(count, len(members))) for name, count in counts.most_common()]
    columns = {"category": Kind.CODE, "runs": Kind.COUNT, "of these": Kind.SHARE}
    return table("By category", columns, rows, what="categories", most=0)


def _agents(members: Sequence[Entry]) -> Table:
    groups = most_first(grouped(members, lambda entry: (entry.agent, entry.model)))
    rows = [(*names, len(group), share(len(group), len(members))) for names, group in groups]
    columns = {"agent": Kind.TEXT, "model": Kind.TEXT, "runs": Kind.COUNT, "of these": Kind.SHARE}
    return table("By agent and model", columns, rows, what="agents", most=0)


def _samples(members: Sequence[Entry]) -> Table:
    """The first runs of each cause in turn, so that a rare cause shows beside a frequent one."""
    queues = [group for _, group in most_first(grouped(members, lambda entry: entry.cause))]
    shown = [group[turn] for turn in range(SAMPLES) for group in queues if turn < len(group)][:SAMPLES]
    rows = [(e.item, e.agent, e.model, e.repo, e.short, e.source.status or None, e.reason or None) for e in shown]
    columns = {
        "item": Kind.CODE,
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "repo": Kind.TEXT,
        "commit": Kind.CODE,
        "agent's status": Kind.TEXT,
        "reason": Kind.TEXT,
    }
    return table("Sample runs", columns, rows, what="runs", most=0, total=len(members))
