"""Explained runs for programs: the records whole, and beside them what an explanation adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import exp
from typing import Any

from pytest_perfagents.jsontext import json_text
from pytest_perfagents.records import plain
from pytest_perfagents.report.explanation.starts import speedups_of_starts
from pytest_perfagents.report.explanation.types import Explained
from pytest_perfagents.report.json_report import report_to_json


def explanations_to_json(told: Sequence[Explained]) -> str:
    """``perfagents/report/1`` of these runs, as ``--perf-json`` writes it, with ``explained`` by the runs' ids."""
    report = report_to_json([dict(each.record) for each in told], [])
    report["explained"] = {each.outcome.case.id: _added(each) for each in told}
    return json_text(report, indent=1) + "\n"


def _added(told: Explained) -> dict[str, Any]:
    """``start_speedups`` has a number for each start; ``patch`` its text and whether it is what was evaluated."""
    speedups = {side: [exp(ratio) for ratio in ratios] for side, ratios in speedups_of_starts(told.outcome).items()}
    added = {"file": told.file, "replaced": told.replaced, "patch": asdict(told.patch), "again": asdict(told.again)}
    return {**plain(added), "start_speedups": speedups}
