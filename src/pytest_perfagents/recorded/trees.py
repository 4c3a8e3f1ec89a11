"""Which files below the named folders hold records."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from pytest_perfagents.model import UsageError
from pytest_perfagents.recorded.records import Note
from pytest_perfagents.resultsets import OUTCOMES, holds_results, is_report

EVALUATION, SUMMARY, PLAN = "test_results.json", "run_summary.json", "benchmark_mode_mapping.json"
_CUT = r"(?:\.tail)?(?:\.partial)?"
_SERVED = re.compile(rf"(?P<commit>[0-9a-f]{{7,40}})_(?:(?P<side>agent|benchmark|human|baseline)_)?result\.json{_CUT}")
_PLAIN = re.compile(rf"(?:{re.escape(EVALUATION)}|{re.escape(SUMMARY)}){_CUT}")
_NEAR = re.compile(r"test_results|agent_result|run_summary")
_RUN_FILES = frozenset({"journal.json", "model_patch.diff", "prediction.jsonl"})
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file with a record: ``parts`` are the names from the named folder to its own."""

    file: Path
    name: str
    rank: int
    parts: tuple[str, ...]
    commit: str = ""
    side: str = ""


@dataclass(slots=True)
class Search:
    """Walks the named folders once, in a fixed order; symbolic links are followed to folders not yet seen."""

    notes: list[Note] = field(default_factory=list)
    plans: list[Path] = field(default_factory=list)
    _bare: list[tuple[Path, set[str]]] = field(default_factory=list)
    _homes: set[Path] = field(default_factory=set)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def records(self, folders: Sequence[Path]) -> Iterator[Found]:
        """The files below the folders, or those that are named themselves.

        Raises:
            UsageError: there is no such folder, or it holds no record but outcomes of ours.
        """
        for rank, folder in enumerate(folders):
            if not folder.exists():
                raise UsageError(f"{folder}: there is no such folder; name one with recorded evaluations")
            if folder.is_file():
                found = _recognised(folder, folder.name, rank, ())
                if found is None:
                    _refuse_ours(folder)
                    raise UsageError(f"{folder}: no file of a recorded evaluation; {_known()}")
                yield found
                continue
            self._plans_above(folder)
            yield from self._first_time(folder, rank)

    def _plans_above(self, folder: Path) -> None:
        """A plan may lie beside the folder of one agent's results."""
        for place in (folder.parent, folder.parent / "mappings"):
            if (place / PLAN).is_file():
                self.plans.append(place / PLAN)

    def _first_time(self, folder: Path, rank: int) -> Iterator[Found]:
        is_new = _key(folder) not in self._seen
        found: Found | None = None
        for found in self._below(folder, rank):
            yield found
        if is_new and found is None:
            _refuse_ours(folder)

    def _below(self, top: Path, rank: int) -> Iterator[Found]:
        pending: list[tuple[Path, tuple[str, ...]]] = [(top, ())]
        while pending:
            folder, parts = pending.pop()
            try:
                entries = self._entries(folder)
            except OSError as error:
                self.notes.append(Note(str(folder), f"cannot be read ({error.strerror})", "passed over"))
                continue
            if entries is None:
                continue
            folders = [name for name, is_folder in entries if is_folder and name not in _SKIPPED]
            records = list(self._of(folder, [name for name, is_folder in entries if not is_folder], rank, parts))
            yield from records
            if records:
                self._homes.add(folder.parent)
            elif not folders and parts:
                self._bare.append((folder, {name for name, _ in entries}))
            pending += [(folder / name, (*parts, name)) for name in reversed(folders)]
        for bare in self._bare:
            self._missing(*bare)
        self._bare.clear()

    def _entries(self, folder: Path) -> list[tuple[str, bool]] | None:
        """The names in a folder, and which of them are folders; None where it was seen before."""
        key = _key(folder)
        if key in self._seen:
            return None
        self._seen.add(key)
        with os.scandir(folder) as listing:
            return sorted((entry.name, _is_folder(entry)) for entry in listing if entry.name != ".git")

    def _of(self, folder: Path, names: Sequence[str], rank: int, parts: tuple[str, ...]) -> Iterator[Found]:
        for name in names:
            found = _recognised(folder / name, name, rank, parts)
            if found is not None:
                yield found
            elif name == PLAN:
                self.plans.append(folder / name)
            elif fnmatch(name, OUTCOMES) or (name.endswith(".json") and _is_ours(folder / name)):
                what = "holds outcomes of pytest-perfagents, which are judged already"
                self.notes.append(Note(str(folder / name), what, f"not read: {_to_show(folder)}"))
            elif _NEAR.search(name):
                what = "has nearly the name of a record"
                self.notes.append(Note(str(folder / name), what, f"not read: {_known()}"))

    def _missing(self, folder: Path, names: set[str]) -> None:
        if names & _RUN_FILES:
            self.notes.append(Note(str(folder), "holds a run without an evaluation", "no outcome"))
        elif not names:
            self.notes.append(Note(str(folder), "is empty: its record is missing", "no outcome"))
        elif folder.parent in self._homes and not any(map(_is_known, names)):
            self.notes.append(Note(str(folder), "holds no record, as its neighbours do", "no outcome"))


def holds_records(place: Path) -> bool:
    """Whether a recorded evaluation lies at ``place``, a folder or a file: looks no further than the first one."""
    try:
        return next(Search().records([place]), None) is not None
    except (UsageError, OSError):
        return False


def _refuse_ours(place: Path) -> None:
    """For a named place without a record.

    Raises:
        UsageError: what lies there are outcomes of ours, which nothing has to import.
    """
    if holds_results(place):
        raise UsageError(
            f"{place}: these are outcomes of pytest-perfagents, which are judged already, and no recorded evaluations; "
            f"{_to_show(place)}"
        )


def _is_ours(file: Path) -> bool:
    try:
        return is_report(file)
    except OSError:
        return False


def _to_show(place: Path) -> str:
    return f"show them with: perfagents report {shlex.quote(str(place))}"


def _recognised(file: Path, name: str, rank: int, parts: tuple[str, ...]) -> Found | None:
    if _PLAIN.fullmatch(name):
        return Found(file, EVALUATION if name.startswith(EVALUATION) else SUMMARY, rank, parts)
    served = _SERVED.fullmatch(name)
    return Found(file, "", rank, parts, served["commit"], served["side"] or "") if served else None


def _key(folder: Path) -> tuple[int, int]:
    """What links to one folder share."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_known(name: str) -> bool:
    return name == PLAN or bool(_NEAR.search(name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and entry.name not in (EVALUATION, SUMMARY)
    except OSError:  # a link that leads to itself
        return False


def _known() -> str:
    return f"records are called {EVALUATION}, {SUMMARY} or <commit>_agent_result.json"
