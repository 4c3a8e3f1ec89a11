"""Numbers in the JSON of others."""

from __future__ import annotations

import re
from math import isfinite

_NUMERAL = re.compile(r"\s*[-+]?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})(?:[eE][-+]?\d{1,4})?\s*")


def number(value: object) -> float | None:
    """A finite number, also one that is written as a text (``"10.0"``); None for anything else."""
    is_written = isinstance(value, str) and _NUMERAL.fullmatch(value) is not None
    if isinstance(value, bool) or not (is_written or isinstance(value, int | float)):
        return None
    try:
        figure = float(value)  # type: ignore[arg-type]  # mypy does not follow is_written
    except OverflowError:
        return None
    return figure if isfinite(figure) else None
