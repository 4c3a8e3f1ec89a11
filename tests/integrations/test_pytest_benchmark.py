from __future__ import annotations

import importlib.util
import json
from types import SimpleNamespace

import pytest
from canned import measured
from cases import case_of

from pytest_perfagents.integrations.pytest_benchmark import Rows, rows_of
from pytest_perfagents.records import outcome_to_json

pytest.importorskip("pytest_benchmark")
RUN = "trae-gpt-5[2026-01-01_00-00-00-minivllm_core-0000]"


def saved(project, name="bench.json"):
    return {row["fullname"]: row for row in json.loads((project.folder / name).read_text())["benchmarks"]}


@pytest.fixture
def two_agents(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("SUCCESS_REGRESSION", agent="codex")
    return project


def test_every_side_is_a_row_and_those_of_the_commit_are_shared(two_agents):
    two_agents.run("--perf-repo", "minivllm", "--benchmark-json", "bench.json").assert_outcomes(passed=2)
    rows = saved(two_agents)
    commit = "minivllm-1a2b3c4d"
    assert set(rows) == {
        f"{commit}::baseline",
        f"{commit}::human",
        f"{commit}::trae-gpt-5[2026-01-01_00-00-00-minivllm_core-0000]::patched",
        f"{commit}::codex-gpt-5[2026-01-01_00-00-00-minivllm_core-0001]::patched",
    }
    baseline = rows[f"{commit}::baseline"]
    assert baseline["group"] == "minivllm-1a2b3c4d"
    assert baseline["stats"]["data"] == pytest.approx([0.012, 0.015, 0.018, 0.012])
    assert baseline["stats"]["iterations"] == 4
    patched = rows[f"{commit}::{RUN}::patched"]
    assert patched["extra_info"]["category"] == "SUCCESS_IMPROVEMENT"
    assert patched["extra_info"]["speedup"]["point"] == 1.5
    assert patched["extra_info"]["agent"] == "trae"


def test_with_commits_another_agent_meets_the_same_names():
    by_run = [row.fullname for row in rows_of(outcome_to_json(measured(case_of(), "SUCCESS_NEUTRAL")), "run")]
    assert by_run == [
        "minivllm-1a2b3c4d::baseline",
        "minivllm-1a2b3c4d::human",
        f"minivllm-1a2b3c4d::{RUN}::patched",
    ]
    other = outcome_to_json(measured(case_of(agent="codex"), "SUCCESS_NEUTRAL"))
    by_commit = [row.fullname for row in rows_of(other, "commit")]
    assert by_commit == ["minivllm-1a2b3c4d::baseline", "minivllm-1a2b3c4d::human", "minivllm-1a2b3c4d::patched"]


def test_a_saved_run_of_another_agent_is_compared(two_agents):
    args = ["--perf-compare-by", "commit", "--benchmark-columns=mean"]
    two_agents.run("--agent", "trae_gpt5", "--benchmark-save", "trae", *args).assert_outcomes(passed=1)
    result = two_agents.run("--agent", "codex_gpt5", "--benchmark-compare", *args)
    result.stdout.fnmatch_lines(["patched (NOW)*"])
    result.stdout.fnmatch_lines(["patched (0001_trae)*"])


def test_the_same_run_is_compared_and_gated(two_agents):
    two_agents.run("--agent", "trae_gpt5", "--benchmark-autosave")
    result = two_agents.run("--agent", "trae_gpt5", "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*trae_gpt5 patched (NOW)*"])


def test_histogram_grouping_and_sorting_work(two_agents):
    if importlib.util.find_spec("pygal") is None:  # to import it would let importlib_metadata take over
        pytest.skip("pygal is not installed")
    two_agents.run("--perf-repo", "minivllm", "--benchmark-histogram=hist").assert_outcomes(passed=2)
    assert list(two_agents.folder.glob("hist*.svg"))


@pytest.mark.parametrize("group", ["param:agent", "param:side", "group", "fullname", "func"])
def test_grouping_by_any_label(two_agents, group):
    result = two_agents.run("--perf-repo", "minivllm", f"--benchmark-group-by={group}", "--benchmark-sort=name")
    result.assert_outcomes(passed=2)


def test_only_skip_and_disable_are_honoured(two_agents):
    two_agents.pytester.makepyfile("def test_x(): pass")
    two_agents.run("--benchmark-only").assert_outcomes(passed=2, skipped=1)
    two_agents.run("--benchmark-skip").assert_outcomes(passed=1, skipped=2)
    result = two_agents.run("--benchmark-disable", "--agent", "trae_gpt5")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*tests -*")


def test_without_the_plugin_all_else_works(two_agents):
    result = two_agents.run("-p", "no:benchmark", "--perf-repo", "minivllm", "--perf-json", "out.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*= perf agents =*"])
    assert two_agents.report()["summary"]["total"] == 2


def test_a_benchmark_plugin_that_takes_no_rows_is_a_warning(two_agents):
    two_agents.pytester.makepyfile(
        theirs="def pytest_sessionstart(session):\n    session.config._benchmarksession.benchmarks = ()\n"
    )
    result = two_agents.run("-p", "theirs", "--perf-repo", "minivllm", "--perf-json", "out.json")
    result.assert_outcomes(passed=2)
    assert result.stdout.str().count("takes no rows of ours") == 1
    assert two_agents.report()["summary"]["total"] == 2


def test_agents_that_are_settled_at_different_looks_share_the_longer_row():
    record = outcome_to_json(measured(case_of(), "SUCCESS_NEUTRAL"))
    session = SimpleNamespace(benchmarks=[])
    option = SimpleNamespace(perf_compare_by="run", benchmark_disable=False, benchmark_enable=False)
    rows = Rows(SimpleNamespace(option=option, _benchmarksession=session))
    times = record["sides"]["baseline"]["samples_s"]
    for count in (2, len(times), 3):
        record["sides"]["baseline"]["samples_s"] = times[:count]
        rows.pytest_runtest_logreport(SimpleNamespace(perfagents=json.dumps({"record": record})))
    assert len(session.benchmarks) == 3
    assert session.benchmarks[0].stats.data == times
