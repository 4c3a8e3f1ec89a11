from __future__ import annotations

import json
import os
import re

import pytest

from conftest import make_project

PRINT_MODULES = """
import sys
def pytest_unconfigure(config):
    heavy = {"torch", "numpy", "scipy", "docker", "git", "rich", "unidiff", "psutil", "click"}
    print("HEAVY", sorted(heavy & set(sys.modules)))
    print("OURS", sorted(name for name in sys.modules if name.startswith("pytest_perfagents.")))
"""


def ids_of(result):
    return [line for line in result.stdout.lines if "::" in line]


def test_without_a_configuration_the_plugin_is_inert(pytester):
    pytester.makeconftest(PRINT_MODULES)
    pytester.makepyfile("def test_x(): pass")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-s")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*perf agents*")
    ours = next(line for line in result.stdout.lines if line.startswith("OURS"))
    for room in (
        "shell",
        "store",
        "discovery",
        "measurement",
        "harness",
        "gitrepo",
        "session.settings",
        "session.plan",
    ):
        assert f"'pytest_perfagents.{room}" not in ours
    result.stdout.fnmatch_lines(["HEAVY []"])
    assert sorted(path.name for path in pytester.path.glob("*results*")) == []


def test_collection_imports_nothing_heavy_and_starts_no_process(project):
    project.add_run("SUCCESS_NEUTRAL")
    (project.folder / "conftest.py").write_text(
        PRINT_MODULES
        + "    print('STARTED', sys.audit_seen)\n"
        + "sys.audit_seen = []\n"
        + "sys.addaudithook(lambda event, args: event in ('subprocess.Popen', 'os.exec', 'os.fork', 'os.posix_spawn')"
        " and sys.audit_seen.append(args[0]))\n"
    )
    # pytest-benchmark asks `file` what the interpreter is
    result = project.run("--collect-only", "-q", "-s", "--agent", "trae_gpt5", "-p", "no:benchmark")
    assert ids_of(result) == ["perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[2026-01-01_00-00-00-minivllm_core-0000]"]
    result.stdout.fnmatch_lines(["HEAVY []", "STARTED []"])
    assert not (project.folder / "results").exists()


def test_folders_that_are_no_runs_are_named_after_collection(project):
    project.add_run("SUCCESS_NEUTRAL")
    begun = (
        project.folder / "state" / "runs" / "minivllm" / "trae" / "gpt-5" / "2026-01-01_00-00-00" / "minivllm_core-0009"
    )
    begun.mkdir(parents=True)
    (begun / "prompt.json").write_text("{}")
    result = project.run("--collect-only", "--agent", "trae_gpt5")
    result.stdout.fnmatch_lines(["collected 1 item", "perfagents: *minivllm_core-0009: begun, but it holds no*"])


def test_a_selection_collects_the_configuration_and_nothing_else(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("TEST_IMPORT_ERROR")
    project.add_run("SUCCESS_REGRESSION", agent="codex")
    project.pytester.makepyfile("def test_x(): pass")
    result = project.run("--agent", "trae_gpt5", "-rsx")
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(
        ["XFAIL perfagents.toml::*-0001] - TEST_IMPORT_ERROR: baseline needs module 'decord' (pip install decord)"]
    )


def test_without_a_selection_both_are_collected(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makepyfile("def test_x(): pass")
    project.run().assert_outcomes(passed=2)


def test_a_selection_wins_over_testpaths_and_test_files_over_the_configuration(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makeini("[pytest]\ntestpaths = tests")
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "test_x.py").write_text("def test_x(agent_run): assert agent_run.agent == 'trae'")
    assert ids_of(project.run("--collect-only", "-q", "--perf-repo", "minivllm"))[0].startswith("perfagents.toml")
    assert ids_of(project.run("--collect-only", "-q", "--agent", "trae*", "tests")) == [
        "tests/test_x.py::test_x[minivllm/1a2b3c4d/trae/gpt-5/2026-01-01_00-00-00/minivllm_core-0000]"
    ]


def test_an_unknown_agent_is_exit_status_4_with_those_there_are(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    result = project.run("--agent", "nope")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nope*", "*trae_gpt5*"], consecutive=False)


def test_an_unknown_agent_with_workers_too(project):
    pytest.importorskip("xdist")
    project.add_run("SUCCESS_IMPROVEMENT")
    assert project.run("--agent", "nope", "-n", "2").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--perf-fail-on", "regresion"], "did you mean regression"),
        (["--agent", "trae_gpt5", "--perf-resume=nightly"], "no run 'nightly'"),
        (["--agent", "trae_gpt5", "--perf-run=../up"], "plain folder name"),
        (["--perf-budget", "much"], "no number of seconds"),
        (["--perf-sides", "human"], "give baseline"),
        (["--perf-threshold", "5"], "no share"),
        (["--perf-config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_is_typed_wrongly_is_exit_status_4(project, args, words):
    project.add_run("SUCCESS_IMPROVEMENT")
    result = project.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


def test_a_cpu_that_is_not_there_is_exit_status_4_with_those_there_are(project):
    project.add_run("SUCCESS_NEUTRAL")
    usable = sorted(os.sched_getaffinity(0))
    file = project.folder / "perfagents.toml"
    text = file.read_text()
    file.write_text(f"{text}\n[perfagents.protocol]\npin = [{usable[0]}, 4097, 4098, 5000]\n")
    result = project.run("--agent", "trae_gpt5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = next(line for line in result.errlines if "pin" in line)
    assert f"[perfagents.protocol] pin = [{usable[0]}, 4097, 4098, 5000]: CPU 4097-4098, 5000 cannot be used" in said
    assert f"there are {usable[0]}" in said
    assert not project.calls()
    file.write_text(f"{text}\n[perfagents.protocol]\npin = [{usable[0]}]\n")
    project.run("--agent", "trae_gpt5").assert_outcomes(passed=1)


@pytest.mark.parametrize("key", ["results", "cache"])
@pytest.mark.parametrize(("place", "says"), [("taken/below", "is a file"), ("sealed/below", "cannot be written to")])
def test_places_that_cannot_be_written_are_exit_status_4(project, key, place, says):
    project.add_run("SUCCESS_NEUTRAL")
    (project.folder / "taken").write_text("")
    (project.folder / "sealed").mkdir(mode=0o555)
    if place.startswith("sealed") and os.access(project.folder / "sealed", os.W_OK):
        pytest.skip("root may write everywhere")
    file = project.folder / "perfagents.toml"
    text = file.read_text().replace('results = "results"\n', 'results = "results"\ncache = ".perfagents"\n')
    file.write_text(re.sub(rf'{key} = ".*"', f'{key} = "{place}"', text))
    result = project.run("--agent", "trae_gpt5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(f"{key} = " in line and says in line for line in result.errlines)
    assert not project.calls()
    assert project.run("--agent", "trae_gpt5", "--collect-only").ret == (4 if says == "is a file" else 0)


def test_a_selection_without_a_configuration_says_where_one_is_looked_for(pytester):
    result = pytester.runpytest_subprocess("--agent", "trae_gpt5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no configuration*perfagents.toml*--perf-config*"])


def test_a_broken_configuration_does_not_break_other_tests(project):
    (project.folder / "perfagents.toml").write_text("[perfagents]\nrunz = []\n")
    project.pytester.makepyfile("def test_x(): pass")
    project.run("test_a_broken_configuration_does_not_break_other_tests.py").assert_outcomes(passed=1)
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*runz*"])


@pytest.fixture
def elsewhere(pytester):
    """A project outside of the folder that pytest runs in."""
    pytester.makeini("[pytest]\n")
    (pytester.path / "far").mkdir()
    (pytester.path / "here").mkdir()
    project = make_project(pytester, pytester.path / "far")
    project.add_run("SUCCESS_IMPROVEMENT")
    (pytester.path / "here" / "pytest.ini").write_text("[pytest]\n")
    (pytester.path / "here" / "conftest.py").write_text((pytester.path / "conftest.py").read_text())
    os.chdir(pytester.path / "here")
    return project


@pytest.mark.parametrize("way", ["option", "environment", "ini", "positional"])
def test_the_configuration_may_lie_outside_of_the_rootdir(elsewhere, monkeypatch, way):
    args = {
        "option": ["--perf-config=../far/perfagents.toml"],
        "positional": ["../far/perfagents.toml"],
    }.get(way, ["--agent=trae_gpt5"])
    if way == "environment":
        monkeypatch.setenv("PERFAGENTS_CONFIG", "../far/perfagents.toml")
    if way == "ini":
        (elsewhere.pytester.path / "here" / "pytest.ini").write_text(
            "[pytest]\nperfagents_config = ../far/perfagents.toml\n"
        )
    result = elsewhere.run("-v", "--rootdir=.", *args)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[[]*IMPROVEMENT 1.50x*"])
    assert len(list((elsewhere.folder / "results").glob("*/outcomes.jsonl"))) == 1


def test_the_option_wins_over_the_environment_and_that_over_the_ini(elsewhere, monkeypatch):
    monkeypatch.setenv("PERFAGENTS_CONFIG", "nowhere.toml")
    (elsewhere.pytester.path / "here" / "pytest.ini").write_text("[pytest]\nperfagents_config = nothing.toml\n")
    elsewhere.run("--rootdir=.", "--perf-config=../far/perfagents.toml").assert_outcomes(passed=1)
    result = elsewhere.run("--rootdir=.", "--agent=x")
    assert "nowhere.toml" in result.stderr.str()


def test_a_node_id_is_an_argument_again(elsewhere):
    elsewhere.add_run("SUCCESS_NEUTRAL")
    nodeid = ids_of(elsewhere.run("--collect-only", "-q", "--rootdir=.", "--perf-config=../far/perfagents.toml"))[1]
    elsewhere.run("--rootdir=.", "--perf-config=../far/perfagents.toml", nodeid).assert_outcomes(passed=1)
    nodeid = nodeid.replace("perfagents.toml", "../far/perfagents.toml")
    elsewhere.run("--rootdir=.", nodeid).assert_outcomes(passed=1)


def test_a_configuration_met_in_a_folder_becomes_active(pytester):
    pytester.makeini("[pytest]\n")
    (pytester.path / "perf").mkdir()
    project = make_project(pytester, pytester.path / "perf")
    project.add_run("SUCCESS_IMPROVEMENT")
    result = project.run("-q", "--perf-json", "out.json")
    result.assert_outcomes(passed=1)
    assert project.report()["summary"]["total"] == 1


def test_agents_files_worktrees_and_results_are_not_collected(project):
    item = project.add_run("SUCCESS_IMPROVEMENT")
    run = next(project.folder.rglob(item))
    for folder in (run, project.folder / "results", project.folder / ".perfagents" / "w"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test_scratch.py").write_text("def test_scratch(): assert False")
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("owner", ["plugin", "conftest"])
def test_another_owner_of_agent_keeps_it_and_ours_has_its_long_name(project, owner):
    project.add_run("SUCCESS_IMPROVEMENT")
    addoption = "def pytest_addoption(parser): parser.addoption('--agent', default='none')\n"
    shown = "def pytest_report_header(config): return f'theirs={config.option.agent}'\n"
    extra = []
    if owner == "plugin":
        project.pytester.makepyfile(theirs=addoption + shown)
        extra = ["-p", "theirs"]
    else:
        conftest = project.folder / "conftest.py"
        conftest.write_text(f"{conftest.read_text()}\n{addoption}{shown}")
    result = project.run(*extra, "--agent", "bond", "--perf-agent", "trae_gpt5")
    result.stdout.fnmatch_lines(["theirs=bond"])
    result.assert_outcomes(passed=1)


def test_the_aliass_value_is_no_test_path(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.pytester.makeini("[pytest]\ntestpaths = tests")
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--theirs', action='store_true')"
    )
    (project.folder / "tests" / "test_x.py").write_text("def test_x(): pass")
    project.run("--agent", "trae_gpt5", "--theirs").assert_outcomes(passed=1)


def test_options_reach_the_evaluator_as_settings(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    conftest = project.folder / "conftest.py"
    conftest.write_text(
        conftest.read_text().replace(
            "def pytest_perfagents_evaluator(config, settings):\n",
            "def pytest_perfagents_evaluator(config, settings):\n"
            "    import json\n"
            "    protocol = settings.config.protocol\n"
            "    names = ('mode', 'sides', 'threshold', 'seed', 'measure_s', 'heavy_measure_s')\n"
            "    told = {name: getattr(protocol, name) for name in names}\n"
            "    told |= dict(timeout=settings.config.timeout_s, run=settings.run)\n"
            "    Path('told.json').write_text(json.dumps(told))\n",
        )
    )
    project.run(
        "--agent=trae_gpt5",
        "--perf-mode=script",
        "--perf-sides=baseline,patched",
        "--perf-threshold=2%",
        "--perf-seed=7",
        "--perf-budget=5",
        "--perf-timeout=9",
        "--perf-run=nightly",
    ).assert_outcomes(passed=1)
    assert json.loads((project.folder / "told.json").read_text()) == {
        "mode": "script",
        "sides": ["baseline", "patched"],
        "threshold": 0.02,
        "seed": 7,
        "measure_s": 5,
        "heavy_measure_s": 5,
        "timeout": 9,
        "run": "nightly",
    }
    assert (project.folder / "results" / "nightly" / "outcomes.jsonl").exists()
    assert (project.folder / "prepared.log").read_text() == "prepared\n"


def test_a_report_that_exists_elsewhere_does_not_move_the_search(project, tmp_path_factory):
    project.add_run("SUCCESS_IMPROVEMENT")
    out = tmp_path_factory.mktemp("elsewhere") / "out.json"
    for _ in range(2):
        project.run("--agent", "trae_gpt5", "--perf-json", str(out)).assert_outcomes(passed=1)
    assert json.loads(out.read_text())["summary"]["total"] == 1


def test_the_configuration_is_found_from_a_folder_below_it(project, monkeypatch):
    project.add_run("SUCCESS_IMPROVEMENT")
    (project.folder / "below").mkdir()
    monkeypatch.chdir(project.folder / "below")
    project.run("--agent", "trae_gpt5").assert_outcomes(passed=1)


def test_last_failed_runs_only_what_failed(project):
    project.add_run("SUCCESS_REGRESSION")
    project.add_run("SUCCESS_NEUTRAL")
    args = ["--agent", "trae_gpt5", "--perf-fail-on", "regression"]
    project.pytester.runpytest_subprocess(*args).assert_outcomes(failed=1, passed=1)
    project.pytester.runpytest_subprocess(*args, "--lf").assert_outcomes(failed=1, deselected=1)
