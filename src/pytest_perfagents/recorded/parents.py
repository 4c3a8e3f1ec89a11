"""A commit's parent, told by another record of that commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_perfagents.recorded.records import Note, Record

_SHORT = 8


def with_parents(records: Sequence[Record]) -> tuple[list[Record], list[Note]]:
    """The records; one that does not name its commit's parent has that of the others, where they name one alone.

    A note for each that had none says which record it was taken from.
    """
    known: dict[str, dict[str, Path]] = {}
    for key, record in _named(records):
        commit = record.origin.run.commit
        if commit.parent and not commit.human.startswith(commit.parent):
            known.setdefault(key, {}).setdefault(commit.parent, record.origin.file)
    completed, notes = list(records), list[Note]()
    for number, record in enumerate(records):
        told = known.get(record.origin.run.commit.human[:_SHORT], {})
        if record.origin.run.commit.parent or len(told) != 1:
            continue
        [(parent, file)] = told.items()
        completed[number] = _with_parent(record, parent)
        done = f"{parent[:_SHORT]} was taken, which {file} names"
        notes.append(Note(str(record.origin.file), "does not name the commit before its commit", done))
    return completed, notes


def _named(records: Sequence[Record]) -> Iterator[tuple[str, Record]]:
    """Each record whose commit can be told from others, with its beginning."""
    for record in records:
        human = record.origin.run.commit.human
        if len(human) >= _SHORT:
            yield human[:_SHORT], record


def _with_parent(record: Record, parent: str) -> Record:
    run = record.origin.run
    commit = replace(run.commit, parent=parent)
    return replace(record, origin=replace(record.origin, run=replace(run, commit=commit)))
