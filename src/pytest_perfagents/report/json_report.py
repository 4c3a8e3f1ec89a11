"""The ``--perf-json`` file: ``perfagents/report/1``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pytest_perfagents.jsontext import json_text
from pytest_perfagents.records import REPORT_SCHEMA, Json, plain
from pytest_perfagents.report.totals import is_flagged


def report_to_json(records: Iterable[Json], selected: Sequence[str], **facts: Any) -> Json:
    """The ``--perf-json`` file: every outcome once, by id; ``summary.not_run`` are those without.

    ``summary.flagged`` counts, by category, the measured ones that `gates.doubts` names a reason to look at.
    """
    outcomes = sorted(records, key=lambda record: record["id"])
    done = {record["id"] for record in outcomes}
    summary = {
        "total": len(outcomes),
        "selected": len(set(selected) | done),
        "categories": _counts(record["category"] for record in outcomes),
        "flagged": _counts(record["category"] for record in outcomes if is_flagged(record)),
        "pytest_outcomes": _counts(record["pytest_outcome"] for record in outcomes),
        "not_run": sorted(set(selected) - done),
        **facts,
    }
    return {"schema": REPORT_SCHEMA, "summary": summary, "outcomes": outcomes}


def imported_to_json(records: Iterable[Json], notes: Iterable[object], files: int) -> Json:
    """The ``--perf-json`` file of recorded evaluations: ``notes`` say what was amiss where, and what was done."""
    report = report_to_json(records, [], files=files)
    return {**report, "notes": notes_to_json(notes)}


def notes_to_json(notes: Iterable[object]) -> list[Json]:
    """Each note with its ``path``, ``what`` and ``done``."""
    return [plain(note) for note in notes]


def _counts(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items()))


def write_report(file: Path, report: Json) -> None:
    """Whole or not at all: a reader never sees half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        half.write_text(json_text(report, indent=1) + "\n", encoding="utf-8")
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
