"""A report for programs: JSON with every row, and tables of comma-separated values."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from pytest_perfagents.analysis.cost import PriceOf, cost_of, unpriced
from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.speedups import milliseconds
from pytest_perfagents.analysis.tables import Cell, Document, Kind, Table, table
from pytest_perfagents.jsontext import json_text
from pytest_perfagents.report.cells import printable

SCHEMA = "perfagents/summary/1"


def to_json(document: Document, facts: Mapping[str, Any]) -> str:
    """The report with plain numbers: shares are parts of 1, times seconds or milliseconds as the column's kind says."""
    sections = [
        {"title": section.title, "lines": section.lines, "tables": [_table(each) for each in section.tables]}
        for section in document.sections
    ]
    report = {"schema": SCHEMA, "title": document.title, **facts, "sections": sections}
    return json_text(report, indent=1) + "\n"


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": [{"title": column.title, "kind": column.kind.value} for column in table.columns],
        "rows": table.rows,
        "of": table.count,
        "note": table.note,
    }


def to_csv(table: Table) -> str:
    """One table, intervals as two columns; no text of others is a formula or a control character in it."""
    content = StringIO()
    writer = csv.writer(content, lineterminator="\n")
    pairs = [column.kind in (Kind.SPEEDUPS, Kind.SHARES) for column in table.columns]
    titles = zip(table.columns, pairs, strict=True)
    writer.writerow([name for column, pair in titles for name in _titles(column.title, pair)])
    for row in table.rows:
        writer.writerow([cell for value, pair in zip(row, pairs, strict=True) for cell in _values(value, pair)])
    return content.getvalue()


def _titles(title: str, pair: bool) -> tuple[str, ...]:
    return (f"{title} low", f"{title} high") if pair else (title,)


def _values(value: Cell, pair: bool) -> Sequence[Cell]:
    if pair:
        return value if isinstance(value, tuple) else (None, None)
    return (_inert(value) if isinstance(value, str) else value,)


_FORMULA = tuple("=+-@＝＋－＠")  # noqa: RUF001  # spreadsheets take the wide ones for the others


def _inert(text: str) -> str:
    """A text on one line that a spreadsheet shows and does not run: OWASP, CSV Injection."""
    words = printable(" ".join(text.split()))
    return f"'{words}" if words.startswith(_FORMULA) else words


_OUTCOME = {
    "id": Kind.TEXT,
    "repo": Kind.TEXT,
    "commit": Kind.TEXT,
    "pre_commit": Kind.TEXT,
    "agent": Kind.TEXT,
    "model": Kind.TEXT,
    "alias": Kind.TEXT,
    "run": Kind.TEXT,
    "item": Kind.TEXT,
    "category": Kind.TEXT,
    "blame": Kind.TEXT,
    "reason": Kind.TEXT,
    "hint": Kind.TEXT,
    "speedup": Kind.SPEEDUP,
    "speedup interval": Kind.SPEEDUPS,
    "human_speedup": Kind.SPEEDUP,
    "baseline_ms": Kind.MILLISECONDS,
    "patched_ms": Kind.MILLISECONDS,
    "started_at": Kind.TIME,
    "duration_s": Kind.SECONDS,
    "input_tokens": Kind.TOKENS,
    "cached_input_tokens": Kind.TOKENS,
    "cache_write_tokens": Kind.TOKENS,
    "output_tokens": Kind.TOKENS,
    "tokens": Kind.TOKENS,
    "dollars": Kind.DOLLARS,
}


def outcomes_table(entries: Sequence[Entry], price_of: PriceOf = unpriced) -> Table:
    """A row for each run."""
    rows = [
        (
            *(entry.id, entry.repo, entry.commit, entry.pre_commit, entry.agent, entry.model, entry.alias, entry.run),
            *(entry.item, entry.category.value, entry.blame, entry.reason, entry.hint),
            entry.speedup.point if entry.speedup else None,
            entry.speedup.interval if entry.speedup else None,
            entry.human_speedup.point if entry.human_speedup else None,
            milliseconds(entry, "baseline"),
            milliseconds(entry, "patched"),
            entry.started_at,
            entry.duration_s,
            *(entry.tokens.parts if entry.tokens else (None,) * 4),
            entry.tokens.total if entry.tokens else None,
            cost_of(entry, price_of),
        )
        for entry in entries
    ]
    return table("Outcomes", _OUTCOME, rows, what="runs", most=0)
