"""Two records of one run: which of them counts, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_perfagents.model import Category
from pytest_perfagents.recorded.records import Kind, Note, Record

_KINDS = (Kind.EVALUATION, Kind.SERVING, Kind.SUMMARY)

# What makes one record of a run count and not another, the most telling first.
_REASONS: tuple[tuple[Callable[[Record], object], str], ...] = (
    (lambda record: not record.origin.damage, "it is whole"),
    (lambda record: -_KINDS.index(record.origin.kind), "it holds more than a summary"),
    (lambda record: record.origin.rank, "its folder was named last"),
    (lambda record: str(record.origin.file), "it comes last by its path"),
)


def one_each(
    records: Iterable[Record], category: Callable[[Record], Category]
) -> tuple[list[Record], dict[str, tuple[str, ...]], list[Note]]:
    """One record for each run, sorted by id; the files of those that do not count, by id; and a note for each of them.

    ``category`` is asked of records that share a run.
    """
    runs: dict[str, list[Record]] = {}
    for record in records:
        runs.setdefault(record.origin.run.id, []).append(record)
    chosen, files, notes = [], {}, []
    for run, same in sorted(runs.items()):
        counts, *others = sorted(same, key=lambda record: tuple(key(record) for key, _ in _REASONS), reverse=True)
        chosen.append(counts)
        if others:
            files[run] = tuple(str(other.origin.file) for other in others)
            notes += [_note(counts, other, category) for other in others]
    return chosen, files, notes


def _note(counts: Record, other: Record, category: Callable[[Record], Category]) -> Note:
    why = next(reason for key, reason in _REASONS if key(counts) != key(other))
    says, instead = category(other), category(counts)
    differs = "says the same" if says == instead else f"says {says}, the other {instead}"
    what = f"is a second record of {counts.origin.run.id} and {differs}"
    return Note(str(other.origin.file), what, f"{counts.origin.file} counts: {why}")
