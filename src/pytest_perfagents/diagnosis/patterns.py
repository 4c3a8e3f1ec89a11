"""One pattern out of several, so that a table of them reads one a line."""

from __future__ import annotations

import re


def either(*alternatives: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Matches where any of ``alternatives`` does."""
    return re.compile("|".join(alternatives), flags)


def one_line(text: str, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
