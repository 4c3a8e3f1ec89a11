"""Trees as they stand on the disk: who wrote to one shows in the stamps of its files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import source_from_cache
from pathlib import Path

Stamp = tuple[int, int, int, int]
"""Size, time of the last change, time of the last change of any kind (which no user can set back), inode.

Of a folder, whose times change with what is made in it: mode, and both times where somebody set one, or an attribute.
"""
Snapshot = Mapping[str, Stamp]
"""Files by their path in the tree; folders too, with a slash behind: a name alone can hold an answer."""

_CACHES = (".pyc", ".nbi", ".nbc")
_FOLDER = "__pycache__/"


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the files of a tree between two looks at it, each sorted."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def take(root: Path) -> Snapshot:
    """Stamps of all files, links and folders in a tree, but a ``.git`` folder."""
    found: dict[str, Stamp] = {}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with suppress(OSError), os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                if not entry.is_dir(follow_symlinks=False):
                    found[path] = _stamp(entry.stat(follow_symlinks=False))
                elif entry.name != ".git":
                    found[f"{path}/"] = _stamp_of_folder(entry.stat(follow_symlinks=False))
                    waiting.append(f"{path}/")
    return found


def take_files(files: Iterable[Path]) -> Snapshot:
    """Stamps of single files, by their whole path; one that is not there has none."""
    found: dict[str, Stamp] = {}
    for file in files:
        with suppress(OSError):
            found[str(file)] = _stamp(file.lstat())
    return found


def compare(before: Snapshot, after: Snapshot) -> Difference:
    """What differs."""
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(path for path in before.keys() & after.keys() if before[path] != after[path])),
        tuple(sorted(before.keys() - after.keys())),
    )


def is_cache(path: str) -> bool:
    """Whether it is what an import (or Numba) leaves beside the sources, or the folder for that."""
    if path.endswith(_FOLDER):
        return not path.removesuffix(_FOLDER).endswith(_FOLDER)
    return _FOLDER in path and path.endswith(_CACHES)


def is_importable(path: str) -> bool:
    """Whether an import would run it: a source, a compiled module, bytecode in the place of a source."""
    return path.endswith((".py", ".so", ".pyc")) and not is_cache(path)


def standing(fresh: Snapshot, settled: Snapshot) -> Snapshot:
    """Of ``settled``, taken after a side ran for the first time, what nobody has a reason to write again.

    That is what stood in the ``fresh`` tree and was left alone, and the bytecode of such sources.
    """
    untouched = {path for path in fresh if settled.get(path) == fresh[path]}
    return {path: stamp for path, stamp in settled.items() if path in untouched or _source_of(path) in untouched}


def _source_of(path: str) -> str | None:
    if not (path.endswith(".pyc") and is_cache(path)):
        return None
    with suppress(ValueError):
        return source_from_cache(path)
    return None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _stamp_of_folder(status: os.stat_result) -> Stamp:
    """What is made in it sets both times to the same: they differ where somebody set its own."""
    is_set = status.st_mtime_ns != status.st_ctime_ns
    return status.st_mode, status.st_mtime_ns * is_set, status.st_ctime_ns * is_set, status.st_ino
