"""What a report is made of: sections of tables of plain values, which any renderer can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

Cell = str | int | float | tuple[float, float] | None
Row = tuple[Cell, ...]


class Kind(StrEnum):
    """What a column holds, and so how it is written."""

    TEXT = "text"
    CODE = "code"
    COUNT = "count"
    SHARE = "share"
    SPEEDUP = "speedup"
    SPEEDUPS = "speedups"
    SHARES = "shares"
    MILLISECONDS = "milliseconds"
    SECONDS = "seconds"
    TIME = "time"
    PROBABILITY = "probability"
    TOKENS = "tokens"
    DOLLARS = "dollars"
    FIGURE = "figure"


NUMBERS = frozenset(set(Kind) - {Kind.TEXT, Kind.CODE, Kind.TIME})


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title and kind. ``SPEEDUPS`` and ``SHARES`` are intervals, pairs of numbers."""

    title: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """``rows`` are whole; a page shows the first ``most`` of them, or as many as its reader asked for.

    ``total`` is what the rows stand for where they are a sample; ``what`` names them: "neutral runs". ``note`` says
    what the table leaves out.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    what: str = "rows"
    most: int | None = None
    total: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title!r}: a row of {len(row)} cells in a table of {len(self.columns)} columns")

    @property
    def count(self) -> int:
        """How many rows there would be, were it not a sample."""
        return len(self.rows) if self.total is None else self.total

    def filled(self) -> Table:
        """The table without the columns that hold nothing in any row; the first always stays."""
        kept = [n for n in range(len(self.columns)) if n == 0 or any(row[n] is not None for row in self.rows)]
        if not self.rows or len(kept) == len(self.columns):
            return self
        columns = tuple(self.columns[n] for n in kept)
        return replace(self, columns=columns, rows=tuple(tuple(row[n] for n in kept) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what it means in a line or more, and tables."""

    title: str
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report."""

    title: str
    sections: tuple[Section, ...] = field(default_factory=tuple)


def table(
    title: str,
    columns: Mapping[str, Kind],
    rows: Iterable[Row],
    *,
    what: str = "rows",
    most: int | None = None,
    total: int | None = None,
    note: str = "",
) -> Table:
    """A table of columns by title."""
    return Table(
        title, tuple(Column(name, kind) for name, kind in columns.items()), tuple(rows), what, most, total, note
    )


def many(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> float | None:
    """``part / whole``; None of nothing."""
    return part / whole if whole else None
