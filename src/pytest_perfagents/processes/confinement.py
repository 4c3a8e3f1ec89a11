"""Which files a measured process may reach: all but the hidden places to read, a few folders to write.

Landlock can only allow, and what is allowed of a folder holds for all below it. So "all but X" is every other child
of every folder on the way to X.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

DEVICES = ("/dev", "/proc/self")
"""GPUs, shared memory, and what a process says of itself there (the names of its threads)."""
CACHES = ("HF_HOME", "TORCH_HOME", "*CACHE*", "XDG_*_HOME", "HOME", "TMPDIR", "TMP", "TEMP")
"""Variables that name folders to write to; not CUDA_HOME and its kin, which name what was installed."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Paths of files and folders; what may be written may be read."""

    read: tuple[str, ...]
    write: tuple[str, ...]

    def save(self, file: Path, *, read: Iterable[Path] = (), write: Iterable[Path] = ()) -> None:
        """For ``worker/confining.py``, with some more paths."""
        lists = {"read": [*self.read, *map(str, read)], "write": [*self.write, *map(str, write)]}
        file.write_text(json.dumps(lists), encoding="utf-8")


def reach(hidden: Iterable[Path], shown: Iterable[Path], writable: Iterable[Path]) -> Reach:
    """Everything but ``hidden`` may be read, and of that again ``shown``; ``writable`` may be written to."""
    marks: dict[PurePath, bool] = {_real(place): False for place in hidden}
    inside = {place for place in map(_real, shown) if any(place.is_relative_to(mark) for mark in marks)}
    marks |= dict.fromkeys(inside, True)
    return Reach(
        tuple(map(str, _readable(PurePath("/"), True, marks))),
        tuple(dict.fromkeys([*DEVICES, *(str(_real(place)) for place in writable)])),
    )


def holds(folder: Path, places: Iterable[Path]) -> Path | None:
    """The first of the places that is the folder or lies in it."""
    return next((place for place in places if _real(place).is_relative_to(_real(folder))), None)


def cache_folders(env: Mapping[str, str]) -> list[Path]:
    """Folders that exist and that variables of the measured code name as its caches."""
    named = [Path(value) for name, value in env.items() if any(fnmatchcase(name, each) for each in CACHES)]
    return [place for place in named if place.is_absolute() and place.is_dir()]


def _readable(place: PurePath, is_shown: bool, marks: Mapping[PurePath, bool]) -> Iterator[PurePath]:
    """The largest pieces of ``place`` that hold nothing hidden; the innermost mark decides."""
    is_shown = marks.get(place, is_shown)
    below = {mark.parts[len(place.parts)] for mark in marks if mark != place and mark.is_relative_to(place)}
    if is_shown and not below:
        yield place
        return
    for name in sorted(below.union(_children(place)) if is_shown else below):
        yield from _readable(place / name, is_shown, marks)


def _children(place: PurePath) -> list[str]:
    """Names in a folder, but not links: the kernel asks for the place where a link leads to."""
    with suppress(OSError), os.scandir(place) as entries:
        return [entry.name for entry in entries if not entry.is_symlink()]
    return []


def _real(place: Path) -> Path:
    return Path(os.path.realpath(place))
