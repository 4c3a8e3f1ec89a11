"""``pytest --perf-replay`` and ``perfagents import``, each in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import msgspec
import pytest
from recordings import FRAME, measured, printed, put, record, write
from test_plugin import PRINT_MODULES

BROKEN = {
    "status": "baseline_failed",
    "baseline_output": {"target_resolved": False, "error": "No module named 'decord'"},
}
WHAT = {
    "vllm_core-0001": (measured(3.0, 2.0), {}),
    "vllm_core-0002": (measured(2.0, 3.0), {}),
    "vllm_core-0003": (measured(2.0, 2.0), {}),
    "vllm_core-0004": (BROKEN, {}),
    "vllm_core-0005": (BROKEN, {"patch_path": None, "agent_status": "error"}),
}

CONFIG = """
[perfagents]
runs = []
scripts = []
[repos.mine]
path = "x"
match = ["vllm"]
[outcomes]
AGENT_NO_PATCH = "failed"
"""


@pytest.fixture
def recorded(pytester, monkeypatch):
    """A tree of five recorded runs outside of the rootdir's tests; nothing else is there, no configuration."""
    monkeypatch.setenv("COLUMNS", "160")
    pytester.makeini("[pytest]\n")
    for number, (item, (result, metadata)) in enumerate(WHAT.items()):
        human = f"{number + 1}a2b3c4d" + "0" * 32
        write(pytester.path / "eval", record(result, item_id=item, human_commit=human, **metadata), item=item)
    return pytester


def replay(pytester, *args):
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--perf-replay", "eval", *args)


def report(pytester, name="out.json"):
    return json.loads((pytester.path / name).read_text())


# --- pytest --perf-replay --------------------------------------------------------------------------


def test_recorded_runs_come_back_with_what_was_recorded(recorded):
    result = replay(recorded, "-v", "-rsx", "--perf-json=out.json")
    result.assert_outcomes(passed=3, xfailed=1, skipped=1)
    said = dict(re.findall(r"^eval::\S+-(\d{4})\] (\w+)", result.stdout.str(), re.MULTILINE))
    assert said == {"0001": "IMPROVEMENT", "0002": "REGRESSION", "0003": "NEUTRAL", "0004": "XFAIL", "0005": "SKIPPED"}
    result.stdout.fnmatch_lines(
        [
            "perfagents: replaying eval",
            "SKIPPED * AGENT_NO_PATCH: the agent left no patch (status error)*",
            "XFAIL eval::vllm-4a2b3c4d::*-0004] - TEST_IMPORT_ERROR: baseline needs module 'decord'*(pip *decord)",
        ]
    )
    result.stdout.fnmatch_lines(
        ["*1.50x  recorded *improvement*", "5 runs: 3 measured (1 improvement, 1 neutral, 1 regr*"]
    )
    outcomes = {outcome["item"]: outcome for outcome in report(recorded)["outcomes"]}
    assert [outcomes[item]["speedup"]["recorded"] for item in list(WHAT)[:3]] == [True] * 3
    assert outcomes["vllm_core-0004"]["pytest_outcome"] == "xfailed"
    assert "command" not in outcomes["vllm_core-0004"]["evidence"]


def test_a_replay_writes_no_results_and_needs_no_configuration(recorded):
    replay(recorded).assert_outcomes(passed=3, xfailed=1, skipped=1)
    assert not [path.name for path in recorded.path.iterdir() if path.name in ("results", ".perfagents")]


def test_gates_and_selections_work_as_on_live_runs(recorded):
    replay(recorded, "--perf-fail-on", "regression,TEST_IMPORT_ERROR").assert_outcomes(passed=2, failed=2, skipped=1)
    replay(recorded, "--perf-commit", "1a2b3c4d").assert_outcomes(passed=1)
    replay(recorded, "--agent", "trae_gpt5", "-k", "0004").assert_outcomes(xfailed=1)
    wrong = replay(recorded, "--agent", "codex")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*--agent codex: no run is of that name*", "there is: trae_gpt5 (5)"])


def test_what_a_configuration_says_of_outcomes_and_repositories_holds(recorded):
    put(recorded.path / "perfagents.toml", CONFIG)
    result = replay(recorded, "--perf-json=out.json")
    result.assert_outcomes(passed=3, xfailed=1, failed=1)
    assert {outcome["repo"] for outcome in report(recorded)["outcomes"]} == {"mine"}


def test_notes_of_the_import_are_told(recorded):
    file = write(recorded.path / "eval", "", item="vllm_core-0006")
    result = replay(recorded, "--perf-json=out.json")
    result.stdout.fnmatch_lines([f"perfagents: {file}: is empty; judged by what could be read"])
    assert [note["path"] for note in report(recorded)["notes"]] == [str(file)]
    assert report(recorded)["summary"]["replayed"] == [str(recorded.path / "eval")]


def test_no_escape_sequence_of_a_record_reaches_the_terminal(recorded):
    words = "\x1b]0;owned\x07\x1b[31mred\x1b[8m"
    result = {"stderr": f"{FRAME}ValueError: {words}\n", "error_message": words}
    write(recorded.path / "eval", record(result, item_id=f"x{words}"), item="vllm_core-0006")
    write(recorded.path / "eval" / f"odd{words}", "{", item="vllm_core-0007")
    shown = replay(recorded, "-v", "-rA", "--perf-fail-on", "BASELINE_EXCEPTION", "--color=no")
    listed = perfagents(recorded.path, "import", "eval")
    refused = perfagents(recorded.path, "import", f"no{words}where")
    for text in (shown.stdout.str(), shown.stderr.str(), listed.stdout, listed.stderr, refused.stderr):
        assert [line for line in text.splitlines() if not line.isprintable()] == []
    assert "ValueError: \\x1b]0;owned\\x07" in shown.stdout.str()
    assert "\\x1b[31mred" in listed.stdout and "\\x1b[31mred" in refused.stderr


def test_a_text_that_utf8_cannot_hold_leaves_the_report_and_junit_readable(recorded):
    broken = record({"error_message": "ValueError: \ud83d broke", "stderr": "\udc80"}, item_id="odd")
    write(recorded.path / "eval", broken, item="odd")
    replay(recorded, "eval", "--perf-json", "out.json", "--junit-xml", "out.xml")
    told = msgspec.json.decode((recorded.path / "out.json").read_bytes())
    [odd] = [outcome for outcome in told["outcomes"] if outcome["item"] == "odd"]
    assert r"\ud83d broke" in odd["reason"]
    properties = ElementTree.parse(recorded.path / "out.xml").iter("property")
    kept = [msgspec.json.decode(each.get("value")) for each in properties if each.get("name") == "perfagents"]
    assert odd["reason"] in [outcome["reason"] for outcome in kept]


def test_several_folders_and_one_in_the_other_make_each_run_one_item(recorded):
    write(recorded.path / "more", record(measured(3.0, 2.0), item_id="vllm_core-0009"), item="vllm_core-0009")
    result = replay(recorded, "--perf-replay", "more", "--perf-replay", "eval/vllm", "--collect-only", "-q")
    ids = [line for line in result.stdout.lines if "::" in line]
    assert (len(ids), sum(line.startswith("more::") for line in ids)) == (6, 1)


def test_tests_by_hand_get_recorded_outcomes(recorded):
    recorded.makepyfile(
        test_mine="""
        def test_gain(perf_outcome):
            assert perf_outcome.comparison.recorded
        def test_tree(baseline_worktree): ...
        """
    )
    replay(recorded, "test_mine.py", "-k", "gain").assert_outcomes(passed=3, xfailed=1, skipped=1)
    result = replay(recorded, "test_mine.py", "-k", "tree")
    assert "there are no worktrees" in result.stderr.str() + result.stdout.str()


def test_a_conftest_among_the_records_is_not_run(recorded):
    put(recorded.path / "eval" / "conftest.py", "raise SystemExit('ran')")
    put(recorded.path / "eval" / "vllm" / "conftest.py", "raise SystemExit('ran')")
    put(recorded.path / "eval" / "test_theirs.py", "def test_theirs(): raise SystemExit('ran')")
    replay(recorded).assert_outcomes(passed=3, xfailed=1, skipped=1)


@pytest.mark.parametrize("option", ["--perf-resume", "--perf-calibrate", "--perf-run=x"])
def test_what_is_for_measuring_does_not_go_with_a_replay(recorded, option):
    result = replay(recorded, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option.partition('=')[0]} is for runs that are measured*"])


def test_a_folder_that_is_not_there_or_holds_nothing_is_named(recorded):
    result = recorded.runpytest_subprocess("--perf-replay", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nowhere: there is no such folder*"])
    (recorded.path / "hollow").mkdir()
    result = recorded.runpytest_subprocess("--perf-replay", "hollow")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*hollow: no recorded evaluations; they are called*"])


def test_a_replay_of_outcomes_of_ours_names_the_command_that_shows_them(recorded):
    replay(recorded, "--perf-json=mine/out.json")
    result = recorded.runpytest_subprocess("--perf-replay", "mine")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*show them with: perfagents report {recorded.path / 'mine'}"])


def test_collecting_a_replay_imports_nothing_heavy(recorded):
    recorded.makeconftest(PRINT_MODULES.replace('"torch",', '"torch", "pandas",'))
    result = replay(recorded, "--collect-only", "-q", "-s", "-p", "no:benchmark")
    result.stdout.fnmatch_lines(["HEAVY []"])


def test_without_a_replay_the_importer_is_not_imported(project):
    project.add_run("SUCCESS_NEUTRAL")
    (project.folder / "conftest.py").write_text((project.folder / "conftest.py").read_text() + PRINT_MODULES)
    result = project.run("-s", "--agent", "trae_gpt5")
    result.assert_outcomes(passed=1)
    ours = next(line for line in result.stdout.lines if line.startswith("OURS"))
    assert "pytest_perfagents.shell" in ours and "pytest_perfagents.recorded" not in ours


def test_a_replay_works_on_several_workers(recorded):
    pytest.importorskip("xdist")
    result = replay(recorded, "-n", "2", "--perf-json=out.json")
    result.assert_outcomes(passed=3, xfailed=1, skipped=1)
    assert len(report(recorded)["outcomes"]) == 5


# --- perfagents import -----------------------------------------------------------------------------


def perfagents(folder, *args):
    command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_import_prints_the_section_and_the_notes_and_writes_the_report(recorded):
    file = write(recorded.path / "eval", "{", item="vllm_core-0006")
    result = perfagents(recorded.path, "import", "eval", "--perf-json", "sub/out.json")
    assert result.returncode == 0, result.stderr
    assert "1.50x  recorded" in " ".join(result.stdout.split("\n")).replace("   ", "  ")
    assert f"note: {file.relative_to(recorded.path)}: " in result.stdout
    assert "6 files read, 1 note" in result.stdout
    told = report(recorded, "sub/out.json")
    assert told["summary"]["categories"]["SUCCESS_IMPROVEMENT"] == 1
    assert told["summary"]["pytest_outcomes"] == {"passed": 3, "skipped": 1, "xfailed": 2}
    assert told["notes"][0]["what"].startswith("breaks off")


def test_imported_outcomes_can_be_stored_and_shown(recorded):
    stored = perfagents(recorded.path, "import", "eval", "--results", "results", "--run", "old")
    assert "results: results/old" in stored.stdout
    lines = (recorded.path / "results" / "old" / "outcomes.jsonl").read_text().splitlines()
    assert len(lines) == 5
    shown = perfagents(recorded.path, "show", "results").stdout
    assert "5 runs: 3 measured" in shown and "recorded" in shown


def test_replay_and_import_judge_alike(recorded):
    perfagents(recorded.path, "import", "eval", "--perf-json", "one.json")
    replay(recorded, "--perf-json=two.json")
    one, two = (
        {
            outcome["id"]: (outcome["category"], outcome["reason"], outcome["pytest_outcome"])
            for outcome in told["outcomes"]
        }
        for told in (report(recorded, "one.json"), report(recorded, "two.json"))
    )
    assert one == two


def test_import_of_nothing_is_status_2_with_a_message(recorded):
    for folder, words in (("nowhere", "no such folder"), ("hollow", "no recorded evaluations")):
        (recorded.path / "hollow").mkdir(exist_ok=True)
        result = perfagents(recorded.path, "import", folder)
        assert (result.returncode, words in result.stderr, "Traceback" in result.stderr) == (2, True, False)


def test_import_honours_a_configuration(recorded):
    put(recorded.path / "perfagents.toml", CONFIG)
    perfagents(recorded.path, "import", "eval", "--perf-json", "out.json")
    assert report(recorded)["summary"]["pytest_outcomes"] == {"passed": 3, "xfailed": 1, "failed": 1}
    wrong = perfagents(recorded.path, "import", "eval", "--config", "nowhere.toml")
    assert (wrong.returncode, "nowhere.toml" in wrong.stderr) == (2, True)


def test_a_script_that_hits_no_path_is_xfailed(recorded):
    write(recorded.path / "eval", record(measured(2.0, 1.0, patched_output=printed(1.0, opt_path_hit=False))))
    result = replay(recorded, "-rx", "-k", "0001")
    result.stdout.fnmatch_lines(["*OPT_PATH_NOT_HIT: patched ran without reaching*"])
