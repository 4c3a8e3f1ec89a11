"""How often runs come to something: per agent, model, repository, or whatever they are grouped by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pytest_perfagents.analysis.cost import PriceOf, spending, unpriced
from pytest_perfagents.analysis.entries import NO_PATCH, NOBODY, Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, Table, share, table
from pytest_perfagents.model import Category

KEYS: Mapping[str, Callable[[Entry], str]] = {
    "agent": lambda entry: entry.agent,
    "model": lambda entry: entry.model,
    "repo": lambda entry: entry.repo,
    "commit": lambda entry: entry.short,
    "category": lambda entry: entry.category.value,
    "blame": lambda entry: entry.whose_move or NOBODY,
}
"""What ``--by`` takes."""

_CODE = frozenset({"commit", "category"})
_COUNTS = {
    "runs": Kind.COUNT,
    "share": Kind.SHARE,
    "with a patch": Kind.COUNT,
    "measured": Kind.COUNT,
    "failed": Kind.COUNT,
    "timed out": Kind.COUNT,
    "success rate": Kind.SHARE,
    "faster": Kind.COUNT,
    "slower": Kind.COUNT,
}

_SPENT = {"tokens": Kind.TOKENS, "dollars": Kind.DOLLARS, "dollars per success": Kind.DOLLARS}


def rates(entries: Sequence[Entry]) -> Section:
    """Tables per agent and model, per model and per repository."""
    line = (
        "A success is a run with performance data, be it faster, slower or neutral; "
        "faster and slower are improvements and regressions beyond the threshold."
    )
    tables = (
        _rates("By agent", entries, ("agent", "model")),
        _rates("By model", entries, ("model",)),
        _rates("By repository", entries, ("repo",)),
    )
    return Section("Success rates", (line,), tables)


def group_table(entries: Sequence[Entry], keys: Sequence[str], price_of: PriceOf = unpriced) -> Table:
    """``--by``: a row for each group; with several keys also its share of the group that the keys but the last make."""
    groups = most_first(grouped(entries, lambda entry: tuple(KEYS[key](entry) for key in keys)))
    outer = grouped(entries, lambda entry: tuple(KEYS[key](entry) for key in keys[:-1]))
    if len(keys) > 1:
        groups.sort(key=lambda group: (group[0][:-1], -len(group[1])))
    columns = {key: _kind(key) for key in keys} | {"runs": Kind.COUNT, "share": Kind.SHARE}
    of = f"of {' and '.join(keys[:-1])}"
    columns |= ({of: Kind.SHARE} if len(keys) > 1 else {}) | dict(list(_COUNTS.items())[2:]) | _SPENT
    rows: list[Row] = []
    for names, members in groups:
        counts = _counts(members, len(entries))
        within = (share(len(members), len(outer[names[:-1]])),) if len(keys) > 1 else ()
        spent = spending(members, price_of)
        rows.append((*names, *counts[:2], *within, *counts[2:], spent.tokens, spent.cost, spent.cost_per_success))
    return table(f"By {', '.join(keys)}", columns, rows, what="groups")


def _rates(title: str, entries: Sequence[Entry], keys: tuple[str, ...]) -> Table:
    groups = most_first(grouped(entries, lambda entry: tuple(KEYS[key](entry) for key in keys)))
    rows: list[Row] = [(*names, *_counts(members, len(entries))) for names, members in groups]
    if len(rows) > 1:
        rows.append(("total", *[None] * (len(keys) - 1), *_counts(entries, len(entries))))
    return table(title, {key: _kind(key) for key in keys} | _COUNTS, rows, what="groups", most=0)


def _kind(key: str) -> Kind:
    return Kind.CODE if key in _CODE else Kind.TEXT


def _counts(members: Sequence[Entry], total: int) -> tuple[Cell, ...]:
    counts = Counter(entry.category for entry in members)
    measured = sum(count for category, count in counts.items() if category.measured)
    late = sum(count for category, count in counts.items() if category.endswith("TIMEOUT"))
    return (
        len(members),
        share(len(members), total),
        sum(count for category, count in counts.items() if category not in NO_PATCH),
        measured,
        len(members) - measured - late,
        late,
        share(measured, len(members)),
        counts[Category.SUCCESS_IMPROVEMENT],
        counts[Category.SUCCESS_REGRESSION],
    )
