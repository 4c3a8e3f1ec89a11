"""A report as Markdown, as GitHub reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_perfagents.analysis.tables import NUMBERS, Cell, Column, Document, Kind, Section, Table
from pytest_perfagents.report.cells import clean, shown
from pytest_perfagents.report.pages import ROWS, rest_hint, rest_line, shown_rows

_SPECIAL = re.compile(r"[\\`*|<>\[\]]|(?<!\w)_|_(?!\w)|~~|^#")


def to_markdown(document: Document, *, rows: int = ROWS) -> str:
    """The whole report; ``rows`` of a long table are shown, 0 is all."""
    parts = [f"# {escaped(document.title)}", *(part for each in document.sections for part in _section(each, rows))]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """The text as Markdown that shows it and does nothing else."""
    return _SPECIAL.sub(lambda found: "".join(f"\\{character}" for character in found[0]), clean(text))


def code(text: str) -> str:
    """The text as code, also in a table."""
    text = clean(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def _section(section: Section, rows: int) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    yield from (escaped(line) for line in section.lines)
    for table in section.tables:
        yield f"### {escaped(table.title)}"
        if table.note:
            yield escaped(table.note)
        yield from _table(table.filled(), rows)


def _table(table: Table, rows: int) -> Iterator[str]:
    visible = shown_rows(table, rows)
    lines = [
        [escaped(column.title) for column in table.columns],
        ["---:" if column.kind in NUMBERS else "---" for column in table.columns],
        *([_cell(value, column) for value, column in zip(row, table.columns, strict=True)] for row in visible),
    ]
    yield "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    rest = rest_line(table, len(visible))
    if rest is not None:
        hint = rest_hint(table, len(visible))
        yield f"*({escaped(rest)})*{f'; `{hint}`' if hint else ''}"


def _cell(value: Cell, column: Column) -> str:
    if column.kind is Kind.CODE and value is not None:
        return code(str(value))
    text = shown(value, column.kind)
    return escaped(text) if column.kind is Kind.TEXT else text.replace("|", "\\|")
