"""The tokens that an agent's run took, from what it left in its folder. Collecting runs reads none of this."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from pytest_perfagents.model import Outcome, Tokens
from pytest_perfagents.parsers.token_counts import count_tokens

LARGEST = 128 * 2**20
"""Of a file with more bytes than this only the beginning is looked at."""

_TRACES = (("trajectory*.json", "trajectory*.jsonl"), ("*_stdout.txt",), ("*_stderr.txt",))
"""Files that may tell, the best first. They tell of the same calls, so the first kind that tells anything counts."""


def with_tokens(outcome: Outcome) -> Outcome:
    """The outcome with what its run's folder tells, unless it knows already."""
    folder = outcome.case.run.folder
    tokens = read_tokens(Path(folder)) if folder and outcome.tokens is None else None
    return outcome if tokens is None else replace(outcome, tokens=tokens)


def read_tokens(*folders: Path) -> Tokens | None:
    """The count of the first folder that tells one; None where none does. Never raises for what is in them."""
    return next((tokens for folder in folders if (tokens := _in_folder(folder)) is not None), None)


def _in_folder(folder: Path) -> Tokens | None:
    try:
        names = sorted(file.name for file in folder.iterdir())
    except (OSError, ValueError):
        return None
    for patterns in _TRACES:
        files = [folder / name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]
        found = [tokens for file in files if (tokens := _in_file(file)) is not None]
        if found:
            most = max(found, key=lambda tokens: tokens.total)
            # Of several files nothing tells whether they are parts or copies.
            return replace(most, at_least=most.at_least or len(found) > 1)
    return None


def _in_file(file: Path) -> Tokens | None:
    try:
        content = _content(file)
    except OSError:
        return None
    tokens = count_tokens(content)
    return replace(tokens, at_least=True) if tokens is not None and len(content) == LARGEST else tokens


def _content(file: Path) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not keep us waiting
    with os.fdopen(handle, "rb") as opened:
        return opened.read(LARGEST) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
