"""One pattern out of several, so that a table of them reads one a line."""

from __future__ import annotations

import re


def either(*alternatives: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Matches where any of ``alternatives`` does."""
    return re.compile("|".join(alternatives), flags)


_SOUGHT_CHARACTERS = 8_000


def sought(text: str) -> str:
    """What rules are sought in: of a text of any length its beginning and its end, so that their time is bounded."""
    if len(text) <= _SOUGHT_CHARACTERS:
        return text
    half = _SOUGHT_CHARACTERS // 2
    return f"{text[:half]}\n{text[-half:]}"


def one_line(text: str, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
