from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest
from canned import measured
from cases import case_of
from recordings import put, record

from pytest_perfagents.store import ResultsWriter, outcome_to_json


@pytest.fixture
def perfagents(project):
    def run(*args):
        command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", *args]
        return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)

    return run


def test_agents_are_listed_with_counts_by_repository(project, perfagents):
    for repo in ("minivllm", "minivllm", "minisglang"):
        project.add_run("SUCCESS_NEUTRAL", repo=repo)
    project.add_run("SUCCESS_NEUTRAL", agent="codex", human="2b2b2b2b")
    result = perfagents("agents")
    assert [line.split() for line in result.stdout.splitlines()[:2]] == [
        ["codex_gpt5", "1", "1", "minivllm"],
        ["trae_gpt5", "3", "1", "minisglang,", "2", "minivllm"],
    ]
    assert result.returncode == 0


def test_a_folders_name_cannot_write_to_the_terminal(project, perfagents):
    project.add_run("SUCCESS_NEUTRAL", agent="x\x1b[31m\u202e", model="y\x07")
    result = perfagents("agents")
    assert len(result.stdout.splitlines()) == 2
    assert all(line.isprintable() for line in result.stdout.splitlines())


def test_a_wrong_configuration_is_status_2_with_a_message(perfagents):
    result = perfagents("agents", "--config", "nowhere.toml")
    assert result.returncode == 2
    assert "nowhere.toml" in result.stderr and "Traceback" not in result.stderr


def test_stored_outcomes_are_shown_again(project, perfagents):
    for name in ("first", "second"):
        with ResultsWriter(project.folder / "results" / name) as writer:
            writer.append(outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT")))
    with (project.folder / "results" / "second" / "outcomes.jsonl").open("a") as file:
        file.write('{"schema": "perfagents/outc')
    shown = perfagents("show", "results")
    assert "1 run: 1 measured (1 improvement)" in shown.stdout
    assert "results: results/second" in shown.stdout
    assert "1 unfinished or damaged outcome(s)" in shown.stderr
    assert "results: results/first" in perfagents("show", "results/first").stdout
    with ResultsWriter(project.folder / "results" / "zero") as writer:
        writer.append(outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT", flags=("first calls differ",))))
    assert "1 run: 1 measured (1 improvement (1 flagged))" in perfagents("show", "results/zero").stdout
    missing = perfagents("show", "results/third")
    assert (missing.returncode, "no results here" in missing.stderr) == (2, True)


def test_outcomes_that_were_damaged_are_counted_and_passed_over(project, perfagents):
    whole = outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT"))
    without = {key: value for key, value in whole.items() if key != "sides"}
    damaged = [json.dumps(each) for each in (
        {**whole, "id": "a", "commit": "no hash"}, {**without, "id": "b"}, {**whole, "id": 7},
    )]  # fmt: skip
    infinite = json.dumps({**whole, "id": "c", "duration_s": float("inf")})
    file = project.folder / "damaged.jsonl"
    file.write_text("\n".join([json.dumps(whole), *damaged, infinite, "[" * 50_000]))
    shown = perfagents("show", str(file))
    assert "1 run: 1 measured" in shown.stdout
    assert "5 unfinished or damaged outcome(s) passed over" in shown.stderr
    assert shown.returncode == 0


@pytest.mark.parametrize(
    ("where", "status", "says"), [("> /dev/full", 1, "No space left"), (">&-", 2, "output is closed")]
)
def test_an_output_that_cannot_be_written_is_a_message(project, where, status, says):
    with ResultsWriter(project.folder / "results" / "one") as writer:
        writer.append(outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT")))
    program = shlex.quote("from pytest_perfagents.cli import main; main()")
    for command in ("show results", "report results"):
        line = f"{shlex.quote(sys.executable)} -c {program} {command} {where}"
        done = subprocess.run(line, shell=True, cwd=project.folder, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
        assert says in done.stderr


def test_whoever_reads_the_output_may_stop_early(project):
    with ResultsWriter(project.folder / "results" / "one") as writer:
        writer.append_all([outcome_to_json(measured(case_of(number=n), "SUCCESS_IMPROVEMENT")) for n in range(2)])
    put(project.folder / "eval" / "a" / "b" / "test_results.json", record())
    program = "from pytest_perfagents.cli import main; main()"
    for command in (["show", "results"], ["report", "results", "--format", "csv"], ["import", "eval"], ["agents"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-c", program, *command],
            cwd=project.folder,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_clean_removes_what_a_dead_session_left_and_caches_only_when_asked(project, perfagents):
    cache = project.folder / ".perfagents"
    for folder in ("sessions/0123456789ab/w/tree", "repos/minivllm-x.git"):
        (cache / folder).mkdir(parents=True)
        (cache / folder / "file").write_bytes(b"x" * 2_000_000)
    result = perfagents("clean")
    assert result.returncode == 0, result.stderr
    assert "removed 2.0 MB" in result.stdout and "uses 2.0 MB" in result.stdout
    assert not (cache / "sessions" / "0123456789ab").exists()
    assert "uses 0.0 MB" in perfagents("clean", "--all").stdout
    assert not (cache / "repos").exists()
