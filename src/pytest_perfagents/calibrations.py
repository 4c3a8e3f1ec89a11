"""A/A comparisons as records: ``<results>/calibration.jsonl``, one line each, ``perfagents/calibration/1``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_perfagents.model import Category, Change, Comparison, Failure, Role
from pytest_perfagents.records import Json, comparison_to_json, plain
from pytest_perfagents.store import LinesWriter

SCHEMA = "perfagents/calibration/1"
FILE = "calibration.jsonl"
TWIN = "calibration"
"""The run of the patched side, which is the baseline once more."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What comparing a commit's baseline with itself has shown on ``machine``.

    ``arena`` is the commit's (`Commit.arena`), ``name`` what people call it, ``script`` a digest. ``comparison`` is
    the verdict where the stopping rule would have ended; ``noise_floor`` and ``detectable`` (shares: 0.004 is 0.4 %)
    rest on all ``starts`` of the whole budget. ``failure`` says why there are none.
    """

    arena: str
    name: str
    script: str
    machine: str
    comparison: Comparison | None
    failure: Failure | None
    noise_floor: float | None = None
    detectable: float | None = None
    starts: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accusation(self) -> str:
        """What identical code was wrongly called, in a word; empty where it was not."""
        comparison, failure = self.comparison, self.failure
        if comparison is not None and comparison.change in (Change.FASTER, Change.SLOWER):
            return comparison.change.value
        if comparison is not None and comparison.category in (
            Category.SUCCESS_IMPROVEMENT,
            Category.SUCCESS_REGRESSION,
        ):
            return comparison.category.removeprefix("SUCCESS_").lower()
        return failure.category.value if failure is not None and failure.side is Role.PATCHED else ""


def calibration_to_json(calibration: Calibration) -> Json:
    """Plain JSON types."""
    failure = calibration.failure
    return {
        "schema": SCHEMA,
        "arena": calibration.arena,
        "name": calibration.name,
        "script": calibration.script,
        "machine": calibration.machine,
        "noise_floor": calibration.noise_floor,
        "detectable": calibration.detectable,
        "starts": calibration.starts,
        "accusation": calibration.accusation,
        "speedup": comparison_to_json(calibration.comparison),
        "category": failure.category.value if failure else None,
        "reason": failure.reason if failure else None,
        "hint": failure.hint if failure else None,
        "environment": plain(calibration.environment),
        "protocol": plain(calibration.protocol),
    }


class CalibrationWriter(LinesWriter):
    """Appends calibrations to the results folder, one line each."""

    def __init__(self, results: Path) -> None:
        super().__init__(results / FILE)


def load_calibrations(results: Path) -> list[Json]:
    """All that can be read, the oldest first; an unfinished line is passed over."""
    with suppress(OSError):
        lines = (results / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        return [record for line in lines if (record := _record(line)) is not None]
    return []


def _record(line: str) -> Json | None:
    with suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and record.get("schema") == SCHEMA:
            return record
    return None


def newest(records: Iterable[Json]) -> list[Json]:
    """Of every commit, script and machine the record that was written last."""
    return list(
        {tuple(record.get(name) for name in ("arena", "script", "machine")): record for record in records}.values()
    )


def latest(records: Iterable[Json], *, arena: str, script: str, machine: str) -> Json | None:
    """What is known of this commit and script on this machine: ``noise_floor``, ``detectable``, ``starts`` and when."""
    known = (record for record in records if record.get("noise_floor") is not None)
    for record in newest(known):
        if (record.get("arena"), record.get("script"), record.get("machine")) == (arena, script, machine):
            return {name: record[name] for name in ("noise_floor", "detectable", "starts", "accusation", "recorded_at")}
    return None
