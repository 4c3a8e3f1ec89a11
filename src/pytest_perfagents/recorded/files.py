"""A JSON file of others, read however damaged it is."""

from __future__ import annotations

import codecs
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pytest_perfagents.recorded.damaged import save

LARGEST = 256 * 2**20
"""Of a file with more bytes than this only the beginning is looked at."""

TOO_LARGE = "is larger than"
"""How the damage of such a file begins: nothing in it is broken."""

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
    saved = save(text)
    broken = f"breaks off after {len(data)} bytes" if saved.breaks_off else f"is no valid JSON ({told})"
    return saved.fields, f"{damage or broken}{saved.unread}"


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
