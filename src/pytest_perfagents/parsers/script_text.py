"""Times in words: ``Execution time: 1.234s``, timeit's lines, pytest-benchmark's table."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite

_UNITS = {
    "ns": 1e-9, "nsec": 1e-9, "nanosecond": 1e-9,
    "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "usec": 1e-6, "microsecond": 1e-6,
    "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3,
    "s": 1.0, "sec": 1.0, "second": 1.0,
    "min": 60.0, "minute": 60.0,
}  # fmt: skip
# Digits are bounded: a log of a million digits takes no quadratic search.
_NUMBER = r"(?P<value>\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)"
_UNIT = r"(?P<unit>(?:nano|micro|milli)?seconds?|minutes?|nsecs?|[uµμ]secs?|msecs?|secs?|min|ns|[uµμ]s|ms|s)\b"
_LABEL = (
    r"(?:execution time|duration|elapsed(?: time)?|time (?:taken|elapsed|per (?:iteration|call|run))"
    r"|(?:average|avg|mean)(?: execution)? time)"
)

# The label opens its line or follows a log prefix ("INFO ...] ", "12:00:01 - "): prose does not count.
_LABELLED = re.compile(
    rf"(?im)(?:^[^\w\n]*|[\]|:>-] ){_LABEL}\s*(?P<head>\([a-zµμ]{{1,12}}\))?\s*[:=]"
    rf"\s*{_NUMBER}\s*(?:{_UNIT})?"
)
_TIMEIT = re.compile(rf"(?i)\bloops?, best of \d+: {_NUMBER} {_UNIT} per loop")
_IPYTHON = re.compile(rf"(?i){_NUMBER} {_UNIT} (?:±|\+-) [^\n]{{1,40}} per loop")
_TABLE_HEAD = re.compile(rf"(?m)^Name \(time in {_UNIT}\)(?P<columns>[^\n]*)$")


def seconds_in_text(text: str) -> float | None:
    """The last time that ``text`` states, in seconds; ``None`` where it states none, or only zero."""
    for style in _STYLES:
        seconds = style(text)
        if seconds is not None and isfinite(seconds) and seconds > 0:
            return seconds
    return None


def _last(pattern: re.Pattern[str]) -> Callable[[str], float | None]:
    def find(text: str) -> float | None:
        found = _last_match(pattern, text)
        return None if found is None else _in_seconds(found)

    return find


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda found: found.start(), default=None)


def _in_seconds(found: re.Match[str]) -> float | None:
    groups = found.groupdict()
    unit = groups.get("unit") or (groups.get("head") or "").strip("()") or "s"
    scale = _scale(unit)
    return None if scale is None else float(found["value"].replace(",", "")) * scale


def _scale(unit: str) -> float | None:
    """Seconds in one ``unit``, singular or plural; without a unit people mean seconds."""
    unit = unit.lower()
    return _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))


def _benchmark_table(text: str) -> float | None:
    """The mean column of pytest-benchmark's table; over several tests the time of one call of each."""
    head = _last_match(_TABLE_HEAD, text)
    if head is None or "Mean" not in (columns := head["columns"].split()):
        return None
    means: list[str] = []
    for line in text[head.end() :].splitlines()[1:]:
        if line.startswith("---") and means:
            break
        cells = re.sub(r"\([^)]*\)", "", line).split()[1:]
        if len(cells) > columns.index("Mean"):
            means.append(cells[columns.index("Mean")].replace(",", ""))
    try:
        return sum(float(mean) for mean in means) * (_scale(head["unit"]) or 1.0)
    except ValueError:
        return None


_STYLES: tuple[Callable[[str], float | None], ...] = (
    _last(_LABELLED),
    _last(_TIMEIT),
    _last(_IPYTHON),
    _benchmark_table,
)
