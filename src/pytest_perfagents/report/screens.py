"""A report on a terminal: tables that fit the width, plain words where there are no colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from pytest_perfagents.analysis.tables import NUMBERS, Column, Document, Kind, Section, Table
from pytest_perfagents.report.cells import clean, shown
from pytest_perfagents.report.consoles import Screen, console_for, text_of
from pytest_perfagents.report.pages import ROWS, rest_hint, rest_line, shown_rows

_GAP = 2
_FOLDED = 24
"""What a column that may fold has at least."""


def to_screen(document: Document, screen: Screen, *, rows: int = ROWS) -> str:
    """The whole report; ``rows`` of a long table are shown, 0 is all."""
    console = console_for(screen)
    console.print(Text(clean(document.title), style="bold"))
    for section in document.sections:
        for part in _section(section, rows, console.width):
            console.print(part)
    return text_of(console, screen)


def _section(section: Section, rows: int, width: int) -> Iterable[RenderableType]:
    yield Text("")
    title = clean(section.title)
    yield Text(title, style="bold cyan")
    yield Text("=" * min(cell_len(title), width), style="cyan")
    for line in section.lines:
        yield Text(clean(line))
    for table in section.tables:
        yield Text("")
        if table.title:
            yield Text(clean(table.title), style="bold")
        if table.note:
            yield Text(clean(table.note))
        yield from _table(table.filled(), rows, width)


def _table(table: Table, rows: int, width: int) -> Iterable[RenderableType]:
    visible = shown_rows(table, rows)
    cells = [[shown(value, column.kind) for value, column in zip(row, table.columns, strict=True)] for row in visible]
    held = [max((cell_len(each) for each in column), default=0) for column in zip(*cells, strict=True)]
    held = held or [0] * len(table.columns)
    natural = [max(size, cell_len(column.title)) for size, column in zip(held, table.columns, strict=True)]
    least = [_least(column, size) for column, size in zip(table.columns, held, strict=True)]
    if sum(least) + _GAP * (len(least) - 1) <= width:
        yield _grid(table, cells, _widths(natural, least, width - _GAP * (len(least) - 1)))
    else:
        yield from (_stacked(table, row) for row in cells)
    rest = rest_line(table, len(visible))
    if rest is not None:
        hint = rest_hint(table, len(visible))
        yield Text(f"... {rest}{f'; {hint}' if hint else ''}")


def _least(column: Column, held: int) -> int:
    """What a column cannot do without: its figures whole, its text folded, its title broken between words."""
    folds = column.kind in (Kind.TEXT, Kind.CODE) and held > _FOLDED
    return max(_FOLDED if folds else held, *map(cell_len, column.title.split()))


def _widths(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """What each column gets: all it wants, or its share of what the others leave, the first ones first."""
    widths, spare = list(least), room - sum(least)
    for place, wanted in enumerate(natural):
        more = min(wanted - widths[place], spare)
        widths[place] += more
        spare -= more
    return widths


def _grid(table: Table, cells: Sequence[Sequence[str]], widths: Sequence[int]) -> RenderableType:
    grid = Grid(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", collapse_padding=True)
    for column, width in zip(table.columns, widths, strict=True):
        grid.add_column(
            column.title, justify="right" if column.kind in NUMBERS else "left", width=width, overflow="fold"
        )
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def _stacked(table: Table, cells: Sequence[str]) -> RenderableType:
    """A row that no line holds: its first cell, then each of the others that says something, with its title."""
    named = [
        f"{column.title} {cell}" for column, cell in list(zip(table.columns, cells, strict=True))[1:] if cell != "-"
    ]
    text = Text(cells[0], style="bold")
    text.append(f"  {', '.join(named)}", style="not bold")
    return Padding(text, (0, 0, 0, 0))
