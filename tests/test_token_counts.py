"""Tokens from trajectories: every format, damaged ones, and where they go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import measured, record, write

from pytest_perfagents.discovery.trajectories import LARGEST, read_tokens, with_tokens
from pytest_perfagents.model import AgentRun, Case, Category, Commit, Failure, Outcome, Stage, Tokens
from pytest_perfagents.parsers.token_counts import count_tokens
from pytest_perfagents.parsers.usages import added, tokens_of
from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.records import outcome_from_json, outcome_to_json

CLAUDE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 2000,
    "cache_read_input_tokens": 30000,
    "output_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 2000},
}
OPENAI = {"input_tokens": 26549, "cached_input_tokens": 22272, "output_tokens": 1590}
CLAUDES = Tokens(32500, 100, 400, 30000, 2000)
OPENAIS = Tokens(28139, 4277, 1590, 22272)
QUOTED = json.dumps({"usage": {"input_tokens": 10**6, "output_tokens": 10**6}, "agent_steps": []})
"""What a model may say: no usage of anybody."""


def interaction(usage, **more):
    return {
        "timestamp": "2025-11-28T09:45:00",
        "input_messages": [{"role": "user", "content": f"see {QUOTED}"}],
        "response": {"content": QUOTED, "usage": usage, "tool_calls": None},
        **more,
    }


def trae(*usages, provider="anthropic", model="claude-sonnet-4-5", steps=True):
    """As Trae writes it: each call twice, in the interactions with its caches and in the steps without."""
    brief = [{name: usage[name] for name in ("input_tokens", "output_tokens")} for usage in usages if usage]
    return {
        "task": f"make it faster: {QUOTED}",
        "provider": provider,
        "model": model,
        "llm_interactions": [interaction(usage) for usage in usages],
        "agent_steps": [{"llm_response": {"usage": usage}, "error": None} for usage in brief] if steps else [],
        "success": True,
    }


def text(value, indent=2):
    return json.dumps(value, indent=indent).encode()


def lines(*events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


# One usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (CLAUDE, CLAUDES),
        (OPENAI, OPENAIS),
        ({"input_tokens": 100, "cache_read_input_tokens": 40, "output_tokens": 1}, Tokens(141, 100, 1, 40)),
        ({"prompt_tokens": 50, "completion_tokens": 7}, Tokens(57, 50, 7)),
        (
            {"prompt_tokens": 50, "completion_tokens": 7, "cache_read_tokens": 30, "cache_write_tokens": 5},
            Tokens(57, 15, 7, 30, 5),
        ),
        ({"input_tokens": 5, "cached_input_tokens": 50, "output_tokens": 1}, Tokens(56, 5, 1, 50, at_least=True)),
        ({"input_tokens": 5}, Tokens(5, 5, at_least=True)),
        ({"output_tokens": 5}, Tokens(5, None, 5, at_least=True)),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": True, "output_tokens": "7"}, None),
        ({"input_tokens": -5, "output_tokens": 10**15}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_usage_is_read_by_the_names_of_its_service(usage, expected):
    assert tokens_of(usage) == expected


def test_a_part_that_nobody_tells_stays_unknown():
    both = added([Tokens(10, 6, 4), Tokens(12, 5, 4, 3)])
    assert both == Tokens(22, 11, 8, 3)
    assert added([]) is None


def test_tokens_refuse_nonsense():
    for wrong in ({"total": 0}, {"total": 5, "input": -1}):
        with pytest.raises(ValueError, match="tokens"):
            Tokens(**wrong)


# The formats


def test_trae_counts_each_call_once_and_no_words():
    assert count_tokens(text(trae(CLAUDE, CLAUDE))) == added([CLAUDES, CLAUDES])
    assert count_tokens(text(trae(CLAUDE, CLAUDE), indent=None)) == added([CLAUDES, CLAUDES])


def test_trae_with_openai_counts_the_cache_in_the_input():
    usage = {"input_tokens": 26549, "cache_read_input_tokens": 22272, "output_tokens": 1590, "reasoning_tokens": 1152}
    openai = count_tokens(text(trae(usage, provider="openai", model="gpt-5")))
    assert openai == Tokens(28139, 4277, 1590, 22272)
    bedrock = count_tokens(text(trae(usage, provider="bedrock", model="x")))
    assert bedrock == Tokens(26549 + 22272 + 1590, 26549, 1590, 22272)
    unnamed = count_tokens(text(trae(usage, provider="", model="us.anthropic.claude-sonnet-4-5")))
    assert unnamed == bedrock


def test_a_call_of_trae_that_does_not_tell_makes_the_sum_a_lower_bound():
    silent = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": None}
    assert count_tokens(text(trae(CLAUDE, silent))) == replace(CLAUDES, at_least=True)
    assert count_tokens(text(trae(CLAUDE, None))) == replace(CLAUDES, at_least=True)
    assert count_tokens(text(trae(silent, silent))) is None


def test_the_steps_of_trae_count_where_its_interactions_are_missing():
    trace = trae(CLAUDE) | {"llm_interactions": []}
    assert count_tokens(text(trace)) == Tokens(500, 100, 400)


def test_claude_code_sums_itself_up():
    message = {"type": "assistant", "message": {"id": "m1", "usage": {"input_tokens": 9, "output_tokens": 1}}}
    result = {"type": "result", "subtype": "success", "session_id": "s", "usage": CLAUDE, "total_cost_usd": 0.5}
    assert count_tokens(text(result)) == CLAUDES
    assert count_tokens(lines({"type": "system"}, message, result)) == CLAUDES
    assert count_tokens(text([{"type": "system"}, message, result])) == CLAUDES


def test_events_are_found_among_lines_of_a_log():
    result = {"type": "result", "usage": CLAUDE}
    assert count_tokens(b"[INFO] it begins\n" + lines(result) + b"it ends\n") == CLAUDES
    assert count_tokens(b"{ a brace\n" + lines(result)) == CLAUDES


def test_claude_code_without_its_sum_is_counted_by_messages_each_once():
    def said(name, out):
        return {"type": "assistant", "message": {"id": name, "usage": {"input_tokens": 10, "output_tokens": out}}}

    found = count_tokens(
        lines(said("m1", 1), said("m1", 5), said("m2", 2)) + b'{"type": "result", "usage": {"input_tok'
    )
    assert found == Tokens(27, 20, 7, at_least=True)


def test_codex_tells_the_sum_so_far():
    turn = {"type": "turn.completed", "usage": {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 1}}
    assert count_tokens(lines({"type": "thread.started"}, turn, {"type": "turn.completed", "usage": OPENAI})) == OPENAIS
    session = {"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": OPENAI}}}
    assert count_tokens(lines({"payload": {"type": "token_count", "info": None}}, session)) == OPENAIS
    again = count_tokens(lines(session, {"id": "2", "msg": turn | {"type": "token_count"}}, session))
    assert again == OPENAIS, "a single call beside sums is in them"


def test_a_second_thread_of_codex_is_counted_beside_the_first():
    small = {"type": "turn.completed", "usage": {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 1}}
    found = count_tokens(lines({"type": "turn.completed", "usage": OPENAI}, small))
    assert found == Tokens(28150, 4283, 1591, 22276)


def test_old_codex_tells_of_each_call():
    call = {"id": "1", "msg": {"type": "token_count", "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 1}}
    assert count_tokens(lines(call, call)) == Tokens(22, 12, 2, 8, at_least=True)


@pytest.mark.parametrize(
    ("printed", "total"),
    [
        (b"codex\nDone.\ntokens used\n12,345\n", 12345),
        (b"[2025-11-19T18:08:24] tokens used: 800\nmore\n[2025-11-19T18:09:24] tokens used: 12345\n", 12345),
        (b"tokens used: 0\n", None),
        (b"we print tokens used: 5 here\n", None),
        (b"tokens used: many\n", None),
        (b"", None),
    ],
)
def test_a_total_that_codex_prints_is_a_lower_bound(printed, total):
    assert count_tokens(printed) == (Tokens(total, at_least=True) if total else None)


def test_openhands_tells_the_sum_so_far():
    def event(number, **usage):
        return {"id": number, "source": "agent", "message": "x", "llm_metrics": {"accumulated_token_usage": usage}}

    first = event(1, prompt_tokens=10, completion_tokens=1)
    last = event(2, prompt_tokens=100, completion_tokens=20, cache_read_tokens=60, cache_write_tokens=0)
    assert count_tokens(text([first, {"id": 9, "llm_metrics": None}, last])) == Tokens(120, 40, 20, 60, 0)


# Damage


@pytest.mark.parametrize("indent", [None, 2])
def test_a_trae_trajectory_that_breaks_off_is_counted_as_far_as_it_goes(indent):
    whole = text(trae(CLAUDE, CLAUDE, CLAUDE), indent)
    second = whole.index(b'"usage"', whole.index(b'"usage": {') + 500)
    assert whole[second + 7 : second + 9] == b": "
    assert count_tokens(whole[: second + 20]) == replace(CLAUDES, at_least=True)
    in_steps = whole.rindex(b'"llm_response"')  # behind two steps that are whole
    assert count_tokens(whole[:in_steps]) == replace(added([CLAUDES] * 3), at_least=True), "steps tell it again"


def test_a_list_of_events_that_breaks_off_is_counted_as_far_as_it_goes():
    events = [
        {"llm_metrics": {"accumulated_token_usage": {"prompt_tokens": n, "completion_tokens": 1}}} for n in (5, 9)
    ]
    whole = text(events)
    assert count_tokens(whole[:-40]) == Tokens(6, 5, 1, at_least=True)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3000))
def test_whatever_the_bytes_are_nothing_is_raised(noise, cut):
    whole = text(trae(CLAUDE, CLAUDE))
    for content in (noise, whole[:cut] + noise, b"[" + noise + b"_token", b'{"a_token": ' + noise):
        found = count_tokens(content)
        assert found is None or found.total > 0


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"_token", b'{"input_tokens":' * 100_000, b"[1, 2, \xff_token"])
def test_nesting_without_end_is_no_count(content):
    assert count_tokens(content) is None


# Folders


def test_the_trajectory_counts_before_what_was_printed(tmp_path):
    (tmp_path / "codex_stdout.txt").write_text("tokens used\n99\n")
    (tmp_path / "codex_stderr.txt").write_text("tokens used\n77\n")
    assert read_tokens(tmp_path) == Tokens(99, at_least=True)
    (tmp_path / "trajectory.json").write_bytes(text(trae(CLAUDE)))
    assert read_tokens(tmp_path) == CLAUDES
    (tmp_path / "trajectory.json").write_text("{}")
    assert read_tokens(tmp_path) == Tokens(99, at_least=True)


def test_of_several_trajectories_the_largest_is_a_lower_bound(tmp_path):
    (tmp_path / "trajectory.json").write_bytes(text(trae(CLAUDE)))
    (tmp_path / "trajectory_2.json").write_bytes(text(trae(CLAUDE, CLAUDE)))
    assert read_tokens(tmp_path) == replace(added([CLAUDES, CLAUDES]), at_least=True)


def test_what_cannot_be_read_tells_nothing(tmp_path):
    os.mkfifo(tmp_path / "trajectory.json")
    (tmp_path / "trajectory_b.json").mkdir()
    (tmp_path / "trajectory_c.json").symlink_to(tmp_path / "nowhere")
    assert read_tokens(tmp_path, tmp_path / "missing", Path("a\0b")) is None


def test_of_a_huge_file_the_beginning_is_counted(tmp_path):
    file = tmp_path / "claude_code_stdout.txt"
    file.write_bytes(lines({"type": "result", "usage": {"input_tokens": 10, "output_tokens": 1}}))
    with file.open("r+b") as opened:
        opened.truncate(LARGEST + 5)
        opened.seek(0, os.SEEK_END)
        opened.write(lines({"type": "result", "usage": CLAUDE}))
    assert read_tokens(tmp_path) == Tokens(11, 10, 1, at_least=True)


# Records


def outcome(folder, tokens=None):
    commit = Commit("vllm", "a" * 40, "b" * 40)
    run = AgentRun(commit, "trae", "gpt-5", "r", "i", str(folder), "trae_gpt5", has_patch=False)
    return Outcome(Case(run, None), None, Failure(Category.AGENT_NO_PATCH, Stage.DISCOVER, "none"), tokens=tokens)


def test_an_outcome_gets_the_tokens_of_its_folder_once(tmp_path, monkeypatch):
    (tmp_path / "trajectory.json").write_bytes(text(trae(CLAUDE)))
    assert with_tokens(outcome(tmp_path)).tokens == CLAUDES
    assert with_tokens(outcome(tmp_path, OPENAIS)).tokens == OPENAIS
    monkeypatch.chdir(tmp_path)
    assert with_tokens(outcome("")).tokens is None, "a run without a folder has not this one"


def test_records_keep_them_and_older_ones_have_none(tmp_path):
    told = json.loads(json.dumps(outcome_to_json(outcome(tmp_path, replace(OPENAIS, at_least=True)))))
    assert told["tokens"]["cached_input"] == 22272
    assert outcome_from_json(told).tokens == replace(OPENAIS, at_least=True)
    for older in ({**told, "tokens": None}, {name: value for name, value in told.items() if name != "tokens"}):
        assert outcome_from_json(older).tokens is None


def test_an_import_finds_the_trajectory_beside_the_record_or_beside_the_patch(tmp_path):
    beside = write(tmp_path / "eval", record(measured(2.0, 1.0)), item="vllm_core-0001")
    beside.with_name("trajectory.json").write_bytes(text(trae(CLAUDE)))
    run = tmp_path / "runs" / "vllm_core-0002"
    run.mkdir(parents=True)
    (run / "trajectory.json").write_bytes(text(trae(CLAUDE, CLAUDE)))
    away = record(measured(2.0, 1.0), item_id="vllm_core-0002", patch_path=str(run / "model_patch.diff"))
    write(tmp_path / "eval", away, item="vllm_core-0002")
    write(tmp_path / "eval", record(measured(2.0, 1.0), item_id="vllm_core-0003"), item="vllm_core-0003")
    found = {each.case.run.item: each.tokens for each in import_records([tmp_path / "eval"]).outcomes}
    assert found == {"vllm_core-0001": CLAUDES, "vllm_core-0002": added([CLAUDES, CLAUDES]), "vllm_core-0003": None}


def test_a_folder_of_many_commits_tells_of_no_single_one(tmp_path):
    folder = tmp_path / "3way_trae_gpt5" / "results"
    folder.mkdir(parents=True)
    (folder / "trajectory.json").write_bytes(text(trae(CLAUDE)))
    (folder / "2b2b2b2b_agent_result.json").write_text(json.dumps({"status": "error", "error": "No metrics"}))
    (only,) = import_records([tmp_path]).outcomes
    assert only.tokens is None


# A session

AUDITED = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from pytest_perfagents.config import load_config
from pytest_perfagents.discovery.finding import cases
from pytest_perfagents.discovery.selection import Selection
assert len(cases(load_config(Path("perfagents.toml")), Selection())) == 1
assert any(name.endswith("journal.json") for name in opened)
print([name for name in opened if "trajectory" in name])
"""


@pytest.fixture
def project(tmp_path):
    """A configuration and one run without a patch: an outcome that nothing is measured for."""
    item = tmp_path / "runs" / "vllm" / "trae" / "gpt-5" / "2026-01-01_00-00-00" / "vllm_core-0000"
    item.mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    (item / "journal.json").write_text(
        json.dumps({"task_id": "vllm_core", "commits": {"pre": "b" * 40, "human": "a" * 40}, "status": "error"})
    )
    (tmp_path / "perfagents.toml").write_text(
        '[perfagents]\nruns = ["runs"]\nscripts = ["scripts"]\n[repos.vllm]\npath = "vllm"\n'
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path, item / "trajectory.json"


def session(folder, *args):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--perf-config", "perfagents.toml", *args]
    done = subprocess.run([*command, "--perf-json=out.json"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = json.loads((folder / "out.json").read_text())["outcomes"]
    return told


def test_a_session_records_the_tokens_and_a_resumed_one_adds_them(project):
    folder, trajectory = project
    assert session(folder, "--perf-run=first")["tokens"] is None, "there is no trajectory yet"
    trajectory.write_bytes(text(trae(CLAUDE)))
    told = session(folder, "--perf-resume=first", "--perf-run=second")
    assert (told["category"], told["tokens"]["total"]) == ("AGENT_NO_PATCH", 32500)
    stored = (folder / "results" / "second" / "outcomes.jsonl").read_text().splitlines()
    assert [json.loads(line)["tokens"]["total"] for line in stored] == [32500]
    assert session(folder, "--perf-run=third")["tokens"] == told["tokens"], "and evaluated anew"
    assert session(folder, "--perf-resume=first")["tokens"] == told["tokens"]
    stored = (folder / "results" / "first" / "outcomes.jsonl").read_text().splitlines()
    assert [bool(json.loads(line)["tokens"]) for line in stored] == [False, True], "the last one stands"


def test_collecting_opens_no_trajectory(project):
    folder, trajectory = project
    trajectory.write_bytes(text(trae(CLAUDE)))
    done = subprocess.run([sys.executable, "-c", AUDITED], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
