from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from canned import failed, measured
from cases import case_of

from pytest_perfagents.model import Change, Role
from pytest_perfagents.records import outcome_from_json, outcome_to_json, plain, without_samples

CATEGORIES = ["SUCCESS_IMPROVEMENT", "SUCCESS_REGRESSION", "SUCCESS_NEUTRAL", "SUCCESS_INCONCLUSIVE"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_measured_outcome_comes_back_as_it_went(category):
    outcome = measured(case_of(), category, flags=("first calls differ",))
    text = json.dumps(outcome_to_json(outcome), allow_nan=False)
    assert outcome_from_json(json.loads(text)) == outcome


def test_a_failure_comes_back_as_it_went():
    outcome = failed(case_of(duration_s=12.5, returncode=1, status="success"), "TEST_IMPORT_ERROR")
    text = json.dumps(outcome_to_json(outcome), allow_nan=False)
    assert outcome_from_json(json.loads(text)) == outcome


def test_a_case_without_a_script_or_a_side_comes_back():
    outcome = failed(replace(case_of(), script=None), "NO_TEST_SCRIPT", side=None, blame=None, hint=None)
    record = json.loads(json.dumps(outcome_to_json(outcome)))
    assert (record["side"], record["blame"], record["hint"], record["script"]) == (None, None, None, None)
    assert outcome_from_json(record) == outcome


def test_an_unbounded_interval_is_null_in_json():
    outcome = measured(case_of(), "SUCCESS_INCONCLUSIVE")
    unbounded = replace(outcome, comparison=replace(outcome.comparison, high=float("inf")))
    record = json.loads(json.dumps(outcome_to_json(unbounded), allow_nan=False))
    assert record["speedup"]["high"] is None
    assert outcome_from_json(record) == unbounded


def test_the_fields_are_those_of_the_format():
    record = outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT"))
    assert record["schema"] == "perfagents/outcome/1"
    assert record["id"] == "minivllm/1a2b3c4d/trae/gpt-5/2026-01-01_00-00-00/minivllm_core-0000"
    assert (record["commit"], record["pre_commit"]) == ("1a2b3c4d" + "0" * 32, "f" * 40)
    assert (record["pytest_outcome"], record["category"], record["stage"]) == (
        "passed",
        "SUCCESS_IMPROVEMENT",
        "measure",
    )
    assert record["speedup"] | {"point": 1.5, "starts": 2, "change": "faster", "clock": "cpu"} == record["speedup"]
    assert record["human_speedup"]["point"] == 2.0
    assert set(record["sides"]) == {"baseline", "human", "patched"}
    assert record["sides"]["baseline"]["samples_s"] == pytest.approx([0.012, 0.015, 0.018, 0.012])
    assert record["sides"]["baseline"]["median_s"] == pytest.approx(0.0135)
    assert record["integrity"]["patched_lines_executed"] == 9
    assert "\n" not in record["reason"] and "1.50x [1.47, 1.54]" in record["reason"]


def test_a_regression_is_the_agents_and_an_inconclusive_one_says_what_would_decide():
    assert outcome_to_json(measured(case_of(), "SUCCESS_REGRESSION"))["blame"] == "agent"
    assert "90 starts" in outcome_to_json(measured(case_of(), "SUCCESS_INCONCLUSIVE"))["hint"]


def test_overrides_decide_what_pytest_shows():
    outcome = failed(case_of(), "PATCH_INVALID")
    assert outcome_to_json(outcome)["pytest_outcome"] == "xfailed"
    assert outcome_to_json(outcome, {"PATCH_INVALID": "failed"})["pytest_outcome"] == "failed"
    assert outcome_to_json(outcome, {}, {"unmeasured"})["pytest_outcome"] == "failed"


def test_medians_stay_without_samples():
    record = without_samples(outcome_to_json(measured(case_of(), "SUCCESS_NEUTRAL")))
    assert list(record["sides"]["patched"]) == ["median_s"]


def test_evidence_of_any_kind_becomes_json():
    value = {
        "path": Path("/x"),
        "role": Role.HUMAN,
        "change": Change.SAME,
        1: (float("nan"), {2}),
        "object": case_of().run.commit,
    }
    assert plain(value) == {
        "path": "/x",
        "role": "human",
        "change": "same",
        "1": [None, [2]],
        "object": {"repo": "minivllm", "human": "1a2b3c4d" + "0" * 32, "parent": "f" * 40},
    }


def test_another_schema_is_refused():
    record = outcome_to_json(measured(case_of(), "SUCCESS_NEUTRAL")) | {"schema": "perfagents/outcome/9"}
    with pytest.raises(ValueError, match="outcome/9"):
        outcome_from_json(record)
