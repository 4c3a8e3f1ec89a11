"""Folders that hold one agent's run of one task, found below the configured roots in any layout."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

JOURNAL, SUMMARY, PATCH, PREDICTION = MARKERS = (
    "journal.json",
    "run_summary.json",
    "model_patch.diff",
    "prediction.jsonl",
)
"""A folder with one of these is a run's."""
TRACES = ("prompt.json", "task.txt", "trajectory.json", "diff_targets.json")
"""A folder with only these was begun and left no run."""
DEPTH = 14
"""So many folders below a root are looked into."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[_T]\d\d-\d\d-\d\d(?:_.+)?")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_STRUCTURE = frozenset({"flat"})

Parts = tuple[str, ...]
Wanted = Callable[[Parts], bool]


class RunFolder(NamedTuple):
    """``parts``: the names from below ``runs`` to here; ``files``: the markers, true where one is a file."""

    path: str
    parts: Parts
    files: dict[str, bool]
    trouble: str = ""


class Layout(NamedTuple):
    """What a run folder's place says; empty where it says nothing."""

    repo: str
    agent: str
    model: str
    run: str
    item: str


def is_timestamp(name: str) -> bool:
    """``2025-12-23_22-06-06``, also with ``_s0`` behind it."""
    return _TIMESTAMP.fullmatch(name) is not None


def layout_of(parts: Parts, is_repo: Callable[[str], bool]) -> Layout:
    """Reads ``<repo>/<agent>/<model>/<timestamp>/<item>``, also with gaps, or ``<run id>/<item>``."""
    parts = parts or ("run",)
    item, run, above = parts[-1], parts[-2] if len(parts) > 1 else "run", parts[:-2]
    if len(above) >= 3 and (is_timestamp(run) or len(above) == 3):
        return Layout(above[-3], above[-2], above[-1], run, item)
    if not is_timestamp(run) or not above:
        return Layout("", "", "", run, item)
    if len(above) == 1:
        return Layout(above[0], "", "", run, item)
    first, second = above
    return Layout(first, second, "", run, item) if is_repo(first) else Layout("", first, second, run, item)


@dataclass(slots=True)
class Search:
    """Walks the roots once. Symbolic links are followed last, only to folders that no walk covers.

    ``wanted`` is asked of every timestamp's folder, by its parts; ``notes`` says what was not looked into.
    """

    wanted: Wanted
    notes: list[str] = field(default_factory=list)
    _covered: list[Path] = field(default_factory=list)
    _links: list[tuple[str, Parts]] = field(default_factory=list)

    def run_folders(self, roots: Iterable[Path]) -> Iterator[RunFolder]:
        """Every run folder below the roots, each real folder once."""
        tops = {root.resolve(): root for root in roots}
        outer = {real: root for real, root in tops.items() if not tops.keys() & set(real.parents)}
        self._covered.extend(outer)
        for root in outer.values():
            yield from self._walk(str(root), _parts_of(root), DEPTH)
        while self._links:
            path, parts = self._links.pop(0)
            if not Path(path).is_dir():  # also where the link leads to itself
                continue
            real = Path(path).resolve()
            if not any(real.is_relative_to(top) or top.is_relative_to(real) for top in self._covered):
                self._covered.append(real)
                yield from self._walk(path, parts, DEPTH)

    def _walk(self, path: str, parts: Parts, depth: int) -> Generator[RunFolder, None, bool]:
        """Yields the run folders from here down; returns whether there are any, be they wanted or not."""
        try:
            files, folders, begun = self._scan(path, parts)
        except OSError as error:
            trouble = f"the folder cannot be read: {error.strerror}"
            if len(parts) > 1 and is_timestamp(parts[-2]):
                yield RunFolder(path, parts, {}, trouble)
            else:
                self.notes.append(f"{path}: {trouble}")
            return False
        found = False
        for name in folders if depth else ():
            below = _below(parts, name)
            unwanted = is_timestamp(name) and not self.wanted(below)
            if unwanted or (yield from self._walk(f"{path}/{name}", below, depth - 1)):
                found = True
        if files and not found:
            yield RunFolder(path, parts, files)
            return True
        if begun and not found:
            self.notes.append(f"{path}: begun, but it holds no journal, no summary and no patch")
        elif folders and not depth:
            self.notes.append(f"{path}: not looked into, it lies more than {DEPTH} folders deep")
        return found

    def _scan(self, path: str, parts: Parts) -> tuple[dict[str, bool], list[str], bool]:
        """The markers in a folder, the folders to look into (none beside a journal), whether a run began."""
        with os.scandir(path) as listing:
            entries = list(listing)
        files = {entry.name: _is_file(entry) for entry in entries if entry.name in MARKERS}
        if JOURNAL in files:
            return files, [], True
        folders = []
        for entry in entries:
            name = entry.name
            if name in MARKERS or name in _SKIPPED or name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif entry.is_symlink():
                self._links.append((entry.path, _below(parts, name)))
        return files, folders, any(entry.name in TRACES for entry in entries)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _below(parts: Parts, name: str) -> Parts:
    if name == "runs":
        return ()
    return parts if name in _STRUCTURE else (*parts, sys.intern(name))


def _parts_of(root: Path) -> Parts:
    """The names that a root's own path adds: those below ``runs``, where it points into one."""
    tail = root.parts[-4:]
    while "runs" in tail:
        tail = tail[tail.index("runs") + 1 :]
        if "runs" not in tail:
            return tail
    return ()
