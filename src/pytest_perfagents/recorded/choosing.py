"""Two records of one run: which of them counts, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pytest_perfagents.model import Outcome
from pytest_perfagents.recorded.records import Kind, Note, Record

Judged = tuple[Record, Outcome]

_KINDS = (Kind.EVALUATION, Kind.SERVING, Kind.SUMMARY)

# What makes one record of a run count and not another, the most telling first.
_REASONS: tuple[tuple[Callable[[Record], object], str], ...] = (
    (lambda record: not record.origin.damage, "it is whole"),
    (lambda record: -_KINDS.index(record.origin.kind), "it holds more than a summary"),
    (lambda record: record.origin.rank, "its folder was named last"),
    (lambda record: str(record.origin.file), "it comes last by its path"),
)


def one_each(judged: Iterable[Judged]) -> tuple[list[Outcome], list[Note]]:
    """One outcome for each run, sorted by id, and a note for each record that does not count."""
    runs: dict[str, list[Judged]] = {}
    for record, outcome in judged:
        runs.setdefault(outcome.case.id, []).append((record, outcome))
    outcomes, notes = [], []
    for _, same in sorted(runs.items()):
        if len(same) == 1:
            outcomes.append(same[0][1])
            continue
        counts, others = _chosen(same)
        notes += [_note(counts, other) for other in others]
        outcomes.append(_with_others(counts[1], [str(record.origin.file) for record, _ in others]))
    return outcomes, notes


def _chosen(same: Sequence[Judged]) -> tuple[Judged, list[Judged]]:
    ordered = sorted(same, key=lambda each: tuple(key(each[0]) for key, _ in _REASONS), reverse=True)
    return ordered[0], ordered[1:]


def _note(counts: Judged, other: Judged) -> Note:
    why = next(reason for key, reason in _REASONS if key(counts[0]) != key(other[0]))
    says = other[1].category
    differs = "says the same" if says == counts[1].category else f"says {says}, the other {counts[1].category}"
    file = counts[0].origin.file
    return Note(
        str(other[0].origin.file), f"is a second record of {counts[1].case.id} and {differs}", f"{file} counts: {why}"
    )


def _with_others(outcome: Outcome, others: Sequence[str]) -> Outcome:
    """The outcome, whose record names the records that do not count."""
    recorded = {**outcome.protocol["recorded"], "others": list(others)}
    return replace(outcome, protocol={**outcome.protocol, "recorded": recorded})
