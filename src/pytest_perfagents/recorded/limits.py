"""Time limits in the words of an evaluation."""

from __future__ import annotations

import re

# "requests.exceptions.ReadTimeout: text": an exception, unless it is the evaluation's own for a run that it stopped.
_NAMED = re.compile(r"(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Timeout|Expired)|timeout)(?:: |$)")
_STOPPED = re.compile(
    r"(?i)(?:\w+\.)*(?:TimeoutExpired\b|TimeoutError: (?:the )?(?:test|baseline|patched|benchmark|script|command)\b)"
)
_TIMED_OUT = re.compile(
    r"(?i)\btimed[ -]?out\b|\btime-?out (?:after|expired|exceeded|reached|of)\b|^time-?out\.?$"
    r"|\b(?:exceeded|hit|over) (?:its |the )?time ?limit|TimeoutExpired"
)
_LIMIT = re.compile(
    r"(?i)(?:after|of|exceeded|limit|within|reached|than)[\s:=(]{0,3}(?P<value>\d{1,9}(?:\.\d{1,9})?)\s*"
    r"(?P<unit>s|m|h)(?:ec(?:ond)?s?|in(?:ute)?s?|(?:ou)?rs?)?\b"
)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def is_late(status: str, error: str) -> bool:
    """Whether an evaluation with this status and message ended by its time limit."""
    if status in ("timeout", "success"):
        return status == "timeout"
    # A library that gave up waiting raised that; nobody stopped the run.
    is_of_a_library = _NAMED.match(error) is not None and not _STOPPED.match(error)
    return bool(_TIMED_OUT.search(error)) and not is_of_a_library


def limit_s(error: str) -> float | None:
    """The time limit that the evaluation's message states; the record's duration is that of both sides, or of none."""
    found = _LIMIT.search(error)
    return float(found["value"]) * _SECONDS[found["unit"].lower()] if found else None
