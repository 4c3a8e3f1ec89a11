"""A/A comparisons: the baseline against itself, on scripted sides; what is kept of them, and found again."""

from __future__ import annotations

from dataclasses import replace
from math import log1p

import pytest
from test_harness import House

from pytest_perfagents.backends.scripted import Dies, ScriptedSide
from pytest_perfagents.calibrations import (
    FILE,
    TWIN,
    CalibrationWriter,
    calibration_to_json,
    latest,
    load_calibrations,
)
from pytest_perfagents.figures import share
from pytest_perfagents.measurement.calibrating import twin_of
from pytest_perfagents.model import BASELINE, HUMAN, Case, Category, Change, Role, Side
from pytest_perfagents.records import outcome_to_json, reason_of
from pytest_perfagents.report.consoles import Screen
from pytest_perfagents.report.terminal import render


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def calibrate(house, twin: ScriptedSide | None = None, **protocol):
    """As `House.evaluate`; ``twin`` is how the second worktree behaves, by default as the baseline does."""
    case = house.agent(None)
    house.sides = {BASELINE: house.sides[BASELINE]}
    house.sides[Side(Role.PATCHED, twin_of(case).id)] = twin or house.sides[BASELINE]
    return house.evaluator(**protocol).calibrate(case, house.backend.clock() + 1e6)


def test_identical_code_is_called_the_same_and_has_a_noise_floor(house):
    house.sides[BASELINE] = ScriptedSide(noise=0.01, start_noise=0.01)
    found = calibrate(house)
    assert found.failure is None and found.accusation == ""
    assert found.comparison.category is Category.SUCCESS_NEUTRAL
    assert 0 < found.noise_floor < found.detectable < 0.05


def test_the_whole_budget_is_measured_and_the_verdict_is_that_of_the_look_that_decides(house):
    house.sides[BASELINE] = ScriptedSide(start_noise=0.001)
    found = calibrate(house, measure_s=1e4)
    assert found.starts == 80
    assert found.comparison.starts == 10
    assert found.noise_floor < log1p(found.comparison.high / found.comparison.low - 1)


def test_the_human_is_left_out_and_the_twin_has_no_patch(house):
    calibrate(house)
    assert HUMAN not in house.backend.entered
    assert [side.role for side in house.backend.entered] == [Role.BASELINE, Role.PATCHED]


def test_a_noisier_machine_detects_less(house):
    house.sides[BASELINE] = ScriptedSide(start_noise=0.005)
    quiet = calibrate(house)
    house.sides[BASELINE] = ScriptedSide(start_noise=0.05)
    house.folder = house.folder / "again"
    house.folder.mkdir()
    loud = calibrate(house)
    assert loud.noise_floor > 5 * quiet.noise_floor
    assert loud.detectable > 3 * quiet.detectable


def test_a_machine_that_treats_one_worktree_better_is_accused(house):
    found = calibrate(house, ScriptedSide(call_s=0.0105))
    assert found.accusation == "slower"
    assert found.comparison.change is Change.SLOWER


def test_results_that_differ_between_two_runs_of_the_same_code_are_an_accusation(house):
    found = calibrate(house, ScriptedSide(equal=False, message="41 != 42"))
    assert found.accusation == "EQUIVALENCE_FAILED"
    assert found.comparison is None


def test_a_baseline_that_cannot_run_is_a_failure_and_no_accusation(house):
    house.sides[BASELINE] = ScriptedSide(mishaps={"load": Dies()})
    found = calibrate(house)
    assert found.failure.side is Role.BASELINE
    assert found.accusation == ""
    assert found.noise_floor is None


def test_a_commit_without_a_script_or_a_repository_says_so(house):
    case = house.agent(None)
    evaluator = house.evaluator()
    assert evaluator.calibrate(Case(case.run, None), 1e9).failure.category is Category.NO_TEST_SCRIPT
    elsewhere = Case(replace(case.run, commit=replace(case.run.commit, repo="nowhere")), case.script)
    assert evaluator.calibrate(elsewhere, 1e9).failure.category is Category.GIT_WORKTREE_FAILED


# What is kept


def test_a_calibration_is_one_line_that_is_found_by_commit_script_and_machine(house):
    found = calibrate(house)
    with CalibrationWriter(house.config.results) as writer:
        writer.append(calibration_to_json(found))
    with (house.config.results / FILE).open("a") as file:
        file.write('{"schema": "perfagents/cal')
    with CalibrationWriter(house.config.results) as writer:
        writer.append(calibration_to_json(replace(found, noise_floor=0.5)))
    records = load_calibrations(house.config.results)
    assert [record["noise_floor"] for record in records] == [found.noise_floor, 0.5]
    where = {"arena": found.arena, "script": found.script, "machine": found.machine}
    assert latest(records, **where)["noise_floor"] == 0.5
    for other in where:
        assert latest(records, **{**where, other: "another"}) is None


def test_later_results_of_the_commit_show_what_was_calibrated(house):
    found = calibrate(house)
    with CalibrationWriter(house.config.results) as writer:
        writer.append(calibration_to_json(found))
    case = house.cases[0]
    house.sides = {BASELINE: ScriptedSide(), HUMAN: ScriptedSide(), Side(Role.PATCHED, case.id): ScriptedSide()}
    outcome = house.evaluate()[case.id]
    assert outcome.protocol["calibration"]["noise_floor"] == found.noise_floor
    assert outcome.comparison.detectable is not None
    text = " ".join(render([outcome_to_json(outcome)], Screen(200)).split())
    assert f"calibrated: minivllm-1a2b3c4d noise floor {share(found.noise_floor)}, detects" in text
    assert f"detects {share(outcome.comparison.detectable)}" in reason_of(outcome)
    house.script.write_text("def setup(): return 2\n", encoding="utf-8")
    assert "calibration" not in house.evaluate()[case.id].protocol


def test_nothing_was_calibrated_where_there_is_no_file(tmp_path):
    assert load_calibrations(tmp_path) == []


def test_the_twin_is_nobodys_run(house):
    twin = twin_of(house.agent(None))
    assert not twin.run.has_patch
    assert twin.run.agent == TWIN
