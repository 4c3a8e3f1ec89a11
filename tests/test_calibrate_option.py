"""``--perf-calibrate`` as pytest shows it: one item for a commit, its letter, the section, the files."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.fixture
def two_commits(project):
    """Two agents on one commit, one on another."""
    project.add_run("SUCCESS_NEUTRAL")
    project.add_run("SUCCESS_NEUTRAL", agent="codex")
    project.add_run("SUCCESS_NEUTRAL", agent="codex", human="feedbeef", repo="minisglang")
    return project


def kept(project):
    file = project.folder / "results" / "calibration.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_each_selected_commit_is_one_item_and_nothing_is_evaluated(two_commits):
    result = two_commits.run("--perf-calibrate", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*minisglang-feedbeef::calibration NOISE FLOOR 0.4 %*",
            "*minivllm-1a2b3c4d::calibration NOISE FLOOR 0.4 %*",
            "*perf calibration*",
            "minisglang-feedbeef  noise floor 0.4 %, detects 1.2 % in 80 starts (20 s, cpu clock), called neutral",
            "minivllm-1a2b3c4d * called neutral",
            "each is one draw: its figures vary; repeat --perf-calibrate to see how far",
            "waited 3 s for other measurements on this machine, which no budget counts",
        ]
    )
    assert [call["calibrated"] for call in two_commits.calls()] == ["minisglang_core-0002", "minivllm_core-0001"]
    assert two_commits.lines() == []
    assert [record["name"] for record in kept(two_commits)] == ["minisglang-feedbeef", "minivllm-1a2b3c4d"]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (("-k", "sglang"), {"minisglang-feedbeef"}),
        (("-k", "trae_gpt5"), {"minivllm-1a2b3c4d"}),
        (("--agent", "trae"), {"minivllm-1a2b3c4d"}),
        (("--agent", "codex"), {"minisglang-feedbeef", "minivllm-1a2b3c4d"}),
        (("perfagents.toml::minivllm-1a2b3c4d",), {"minivllm-1a2b3c4d"}),
    ],
)
def test_commits_are_selected_as_their_runs_are(two_commits, args, names):
    two_commits.run("--perf-calibrate", *args)
    assert {record["name"] for record in kept(two_commits)} == names


@pytest.mark.parametrize("what", ["SUCCESS_IMPROVEMENT", "SUCCESS_REGRESSION"])
def test_identical_code_that_is_called_changed_fails_loudly(project, what):
    project.add_run(what)
    result = project.run("--perf-calibrate")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    text = result.stdout.str()
    assert "the baseline against itself was called" in text
    assert "do not trust verdicts" in text
    assert kept(project)[0]["accusation"] in ("faster", "slower")


def test_noise_that_hides_everything_is_shown_and_does_not_fail(project):
    project.add_run("SUCCESS_INCONCLUSIVE")
    result = project.run("--perf-calibrate", "-v")
    result.assert_outcomes(passed=1)
    assert "called inconclusive" in result.stdout.str()


def test_a_baseline_that_cannot_be_measured_is_skipped_with_its_reason(project):
    project.add_run("TEST_IMPORT_ERROR")
    result = project.run("--perf-calibrate", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*TEST_IMPORT_ERROR: baseline needs module 'decord' (pip install decord)*"])
    result.stdout.no_fnmatch_line("*one draw*")


def test_the_report_has_the_calibrations_and_misses_no_run(two_commits):
    two_commits.run("--perf-calibrate", "--perf-json=out.json")
    report = two_commits.report()
    assert [record["detectable"] for record in report["calibrations"]] == [0.012, 0.012]
    assert report["summary"]["not_run"] == []


def test_no_run_is_left_to_be_resumed(two_commits):
    two_commits.run("--perf-calibrate")
    assert not list(two_commits.folder.glob("results/*/outcomes*"))


def test_an_evaluator_that_cannot_calibrate_says_so(project):
    project.add_run("SUCCESS_NEUTRAL")
    conftest = project.pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + "\ndel CannedEvaluator.calibrate\n")
    result = project.run("--perf-calibrate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "CannedEvaluator cannot calibrate; leave out --perf-calibrate" in "\n".join(
        result.outlines + result.errlines
    )


def test_they_are_shown_again_without_a_run(two_commits):
    for _ in range(2):
        two_commits.run("--perf-calibrate")
    command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", "show", "results"]
    shown = subprocess.run(command, cwd=two_commits.folder, capture_output=True, text=True, check=True)
    assert shown.stdout.count("noise floor 0.4 %") == 2
    assert shown.stdout.count("one draw") == 1


def test_calibrations_come_together_through_xdist(two_commits):
    pytest.importorskip("xdist")
    result = two_commits.run("--perf-calibrate", "-n", "2", "--perf-json=out.json")
    result.assert_outcomes(passed=2)
    assert len(two_commits.report()["calibrations"]) == 2
    assert len(kept(two_commits)) == 2


def test_the_limit_of_pytest_timeout_is_the_items(two_commits):
    pytest.importorskip("pytest_timeout")
    two_commits.run("--perf-calibrate", "--timeout", "77")
    assert all(70 < call["left_s"] <= 77 for call in two_commits.calls())
