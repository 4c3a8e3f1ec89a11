"""``evidence.command``: what a person can type to see a failure again, when its worktrees are long gone."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from pytest_perfagents.shell.repeating import with_command


@pytest.fixture
def two_failures(project):
    project.add_run("TEST_IMPORT_ERROR")
    project.add_run("PATCHED_OOM", agent="codex")
    return project


def reported(project, *args):
    project.run("--perf-json=out.json", *args)
    return {record["item"]: record for record in project.report()["outcomes"]}


def test_the_command_repeats_that_run_alone_from_any_folder(two_failures, tmp_path_factory):
    first, second = reported(two_failures, "--perf-model", "gpt-5").values()
    program, *words = shlex.split(second["evidence"]["command"])
    assert program == "pytest"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", program, *words, "--perf-json=again.json", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    again = json.loads((elsewhere / "again.json").read_text())
    assert [record["id"] for record in again["outcomes"]] == [second["id"]] != [first["id"]]
    assert again["outcomes"][0]["evidence"]["command"] == second["evidence"]["command"]


def test_a_measured_run_can_be_repeated_too(project):
    project.add_run("SUCCESS_NEUTRAL")
    (record,) = reported(project, "--agent", "trae", "--perf-seed=7").values()
    words = shlex.split(record["evidence"]["command"])
    assert words[:2] == ["pytest", "--perf-seed=7"]
    assert words[2].startswith(f"{project.folder}/perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[")


def test_it_measures_as_this_session_did(two_failures):
    options = ("--perf-sides", "baseline,patched", "--perf-threshold=10%", "--perf-mode=script", "--perf-seed=7")
    record = next(iter(reported(two_failures, "--agent", "trae", *options).values()))
    words = shlex.split(record["evidence"]["command"])
    assert words[:-1] == [
        "pytest", "--perf-mode=script", "--perf-sides=baseline,patched", "--perf-threshold=0.1", "--perf-seed=7",
    ]  # fmt: skip
    assert words[-1].startswith(f"{two_failures.folder}/perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[")


def test_a_configuration_of_another_name_is_named(two_failures):
    (two_failures.folder / "perfagents.toml").rename(two_failures.folder / "mine.toml")
    file = two_failures.folder / "mine.toml"
    record = next(iter(reported(two_failures, f"--perf-config={file}", "--agent", "codex").values()))
    words = shlex.split(record["evidence"]["command"])
    assert words[1] == f"--perf-config={file}"
    again = reported(two_failures, *words[1:])
    assert [each["id"] for each in again.values()] == [record["id"]]


def test_what_the_run_itself_says_is_nothing_to_repeat(project):
    project.add_run("AGENT_NO_PATCH", patch=False)
    (project.folder / "conftest.py").unlink()  # the real evaluator, which starts nothing for such a run
    (record,) = reported(project, "--agent", "trae_gpt5").values()
    assert (record["category"], record["stage"]) == ("AGENT_NO_PATCH", "discover")
    assert not {"command", "ran"} & record["evidence"].keys()


def test_what_was_run_inside_stands_beside_it_and_a_resumed_run_is_no_exception():
    git = with_command({"command": "git fetch x", "stderr": "no"}, "pytest a")
    assert git == {"stderr": "no", "ran": "git fetch x", "command": "pytest a"}
    assert with_command(git, "pytest b") == {"stderr": "no", "ran": "git fetch x", "command": "pytest b"}
    assert with_command({"command": "pytest a"}, "pytest b") == {"command": "pytest b"}
