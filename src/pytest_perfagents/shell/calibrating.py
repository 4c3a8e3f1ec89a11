"""``--perf-calibrate``: one item for each selected commit, which measures its baseline against itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_perfagents.diagnosis.taxonomy import pytest_outcome
from pytest_perfagents.figures import share
from pytest_perfagents.integrations.pytest_timeout import TIMEOUT_S
from pytest_perfagents.jsontext import json_text
from pytest_perfagents.model import Case, Category, UsageError
from pytest_perfagents.records import Json
from pytest_perfagents.report.calibration import headline, why_accused
from pytest_perfagents.shell.evaluating import EVALUATION

NAME = "calibration"
PAYLOAD = pytest.StashKey[str]()
"""The calibration as JSON text, on its way to the next report of the item."""


class CalibrationItem(pytest.Item):
    """The A/A comparison of a commit. ``case`` is the run that speaks for it."""

    case: Case

    @classmethod
    def of(cls, parent: pytest.Collector, members: Iterable[tuple[str, Case]]) -> CalibrationItem:
        """The item of a commit; the names and aliases of its runs are keywords, so that ``-k`` finds it by them."""
        named = list(members)
        item: CalibrationItem = cls.from_parent(parent, name=NAME)
        item.case = next((case for _, case in named if case.script is not None), named[0][1])
        for name, case in named:
            item.extra_keyword_matches |= {name, case.run.alias}
        return item

    def runtest(self) -> None:
        """Measure, and fail where identical code is called anything but the same."""
        evaluation = self.config.stash[EVALUATION]
        try:
            record = evaluation.calibrate(self.case, self.stash.get(TIMEOUT_S, None))
        except UsageError as error:
            from pytest_perfagents.shell.items import stop

            stop(self, error)
        self.stash[PAYLOAD] = json_text(record)
        self.user_properties.append(("perfagents_calibration", json_text(record)))
        if record["accusation"]:
            pytest.fail("\n".join([headline(record), *why_accused(record)]), pytrace=False)
        if record["category"] is not None:
            reason = f"{record['category']}: {record['reason']}" + (f" ({record['hint']})" if record["hint"] else "")
            shown = pytest_outcome(Category(record["category"]), evaluation.settings.config.outcomes)
            if shown == "failed":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)

    def reportinfo(self) -> tuple[Path, int, str]:
        """As a run's item."""
        assert self.parent is not None
        return self.path, 0, f"{self.parent.name}::{self.name}"


def hang_on(item: pytest.Item, report: pytest.TestReport) -> None:
    """The calibration on the report, as text: it travels from workers of pytest-xdist as it is."""
    payload = item.stash.get(PAYLOAD, None)
    if payload is not None:
        report.perfagents_calibration = payload  # type: ignore[attr-defined]
        del item.stash[PAYLOAD]


def calibration_of(report: pytest.TestReport | pytest.CollectReport) -> Json | None:
    """What `hang_on` hung there."""
    payload = getattr(report, "perfagents_calibration", None)
    with suppress(TypeError, ValueError):
        found: Json = json.loads(payload)  # type: ignore[arg-type]
        return found
    return None


def status_of(report: pytest.TestReport) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
    """``PASSED`` says little: the noise floor stands in its place."""
    record = calibration_of(report)
    if record is None or report.outcome != "passed" or report.when != "call":
        return None
    is_decided = record["speedup"]["category"] == Category.SUCCESS_NEUTRAL
    markup = {"green" if is_decided else "yellow": True}
    return "passed", "." if is_decided else "?", (f"NOISE FLOOR {share(record['noise_floor'])}", markup)
