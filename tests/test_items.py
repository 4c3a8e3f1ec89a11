from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest


def words(result):
    """Item number to what pytest says of it."""
    found = re.findall(r"^perfagents.toml.*minivllm_core-(\d{4})\] (\w+)", result.stdout.str(), re.MULTILINE)
    return {int(number): word for number, word in found}


def test_every_category_is_shown_as_the_table_says(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for what in ("SUCCESS_IMPROVEMENT", "SUCCESS_REGRESSION", "SUCCESS_NEUTRAL", "SUCCESS_INCONCLUSIVE"):
        project.add_run(what)
    for what in ("AGENT_NO_PATCH", "HARDWARE_UNAVAILABLE", "PATCH_INVALID", "BASELINE_OOM", "HARNESS_ERROR"):
        project.add_run(what)
    result = project.run("-v", "--agent", "trae_gpt5", "-rA")
    result.assert_outcomes(passed=4, skipped=2, xfailed=2, failed=1)
    assert words(result) == {
        0: "IMPROVEMENT",
        1: "REGRESSION",
        2: "NEUTRAL",
        3: "INCONCLUSIVE",
        4: "SKIPPED",
        5: "SKIPPED",
        6: "XFAIL",
        7: "XFAIL",
        8: "FAILED",
    }
    result.stdout.fnmatch_lines(
        [
            "*minivllm-1a2b3c4d::trae-gpt-5*-0008]*",
            "HARNESS_ERROR: baseline needs module 'decord'",
            "stage: import, side: baseline, blame: environment",
            "hint: pip install decord",
            "SKIPPED * perfagents.toml: AGENT_NO_PATCH: baseline needs module 'decord' (pip install decord)",
            "XFAIL *-0006] - PATCH_INVALID: *",
            "FAILED *-0008] - HARNESS_ERROR: *",
        ]
    )


def test_a_commit_is_one_arena_and_commits_do_not_mix(project):
    for human in ("1a2b3c4d", "2b2b2b2b"):
        for agent in ("trae", "codex"):
            project.add_run("SUCCESS_NEUTRAL", human=human, agent=agent)
    project.run("--perf-repo", "minivllm").assert_outcomes(passed=4)
    assert [sorted(call["cases"]) for call in project.calls()] == [
        ["minivllm_core-0000", "minivllm_core-0001"],
        ["minivllm_core-0002", "minivllm_core-0003"],
    ]


def test_only_what_is_selected_enters_the_arena(project):
    for agent in ("trae", "codex"):
        project.add_run("SUCCESS_NEUTRAL", agent=agent)
    project.run("--perf-repo", "minivllm", "-k", "codex_gpt5").assert_outcomes(passed=1)
    assert project.calls()[0]["cases"] == ["minivllm_core-0001"]


@pytest.mark.parametrize(
    ("expression", "count"),
    [("vllm", 2), ("sonnet45", 1), ("trae and not gpt", 1), ("2b2b2b2b", 1), ("sglang", 1), ("codex_gpt5", 2)],
)
def test_keywords_select_by_repo_commit_agent_model_and_alias(project, expression, count):
    project.add_run("SUCCESS_NEUTRAL", agent="trae", model="us-anthropic-claude-sonnet-4-5-20250929-v1-0")
    project.add_run("SUCCESS_NEUTRAL", agent="codex", human="2b2b2b2b")
    project.add_run("SUCCESS_NEUTRAL", agent="codex", repo="minisglang", human="3c3c3c3c")
    result = project.run("--perf-repo", "*", "--collect-only", "-q", "-k", expression)
    assert len([line for line in result.stdout.lines if "::" in line]) == count


def test_outcomes_are_stored_and_reported_exactly_once(project):
    for what in ("SUCCESS_IMPROVEMENT", "TEST_IMPORT_ERROR", "AGENT_NO_PATCH"):
        project.add_run(what)
    result = project.run("--agent", "trae_gpt5", "--perf-json", "sub/out.json")
    assert result.ret == 0
    report = json.loads((project.folder / "sub" / "out.json").read_text())
    assert [outcome["category"] for outcome in report["outcomes"]] == [
        "SUCCESS_IMPROVEMENT",
        "TEST_IMPORT_ERROR",
        "AGENT_NO_PATCH",
    ]
    assert report["summary"]["pytest_outcomes"] == {"passed": 1, "skipped": 1, "xfailed": 1}
    assert report["summary"]["not_run"] == []
    assert [line["id"] for line in project.lines()] == [outcome["id"] for outcome in report["outcomes"]]


def test_the_section_stands_in_the_terminal(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("TEST_IMPORT_ERROR")
    result = project.run("--agent", "trae_gpt5", "-p", "no:benchmark")
    result.stdout.fnmatch_lines(
        [
            "*= perf agents =*",
            "*1.50x*[[]1.47, 1.5?]*improvement*",
            "*1 run *(TEST_IMPORT_ERROR, environment)",
            "*hint: pip install decord",
            "2 runs: 1 measured (1 improvement), 1 xfailed",
            "results: results/20*",
        ]
    )


def test_gates_fail_what_they_name(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # for the whole of the short summary
    for what in ("SUCCESS_IMPROVEMENT", "SUCCESS_REGRESSION", "EQUIVALENCE_FAILED"):
        project.add_run(what)
    result = project.run(
        "--agent", "trae_gpt5", "--perf-fail-on", "regression", "--perf-fail-on", "different", "--perf-json=o"
    )
    result.assert_outcomes(passed=1, failed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["SUCCESS_REGRESSION: 0.50x [[]0.49, 0.5?] of the baseline's speed, slower, *"])
    result.stdout.fnmatch_lines(
        [
            "failed by --perf-fail-on regression",
            "failed by --perf-fail-on different",
            "FAILED *- SUCCESS_REGRESSION (--perf-fail-on regression): 0.50x *",
            "FAILED *- EQUIVALENCE_FAILED (--perf-fail-on different): *",
        ]
    )
    assert project.report("o")["summary"]["pytest_outcomes"] == {"passed": 1, "failed": 2}


def test_the_configuration_decides_what_a_category_becomes(project):
    project.add_run("PATCH_INVALID")
    config = project.folder / "perfagents.toml"
    config.write_text(config.read_text() + '\n[outcomes]\nPATCH_INVALID = "failed"\n')
    project.run("--agent", "trae_gpt5").assert_outcomes(failed=1)


def test_runxfail_neither_turns_records_into_failures_nor_runs_them_twice(project):
    project.add_run("TEST_IMPORT_ERROR")
    project.run("--agent", "trae_gpt5", "--runxfail").assert_outcomes(xfailed=1)
    assert len(project.calls()) == 1


def test_junit_xml_has_properties(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("AGENT_NO_PATCH")
    project.run("--agent", "trae_gpt5", "--junit-xml", "junit.xml")
    found = [
        {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        for case in ET.parse(project.folder / "junit.xml").iter("testcase")
    ]
    assert [entry["perfagents_category"] for entry in found] == ["SUCCESS_IMPROVEMENT", "AGENT_NO_PATCH"]
    assert [entry["perfagents_speedup"] for entry in found] == ["1.5", ""]
    assert json.loads(found[0]["perfagents"])["human_speedup"]["point"] == 2.0
    assert "samples_s" not in found[0]["perfagents"]


def test_a_bug_of_ours_is_a_failure_with_its_traceback_and_spares_the_neighbours(project):
    for what in ("SUCCESS_IMPROVEMENT", "raise", "SUCCESS_NEUTRAL"):
        project.add_run(what)
    result = project.run("--agent", "trae_gpt5", "--perf-json", "out.json")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["HARNESS_ERROR: ZeroDivisionError: a bug of ours", "*in _outcome", "ZeroDivisionError: a bug of ours"]
    )
    assert project.report()["summary"]["categories"]["HARNESS_ERROR"] == 1
    assert len(project.lines()) == 3


def test_an_arena_that_breaks_together_is_taken_apart(project):
    project.add_run("bad-neighbour")
    project.add_run("SUCCESS_IMPROVEMENT")
    project.run("--agent", "trae_gpt5").assert_outcomes(passed=2)
    assert [len(call["cases"]) for call in project.calls()] == [2, 1, 1]


def test_what_the_machine_lacks_ends_the_session_with_status_4(project):
    project.add_run("usage")
    project.add_run("SUCCESS_NEUTRAL", human="2b2b2b2b")
    result = project.run("--agent", "trae_gpt5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "there is no git on PATH" in result.stdout.str() + result.stderr.str()
    assert len(project.calls()) == 1


def test_after_ctrl_c_the_report_has_what_there_is_and_lists_the_rest(project):
    project.add_run("SUCCESS_IMPROVEMENT", human="1a2b3c4d")
    project.add_run("interrupt", human="2b2b2b2b")
    project.add_run("SUCCESS_NEUTRAL", human="3c3c3c3c")
    result = project.run("--agent", "trae_gpt5", "--perf-json", "out.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    summary = project.report()["summary"]
    assert (summary["total"], summary["selected"]) == (1, 3)
    assert [case.split("/")[1] for case in summary["not_run"]] == ["2b2b2b2b", "3c3c3c3c"]
    result.stdout.fnmatch_lines(["1 run: 1 measured (1 improvement), 2 not run"])


def test_after_x_outcomes_of_the_same_arena_are_in_the_report(project):
    project.add_run("SUCCESS_REGRESSION")
    project.add_run("SUCCESS_NEUTRAL")
    project.add_run("SUCCESS_NEUTRAL", human="2b2b2b2b")
    project.run("--agent", "trae_gpt5", "-x", "--perf-fail-on", "regression", "--perf-json", "out.json")
    summary = project.report()["summary"]
    assert (summary["total"], len(summary["not_run"])) == (2, 1)


def test_a_report_that_cannot_be_written_is_said_aloud(project):
    project.add_run("SUCCESS_NEUTRAL")
    (project.folder / "file").write_text("")
    result = project.run("--agent", "trae_gpt5", "--perf-json", "file/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--perf-json" in result.stderr.str() + result.stdout.str()


# Resuming


def test_resuming_keeps_what_is_done_and_evaluates_the_rest(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("TEST_IMPORT_ERROR")
    project.add_run("EQUIVALENCE_FAILED")
    project.run("--agent", "trae_gpt5", "--perf-run", "nightly")
    project.save(**{"minivllm_core-0001": "SUCCESS_NEUTRAL"})
    result = project.run("--agent", "trae_gpt5", "--perf-resume", "--perf-json", "out.json")
    result.assert_outcomes(passed=2, xfailed=1)
    # blamed on the environment: not done
    assert [call["cases"] for call in project.calls()][1:] == [["minivllm_core-0001", "minivllm_core-0002"]]
    report = project.report()
    assert [outcome["category"] for outcome in report["outcomes"]] == [
        "SUCCESS_IMPROVEMENT",
        "SUCCESS_NEUTRAL",
        "EQUIVALENCE_FAILED",
    ]
    assert (report["summary"]["run"], report["summary"]["resumed"]) == ("nightly", 1)
    assert [path.name for path in (project.folder / "results").iterdir()] == ["nightly"]
    result.stdout.fnmatch_lines(["*3 runs: 2 measured*1 kept from before*"])
    result.stdout.fnmatch_lines(["*benchmark 'minivllm-1a2b3c4d'*"])


def test_resuming_evaluates_again_what_has_changed(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.run("--agent", "trae_gpt5")
    project.save(fingerprint="another")
    project.run("--agent", "trae_gpt5", "--perf-resume").assert_outcomes(passed=1)
    assert len(project.calls()) == 2


def test_resuming_into_another_run_copies_what_is_kept(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.run("--agent", "trae_gpt5", "--perf-run", "old")
    project.run("--agent", "trae_gpt5", "--perf-resume=old", "--perf-run", "new").assert_outcomes(passed=1)
    assert len(project.calls()) == 1
    assert (project.folder / "results" / "new" / "outcomes.jsonl").exists()


def test_a_killed_session_can_be_resumed(project):
    project.add_run("SUCCESS_IMPROVEMENT", human="1a2b3c4d")
    project.add_run("die", human="2b2b2b2b")
    project.run("--agent", "trae_gpt5")
    project.save(**{"minivllm_core-0001": "SUCCESS_NEUTRAL"})
    project.run("--agent", "trae_gpt5", "--perf-resume").assert_outcomes(passed=2)
    assert [call["cases"] for call in project.calls()][2:] == [["minivllm_core-0001"]]


def test_resuming_where_there_is_nothing_starts_a_run(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.run("--agent", "trae_gpt5", "--perf-resume").assert_outcomes(passed=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_process_closes_what_was_made(project, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as below nohup, and so by every process from here")
    project.add_run("SUCCESS_NEUTRAL")
    conftest = project.folder / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + "\n\nimport time\n\ndef slow(self, cases, deadline):\n    Path('started').touch()\n    time.sleep(60)\n"
        "CannedEvaluator.evaluate = slow\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--agent",
        "trae_gpt5",
        "--perf-json",
        "out.json",
    ]
    with subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (project.folder / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert len(project.report()["summary"]["not_run"]) == 1
    assert number is signal.SIGINT or f"KeyboardInterrupt: ended by {number.name}" in output
