"""What the sections of an explanation are made of: headings, facts beside their names, lines that stay whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pytest_perfagents.report.cells import printable

NAME_WIDTH = 14
LONGEST = 400
TAB = 4

Fact = tuple[str, str | Text | Path | None]


def heading(title: str) -> Iterator[RenderableType]:
    """An empty line and the title."""
    yield Text("")
    yield Text(title, style="bold cyan")


def facts(rows: Iterable[Fact]) -> Iterator[RenderableType]:
    """Names and values, a long value in its own column, a path whole; None and an empty value are left out."""
    grid = _grid()
    for name, value in rows:
        if isinstance(value, Path):
            if grid.row_count:
                yield grid
            yield whole(printable(f"{name:{NAME_WIDTH}} {value}"))
            grid = _grid()
        elif value:
            grid.add_row(Text(printable(name)), value if isinstance(value, Text) else Text(printable(value)))
    if grid.row_count:
        yield grid


def _grid() -> Table:
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(width=NAME_WIDTH, no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def whole(line: str, style: str = "") -> Text:
    """A line that is never broken up, so that it can be copied."""
    return Text(line, style=style, no_wrap=True)


def code_lines(text: str) -> list[str]:
    """The lines of others' text with their indentation, and nothing that a terminal would obey."""
    lines = [printable(line.expandtabs(TAB)) for line in text.replace("\r\n", "\n").split("\n")]
    lines = lines[:-1] if lines[-1] == "" else lines
    return [line if len(line) <= LONGEST else f"{line[:LONGEST]} ... ({len(line)} characters)" for line in lines]
