"""Recorded evaluations of real runs: every failure among them gets a category that says something.

The records are not in the repository: PERFAGENTS_CORPUS names their folder, else it is ``../shared/corpus`` beside
the checkout.
"""

import json
import os
from pathlib import Path

import pytest

from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.model import Ending, Execution, Role
from pytest_perfagents.parsers.script_output import parse_output, report_from_json

CORPUS = Path(os.environ.get("PERFAGENTS_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
RECORDS = sorted((CORPUS / "eval").rglob("test_results.json"))

pytestmark = pytest.mark.skipif(not RECORDS, reason=f"no recorded evaluations under {CORPUS} (set PERFAGENTS_CORPUS)")


def judged():
    """Every record that got as far as its baseline and gave no time: (record, failure)."""
    for path in RECORDS:
        record = json.loads(path.read_text())
        result, repo = record["result"], record["metadata"]["repo"]
        if result["status"] in ("no_test", "no_patch"):
            continue
        output = result["baseline_output"]
        report = report_from_json(output) if output else None
        if report is not None and report.seconds is not None and report.opt_path_hit is not False:
            continue
        stdout = "" if report else result["stdout"]
        execution = Execution(("python",), Ending.EXITED, 1, stdout, result["stderr"], result["duration_s"])
        evidence = Evidence(execution=execution, report=report)
        yield record, diagnose(evidence, Role.BASELINE, packages=(repo,), repo=repo)


def test_every_recorded_failure_has_a_category_of_its_own_a_reason_and_a_hint():
    found = list(judged())
    assert len(found) > 60
    for record, failure in found:
        assert not failure.category.endswith(("_UNKNOWN", "_NO_OUTPUT", "_EXCEPTION")), record
        assert failure.reason.startswith("baseline ")
        assert failure.hint, record
        assert failure.blame in ("environment", "script"), record


def test_what_the_record_calls_no_output_is_named_after_its_traceback():
    for record, failure in judged():
        if record["result"]["error_message"] == "Baseline test failed to produce output":
            last = record["result"]["stderr"].strip().splitlines()[-1]
            assert failure.evidence["exception"] == last.partition(":")[0].rsplit(".", 1)[-1]


def test_a_missing_module_is_named_wherever_the_record_names_it():
    for record, failure in judged():
        error = record["result"]["error_message"] or ""
        if "No module named" in error:
            assert failure.evidence["module"] in error


def test_recorded_times_are_read_from_the_printed_text_as_the_record_has_them():
    checked = 0
    for path in RECORDS:
        result = json.loads(path.read_text())["result"]
        if result["status"] == "success" and result["patched_ms"]:
            assert parse_output(result["stdout"]).seconds == pytest.approx(result["patched_ms"] / 1000)
            checked += 1
    assert checked >= 10
