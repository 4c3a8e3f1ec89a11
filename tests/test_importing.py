"""Recorded evaluations as real files, of every kind and with every kind of damage."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace
from itertools import islice

import pytest
from click.testing import CliRunner
from recordings import DURING, FRAME, HUMAN, PARENT, RUN, measured, printed, put, record, served, way, write

from pytest_perfagents.cli import commands
from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.model import UsageError
from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.recorded.trees import Search
from pytest_perfagents.records import outcome_from_json, outcome_to_json
from pytest_perfagents.report.consoles import Screen
from pytest_perfagents.report.json_report import imported_to_json, write_report
from pytest_perfagents.report.terminal import render
from pytest_perfagents.store import ResultsWriter


def imported(root, *more, config=None):
    return import_records([root, *more], config)


def the_one(root, *more, config=None):
    [outcome] = imported(root, *more, config=config).outcomes
    return outcome


def notes(root, *more):
    return [str(note) for note in imported(root, *more).notes]


# --- where records lie -----------------------------------------------------------------------------


def test_a_hierarchical_tree_names_its_runs(tmp_path):
    write(tmp_path, record(measured(2.0, 1.0)))
    found = imported(tmp_path)
    [outcome] = found.outcomes
    assert outcome.case.id == f"vllm/1a2b3c4d/trae/gpt-5/{RUN}/vllm_core-0001"
    assert (outcome.case.run.commit.human, outcome.case.run.commit.parent) == (HUMAN, PARENT)
    assert outcome.case.run.alias == "trae_gpt5"
    assert (found.files, found.notes) == (1, ())


def test_a_flat_tree_is_named_by_what_its_records_say(tmp_path):
    flat = record(measured(2.0, 1.0), timestamp="389be848", item_id="sglang_core-0001", repo="sglang")
    put(tmp_path / "sglang_core-389be848" / "sglang_core-0001" / "test_results.json", flat)
    assert the_one(tmp_path).case.id == "sglang/1a2b3c4d/trae/gpt-5/389be848/sglang_core-0001"


def test_both_layouts_and_all_kinds_stand_side_by_side(tmp_path):
    write(tmp_path, record())
    put(tmp_path / "flat-1" / "item-1" / "test_results.json", record(timestamp="flat-1", item_id="item-1"))
    write(tmp_path, summary(None, patch=False), name="run_summary.json", run="2025-11-11_11-11-11")
    put(tmp_path / "3way_codex" / "results" / "2b2b2b2b_agent_result.json", served("error", error="No metrics"))
    assert sorted(outcome.category for outcome in imported(tmp_path).outcomes) == [
        "AGENT_NO_PATCH",
        "BASELINE_NO_OUTPUT",
        "BASELINE_NO_OUTPUT",
        "NO_METRICS",
    ]


def test_any_folder_of_the_tree_and_a_single_file_may_be_named(tmp_path):
    file = write(tmp_path, record(measured(2.0, 1.0)))
    ids = {the_one(place).case.id for place in (tmp_path, *file.parents[:5], file)}
    assert ids == {f"vllm/1a2b3c4d/trae/gpt-5/{RUN}/vllm_core-0001"}


def test_a_folder_without_records_and_one_that_is_not_there_are_the_users_fault(tmp_path):
    with pytest.raises(UsageError, match=r"test_results\.json"):
        imported(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        imported(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no file of a recorded evaluation"):
        imported(put(tmp_path / "other.json", {}))


def test_links_are_followed_once(tmp_path):
    file = write(tmp_path / "real", record())
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    first = list(islice(Search().records([tmp_path]), 2))  # who follows a circle finds the record again and again
    assert [found.file.resolve() for found in first] == [file]
    assert (len(imported(tmp_path).outcomes), imported(tmp_path).files) == (1, 1)


@pytest.fixture
def own(tmp_path):
    """What `perfagents import --results` and ``--perf-json`` leave: a folder and a file of outcomes of ours."""
    write(tmp_path / "eval", record(measured(2.0, 1.0)))
    outcomes = [outcome_to_json(outcome) for outcome in imported(tmp_path / "eval").outcomes]
    with ResultsWriter(tmp_path / "my results" / "run") as writer:
        writer.append_all(outcomes)
    write_report(tmp_path / "reports" / "out.json", imported_to_json(outcomes, (), 1))
    return tmp_path


@pytest.mark.parametrize("place", ["my results", "my results/run/outcomes.jsonl", "reports", "reports/out.json"])
def test_outcomes_of_ours_are_not_imported_and_the_command_that_shows_them_is_named(own, place):
    for places in ([own / place], [own / "eval", own / place]):
        with pytest.raises(UsageError, match="outcomes of pytest-perfagents, which are judged already") as refused:
            imported(*places)
    command = str(refused.value).partition("show them with: perfagents ")[2]
    shown = CliRunner().invoke(commands, shlex.split(command))
    assert (shown.exit_code, "1 outcomes read" in shown.output) == (0, True)


def test_outcomes_of_ours_among_records_are_named(own):
    stored = own / "eval" / "results"
    (own / "my results").rename(stored)
    assert len(imported(own / "eval").outcomes) == 1
    report = own / "eval" / "out.json"
    (own / "reports" / "out.json").rename(report)
    told = notes(own / "eval")
    assert [note.partition(": holds outcomes of pytest-perfagents")[0] for note in told] == [
        str(report), f"{stored}/run/outcomes.jsonl",
    ]  # fmt: skip
    assert notes(own / "eval", own / "eval") == told, "a folder that is named twice is no folder of outcomes"


def test_a_configuration_names_repositories_and_their_packages(tmp_path):
    error = "No module named 'core.block'"
    broken = {"status": "baseline_failed", "baseline_output": {"target_resolved": False, "error": error}}
    write(tmp_path, record(broken, repo="vllm_core"), repo="vllm_core")
    repo = RepoConfig("mine", tmp_path, packages=("core",), match=("vllm_core",))
    config = Config(tmp_path / "x.toml", {"mine": repo}, (), (), tmp_path, tmp_path)
    outcome = the_one(tmp_path, config=config)
    assert (outcome.case.run.commit.repo, outcome.category) == ("mine", "TARGET_NOT_RESOLVED")
    assert the_one(tmp_path).category == "TEST_IMPORT_ERROR"


# --- what is judged first --------------------------------------------------------------------------

BROKEN = {"status": "baseline_failed", "baseline_output": {"target_resolved": False, "error": "No module named 'x'"}}
FIRST = [
    (BROKEN, {"patch_path": None, "agent_status": "error"}, "AGENT_NO_PATCH"),
    (BROKEN, {"patch_path": None, "agent_status": "timeout"}, "AGENT_TIMEOUT"),
    ({"status": "no_test"}, {"patch_path": None, "test_script_path": None}, "AGENT_NO_PATCH"),
    (
        {"status": "no_patch", "baseline_ms": 1.0, "baseline_output": printed(1.0)},
        {"patch_path": None},
        "AGENT_NO_PATCH",
    ),
    ({"status": "no_patch", "baseline_ms": 1.0, "baseline_output": printed(1.0)}, {}, "PATCH_INVALID"),
    ({"status": "no_test", "error_message": "No test script found"}, {"test_script_path": None}, "NO_TEST_SCRIPT"),
    ({"status": "patch_failed", "baseline_output": printed(1.0), "error_message": "x"}, {}, "PATCH_APPLY_FAILED"),
    (BROKEN, {}, "TEST_IMPORT_ERROR"),
    ({"status": "timeout", "error_message": "Test timed out after 600s"}, {}, "BASELINE_TIMEOUT"),
    ({"status": "timeout", "baseline_ms": 1.0, "baseline_output": printed(1.0)}, {}, "PATCHED_TIMEOUT"),
    (
        {"status": "success", "baseline_output": {"error": "no allreduce", "opt_path_hit": False}},
        {},
        "OPT_PATH_NOT_HIT",
    ),
    ({"status": "success", "baseline_ms": 0.0, "patched_ms": 0.0}, {}, "BASELINE_NO_OUTPUT"),
    ({"status": "success", "baseline_output": printed(1.0, iters=0), "baseline_ms": 1.0}, {}, "BASELINE_NO_OUTPUT"),
    (measured(2.0, 1.0, patched_output=printed(1.0, opt_path_hit=False)), {}, "OPT_PATH_NOT_HIT"),
    (measured(2.0, 1.0, patched_output=None, patched_ms=None, stdout=""), {}, "PATCHED_NO_OUTPUT"),
    (measured(2.0, 1.0, status="baseline_failed"), {}, "SUCCESS_IMPROVEMENT"),
]


@pytest.mark.parametrize(("result", "metadata", "category"), FIRST)
def test_what_the_run_says_comes_before_the_baseline_and_that_before_the_patch(tmp_path, result, metadata, category):
    write(tmp_path, record(result, **metadata))
    assert the_one(tmp_path).category == category


def test_the_patched_side_is_judged_by_its_own_output(tmp_path):
    frame = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\n'
    stderr = f"\n{frame}TypeError: f() takes 1 positional argument but 2 were given\n"
    write(tmp_path, record(measured(2.0, 1.0, status="error", patched_output=None, patched_ms=None, stderr=stderr)))
    outcome = the_one(tmp_path)
    assert (outcome.category, outcome.failure.blame) == ("PATCHED_TYPE_ERROR", "agent")


FRAMES = 'Traceback (most recent call last):\n  File "x.py", line 1, in check_equivalence\n    assert equal\n'


@pytest.mark.parametrize(
    "result",
    [
        measured(2.0, 1.0, status="error", error_message="Equivalence check failed: max difference 0.5"),
        measured(2.0, 1.0, status="error", patched_ms=None, patched_output=None, error_message="Results differ"),
        measured(2.0, 1.0, status="error", patched_ms=None, patched_output=None, stderr=f"{FRAMES}AssertionError\n"),
        measured(
            2.0, 1.0, status="error", patched_ms=None, patched_output={"error": "x", "error_name": "EQUIVALENCE_FAILED"}
        ),
    ],
)
def test_another_result_goes_before_any_time(tmp_path, result):
    write(tmp_path, record(result))
    outcome = the_one(tmp_path)
    assert (outcome.category, outcome.failure.blame) == ("EQUIVALENCE_FAILED", "agent")


def test_a_traceback_in_the_evaluations_message_is_read_as_one(tmp_path):
    first = "Baseline crashed:\nTraceback (most recent call last):\n  File 'x'\nKeyError: 'a'\n"
    error = f"{first}{DURING}{FRAME}TypeError: late\n"
    write(tmp_path, record({"error_message": error}))
    assert the_one(tmp_path).category == "BASELINE_TYPE_ERROR"


def test_what_the_baseline_printed_is_no_word_of_the_patched_side(tmp_path):
    only_baseline = json.dumps(printed(2.0)) + "\n\n"
    write(tmp_path, record(measured(2.0, 1.0, patched_output=None, patched_ms=None, stdout=only_baseline)))
    assert the_one(tmp_path).category == "PATCHED_NO_OUTPUT"


def test_a_failure_keeps_what_was_recorded(tmp_path):
    file = write(tmp_path, record(BROKEN | {"error_message": "No module named 'x'"}))
    told = outcome_to_json(the_one(tmp_path))
    assert told["evidence"]["record"] == str(file)
    assert told["evidence"]["recorded_status"] == "baseline_failed"
    assert told["protocol"]["recorded"]["error"] == "No module named 'x'"
    assert (told["pytest_outcome"], told["speedup"]) == ("xfailed", None)


# --- recorded speedups -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patched_ms", "category", "change"),
    [
        (1.9, "SUCCESS_IMPROVEMENT", "faster"),
        (1.91, "SUCCESS_NEUTRAL", "same"),
        (2.0, "SUCCESS_NEUTRAL", "same"),
        (2.1, "SUCCESS_NEUTRAL", "same"),
        (2.11, "SUCCESS_REGRESSION", "slower"),
    ],
)
def test_a_recorded_speedup_keeps_the_old_rule(tmp_path, patched_ms, category, change):
    write(tmp_path, record(measured(2.0, patched_ms)))
    told = outcome_to_json(the_one(tmp_path))
    speedup = told["speedup"]
    assert (told["category"], speedup["change"], speedup["recorded"]) == (category, change, True)
    assert [speedup[name] for name in ("low", "high", "confidence", "p_value")] == [None] * 4
    assert speedup["point"] == pytest.approx(2.0 / patched_ms)
    assert told["protocol"]["recorded"]["kind"] == "test_results.json"
    assert "5 %" in told["protocol"]["rule"]


def test_a_recorded_speedup_is_marked_in_the_terminal_and_comes_back_from_json(tmp_path):
    write(tmp_path, record(measured(3.0, 2.0)))
    outcome = the_one(tmp_path)
    told = json.loads(json.dumps(outcome_to_json(outcome), allow_nan=False))
    assert outcome_from_json(told) == outcome
    row = next(line for line in render([told], Screen(160)).splitlines() if "trae_gpt5" in line)
    assert row.split()[:5] == ["vllm-1a2b3c4d", "trae_gpt5", "1.50x", "recorded", "improvement"]
    assert "without an interval" in told["reason"]
    assert "discovery" not in render([told, told], Screen(160))


def test_mean_and_median_are_kept_apart_and_a_contradiction_is_a_flag(tmp_path):
    write(
        tmp_path, record(measured(1.13, 1.61, baseline_output=printed(1.13, 1.12), patched_output=printed(1.61, 0.8)))
    )
    told = outcome_to_json(the_one(tmp_path))
    assert (told["category"], told["speedup"]["median"]) == ("SUCCESS_REGRESSION", pytest.approx(1.4))
    assert told["sides"]["patched"] | {"median_s": pytest.approx(0.0008)} == told["sides"]["patched"]
    assert told["sides"]["patched"]["stated"]["mean_s"] == pytest.approx(0.00161)
    assert [flag for flag in told["integrity"]["flags"] if "1.40x by the medians, which would be improvement" in flag]


def test_the_median_of_recorded_times_is_their_median_in_any_order(tmp_path):
    odd = {"avg_ms": 4.0, "times_ms": [9.0, 1.0, 2.0]}
    even = {"avg_ms": 4.0, "times_ms": [8.0, 1.0, 3.0, 2.0]}
    write(tmp_path, record(measured(4.0, 4.0, baseline_output=odd, patched_output=even)))
    sides = outcome_to_json(the_one(tmp_path))["sides"]
    assert [sides[side]["median_s"] for side in ("baseline", "patched")] == pytest.approx([0.002, 0.0025])


def test_a_median_that_nobody_recorded_is_not_made_up(tmp_path):
    write(tmp_path, record(measured(2.0, 1.0, baseline_output=None, patched_output=None)))
    told = outcome_to_json(the_one(tmp_path))
    assert (told["sides"]["baseline"]["median_s"], told["speedup"]["median"]) == (None, None)
    assert told["sides"]["baseline"]["stated"]["mean_s"] == pytest.approx(0.002)


# --- damage ----------------------------------------------------------------------------------------

WHOLE = json.dumps(record(BROKEN | {"stderr": 'some\nlog \\ with "quotes" and ü\n' * 20}), indent=2)


@pytest.mark.parametrize("share", [step / 40 for step in range(1, 40)])
def test_a_truncated_record_is_one_outcome_and_named_wherever_it_breaks_off(tmp_path, share):
    file = write(tmp_path, WHOLE[: int(len(WHOLE) * share)])
    outcome = the_one(tmp_path)
    assert outcome.case.id.startswith("vllm/") and outcome.case.run.agent == "trae"
    assert outcome.failure.blame is not None and outcome.failure.blame != "agent"
    [note] = [note for note in notes(tmp_path) if "breaks off" in note]
    assert note.startswith(str(file))
    if share > 0.6:
        assert outcome.category == "TEST_IMPORT_ERROR"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("[]", "holds no JSON object"),
        ("null", "holds no JSON object"),
        ("not json", "no valid JSON"),
        (b"\x00\xff\xfe garbage", "no valid JSON"),
        ("{}", "holds no result"),
        ('{"metadata": 3, "result": [1]}', "holds no result"),
        ('{"a":' * 100_000, ""),
    ],
)
def test_an_unreadable_record_is_still_an_outcome_and_named(tmp_path, content, what):
    file = write(tmp_path, content)
    outcome = the_one(tmp_path)
    assert (outcome.category, outcome.failure.blame) == ("BASELINE_UNKNOWN", "environment")
    assert outcome.case.id == f"vllm//trae/gpt-5/{RUN}/vllm_core-0001"
    assert any(note.startswith(str(file)) and what in note for note in notes(tmp_path))
    assert str(file) in outcome.failure.hint


def test_a_record_that_is_a_folder_or_a_pipe_is_named(tmp_path):
    (write(tmp_path, "").parent.parent / "a" / "test_results.json").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "test_results.json")
    told = "\n".join(notes(tmp_path))
    assert told.count("cannot be read (it is no file)") == 2
    assert len(imported(tmp_path).outcomes) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_nan_are_read(tmp_path, encoding):
    text = json.dumps(record(measured(2.0, 1.0, speedup=float("nan"))))
    write(tmp_path, text.encode(encoding))
    assert the_one(tmp_path).category == "SUCCESS_IMPROVEMENT"
    assert notes(tmp_path) == []


def test_a_value_that_is_missing_in_the_middle_costs_that_value_alone(tmp_path):
    broken = json.dumps(record(BROKEN)).replace('"duration_s": 3.0', '"duration_s": ')
    write(tmp_path, broken)
    assert the_one(tmp_path).category == "TEST_IMPORT_ERROR"
    assert any("no valid JSON" in note for note in notes(tmp_path))


def test_values_of_wrong_types_are_nothing(tmp_path):
    odd = record(
        {"baseline_ms": "fast", "patched_ms": [], "stderr": {"a": 1}, "stdout": 7, "status": None, "duration_s": True}
    )
    odd["metadata"] |= {"repo": 3, "human_commit": "main", "item_id": None, "agent_status": {}}
    write(tmp_path, odd)
    assert the_one(tmp_path).category == "BASELINE_NO_OUTPUT"
    assert any("human_commit 'main' is no commit" in note for note in notes(tmp_path))


@pytest.mark.parametrize("section", ["metadata", "result"])
def test_any_value_may_be_anything(tmp_path, section):
    names = record(measured(2.0, 1.0))[section]
    odd = [None, True, -1.5, "", [], {}, "x\ny", [{}], {"a": 1}, 10**400, "\ud800", {"error": {}, "iters": "x"}]
    for number, name in enumerate(names):
        for count, value in enumerate(odd):
            whole = record(measured(2.0, 1.0))
            whole[section][name] = value
            write(tmp_path, whole, item=f"item-{number}-{count}")
    found = imported(tmp_path)
    assert found.files == len(names) * len(odd)
    told = {outcome.protocol["recorded"]["file"] for outcome in found.outcomes} | {note.path for note in found.notes}
    assert len({file for file in told if file.endswith("test_results.json")}) == found.files
    for outcome in found.outcomes:
        assert outcome_from_json(json.loads(json.dumps(outcome_to_json(outcome), allow_nan=False))) == outcome


def test_a_truncated_success_is_no_failure_of_the_agent(tmp_path):
    text = json.dumps(record(measured(2.0, 1.0)))
    write(tmp_path, text[: text.index('"patched_ms"')])
    outcome = the_one(tmp_path)
    assert (outcome.category, outcome.failure.blame) == ("PATCHED_UNKNOWN", "environment")


def test_a_damaged_record_with_both_times_is_measured_and_flagged(tmp_path):
    text = json.dumps(record(measured(2.0, 1.0)))
    write(tmp_path, text[: text.index('"stdout"')])
    outcome = the_one(tmp_path)
    assert outcome.category == "SUCCESS_IMPROVEMENT"
    assert any("breaks off" in flag for flag in outcome.integrity.flags)


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path, record())
    (tmp_path / "vllm" / "trae" / "gpt-5" / RUN / "vllm_core-0002").mkdir()
    put(tmp_path / "vllm" / "trae" / "gpt-5" / RUN / "vllm_core-0003" / "model_patch.diff", "x")
    put(tmp_path / "vllm" / "trae" / "gpt-5" / RUN / "vllm_core-0004" / "test_results.json.bak", "x")
    put(tmp_path / "vllm" / "trae" / "gpt-5" / RUN / "vllm_core-0005" / "stdout.txt", "x")
    told = sorted(notes(tmp_path))
    assert ["0005" in told[3], "holds no record, as its neighbours do" in told[3]] == [True, True]
    assert ["0002" in told[0], "is empty: its record is missing" in told[0]] == [True, True]
    assert ["0003" in told[1], "holds a run without an evaluation" in told[1]] == [True, True]
    assert ["0004" in told[2], "nearly the name of a record" in told[2]] == [True, True]


# --- contradictions --------------------------------------------------------------------------------

CONTRADICTIONS = [
    (measured(2.0, 1.0, speedup=3.0), {}, "its speedup is 3, and its times make 2"),
    (measured(2.0, 1.0, baseline_ms=4.0), {}, "baseline_ms is 4, and baseline_output says 2"),
    (measured(2.0, 1.0, status="baseline_failed"), {}, "the baseline has a time"),
    (measured(2.0, 1.0, status="error"), {}, "its status is error, and both sides have a time"),
    ({"status": "success"}, {}, "there is no time of the baseline"),
    (measured(2.0, 1.0, patched_ms=None, patched_output=None), {}, "there is no time of the patched side"),
    ({}, {"model": "claude-sonnet-45"}, "it says model claude-sonnet-45, its folder gpt-5"),
    ({}, {"agent": "codex"}, "it says agent codex, its folder trae"),
    ({}, {"repo": "sglang"}, "it says repository sglang, its folder vllm"),
]


@pytest.mark.parametrize(("result", "metadata", "what"), CONTRADICTIONS)
def test_a_contradiction_is_named_with_what_counts(tmp_path, result, metadata, what):
    file = write(tmp_path, record(result, **metadata))
    [note] = [note for note in imported(tmp_path).notes if what in note.what]
    assert (note.path, "count" in note.done) == (str(file), True)
    assert the_one(tmp_path).case.id.startswith("vllm/1a2b3c4d/trae/gpt-5/")
    assert outcome_to_json(the_one(tmp_path))["protocol"]["recorded"]["contradictions"]


def test_a_commit_that_is_not_the_items_is_named(tmp_path):
    write(tmp_path, record(item_id="vllm_007_99999999"), item="vllm_007_99999999")
    assert any("it says commit 1a2b3c4d, its item 99999999" in note for note in notes(tmp_path))


def test_a_model_in_other_words_is_no_contradiction(tmp_path):
    write(tmp_path, record(model="claude-sonnet-45"), model="us-anthropic-claude-sonnet-4-5-20250929-v1-0")
    assert notes(tmp_path) == []


# --- two records of a run --------------------------------------------------------------------------


def test_of_two_records_of_a_run_the_folder_named_last_counts(tmp_path):
    old = write(tmp_path / "old", record(BROKEN))
    new = write(tmp_path / "new", record(measured(2.0, 1.0)))
    assert the_one(tmp_path / "old", tmp_path / "new").category == "SUCCESS_IMPROVEMENT"
    assert the_one(tmp_path / "new", tmp_path / "old").category == "TEST_IMPORT_ERROR"
    [note] = notes(tmp_path / "old", tmp_path / "new")
    assert note.startswith(f"{old}: is a second record of vllm/1a2b3c4d/")
    assert "says TEST_IMPORT_ERROR, the other SUCCESS_IMPROVEMENT" in note
    assert note.endswith(f"{new} counts: its folder was named last")
    told = outcome_to_json(the_one(tmp_path / "old", tmp_path / "new"))
    assert told["protocol"]["recorded"]["others"] == [str(old)]


def test_a_whole_record_counts_before_a_damaged_one_wherever_it_lies(tmp_path):
    write(tmp_path / "a", record(measured(2.0, 1.0)))
    write(tmp_path / "b", json.dumps(record(BROKEN))[:-20])
    assert the_one(tmp_path / "a", tmp_path / "b").category == "SUCCESS_IMPROVEMENT"
    assert any(note.endswith("counts: it is whole") for note in notes(tmp_path / "a", tmp_path / "b"))


def test_an_evaluation_counts_before_a_summary_of_the_same_run(tmp_path):
    write(tmp_path, record(BROKEN))
    write(tmp_path, summary({"status": "success", "baseline_ms": 2.0, "patched_ms": 1.0}), name="run_summary.json")
    assert the_one(tmp_path).category == "TEST_IMPORT_ERROR"
    assert any(note.endswith("counts: it holds more than a summary") for note in notes(tmp_path))


def test_of_two_alike_below_one_folder_the_last_by_path_counts(tmp_path):
    write(tmp_path / "v1", record(BROKEN))
    write(tmp_path / "v2", record(BROKEN))
    [note] = notes(tmp_path)
    assert "says the same" in note and note.endswith("counts: it comes last by its path")
    assert "/v2/" in note.partition("; ")[2]


def test_a_folder_named_twice_is_read_once(tmp_path):
    write(tmp_path, record())
    assert (imported(tmp_path, tmp_path).files, notes(tmp_path, tmp_path)) == (1, [])


# --- run_summary.json ------------------------------------------------------------------------------


def summary(evaluation, *, patch=True, **agent):
    return {
        "schema_version": "1.0",
        "meta": {"repo": "vllm", "agent": "trae", "model": "gpt-5", "timestamp": RUN, "item_id": "vllm_core-0001"},
        "commits": {"human": HUMAN, "pre": PARENT},
        "agent": {"status": "success" if patch else "error", "patch_generated": patch, **agent},
        "evaluation": evaluation,
    }


@pytest.mark.parametrize(
    ("evaluation", "patch", "category"),
    [
        ({"status": "success", "baseline_ms": 2.0, "patched_ms": 1.0, "speedup": 2.0}, True, "SUCCESS_IMPROVEMENT"),
        ({"status": "baseline_failed", "error": "No module named 'decord'"}, True, "TEST_IMPORT_ERROR"),
        ({"status": "success", "baseline_ms": 2.0, "patched_ms": None}, True, "PATCHED_NO_OUTPUT"),
        ({"status": "baseline_failed", "error": "No module named 'decord'"}, False, "AGENT_NO_PATCH"),
        (None, False, "AGENT_NO_PATCH"),
    ],
)
def test_a_summary_is_judged_like_an_evaluation(tmp_path, evaluation, patch, category):
    write(tmp_path, summary(evaluation, patch=patch), name="run_summary.json")
    assert the_one(tmp_path).category == category


def test_a_summary_without_an_evaluation_is_named_and_no_outcome(tmp_path):
    file = write(tmp_path, summary(None), name="run_summary.json")
    assert imported(tmp_path).outcomes == ()
    assert notes(tmp_path) == [f"{file}: holds no evaluation, and a patch was generated; no outcome"]


# --- three-way results -----------------------------------------------------------------------------


def test_a_three_way_result_is_named_by_its_folder_and_its_file(tmp_path):
    way(tmp_path, status="error", error="No metrics in agent output")
    outcome = the_one(tmp_path)
    assert outcome.case.id == "vllm/2b2b2b2b/trae/gpt5/0123-results/2b2b2b2b"
    assert (outcome.case.run.alias, outcome.started_at) == ("trae_gpt5", "2026-01-14T19:13:20")
    assert outcome.category == "NO_METRICS"


@pytest.mark.parametrize(("status", "error"), [("success", None), ("error", "No metrics in agent output")])
def test_numbers_that_an_evaluation_did_not_find_are_read_from_the_output(tmp_path, status, error):
    printed = "INFO\nThroughput: 10.00 requests/s, {}.00 total tokens/s, 500.00 output tokens/s\n"
    way(tmp_path, status=status, error=error, raw_output=printed.format(1200))
    beside = {"status": "error", "error": "No metrics", "raw_output": printed.format(1000)}
    way(tmp_path, "2b2b2b2b_baseline_result.json", **beside)
    told = outcome_to_json(the_one(tmp_path))
    assert (told["category"], told["speedup"]["point"]) == ("SUCCESS_NEUTRAL", 1.0)
    assert "its numbers were read from its output: the record lists none" in told["integrity"]["flags"]
    metrics = told["protocol"]["recorded"]["metrics"]
    assert (metrics["agent"]["tokens_per_second"], metrics["baseline"]["tokens_per_second"]) == (1200.0, 1000.0)


def test_numbers_beside_an_error_are_no_numbers(tmp_path):
    printed = "Throughput: 10.00 requests/s, 1200.00 total tokens/s\n"
    way(tmp_path, status="error", error="Server crashed after applying patch", raw_output=printed)
    assert the_one(tmp_path).category == "SERVER_CRASHED"


def test_numbers_are_compared_with_the_baselines_beside_them(tmp_path):
    way(tmp_path, metrics={"output_token_throughput_tok_s": 1200.0, "mean_ttft_ms": 9.0})
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics={"output_token_throughput_tok_s": 1000.0})
    way(tmp_path, "2b2b2b2b_human_result.json", metrics={"output_token_throughput_tok_s": 1500.0})
    told = outcome_to_json(the_one(tmp_path))
    assert (told["category"], told["speedup"]["point"], told["speedup"]["recorded"]) == (
        "SUCCESS_IMPROVEMENT",
        1.2,
        True,
    )
    assert told["human_speedup"]["point"] == 1.5
    assert told["protocol"]["recorded"]["metric"] == "output_token_throughput_tok_s"
    assert notes(tmp_path) == []


def test_a_latency_that_falls_is_a_speedup(tmp_path):
    way(tmp_path, baseline_metrics={"mean_tpot_ms": 12.0}, metrics={"mean_tpot_ms": 10.0})
    assert the_one(tmp_path).comparison.point == pytest.approx(1.2)


NUMBERLESS = [
    ({"metrics": {"output_token_throughput_tok_s": 1200.0}}, "NO_METRICS", "no number of the baseline is recorded"),
    ({"metrics": {}}, "NO_METRICS", "no number is recorded"),
    ({"metrics": {"completed": 0, "failed": 40, "request_throughput": 0.0}}, "SERVER_CRASHED", "answered no request"),
    ({"metrics": {"duration": 4.0, "request_throughput": 0.0, "mean_ttft_ms": 0.0}}, "SERVER_CRASHED", "no request"),
    ({"metrics": {"completed": 0, "failed": 40, "duration": 4.0}}, "SERVER_CRASHED", "answered no request"),
    ({"status": "timeout", "error": "Benchmark timed out after 900s"}, "BENCHMARK_TIMEOUT", "900s"),
    ({"status": "incompatible", "error": "vLLM 0.4.0 has model compatibility issues"}, "NO_METRICS", "incompatible"),
    ({"status": "version_bug", "error": "known port binding bug"}, "NO_METRICS", "version_bug"),
    ({"status": "skipped", "skip_reason": "Requires 8 GPUs, only 1 H100 available"}, "HARDWARE_UNAVAILABLE", "8 GPUs"),
    ({"status": "error", "raw_output": "Hunk #1 FAILED at 12.\n"}, "PATCH_APPLY_FAILED", "Hunk #1"),
]


@pytest.mark.parametrize(("fields", "category", "words"), NUMBERLESS)
def test_a_three_way_result_without_a_comparison_says_why(tmp_path, fields, category, words):
    way(tmp_path, **fields)
    outcome = the_one(tmp_path)
    assert (outcome.category, words in outcome.failure.reason) == (category, True)


OTHERS = [
    ({"status": "error", "error": "Server crashed during startup"}, "SERVER_CRASHED", "environment", "crashed during"),
    ({"status": "error", "error": "Server crashed after applying patch"}, "SERVER_CRASHED", "environment", "crashed"),
    ({"status": "error", "raw_output": "no such image: x:base"}, "IMAGE_UNAVAILABLE", "environment", "x:base"),
    ({"status": "timeout"}, "BENCHMARK_TIMEOUT", "script", "took too long"),
    ({"status": "success"}, "NO_METRICS", "environment", "the baseline's result says success, and it holds no number"),
    ({"status": "version_bug", "error": "port bug"}, "NO_METRICS", "environment", "version_bug: port bug"),
    ({"metrics": {"completed": 0, "failed": 9, "request_throughput": 0.0}}, "SERVER_CRASHED", "environment", "no req"),
]


@pytest.mark.parametrize("agents", [{"metrics": {"request_throughput": 2.0}}, {"status": "error", "error": "odd"}])
@pytest.mark.parametrize(("fields", "category", "blame", "words"), OTHERS)
def test_a_baseline_that_gave_no_numbers_is_judged_before_the_patch(tmp_path, fields, category, blame, words, agents):
    way(tmp_path, **agents)
    way(tmp_path, "2b2b2b2b_baseline_result.json", **fields)
    failure = the_one(tmp_path).failure
    assert (failure.category, failure.side, failure.blame) == (category, "baseline", blame)
    assert words in failure.reason
    assert failure.hint


def test_of_two_results_of_the_baseline_the_one_with_numbers_counts(tmp_path):
    way(tmp_path, metrics={"request_throughput": 2.0})
    way(tmp_path, "2b2b2b2b_baseline_result.json", folder="a", status="error", error="Server crashed")
    way(tmp_path, "2b2b2b2b_baseline_result.json", folder="z", metrics={"request_throughput": 1.0})
    assert the_one(tmp_path).comparison.point == 2.0


def test_a_damaged_result_of_the_baseline_is_named_in_the_outcome(tmp_path):
    way(tmp_path, metrics={"request_throughput": 2.0})
    put(tmp_path / "2b2b2b2b_baseline_result.json", "")
    failure = the_one(tmp_path).failure
    assert (failure.category, failure.side, failure.reason) == ("NO_METRICS", "baseline", "its result is empty")
    assert failure.blame == "environment"


def test_sides_without_a_metric_in_common_are_no_comparison(tmp_path):
    way(tmp_path, metrics={"request_throughput": 2.0}, baseline_metrics={"mean_ttft_ms": 9.0})
    failure = the_one(tmp_path).failure
    assert failure.category == "NO_METRICS"
    assert "(mean_ttft_ms 9) and the agent's side (request_throughput 2) have no metric in common" in failure.reason


def test_a_human_that_gave_no_numbers_is_named_and_stops_nobody(tmp_path):
    way(tmp_path, metrics={"request_throughput": 2.0}, baseline_metrics={"request_throughput": 1.0})
    human = way(tmp_path, "2b2b2b2b_human_result.json", status="error", error="Server crashed")
    assert the_one(tmp_path).human is None
    [note] = notes(tmp_path)
    assert note == (
        f"{human}: is a result of the human's side without numbers (it says: Server crashed); no speedup of the human's"
    )


def test_an_invalid_file_that_says_success_is_none(tmp_path):
    text = (
        '{"commit_hash": "2b2b2b2b00", "status": "success", "model": "facebook/opt-125m", "throughput_tok_s": , "a": 1}'
    )
    file = put(tmp_path / "codex" / "2b2b2b2b_result.json", text)
    outcome = the_one(tmp_path)
    assert (outcome.category, "no valid JSON" in outcome.failure.reason) == ("NO_METRICS", True)
    assert any(note.startswith(str(file)) for note in notes(tmp_path))


def test_the_plan_fills_in_the_repository_and_its_contradictions_are_named(tmp_path):
    way(tmp_path, status="error", error="No metrics", raw_output="")
    plan = {
        "commit_full": "2b2b2b2b",
        "benchmark_mode": "standalone",
        "perf_command": "python benchmarks/benchmark_serving.py --model mistralai/Mixtral-8x7B",
        "model": "mistralai/Mixtral-8x22B",
    }
    put(tmp_path / "mappings" / "benchmark_mode_mapping.json", {"2b2b2b2b": plan, "3c3c3c3c": {"benchmark_mode": None}})
    told = outcome_to_json(the_one(tmp_path))
    assert (told["repo"], told["protocol"]["recorded"]["plan"]["benchmark_mode"]) == ("vllm", "standalone")
    named = "\n".join(notes(tmp_path))
    for what in ("its plan says model mistralai/Mixtral-8x22B", "serving command standalone", "no full commit"):
        assert what in named
    assert "no benchmark_mode" not in named, "the plans of commits without a result are nobody's concern"


def test_a_result_of_the_human_alone_is_named(tmp_path):
    way(tmp_path, "2b2b2b2b_human_result.json", status="error", error="Server crashed during startup")
    assert imported(tmp_path).outcomes == ()
    assert "Server crashed during startup" in notes(tmp_path)[0]


# --- nothing is lost -------------------------------------------------------------------------------


def test_every_file_is_an_outcome_or_a_note(tmp_path):
    for number in range(30):
        content = [record(measured(2.0, 1.0)), "", "{", record(BROKEN), WHOLE[: 100 * number], "[]"][number % 6]
        write(tmp_path, content, item=f"vllm_core-{number:04}")
    found = imported(tmp_path)
    told = {outcome.protocol["recorded"]["file"] for outcome in found.outcomes} | {note.path for note in found.notes}
    assert found.files == 30
    assert len({file for file in told if file.endswith("test_results.json")}) == 30


def test_outcomes_are_sorted_and_their_ids_unique(tmp_path):
    for item in ("b", "a", "c"):
        write(tmp_path, record(item_id=item), item=item)
    ids = [outcome.case.id for outcome in imported(tmp_path).outcomes]
    assert ids == sorted(set(ids))
    assert replace(imported(tmp_path).outcomes[0]) == imported(tmp_path).outcomes[0]
