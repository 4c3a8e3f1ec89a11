"""A JSON file of others, read however damaged it is."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

LARGEST = 256 * 2**20
"""Of a file with more bytes than this only the beginning is looked at."""

TOO_LARGE = "is larger than"
"""How the damage of such a file begins: nothing in it is broken."""

_SECTIONS = ("metadata", "result", "evaluation", "meta", "commits", "agent", "metrics", "baseline_output")
_SCALAR = re.compile(r'"(?P<key>\w{2,40})"\s*:\s*(?P<value>"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)')
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class Content:
    """What could be read, and what is wrong with the file: empty where it is whole."""

    fields: Mapping[str, Any]
    damage: str = ""


def read_json(file: Path, largest: int = LARGEST) -> Content:
    """The object in ``file``; of a damaged one, what can be saved. Never raises for what is in it.

    Of more than ``largest`` bytes only those are read.
    """
    try:
        data = _bytes(file, largest + 1)
    except OSError as error:
        return Content({}, f"cannot be read ({error.strerror or error})")
    if not data.strip():
        return Content({}, "is empty")
    damage = f"{TOO_LARGE} {_in_words(largest)}, and was read to there" if len(data) > largest else ""
    data = data[:largest]
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields, damage = _leniently(data, damage)
    if not isinstance(fields, dict):
        return Content({}, damage or f"holds no JSON object but a {type(fields).__name__}")
    return Content(fields, damage)


def _in_words(size: int) -> str:
    """``256 MiB``; bytes where it is less than one."""
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size} bytes"


def _bytes(file: Path, most: int) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not keep us waiting
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no file")
    with os.fdopen(handle, "rb") as opened:
        return opened.read(most)


def _leniently(data: bytes, damage: str) -> tuple[Any, str]:
    """As Python reads JSON (NaN, byte order marks, lone surrogates); then what can be saved of a broken one."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, "replace")
    try:
        return json.loads(text), damage
    except RecursionError:
        return {}, "is nested too deeply"
    except ValueError as error:
        told = str(error).splitlines()[0]
    saved = _closed(text)
    if saved is not None:
        return saved, damage or f"breaks off after {len(data)} bytes"
    return _picked(text), damage or f"is no valid JSON ({told})"


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


def _closings(text: str) -> Iterator[str]:
    stack: list[str] = []
    cuts: list[tuple[int, str]] = []
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
            stack.append("}" if letter == "{" else "]")
        elif not inside and letter in "}]":
            if not stack or stack.pop() != letter or not stack:
                return  # no text that only breaks off
        elif not inside:
            cuts.append((place, "".join(reversed(stack))))
            del cuts[:-4]
    closing = "".join(reversed(stack))
    whole = text.rstrip()
    if inside:
        yield re.sub(r"\\u?[0-9a-fA-F]{0,3}$", "", whole) + '"' + closing
    yield whole + closing
    for place, ending in reversed(cuts):
        yield text[:place] + ending


def _picked(text: str) -> dict[str, Any]:
    """The sections that stand whole in a broken text, and its scalars: the first of each name."""
    decoder, fields = json.JSONDecoder(strict=False), dict[str, Any]()
    for name in _SECTIONS:
        for found in re.finditer(rf'"{name}"\s*:\s*(?={{)', text):
            try:
                fields.setdefault(name, decoder.raw_decode(text, found.end())[0])
            except (ValueError, RecursionError):
                continue
    for found in _SCALAR.finditer(text):
        try:
            fields.setdefault(found["key"], json.loads(found["value"], strict=False))
        except ValueError:
            continue
    return fields


def table(value: object) -> Mapping[str, Any]:
    """The mapping that it is, or an empty one."""
    return value if isinstance(value, dict) else {}


def word(value: object) -> str:
    """A text without surrounding blanks; empty for anything else."""
    return value.strip() if isinstance(value, str) else ""


def text_of(value: object) -> str:
    """A text as it is; other JSON as it would be printed; empty for nothing."""
    if value is None or isinstance(value, bool):
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)
