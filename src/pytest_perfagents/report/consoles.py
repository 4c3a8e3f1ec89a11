"""Where text goes: how wide the screen is, whether colours are welcome, and what characters it can show."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

from rich.console import Console

NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Screen:
    """Columns, whether colours are welcome, and what characters can be shown."""

    width: int
    colour: bool = False
    encoding: str = "utf-8"


def console_for(screen: Screen) -> Console:
    """A console that keeps what is printed, for `text_of`; nothing in others' words is taken for markup."""
    return Console(
        file=StringIO(),
        width=max(screen.width, NARROWEST),
        force_terminal=screen.colour,
        highlight=False,
        markup=False,
        emoji=False,
        color_system="standard" if screen.colour else None,
        legacy_windows=False,
        soft_wrap=False,
    )


def text_of(console: Console, screen: Screen) -> str:
    """All that was printed, without blanks at the ends of lines; a character that cannot be shown is a ``?``."""
    assert isinstance(console.file, StringIO)
    lines = (line.rstrip() for line in console.file.getvalue().splitlines())
    return "\n".join(lines).encode(screen.encoding, "replace").decode(screen.encoding) + "\n"
