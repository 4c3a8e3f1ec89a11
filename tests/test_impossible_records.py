"""Records with numbers that nobody can have measured, and what must not cost the other records."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner
from recordings import measured, printed, put, record, write

from pytest_perfagents.cli import commands
from pytest_perfagents.recorded.importing import _Reader, import_records, read_records
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.resultsets import read_results

TINY = 5e-324
NO_TIMES = [
    ({"baseline_ms": TINY, "patched_ms": 1.0}, "BASELINE_NO_OUTPUT", "baseline_ms is 4.94066e-324"),
    ({"baseline_ms": 1.0, "patched_ms": TINY}, "PATCHED_NO_OUTPUT", "patched_ms is 4.94066e-324"),
    ({"baseline_ms": 1e300, "patched_ms": 1e-300}, "BASELINE_NO_OUTPUT", "baseline_ms is 1e+300"),
    ({"baseline_ms": 1e-300, "patched_ms": 1e300}, "BASELINE_NO_OUTPUT", "patched_ms is 1e+300"),
    ({"baseline_output": printed(TINY)}, "BASELINE_NO_OUTPUT", "avg_ms of baseline_output is 4.94066e-324"),
    (
        {"baseline_output": {"benchmarks": [{"stats": {"mean": 1e308}}] * 2}},
        "BASELINE_NO_OUTPUT",
        "the mean of baseline_output is inf",
    ),
]


@pytest.mark.parametrize(("result", "category", "note"), NO_TIMES)
def test_a_time_that_nobody_can_have_measured_is_none_and_named(tmp_path, result, category, note):
    outputs = {} if "baseline_output" in result else {"baseline_output": None, "patched_output": None}
    write(tmp_path, record(measured(2.0, 1.0, stdout="", **outputs) | result))
    write(tmp_path, record(measured(2.0, 1.0), item_id="sound"), item="sound")
    found = import_records([tmp_path])
    assert sorted(outcome.category for outcome in found.outcomes) == sorted([category, "SUCCESS_IMPROVEMENT"])
    assert any(note in each.what and each.done == "passed over" for each in found.notes)


@pytest.mark.parametrize("median", [{"p50_ms": 1e308}, {"times_ms": [1e308, 1e308]}])
def test_a_median_that_nobody_can_have_measured_is_none(tmp_path, median):
    write(tmp_path, record(measured(2.0, 1.0, baseline_output=printed(2.0) | {"p50_ms": None} | median)))
    [outcome] = import_records([tmp_path]).outcomes
    assert (outcome.comparison.point, outcome.comparison.median) == (2.0, None)
    assert outcome.sides["baseline"].stated.median_s is None


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        (({"request_throughput": 1e308}, {"request_throughput": 1e-308}), "request_throughput"),
        (({"mean_ttft_ms": 1e-308}, {"mean_ttft_ms": 1e308}), "mean_ttft_ms"),
    ],
)
def test_a_figure_that_no_benchmark_gives_is_none_and_named(tmp_path, numbers, name):
    served = {"status": "success", "metrics": numbers[0], "baseline_metrics": numbers[1]}
    put(tmp_path / "vllm_3way_codex" / "results" / "1a1a1a1a_agent_result.json", served)
    found = import_records([tmp_path])
    assert [outcome.category for outcome in found.outcomes] == ["NO_METRICS"]
    assert len([note for note in found.notes if note.what.startswith(f"{name} of ")]) == 2


@pytest.mark.parametrize("seconds", [-5, 1e308])
def test_a_duration_that_cannot_be_is_none_and_named(tmp_path, seconds):
    write(tmp_path, record(measured(2.0, 1.0, duration_s=seconds)))
    found = import_records([tmp_path])
    assert [outcome.duration_s for outcome in found.outcomes] == [0.0]
    assert any(note.what.startswith("duration_s is ") for note in found.notes)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("139", "killed by SIGSEGV"),
        ("-11", "killed by SIGSEGV"),
        (1e300, "is not recorded"),
        ("soon", "is not recorded"),
    ],
)
def test_an_exit_code_may_be_written_as_a_text_and_is_one_that_a_system_gives(tmp_path, code, reason):
    write(tmp_path, record({"exit_code": code}))
    [outcome] = import_records([tmp_path]).outcomes
    assert reason in outcome.failure.reason


def test_a_status_of_any_length_is_told_in_short(tmp_path):
    write(tmp_path, record(measured(2.0, 1.0, status="x" * 100_000)))
    found = import_records([tmp_path])
    [outcome] = found.outcomes
    [flag] = outcome.integrity.flags
    assert len(flag) < 300
    assert flag.endswith("the times count, unless the results differ")
    assert len(json.dumps(outcome_to_json(outcome))) < 5000
    assert all(len(note.what) < 300 for note in found.notes)


# --- one record costs no other ---------------------------------------------------------------------


def deep(levels):
    return json.loads("[" * levels + "]" * levels)


def test_what_lies_too_deep_is_left_out_and_the_outcome_stays(tmp_path):
    write(tmp_path, record(measured(2.0, 1.0, patched_output=printed(1.0, device=deep(900)))))
    told = CliRunner().invoke(commands, ["import", str(tmp_path), "--perf-json", str(tmp_path / "out.json")])
    assert (told.exit_code, read_results([tmp_path / "out.json"]).entries[0].category) == (0, "SUCCESS_IMPROVEMENT")


def test_a_record_that_our_code_cannot_judge_is_a_harness_error_and_the_others_stay(tmp_path):
    write(tmp_path, record(measured(2.0, 1.0)))
    write(tmp_path, record(item_id="odd"), item="odd")
    reader = read_records([tmp_path])
    records = [replace(each, stderr=7) if each.origin.run.item == "odd" else each for each in reader.records]
    odd, sound = sorted((reader.outcome(each) for each in records), key=lambda outcome: outcome.category)
    assert (odd.category, odd.failure.blame, sound.category) == ("HARNESS_ERROR", "harness", "SUCCESS_IMPROVEMENT")
    assert "Traceback" in odd.failure.evidence["traceback"]
    assert odd.protocol["recorded"]["file"].endswith("odd/test_results.json")


def test_a_file_that_our_code_cannot_read_is_noted(tmp_path):
    file = write(tmp_path, record())
    reader = _Reader(names=None)
    assert reader.read([tmp_path]) == []
    [note] = reader.notes
    assert (note.path, note.done) == (str(file), "no outcome")
    assert "met a bug of pytest-perfagents (AttributeError" in note.what


# --- texts that UTF-8 cannot hold ------------------------------------------------------------------


def test_lone_surrogates_leave_every_file_of_ours_readable(tmp_path):
    broken = record({"error_message": "ValueError: \ud83d broke", "stderr": "\udc80"}, model="m\udfff")
    write(tmp_path / "eval", broken)
    write(
        tmp_path / "eval",
        record(measured(2.0, 1.0, patched_output=printed(1.0, device="\ud83d")), item_id="b"),
        item="b",
    )
    plan = {"1a1a1a1a": {"perf_command": "vllm bench \ud83d", "benchmark_mode": "serving", "commit_full": "1a" * 20}}
    put(tmp_path / "eval" / "vllm_3way_codex" / "benchmark_mode_mapping.json", plan)
    numbers = {"status": "success", "metrics": {"request_throughput": 2.0, "x\ud83d": 1.0}}
    put(tmp_path / "eval" / "vllm_3way_codex" / "results" / "1a1a1a1a_agent_result.json", numbers)
    report, results = tmp_path / "out.json", tmp_path / "results"
    told = CliRunner().invoke(
        commands, ["import", str(tmp_path / "eval"), "--perf-json", str(report), "--results", str(results)]
    )
    assert told.exit_code == 0
    for place in (report, results):
        found = read_results([place])
        assert (len(found.entries), found.damaged) == (3, ())
    assert any(r"\ud83d broke" in entry.reason for entry in found.entries)


def test_paths_in_no_utf8_are_told_and_stay_apart(tmp_path):
    for name in (b"odd\xff", b"odd\xfe"):
        put(tmp_path / "eval" / "run" / os.fsdecode(name) / "test_results.json", "{bad")
    report = tmp_path / "out.json"
    CliRunner().invoke(commands, ["import", str(tmp_path / "eval"), "--perf-json", str(report)])
    assert (len(read_results([report]).entries), read_results([report]).damaged) == (1, ())
    broken = [note["path"] for note in msgspec.json.decode(report.read_bytes())["notes"] if "valid" in note["what"]]
    assert [path.partition("/run/")[2] for path in broken] == [
        r"odd\udcfe/test_results.json", r"odd\udcff/test_results.json",
    ]  # fmt: skip
