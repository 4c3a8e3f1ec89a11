"""Folders of recorded evaluations -> outcomes and notes. Every file with a record ends in one or the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pytest_perfagents.config import Config
from pytest_perfagents.discovery.trajectories import read_tokens
from pytest_perfagents.model import Case, Outcome, UsageError
from pytest_perfagents.recorded.choosing import one_each
from pytest_perfagents.recorded.evaluations import read_evaluation, read_summary
from pytest_perfagents.recorded.files import Content, read_json
from pytest_perfagents.recorded.judging import Packages, Scripts, harness_failed, judge_evaluation, scripts_named
from pytest_perfagents.recorded.naming import Names
from pytest_perfagents.recorded.parents import with_parents
from pytest_perfagents.recorded.records import Evaluation, Note, Record, Serving
from pytest_perfagents.recorded.served import judge_serving
from pytest_perfagents.recorded.servings import load_plans, read_serving, with_sides
from pytest_perfagents.recorded.trees import EVALUATION, SUMMARY, Found, Search

T = TypeVar("T")
_OTHER_SIDES = ("human", "baseline")


@dataclass(frozen=True, slots=True)
class Recordings:
    """What the folders hold: the record that counts for each run, sorted by the run's id. None is judged yet, but those
    that another one of the same run stood beside.

    ``notes`` say what was amiss, in which file, and what was done; ``files`` is how many were read; ``others`` are the
    files whose records do not count, by the run's id; ``scripts`` are those that the records name.
    """

    records: tuple[Record, ...]
    notes: tuple[Note, ...]
    files: int
    packages: Packages
    others: Mapping[str, tuple[str, ...]]
    scripts: Scripts = field(default_factory=dict)

    def cases(self) -> list[Case]:
        """The recorded runs with their scripts."""
        return [Case(record.origin.run, record.origin.script) for record in self.records]

    def outcome(self, record: Record) -> Outcome:
        """The record, judged, with the tokens that the agent's trajectory tells where it lies."""
        outcome = judge(record, self.packages, self.scripts)
        outcome = replace(outcome, tokens=read_tokens(*record.origin.folders))
        others = self.others.get(outcome.case.id)
        if not others:
            return outcome
        recorded = {**outcome.protocol["recorded"], "others": list(others)}
        return replace(outcome, protocol={**outcome.protocol, "recorded": recorded})


@dataclass(frozen=True, slots=True)
class Imported:
    """`Recordings`, judged: an outcome for each run."""

    outcomes: tuple[Outcome, ...]
    notes: tuple[Note, ...]
    files: int


def import_records(folders: Sequence[Path], config: Config | None = None) -> Imported:
    """Reads and judges all records below the folders; raises what `read_records` raises."""
    found = read_records(folders, config)
    return Imported(tuple(map(found.outcome, found.records)), found.notes, found.files)


def read_records(folders: Sequence[Path], config: Config | None = None) -> Recordings:
    """Reads all records below the folders; ``config`` tells the repositories' names and packages.

    Raises:
        UsageError: a folder is not there, or no folder holds a record.
    """
    reader = _Reader(Names(config.repos.values() if config else ()))
    records, filled = with_parents(reader.read(folders))
    if not records and not reader.notes:
        shown = ", ".join(str(folder) for folder in folders) or "no folder"
        raise UsageError(
            f"{shown}: no recorded evaluations; they are called {EVALUATION}, {SUMMARY} or <commit>_agent_result.json"
        )
    packages = {repo.name: repo.packages for repo in config.repos.values()} if config else {}
    scripts = scripts_named(records)
    chosen, others, duplicates = one_each(records, lambda record: judge(record, packages, scripts).category)
    notes = [*reader.notes, *filled, *(note for record in records for note in _amiss(record)), *duplicates]
    return Recordings(tuple(chosen), tuple(notes), reader.files, packages, others, scripts)


def judge(record: Record, packages: Packages, scripts: Scripts) -> Outcome:
    """By the rules for its kind. A record that meets a bug of ours is told as one, and costs no other record."""
    try:
        if isinstance(record, Evaluation):
            return judge_evaluation(record, packages, scripts)
        return judge_serving(record, packages)
    except Exception as error:
        return harness_failed(record, error)


@dataclass(slots=True)
class _Reader:
    """Reads every file once."""

    names: Names
    notes: list[Note] = field(default_factory=list)
    files: int = 0

    def read(self, folders: Sequence[Path]) -> list[Record]:
        search = Search(self.notes)
        records: list[Record] = []
        served: list[tuple[Found, Content]] = []
        for found in search.records(folders):
            content = read_json(found.file)
            self.files += 1
            if found.name:
                records += self._guarded(found, partial(self._evaluated, found, content)) or []
            else:
                served.append((found, content))
        return [*records, *self._served(served, search.plans)]

    def _guarded(self, found: Found, read: Callable[[], T]) -> T | None:
        """What is read; None where the file meets a bug of ours, which is noted and costs no other file."""
        try:
            return read()
        except Exception as error:
            self.notes.append(Note(str(found.file), f"met a bug of pytest-perfagents ({error!r})", "no outcome"))
            return None

    def _evaluated(self, found: Found, content: Content) -> Iterable[Evaluation]:
        if found.name == EVALUATION:
            return [read_evaluation(found, content, self.names)]
        record = read_summary(found, content, self.names)
        if record is not None:
            return [record]
        if not (found.file.parent / EVALUATION).is_file():
            self.notes.append(Note(str(found.file), "holds no evaluation, and a patch was generated", "no outcome"))
        return []

    def _served(self, files: Sequence[tuple[Found, Content]], plans: Iterable[Path]) -> list[Serving]:
        known = load_plans(plans, self.notes) if files else {}
        agents = [each for each in files if each[0].side not in _OTHER_SIDES]
        others = [each for each in files if each[0].side in _OTHER_SIDES]
        read = [
            (found, self._guarded(found, partial(read_serving, found, content, self.names, known)))
            for found, content in agents
        ]
        records, notes = with_sides([(found, record) for found, record in read if record is not None], others)
        self.notes += notes
        return records


def _amiss(record: Record) -> Iterable[Note]:
    origin = record.origin
    path = str(origin.file)
    if origin.damage:
        yield Note(path, origin.damage, "judged by what could be read")
    for contradiction in origin.contradictions:
        what, _, done = contradiction.rpartition(": ")
        yield Note(path, what or done, done if what else "noted")
