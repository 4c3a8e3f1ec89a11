"""Which file patch(1) was at when it failed."""

from __future__ import annotations

import re

# What patch(1) says of the file that it is at, dry or not, and of one that it does not find.
_FILE = re.compile(r"(?m)^(?:patching|checking) file '?(?P<file>[^'\n]{1,300}?)'?$")
_NO_FILE = re.compile(r"can't find file to patch\b")
_HEADER = re.compile(r"(?m)^\|?(?P<mark>diff --git|---|\+\+\+) (?:[ab]/)?(?P<file>\S{1,300})")
_HEADER_CHARACTERS = 2_000


def at_file(text: str, found: re.Match[str]) -> str:
    """The file that patch(1) was at, and the one that it did not find, in words; empty where the log names none."""
    lost = _NO_FILE.search(text)
    files = [each["file"] for each in _FILE.finditer(text, 0, found.start())]
    at = f" in {files[-1]}" if files and (lost is None or lost.start() != found.start()) else ""
    name = _sought_file(text[lost.end() : lost.end() + _HEADER_CHARACTERS]) if lost else ""
    return f"{at}; {name} is not there" if name else at


def _sought_file(header: str) -> str:
    """The file in the head of a hunk, as patch(1) repeats it: the new name, unless the patch removes the file."""
    name = ""
    for found in _HEADER.finditer(header):
        name = found["file"] if found["file"] != "/dev/null" else name
        if found["mark"] == "+++":
            break
    return name
