from __future__ import annotations

import pytest

pytest.importorskip("pytest_timeout")


@pytest.fixture
def two_commits(project):
    project.add_run("SUCCESS_NEUTRAL")
    project.add_run("SUCCESS_NEUTRAL", agent="codex")
    return project


@pytest.mark.parametrize("way", ["option", "ini", "environment"])
def test_the_limit_of_an_item_times_the_cases_is_the_arenas_deadline(two_commits, monkeypatch, way):
    if way == "ini":
        two_commits.pytester.makeini("[pytest]\ntimeout = 30\n")
    if way == "environment":
        monkeypatch.setenv("PYTEST_TIMEOUT", "30")
    two_commits.run("--perf-repo", "minivllm", *(["--timeout=30"] if way == "option" else [])).assert_outcomes(passed=2)
    assert 50 < two_commits.calls()[0]["left_s"] <= 60


def test_a_marker_wins(two_commits):
    conftest = two_commits.folder / "conftest.py"
    conftest.write_text(
        f"{conftest.read_text()}\nimport pytest\n"
        "def pytest_collection_modifyitems(items):\n    for item in items: item.add_marker(pytest.mark.timeout(5))\n"
    )
    two_commits.run("--perf-repo", "minivllm", "--timeout=30").assert_outcomes(passed=2)
    assert 5 < two_commits.calls()[0]["left_s"] <= 10


@pytest.mark.parametrize("args", [[], ["-p", "no:timeout"]])
def test_without_a_limit_the_configurations_counts(two_commits, args):
    two_commits.run("--perf-repo", "minivllm", *args).assert_outcomes(passed=2)
    assert 710 < two_commits.calls()[0]["left_s"] <= 720  # 100 s a side, 60 s of measuring, two cases


SLOW = """

import time
EVALUATE = CannedEvaluator.evaluate
def slow(self, cases, deadline):
    time.sleep({seconds})
    return EVALUATE(self, cases, deadline)
CannedEvaluator.evaluate = slow
"""


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_no_alarm_goes_off_while_an_arena_is_evaluated(two_commits, method):
    conftest = two_commits.folder / "conftest.py"
    conftest.write_text(conftest.read_text() + SLOW.format(seconds=0.6))
    two_commits.run("--perf-repo", "minivllm", "--timeout=0.3", f"--timeout-method={method}").assert_outcomes(passed=2)


def test_a_hand_written_test_has_its_time_after_the_evaluation(two_commits):
    conftest = two_commits.folder / "conftest.py"
    conftest.write_text(conftest.read_text() + SLOW.format(seconds=0.6))
    two_commits.pytester.makepyfile(
        test_x="import time\n\ndef test_quick(perf_outcome): pass\n\ndef test_slow(perf_outcome): time.sleep(30)\n"
    )
    result = two_commits.run("test_x.py", "--agent", "trae_gpt5", "--timeout=0.5")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Timeout*0.5*"])
