from __future__ import annotations

import pytest

TEST = """
def test_run(agent_run):
    assert agent_run.commit.repo == "minivllm"

def test_baseline(agent_run, baseline_worktree, human_worktree, patched_worktree):
    assert baseline_worktree.root.name == f"{agent_run.commit.name}-baseline"
    assert human_worktree.root.is_dir()
    assert str(patched_worktree.side).startswith("patched")

def test_outcome(perf_outcome):
    assert perf_outcome.comparison.point > 1

def test_raw(raw_perf_outcome):
    assert raw_perf_outcome.category

def test_plain():
    pass
"""


def test_a_function_runs_once_for_each_selected_run(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("SUCCESS_IMPROVEMENT", agent="codex", human="2b2b2b2b")
    project.pytester.makepyfile(test_x=TEST)
    project.run("test_x.py").assert_outcomes(passed=9)
    result = project.run("test_x.py", "--agent", "codex", "-v", "-k", "test_run")
    result.assert_outcomes(passed=1, deselected=4)
    result.stdout.fnmatch_lines(
        ["test_x.py::test_run[[]minivllm/2b2b2b2b/codex/gpt-5/2026-01-01_00-00-00/minivllm_core-0001]*"]
    )


def test_a_failure_is_shown_as_the_item_would_be(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for what in ("TEST_IMPORT_ERROR", "AGENT_NO_PATCH", "HARNESS_ERROR", "SUCCESS_REGRESSION"):
        project.add_run(what)
    project.pytester.makepyfile(test_x="def test_x(perf_outcome): assert perf_outcome.comparison")
    result = project.run("test_x.py", "-rsxE", "--perf-json", "out.json")
    result.assert_outcomes(passed=1, xfailed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["XFAIL *test_x.py::*-0000] - TEST_IMPORT_ERROR: *(pip install decord)"])
    result.stdout.fnmatch_lines(["ERROR test_x.py::*-0002] - HARNESS_ERROR: *"])
    assert project.report()["summary"]["total"] == 4


def test_a_case_is_evaluated_once_for_items_and_functions(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makepyfile(test_x="def test_x(perf_outcome): pass\ndef test_y(raw_perf_outcome): pass")
    project.run("--perf-json", "out.json").assert_outcomes(passed=3)
    assert len(project.calls()) == 1
    assert len(project.report()["outcomes"]) == len(project.lines()) == 1


def test_worktrees_are_shared_by_the_agents_of_a_commit_and_go_at_the_end(project):
    for human in ("1a2b3c4d", "2b2b2b2b"):
        for agent in ("trae", "codex"):
            project.add_run("SUCCESS_IMPROVEMENT", human=human, agent=agent)
    project.pytester.makepyfile(test_x="def test_x(baseline_worktree, patched_worktree): pass")
    project.run("test_x.py").assert_outcomes(passed=4)
    log = (project.folder / "workspaces.log").read_text().splitlines()
    assert log.count("+ minivllm-1a2b3c4d-baseline") == log.count("+ minivllm-2b2b2b2b-baseline") == 1
    assert log.count("+ minivllm-1a2b3c4d-patched") == 2
    assert sorted(line[2:] for line in log if line[0] == "+") == sorted(line[2:] for line in log if line[0] == "-")


def test_a_side_that_cannot_be_prepared_says_why(project):
    project.add_run("SUCCESS_IMPROVEMENT", human="deadbeef")
    project.add_run("SUCCESS_IMPROVEMENT", human="2b2b2b2b", patch=False)
    project.pytester.makepyfile(test_x="def test_x(patched_worktree): pass")
    result = project.run("test_x.py", "-rsx")
    result.assert_outcomes(xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(["XFAIL *deadbeef* - GIT_WORKTREE_FAILED: deadbeef is not in the clone (git fetch it)"])
    result.stdout.fnmatch_lines(["SKIPPED *AGENT_NO_PATCH: *"])


def test_they_work_beside_the_benchmark_fixture(project):
    pytest.importorskip("pytest_benchmark")
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makepyfile(test_x="def test_x(benchmark, perf_outcome, baseline_worktree): benchmark(len, 'x')")
    result = project.run("test_x.py", "--benchmark-json", "bench.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*trae_gpt5 patched*"])


def test_another_plugins_agent_run_stays_theirs(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makepyfile(
        test_x="import pytest\n\n@pytest.fixture\ndef agent_run(): return 'theirs'\n\n"
        "def test_x(agent_run): assert agent_run == 'theirs'"
    )
    project.run("test_x.py").assert_outcomes(passed=1)
