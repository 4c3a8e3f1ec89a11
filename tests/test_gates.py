from __future__ import annotations

import os

import pytest
from canned import failed, measured
from cases import case_of
from test_gpu_rules import nvidia_smi
from test_harness import House

from pytest_perfagents.backends.scripted import Raises, ScriptedSide
from pytest_perfagents.gates import doubts, failing, parse_gates, shown_as
from pytest_perfagents.model import BASELINE, HUMAN, Category, UsageError
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.shell.verdicts import failure_text, reason_line


@pytest.mark.parametrize(
    ("gates", "category", "shown"),
    [
        ("regression", "SUCCESS_REGRESSION", "failed"),
        ("regression", "SUCCESS_IMPROVEMENT", "passed"),
        ("slower", "SUCCESS_REGRESSION", "failed"),
        ("faster, slower", "SUCCESS_NEUTRAL", "passed"),
        ("improvement,neutral", "SUCCESS_NEUTRAL", "failed"),
        ("different", "EQUIVALENCE_FAILED", "failed"),
        ("failed", "BASELINE_OOM", "failed"),
        ("failed", "AGENT_NO_PATCH", "skipped"),
        ("skipped", "AGENT_NO_PATCH", "failed"),
        ("unmeasured", "AGENT_NO_PATCH", "failed"),
        ("unmeasured", "SUCCESS_REGRESSION", "passed"),
        ("BASELINE_*", "BASELINE_OOM", "failed"),
        ("baseline_oom", "BASELINE_OOM", "failed"),
        ("BASELINE_*", "PATCHED_OOM", "xfailed"),
        ("", "HARNESS_ERROR", "failed"),
    ],
)
def test_a_gate_fails_what_it_names(gates, category, shown):
    make = measured if category.startswith("SUCCESS") else failed
    assert shown_as(make(case_of(), category), {}, parse_gates([gates])) == shown


def test_a_gate_wins_over_the_configuration():
    outcome = failed(case_of(), "EQUIVALENCE_FAILED")
    assert shown_as(outcome, {"EQUIVALENCE_FAILED": "passed"}, ()) == "passed"
    assert shown_as(outcome, {"EQUIVALENCE_FAILED": "passed"}, {"different"}) == "failed"


def test_an_unknown_word_is_an_error_with_the_nearest_and_all_there_are():
    with pytest.raises(
        UsageError, match=r"'regresion' is no outcome; did you mean regression\?.*different.*NO_METRICS"
    ):
        parse_gates(["regresion"])


@pytest.mark.parametrize("category", ["SUCCESS_IMPROVEMENT", "SUCCESS_NEUTRAL", "SUCCESS_REGRESSION"])
def test_flagged_fails_what_was_measured_and_is_worth_a_look(category):
    gates = parse_gates(["flagged"])
    assert shown_as(measured(case_of(), category), {}, gates) == "passed"
    assert shown_as(measured(case_of(), category, flags=("first calls differ",)), {}, gates) == "failed"


def test_the_gates_that_fail_an_outcome_are_named():
    flagged = measured(case_of(), "SUCCESS_REGRESSION", flags=("first calls differ",))
    gates = parse_gates(["slower", "flagged,improvement,SUCCESS_*"])
    assert failing(flagged, gates) == ["SUCCESS_*", "flagged", "slower"]
    record = outcome_to_json(flagged)
    assert failure_text(record, ["flagged"]).splitlines()[1] == "failed by --perf-fail-on flagged"
    assert reason_line(record, ["flagged"]).startswith("SUCCESS_REGRESSION (--perf-fail-on flagged): 0.50x")
    assert "--perf-fail-on" not in failure_text(record) + reason_line(record)


def test_what_fails_for_its_flags_says_which():
    record = outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT", flags=("first calls differ",)))
    assert "flag: first calls differ" in failure_text(record).splitlines()


def test_flagged_is_not_what_could_not_be_measured():
    assert shown_as(failed(case_of(), "TIMER_TAMPERED"), {}, parse_gates(["flagged"])) == "xfailed"


@pytest.mark.parametrize(("gpu_bytes", "shown"), [(10**9, "passed"), (3 * 10**9, "failed")])
def test_what_is_said_of_the_machine_and_of_the_human_is_no_doubt_about_the_run(
    tmp_path, monkeypatch, gpu_bytes, shown
):
    nvidia_smi(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    house = House(tmp_path)
    house.sides = {
        BASELINE: ScriptedSide(cuda=True, gpu_bytes=10**9),
        HUMAN: ScriptedSide(mishaps={"load": Raises("ImportError", "odd")}),
    }
    case = house.agent(ScriptedSide(cuda=True, gpu_bytes=gpu_bytes))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_NEUTRAL
    of_the_machine, of_the_human = outcome.integrity.flags[:2]
    assert "has other processes: 4711" in of_the_machine
    assert "the human's side was not measured" in of_the_human
    assert doubts(outcome.integrity.flags, outcome.protocol) == list(outcome.integrity.flags[2:])
    assert shown_as(outcome, {}, parse_gates(["flagged"])) == shown
