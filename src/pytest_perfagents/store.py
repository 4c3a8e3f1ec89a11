"""The results folder: ``<results>/<run>/outcomes*.jsonl``, one file per process, one line per outcome."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pytest_perfagents.jsontext import json_text
from pytest_perfagents.model import Blame, Category, Outcome, UsageError
from pytest_perfagents.records import REPORT_SCHEMA, SCHEMA, UNREADABLE, Json, outcome_from_json, outcome_to_json

__all__ = [
    "REPORT_SCHEMA",
    "SCHEMA",
    "ResultsWriter",
    "Stored",
    "is_done",
    "known_run",
    "latest_run",
    "load_results",
    "new_run_name",
    "now",
    "outcome_from_json",
    "outcome_to_json",
]

_INFRASTRUCTURE = frozenset(
    {
        Category.AGENT_INFRA_ERROR,
        Category.HARNESS_ERROR,
        Category.GIT_WORKTREE_FAILED,
        Category.IMAGE_UNAVAILABLE,
        Category.HARDWARE_UNAVAILABLE,
        Category.BASELINE_OOM,
        Category.PATCHED_OOM,
        Category.SERVER_CRASHED,
    }
)


def now() -> str:
    """UTC, to the microsecond, sortable as text."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LinesWriter:
    """Appends records to a file, a line each; what `append` returned from is on the disk. Entering makes the file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one line in one piece, and wait until it is on the disk."""
        self.append_all([record])

    def append_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a line for each, and wait once until all are on the disk."""
        lines = [json_text({**record, "recorded_at": now()}) + "\n" for record in records]
        if self._descriptor is None:
            self._descriptor = self._open()
        data = memoryview("".join(lines).encode())
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

    def _open(self) -> int:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")  # a killed process left half a line: ours must not be glued to it
        return descriptor

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self._descriptor = self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ResultsWriter(LinesWriter):
    """This process's file of a run; ``process`` tells the files of a run apart.

    Enter it, so that a run that was interrupted before its first outcome can be resumed by its name.
    """

    def __init__(self, folder: Path, process: str = "") -> None:
        super().__init__(folder / (f"outcomes-{process}.jsonl" if process else "outcomes.jsonl"))


@dataclass(frozen=True, slots=True)
class Stored:
    """What a results folder holds: the last record of each case id, and how many lines could not be read."""

    records: Mapping[str, Json] = field(default_factory=dict)
    damaged: int = 0

    def outcomes(self) -> dict[str, Outcome]:
        """Case id to outcome; a record that is damaged, or of another version, is left out."""
        read: dict[str, Outcome] = {}
        for case, record in self.records.items():
            with suppress(*UNREADABLE):
                read[case] = outcome_from_json(record)
        return read


def load_results(path: Path) -> Stored:
    """Reads a run's folder, one ``.jsonl`` file of it, or a ``--perf-json`` report.

    A line that a killed process left unfinished is counted and passed over.

    Raises:
        UsageError: there is no such thing, or it holds nothing of ours.
    """
    files = sorted(path.glob("outcomes*.jsonl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UsageError(f"{path}: no results here; a run's folder holds outcomes.jsonl")
    records: dict[str, Json] = {}
    damaged = 0
    for record in (record for file in files for record in _records(file)):
        if record is None:
            damaged += 1
            continue
        known = records.get(record["id"])
        if known is None or known.get("recorded_at", "") <= record.get("recorded_at", ""):
            records[record["id"]] = record
    return Stored(records, damaged)


def _records(file: Path) -> Iterator[Json | None]:
    if file.suffix != ".jsonl":
        yield from _report_records(file)
        return
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip():
                yield _record(line)


def _record(line: str) -> Json | None:
    with suppress(ValueError, RecursionError):
        record = json.loads(line, parse_constant=_refuse)
        if isinstance(record, dict) and record.get("schema") == SCHEMA and isinstance(record.get("id"), str):
            return record
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _report_records(file: Path) -> Iterator[Json]:
    try:
        report = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON ({error}); give a run's folder or a --perf-json file") from None
    if not isinstance(report, dict) or report.get("schema") != REPORT_SCHEMA:
        raise UsageError(f"{file}: not a {REPORT_SCHEMA} file; give a run's folder or a --perf-json file")
    yield from report["outcomes"]


def is_done(outcome: Outcome) -> bool:
    """Whether ``--perf-resume`` may keep it, its fingerprint being equal.

    What the environment or the harness is to blame for is not done: it may be mended by now, and most of it
    fails fast. A timeout is done: the time limit is part of the fingerprint, so a longer one starts it again.
    """
    failure = outcome.failure
    if failure is None:
        return True
    return failure.category not in _INFRASTRUCTURE and failure.blame not in (Blame.ENVIRONMENT, Blame.HARNESS)


def _runs(results: Path) -> list[tuple[int, str]]:
    """``(time of the last outcome, name)`` of each run, the oldest first."""
    newest: dict[str, int] = {}
    for file in results.glob("*/outcomes*.jsonl"):
        newest[file.parent.name] = max(newest.get(file.parent.name, 0), file.stat().st_mtime_ns)
    return sorted((modified, name) for name, modified in newest.items())


def latest_run(results: Path) -> str | None:
    """The run with the newest outcome, or None where there is none."""
    runs = _runs(results)
    return runs[-1][1] if runs else None


def known_run(results: Path, name: str) -> str:
    """The name, if there is such a run; raises UsageError with those there are."""
    names = [run for _, run in reversed(_runs(results))]
    if name in names:
        return name
    there = f"there are {', '.join(names[:10])}" if names else "there is none yet"
    raise UsageError(f"no run {name!r} in {results}; {there}")


def new_run_name(results: Path) -> str:
    """``2026-01-01_12-00-00`` in UTC; ``…_2`` where that one exists."""
    name = stamp = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    count = 1
    while (results / name).exists():
        count += 1
        name = f"{stamp}_{count}"
    return name
