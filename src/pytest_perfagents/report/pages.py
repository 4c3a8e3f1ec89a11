"""How much of a table a page shows. What reads a report with a program (`data`) shows all."""

from __future__ import annotations

from pytest_perfagents.analysis.tables import Row, Table

ROWS = 20


def shown_rows(table: Table, rows: int = ROWS) -> tuple[Row, ...]:
    """The first ``rows``, or as many as the table itself says; 0 is all of them."""
    most = rows if table.most is None else table.most
    return table.rows[:most] if most else table.rows


def rest_line(table: Table, shown: int) -> str | None:
    """``showing 20 of 85 neutral runs``; None where all are shown."""
    return f"showing {shown} of {table.count} {table.what}" if shown < table.count else None


def rest_hint(table: Table, shown: int) -> str:
    """How to see the rest; empty where there is none to be had."""
    return "--rows 0 shows all" if table.most is None and shown < len(table.rows) == table.count else ""
