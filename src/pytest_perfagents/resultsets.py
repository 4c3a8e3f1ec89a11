"""Result sets: outcomes of one or more results folders and ``--perf-json`` files, read for reports and comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from os.path import commonpath
from pathlib import Path

import msgspec

from pytest_perfagents.analysis.entries import Entry, with_one_name_per_model
from pytest_perfagents.model import UsageError
from pytest_perfagents.records import REPORT_SCHEMA, Json

_decode = msgspec.json.Decoder(Entry).decode
_HEAD = 4096
OUTCOMES = "outcomes*.jsonl"
"""What the files of a run's outcomes are called."""


@dataclass(frozen=True, slots=True)
class Damage:
    """An outcome that could not be read. ``place`` is its line in a ``.jsonl`` file, its number in a report."""

    file: str
    place: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Overlap:
    """``count`` outcomes of ``file`` do not stand: those of the same runs in ``by`` do."""

    file: str
    by: str
    count: int

    def __str__(self) -> str:
        """With what tells the two files apart, from the folder on that holds both."""
        one, other = Path(self.file).absolute(), Path(self.by).absolute()
        shared = commonpath((one.parent, other.parent))
        return f"{self.count} of {one.relative_to(shared)} replaced by {other.relative_to(shared)}"


class NoResultsError(UsageError):
    """Nothing of ours lies at ``place``, which may be there all the same."""

    def __init__(self, place: Path, told: str) -> None:
        super().__init__(f"{place}: {told}")
        self.place = place


@dataclass(frozen=True, slots=True)
class ResultSet:
    """``entries`` has every run once, by id; later ones ``replaced`` the rest of the ``read`` outcomes.

    ``overlaps`` say which file's outcomes stand where several files have some of one run, the most first.
    """

    entries: tuple[Entry, ...]
    files: int
    read: int
    replaced: int
    damaged: tuple[Damage, ...]
    overlaps: tuple[Overlap, ...] = ()

    @property
    def line(self) -> str:
        """What was read, in one line."""
        later = f", {self.replaced} replaced by another outcome of the same run" if self.replaced else ""
        damaged = f", {len(self.damaged)} damaged and left out" if self.damaged else ""
        return f"{self.read} outcomes read from {self.files} file{'s'[: self.files != 1]}{later}{damaged}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A run's outcome with its thousands of times, its file, and how many others of the run it replaces."""

    record: Json
    file: Path
    replaced: int = 0


class _Report(msgspec.Struct):
    outcomes: list[msgspec.Raw]
    schema: str = ""


def read_results(paths: Sequence[Path]) -> ResultSet:
    """All outcomes that lie at ``paths``: run folders, folders of those (all of them), ``.jsonl`` files, reports.

    Of several outcomes of a run the one that was recorded last stands; where they do not say when, the one read last.

    Raises:
        UsageError: there is no such thing, or it holds nothing of ours, which is `NoResultsError`.
    """
    files = _all_files(paths)
    last: dict[str, tuple[Entry, Path]] = {}
    lost: list[tuple[str, Path]] = []
    damaged: list[Damage] = []
    for file, found in ((each, found) for each in files for found, _ in _decoded(each)):
        if isinstance(found, Damage):
            damaged.append(found)
            continue
        known = last.get(found.id)
        stands = known is None or _when(known[0]) <= _when(found)
        if known is not None:
            lost.append((found.id, known[1] if stands else file))
        if stands:
            last[found.id] = found, file
    entries = with_one_name_per_model(sorted((entry for entry, _ in last.values()), key=lambda entry: entry.id))
    replaced = Counter((loser, last[run][1]) for run, loser in lost)
    overlaps = [Overlap(str(one), str(by), count) for (one, by), count in replaced.most_common() if one != by]
    return ResultSet(tuple(entries), len(files), len(last) + len(lost), len(lost), tuple(damaged), tuple(overlaps))


def holds_results(path: Path) -> bool:
    """Whether `read_results` would find outcomes of ours at ``path``, a folder or a file."""
    if path.is_file():
        return fnmatch(path.name, OUTCOMES) or is_report(path)
    return bool(_files_below(path))


def read_whole(paths: Sequence[Path], ids: Collection[str]) -> dict[str, Whole]:
    """The outcomes of those runs, whole, by id; of several the one that `read_results` takes."""
    kept: dict[str, tuple[str, Whole]] = {}
    for file in _all_files(paths):
        for found, text in _decoded(file):
            if isinstance(found, Damage) or found.id not in ids:
                continue
            when, known = kept.get(found.id, ("", None))
            replaced = 0 if known is None else known.replaced + 1
            if known is None or when <= _when(found):
                kept[found.id] = _when(found), Whole(msgspec.json.decode(text), file, replaced)
            else:
                kept[found.id] = when, Whole(known.record, known.file, replaced)
    return {each: whole for each, (_, whole) in kept.items()}


def _all_files(paths: Sequence[Path]) -> list[Path]:
    """The files at all paths, each once."""
    return list({file.resolve(): file for path in paths for file in _files(path)}.values())


def _when(entry: Entry) -> str:
    return entry.recorded_at or entry.started_at


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = _files_below(path)
    if not files:
        raise NoResultsError(
            path, "no results here; give a results folder, a run's folder, or a file that --perf-json wrote"
        )
    return files


def _files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob(OUTCOMES)) or sorted(file for file in folder.rglob("*.json") if is_report(file))


def is_report(file: Path) -> bool:
    """Whether ``--perf-json`` wrote it, by its first bytes."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return REPORT_SCHEMA.encode() in content.read(_HEAD)


Text = bytes | msgspec.Raw


def _decoded(file: Path) -> Iterator[tuple[Entry | Damage, Text]]:
    """Every outcome of a file, or what is amiss with it, beside the text that it was read from."""
    for place, text in _of_lines(file) if file.suffix == ".jsonl" else _of_report(file):
        try:
            yield _decode(text), text
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield Damage(str(file), place, str(error)), text


def _of_lines(file: Path) -> Iterator[tuple[int, Text]]:
    with file.open("rb") as lines:
        yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _of_report(file: Path) -> Iterator[tuple[int, Text]]:
    try:
        report = msgspec.json.decode(file.read_bytes(), type=_Report)
    except msgspec.ValidationError:
        report = _Report([])
    except msgspec.DecodeError as error:
        raise UsageError(f"{file}: not JSON, or cut off ({error}); write it again with --perf-json") from None
    if report.schema != REPORT_SCHEMA:
        raise NoResultsError(file, f"not a {REPORT_SCHEMA} file; give a run's folder or a --perf-json file")
    yield from enumerate(report.outcomes, 1)
