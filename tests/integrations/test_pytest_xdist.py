from __future__ import annotations

import json
from collections import defaultdict

import pytest

pytest.importorskip("xdist")


@pytest.fixture
def many(project):
    for human in ("1a2b3c4d", "2b2b2b2b", "3c3c3c3c"):
        for agent in ("trae", "codex", "openhands"):
            project.add_run("SUCCESS_IMPROVEMENT" if agent == "trae" else "TEST_IMPORT_ERROR", human=human, agent=agent)
    return project


@pytest.mark.parametrize("dist", [[], ["--dist=worksteal"], ["--dist=loadscope"], ["--dist=loadfile"]])
def test_a_commits_items_stay_on_one_worker_and_are_evaluated_once(many, dist):
    many.pytester.makepyfile(test_x="def test_x(perf_outcome): pass\ndef test_plain(): pass")
    result = many.run("-n2", *dist, "--perf-json", "out.json")
    result.assert_outcomes(passed=7, xfailed=12)
    workers = defaultdict(set)
    for call in many.calls():
        for item in call["cases"]:
            workers[item].add(call["pid"])
    if "--dist=loadscope" not in dist and "--dist=loadfile" not in dist:
        assert [len(pids) for pids in workers.values()] == [1] * 9
        assert [len(call["cases"]) for call in many.calls()] == [3, 3, 3]
    report = many.report()
    assert (report["summary"]["total"], report["summary"]["selected"], report["summary"]["not_run"]) == (9, 9, [])


def test_outcomes_rows_and_files_reach_the_controller_once(many):
    pytest.importorskip("pytest_benchmark")
    result = many.run("--perf-repo", "minivllm", "-n2", "--benchmark-json", "bench.json", "--perf-json", "out.json")
    result.assert_outcomes(passed=3, xfailed=6)
    rows = json.loads((many.folder / "bench.json").read_text())["benchmarks"]
    assert len(rows) == len({row["fullname"] for row in rows}) == 9
    runs = list((many.folder / "results").iterdir())
    assert len(runs) == 1
    assert all(file.name.startswith("outcomes-gw") for file in runs[0].iterdir())
    assert len(many.lines()) == 9
    result.stdout.fnmatch_lines(["*= perf agents =*", "9 runs: 3 measured (3 improvement), 6 xfailed"])
    assert result.stdout.str().count("= perf agents =") == 1


def test_workers_resume_too(many):
    many.run("--perf-repo", "minivllm", "-n2", "--perf-run=nightly")
    many.save(**dict.fromkeys(many.canned, "SUCCESS_NEUTRAL"))
    many.run("--perf-repo", "minivllm", "-n2", "--perf-resume").assert_outcomes(passed=9)
    assert sum(len(call["cases"]) for call in many.calls()) == 9 + 6


def test_a_worker_that_dies_costs_its_run_only(project):
    project.add_run("die", human="1a2b3c4d")
    project.add_run("SUCCESS_IMPROVEMENT", human="2b2b2b2b")
    result = project.run("--perf-repo", "minivllm", "-n2", "--perf-json", "out.json")
    result.assert_outcomes(passed=1, failed=1)
    summary = project.report()["summary"]
    assert (summary["total"], len(summary["not_run"])) == (1, 1)


def test_what_the_machine_lacks_stops_all_workers(project):
    project.add_run("usage", human="1a2b3c4d")
    result = project.run("--perf-repo", "minivllm", "-n2")
    assert result.ret != 0
    assert "there is no git on PATH" in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_other_tests_are_distributed_as_ever(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makepyfile(test_x="import pytest\n\n@pytest.mark.parametrize('n', range(6))\ndef test_x(n): pass")
    result = project.run("-n2", "test_x.py", "-v")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["scheduling tests via *"])
    assert {line.split()[0] for line in result.stdout.lines if "PASSED" in line} == {"[gw0]", "[gw1]"}


@pytest.mark.parametrize("args", [["-p", "no:xdist"], ["-p", "no:xdist", "-p", "no:benchmark", "-p", "no:timeout"]])
def test_without_the_plugin_all_else_works(many, args):
    many.run("--agent", "trae_gpt5", *args).assert_outcomes(passed=3)
