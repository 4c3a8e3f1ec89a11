"""What can be saved of a text that is no whole JSON. Time is in proportion to the text, whatever stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SEARCHED = 32 * 2**20
"""Of a broken text with more characters than this only the beginning is searched."""

_SECTIONS = ("metadata", "result", "evaluation", "meta", "commits", "agent", "metrics", "baseline_output")
_SCALAR = re.compile(r'"(?P<key>\w{2,40})"\s*:\s*(?P<value>"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\d[\d.eE+-]*|true|false|null)')
_EFFORT_PER_CHARACTER = 8
_LEAST_EFFORT = 1_000_000
_COUNTS_LINES = 16
"""A decoder that fails counts the lines before the place, so many characters in the time of one that it decodes."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The object that could be saved. ``breaks_off``: nothing is wrong with the text but its missing end. ``unread``
    says how much of it nobody looked at, empty where all was.
    """

    fields: Mapping[str, Any]
    breaks_off: bool
    unread: str = ""


def save(text: str, searched: int = SEARCHED) -> Saved:
    """Closed where it breaks off; of a text that is broken otherwise, its whole sections and its scalars."""
    unread = ""
    if len(text) > searched:
        text, unread = text[:searched], f"; only its first {searched:,} characters were searched"
    closed = _closed(text)
    if isinstance(closed, dict):
        return Saved(closed, breaks_off=not unread, unread=unread)
    fields, given_up = _picked(text)
    if given_up:
        unread += f"; after {given_up} sections that are broken it was searched for single values alone"
    return Saved(fields, breaks_off=False, unread=unread)


def _closed(text: str) -> Any:
    """The object of a text that breaks off, closed where it does, or before its last complete value."""
    if not text.lstrip().startswith("{"):
        return None
    for candidate in _closings(text):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


_Open = tuple[str, "_Open | None"]  # what closes the innermost, and those around it: shared by all cuts


def _closings(text: str) -> Iterator[str]:
    stack: _Open | None = None
    cuts: list[tuple[int, _Open | None]] = []
    inside, position = False, 0
    for found in re.finditer(r'["\\{}\[\],]', text):
        letter, place = found[0], found.start()
        if place < position:
            continue
        if letter == "\\":
            position = place + 2
        elif letter == '"':
            inside = not inside
        elif not inside and letter in "{[":
            stack = ("}" if letter == "{" else "]", stack)
        elif not inside and letter in "}]":
            if stack is None or stack[0] != letter or stack[1] is None:
                return  # no text that only breaks off
            stack = stack[1]
        elif not inside:
            cuts.append((place, stack))
            del cuts[:-4]
    whole = text.rstrip()
    if inside:
        yield re.sub(r"\\u?[0-9a-fA-F]{0,3}$", "", whole) + '"' + _ending(stack)
    yield whole + _ending(stack)
    for place, around in reversed(cuts):
        yield text[:place] + _ending(around)


def _ending(stack: _Open | None) -> str:
    letters: list[str] = []
    while stack is not None:
        letter, stack = stack
        letters.append(letter)
    return "".join(letters)


def _picked(text: str) -> tuple[dict[str, Any], int]:
    """The sections that stand whole in a broken text, and its scalars: the first of each name. And how many broken
    sections it took until so much was spent on them that no more were tried; 0 where all were.
    """
    decoder, fields = json.JSONDecoder(strict=False), dict[str, Any]()
    effort, broken = _EFFORT_PER_CHARACTER * len(text) + _LEAST_EFFORT, 0
    for name in _SECTIONS:
        for found in re.finditer(rf'"{name}"\s*:\s*(?={{)', text):
            if effort < 0:
                break
            try:
                fields[name] = decoder.raw_decode(text, found.end())[0]
                break
            except json.JSONDecodeError as error:
                spent = error.pos - found.end() + error.pos // _COUNTS_LINES
            except (ValueError, RecursionError):  # an integer of thousands of digits; nesting
                spent = len(text) - found.end()
            effort, broken = effort - spent, broken + 1
    for found in _SCALAR.finditer(text):
        try:
            fields.setdefault(found["key"], json.loads(found["value"], strict=False))
        except ValueError:
            continue
    return fields, broken if effort < 0 else 0
