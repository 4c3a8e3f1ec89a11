"""Which perf script measures which commit."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

GENERATED = "_test_case_generator"

_NAME = re.compile(r"([0-9a-f]{7,40})(?![^_.-])|([0-9a-f]{8})", re.IGNORECASE)


@dataclass(slots=True)
class _Folder:
    """The scripts of one folder by the commit's beginning that they name; ``hashes`` are sorted."""

    scripts: dict[str, Path]
    hashes: list[str]

    def find(self, human: str) -> Path | None:
        named = [human[:length] for length in range(len(human), 6, -1) if human[:length] in self.scripts]
        if not named and len(human) < 40:
            first = bisect_left(self.hashes, human)
            named = [name for name in self.hashes[first : first + 2] if name.startswith(human)]
            named = named if len(named) == 1 else []
        found = [self.scripts[name] for name in named]
        return min(found, key=lambda script: GENERATED not in script.stem, default=None)


@dataclass(slots=True)
class ScriptIndex:
    """The scripts of all configured folders; the first folder that has one for a commit wins."""

    folders: list[_Folder]
    _known: dict[str, Path | None] = field(default_factory=dict)

    def for_commit(self, human: str) -> Path | None:
        """The script of a commit, given by its full or abbreviated hash.

        ``<commit>_test_case_generator.py`` goes before any other ``<commit>*.py``, then the longest hash.
        """
        if human not in self._known:
            found = (folder.find(human) for folder in self.folders) if len(human) >= 7 else ()
            self._known[human] = next(filter(None, found), None)
        return self._known[human]


def index_scripts(folders: Iterable[Path]) -> ScriptIndex:
    """Lists every folder once."""
    return ScriptIndex([_index(folder) for folder in folders])


def _index(folder: Path) -> _Folder:
    scripts: dict[str, Path] = {}
    with os.scandir(folder) as listing:
        names = sorted(entry.name for entry in listing if entry.name.endswith(".py") and entry.is_file())
    for name in sorted(names, key=lambda name: not name.endswith(f"{GENERATED}.py")):
        if match := _NAME.match(name):
            scripts.setdefault((match[1] or match[2]).lower(), folder / name)
    return _Folder(scripts, sorted(scripts))
