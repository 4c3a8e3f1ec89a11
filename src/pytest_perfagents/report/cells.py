"""Plain values as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_perfagents.analysis.tables import Cell, Kind

MOST_CHARACTERS = 200


def shown(value: Cell, kind: Kind) -> str:
    """The text of a cell; ``-`` for nothing."""
    return "-" if value is None else _WRITERS[kind](value)


def clean(text: str) -> str:
    """One short line without anything that a terminal would obey: others' words, of agents and measured code, stand in
    it.
    """
    words = printable(" ".join(text.split()))
    return words if len(words) <= MOST_CHARACTERS else f"{words[: MOST_CHARACTERS - 4]} ..."


def printable(text: str) -> str:
    """The whole text with the ends of its lines; what else a terminal would obey or cannot show stands as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def duration(seconds: float) -> str:
    """``7 h 54 min``, ``5.2 min``, ``19.0 s``."""
    if seconds >= 3600:
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def _speedup(value: float) -> str:
    return f"{_times(value)}x"


def _times(value: float) -> str:
    return f"{value:.3f}" if 0.01 <= value < 100 else f"{value:.3g}"


def _speedups(value: tuple[float, float]) -> str:
    return f"[{_times(value[0])}, {_times(value[1])}]"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _shares(value: tuple[float, float]) -> str:
    return f"[{100 * value[0]:.1f}, {100 * value[1]:.1f}] %"


def _milliseconds(value: float) -> str:
    """Three figures, and two places after the point at least."""
    if value >= 1:
        return f"{value:.2f}"
    text = f"{value:.3g}"
    return text if "e" in text or len(text) >= 4 else f"{value:.2f}"


def _dollars(value: float) -> str:
    """Cents, and of less than a dollar two figures."""
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _probability(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


_WRITERS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: lambda value: clean(str(value)),
    Kind.CODE: lambda value: clean(str(value)),
    Kind.COUNT: str,
    Kind.SHARE: _share,
    Kind.SHARES: _shares,
    Kind.SPEEDUP: _speedup,
    Kind.SPEEDUPS: _speedups,
    Kind.MILLISECONDS: _milliseconds,
    Kind.SECONDS: duration,
    Kind.TIME: lambda value: clean(str(value)),
    Kind.PROBABILITY: _probability,
    Kind.TOKENS: lambda value: f"{value:,.0f}",
    Kind.DOLLARS: _dollars,
    Kind.FIGURE: _milliseconds,
}
