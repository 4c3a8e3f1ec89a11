"""Kinds of values that only this file has: places, commands, settings. Each check says what a value must be."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from pytest_perfagents.tables import did_you_mean, kind, many, text


def place(base: Path, value: Any) -> Path:
    """A path that need not exist, normalised but with its symbolic links left as they are."""
    return Path(os.path.normpath(base / Path(text(value)).expanduser()))


def folder(base: Path, value: Any) -> Path:
    """A folder that is there."""
    path = place(base, value)
    if path.is_dir():
        return path
    if path.exists():
        raise ValueError(f"must be a folder, and {path} is a file")
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    raise ValueError(f"names a folder that is not there: {path}{did_you_mean(path.name, beside)}")


def inner(value: Any) -> str:
    """A folder inside the repository."""
    path = Path(text(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must be a folder inside the repository, not {value!r}")
    return str(path)


def interpreter(base: Path, value: Any) -> Path:
    """An interpreter by path, or a bare name from PATH; reported as missing only when it is used."""
    found = shutil.which(text(value)) if "/" not in text(value) else None
    return Path(found) if found else place(base, value)


def setting(value: Any) -> str:
    """A string, which may be empty."""
    if not isinstance(value, str):
        raise ValueError(f'must be a string, e.g. "1", not {kind(value)}')
    return value


def command(value: Any) -> tuple[str, ...]:
    """A command as a list of words, or as one string that a shell would split the same way."""
    return many(text, '["make", "all"]', least=1)(shlex.split(value) if isinstance(value, str) else value)


def source(base: Path, value: Any) -> str:
    """Where git may fetch from: a URL or the name of a remote as it is, a path relative to the file."""
    source = text(value)
    is_path = "/" in source and ":" not in source
    return str(place(base, source)) if is_path else source
