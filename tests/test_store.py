from __future__ import annotations

import json
import os
import time

import pytest
from canned import failed, measured
from cases import case_of

from pytest_perfagents.jsontext import json_text
from pytest_perfagents.model import Blame, UsageError
from pytest_perfagents.report.json_report import report_to_json, write_report
from pytest_perfagents.store import (
    ResultsWriter,
    is_done,
    known_run,
    latest_run,
    load_results,
    new_run_name,
    outcome_from_json,
    outcome_to_json,
)


def record_of(number, category="SUCCESS_NEUTRAL"):
    case = case_of(number=number)
    return outcome_to_json(measured(case, category) if category.startswith("SUCCESS") else failed(case, category))


def test_a_run_without_an_outcome_can_be_resumed_by_its_name(tmp_path):
    with ResultsWriter(tmp_path / "run"):
        assert known_run(tmp_path, "run") == latest_run(tmp_path) == "run"
    assert load_results(tmp_path / "run").records == {}


def test_every_outcome_is_readable_as_soon_as_it_is_appended(tmp_path):
    with ResultsWriter(tmp_path / "run") as writer:
        for number in range(3):
            writer.append(record_of(number))
            assert len(load_results(tmp_path / "run").records) == number + 1


def test_processes_have_files_of_their_own_and_are_read_together(tmp_path):
    for number, process in enumerate(["", "gw0", "gw1"]):
        with ResultsWriter(tmp_path, process) as writer:
            writer.append(record_of(number))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "outcomes-gw0.jsonl",
        "outcomes-gw1.jsonl",
        "outcomes.jsonl",
    ]
    assert len(load_results(tmp_path).outcomes()) == 3


def test_the_last_outcome_of_a_case_counts_in_whichever_file_it_stands(tmp_path):
    with ResultsWriter(tmp_path) as old, ResultsWriter(tmp_path, "gw0") as new:
        old.append(record_of(0, "TEST_IMPORT_ERROR"))
        new.append(record_of(0, "SUCCESS_NEUTRAL"))
        assert [record["category"] for record in load_results(tmp_path).records.values()] == ["SUCCESS_NEUTRAL"]
        old.append(record_of(0, "SUCCESS_IMPROVEMENT"))
    assert [record["category"] for record in load_results(tmp_path).records.values()] == ["SUCCESS_IMPROVEMENT"]


def test_a_record_that_cannot_be_read_is_no_outcome(tmp_path):
    whole = record_of(0)
    without = {key: value for key, value in record_of(1).items() if key != "sides"}
    damaged = [without, {**record_of(2), "commit": "no hash"}, {**record_of(3), "integrity": []}]
    damaged.append({**record_of(4), "speedup": None, "category": None})
    damaged.append({**record_of(5), "sides": ["patched"]})
    with ResultsWriter(tmp_path) as writer:
        for record in (whole, *damaged):
            writer.append(record)
    stored = load_results(tmp_path)
    assert (len(stored.records), list(stored.outcomes())) == (6, [whole["id"]])


def test_a_line_cut_off_by_a_kill_is_passed_over_and_the_next_is_not_glued_to_it(tmp_path):
    with ResultsWriter(tmp_path) as writer:
        writer.append(record_of(0))
        writer.append(record_of(1))
    file = tmp_path / "outcomes.jsonl"
    os.truncate(file, file.stat().st_size - 40)
    assert (len(load_results(tmp_path).records), load_results(tmp_path).damaged) == (1, 1)
    with ResultsWriter(tmp_path) as writer:
        writer.append(record_of(2))
    stored = load_results(tmp_path)
    assert [record["item"][-1] for record in stored.records.values()] == ["0", "2"]
    assert stored.damaged == 1


def test_a_report_and_a_single_file_are_read_too(tmp_path):
    write_report(tmp_path / "out.json", report_to_json([record_of(0)], []))
    with ResultsWriter(tmp_path) as writer:
        writer.append(record_of(1))
    assert [record["item"][-1] for record in load_results(tmp_path / "out.json").records.values()] == ["0"]
    assert [record["item"][-1] for record in load_results(tmp_path / "outcomes.jsonl").records.values()] == ["1"]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "other/1"}'])
def test_a_foreign_file_is_a_usage_error(tmp_path, text):
    (tmp_path / "out.json").write_text(text)
    with pytest.raises(UsageError, match=r"out\.json"):
        load_results(tmp_path / "out.json")


def test_a_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no results here"):
        load_results(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("category", "blame", "done"),
    [
        ("SUCCESS_INCONCLUSIVE", None, True),
        ("AGENT_NO_PATCH", Blame.AGENT, True),
        ("BASELINE_TIMEOUT", Blame.SCRIPT, True),
        ("PATCHED_TIMEOUT", Blame.AGENT, True),
        ("TEST_IMPORT_ERROR", Blame.ENVIRONMENT, False),
        ("AGENT_INFRA_ERROR", None, False),
        ("GIT_WORKTREE_FAILED", None, False),
        ("PATCHED_OOM", Blame.AGENT, False),
        ("HARNESS_ERROR", Blame.HARNESS, False),
    ],
)
def test_infrastructure_failures_are_not_done(category, blame, done):
    outcome = measured(case_of(), category) if blame is None and done else failed(case_of(), category, blame=blame)
    assert is_done(outcome) is done


def test_the_latest_run_has_the_newest_outcome_whatever_its_name(tmp_path):
    assert latest_run(tmp_path) is None
    for name in ("zz-first", "aa-second"):
        with ResultsWriter(tmp_path / name) as writer:
            writer.append(record_of(0))
        time.sleep(0.01)
    assert latest_run(tmp_path) == "aa-second"
    assert known_run(tmp_path, "zz-first") == "zz-first"
    with pytest.raises(UsageError, match=r"no run 'nightly'.*there are aa-second, zz-first"):
        known_run(tmp_path, "nightly")


def test_two_runs_within_a_second_have_two_names(tmp_path):
    taken = new_run_name(tmp_path)
    (tmp_path / taken).mkdir()
    assert new_run_name(tmp_path) != taken


def test_a_report_counts_and_lists_what_was_not_run():
    records = [record_of(1), record_of(0, "TEST_IMPORT_ERROR")]
    report = report_to_json(records, [record_of(number)["id"] for number in range(4)], run="nightly")
    assert [outcome["item"][-1] for outcome in report["outcomes"]] == ["0", "1"]
    summary = report["summary"]
    assert (summary["total"], summary["selected"], summary["run"]) == (2, 4, "nightly")
    assert summary["categories"] == {"SUCCESS_NEUTRAL": 1, "TEST_IMPORT_ERROR": 1}
    assert summary["pytest_outcomes"] == {"passed": 1, "xfailed": 1}
    assert [case[-1] for case in summary["not_run"]] == ["2", "3"]


def test_a_report_replaces_the_old_one_whole_and_makes_its_folder(tmp_path):
    file = tmp_path / "new" / "out.json"
    write_report(file, report_to_json([record_of(0)], []))
    write_report(file, report_to_json([], []))
    assert json.loads(file.read_text())["outcomes"] == []
    assert [path.name for path in file.parent.iterdir()] == ["out.json"]


def test_text_that_utf8_cannot_hold_is_stored_all_the_same(tmp_path):
    record = {**record_of(0), "reason": "bad \ud800"}
    with ResultsWriter(tmp_path / "run") as writer:
        writer.append(record)
    [stored] = load_results(tmp_path / "run").records.values()
    assert stored["reason"] == r"bad \ud800"


def test_a_run_whose_name_utf8_cannot_hold_has_one_id_everywhere():
    outcome = outcome_from_json({**record_of(0), "item": "odd\udcff"})
    assert outcome.case.id.endswith(r"/odd\udcff")
    again = outcome_from_json(json.loads(json_text(outcome_to_json(outcome))))
    assert again.case.id == outcome.case.id
