from __future__ import annotations

import json
from pathlib import Path

import pytest
from canned import failed, measured
from cases import case_of
from test_report import perfagents

from pytest_perfagents.analysis.speedups import milliseconds
from pytest_perfagents.model import Category, UsageError
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.report.json_report import report_to_json, write_report
from pytest_perfagents.resultsets import read_results


def record(number=0, category="SUCCESS_NEUTRAL", **more):
    build = measured if category.startswith("SUCCESS") else failed
    return {**outcome_to_json(build(case_of(number=number), category)), **more}


def write(folder, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "outcomes.jsonl").write_text("".join(f"{text}\n" for text in texts))
    return folder


def test_what_a_record_says_is_what_an_entry_has(tmp_path):
    whole = record(category="SUCCESS_IMPROVEMENT")
    (entry,) = read_results([write(tmp_path / "run", whole)]).entries
    assert (entry.id, entry.category, entry.place) == (
        whole["id"],
        Category.SUCCESS_IMPROVEMENT,
        ("minivllm", "1a2b3c4d"),
    )
    assert (entry.speedup.point, entry.speedup.interval) == (1.5, (pytest.approx(1.47), pytest.approx(1.545)))
    assert entry.human_speedup.point == 2.0
    assert entry.sides["baseline"].median_s == pytest.approx(0.0135)


def test_a_recorded_side_has_the_mean_that_its_speedup_rests_on(tmp_path):
    stated = {"median_s": 0.010, "stated": {"mean_s": 0.012, "median_s": 0.010}}
    bare = {"point": 1.2, "low": None, "high": None, "category": "SUCCESS_IMPROVEMENT", "recorded": True}
    line = record(category="SUCCESS_IMPROVEMENT", speedup=bare, sides={"baseline": stated})
    (entry,) = read_results([write(tmp_path / "run", line)]).entries
    assert milliseconds(entry, "baseline") == pytest.approx(12)
    assert (milliseconds(entry, "patched"), entry.speedup.interval) == (None, None)


def test_all_runs_of_a_results_folder_are_read(tmp_path):
    write(tmp_path / "results" / "first", record(0))
    write(tmp_path / "results" / "second", record(1), record(2))
    found = read_results([tmp_path / "results"])
    assert (len(found.entries), found.files, found.read, found.replaced) == (3, 2, 3, 0)


def test_a_file_that_is_named_twice_is_read_once(tmp_path, monkeypatch):
    folder = write(tmp_path / "results" / "run", record(0))
    monkeypatch.chdir(tmp_path)
    found = read_results([folder, Path("results"), folder / "outcomes.jsonl"])
    assert (found.files, found.read, found.replaced) == (1, 1, 0)


def test_a_later_outcome_of_the_same_run_replaces_an_earlier_one_and_is_counted(tmp_path):
    began = {"started_at": "2026-01-01T00:00:00Z"}
    early = record(0, "TEST_IMPORT_ERROR", recorded_at="2026-01-01T00:00:00Z", **began)
    late = record(0, recorded_at="2026-01-02T00:00:00Z", **began)
    for name, lines in (("late-first", (late, early)), ("early-first", (early, late))):
        found = read_results([write(tmp_path / name, *lines)])
        assert [entry.category for entry in found.entries] == ["SUCCESS_NEUTRAL"]
        assert (found.read, found.replaced) == (2, 1)
        assert "1 replaced" in found.line


def test_without_times_the_one_that_is_read_last_stands(tmp_path):
    first, second = (record(0, category, started_at="") for category in ("TEST_IMPORT_ERROR", "SUCCESS_NEUTRAL"))
    paths = [write(tmp_path / "a", first), write(tmp_path / "b", second)]
    assert read_results(paths).entries[0].category == "SUCCESS_NEUTRAL"
    assert read_results(paths[::-1]).entries[0].category == "TEST_IMPORT_ERROR"


def test_it_is_said_which_files_outcome_stands(tmp_path):
    old, new = (write(tmp_path / name, record(0), record(1), record(number)) for name, number in (("a", 2), ("b", 3)))
    for first, second in ((old, new), (new, old)):
        found = read_results([first, second])
        assert [str(each) for each in found.overlaps] == [
            f"2 of {first.name}/outcomes.jsonl replaced by {second.name}/outcomes.jsonl"
        ]
        text = perfagents("report", first, second, "--format", "markdown").stdout
        assert str(found.overlaps[0]) in text.replace("\\", "")
    (told,) = json.loads(perfagents("report", old, new, "--format", "json").stdout)["read"]["all"]["overlaps"]
    assert told == {"file": str(old / "outcomes.jsonl"), "by": str(new / "outcomes.jsonl"), "count": 2}


def test_outcomes_that_are_replaced_in_their_own_file_name_no_other(tmp_path):
    found = read_results([write(tmp_path / "a", record(0), record(0))])
    assert (found.replaced, found.overlaps) == (1, ())


BROKEN = {
    '{"schema": "perfagents/outc': "malformed",
    json.dumps({**record(), "schema": "perfagents/outcome/9"}): "schema",
    json.dumps({**record(), "category": "SUCCESS_GREAT"}): "category",
    json.dumps({**record(), "speedup": None}): "without a speedup contradicts itself",
    json.dumps({**record(), "speedup": {"point": 0}}): "above 0",
    json.dumps({key: value for key, value in record().items() if key != "commit"}): "commit",
    json.dumps([1, 2]): "object",
    json.dumps({**record(), "sides": {"baseline": {"median_s": "fast"}}}): "median_s",
    '{"id": NaN}': "invalid character",
}


@pytest.mark.parametrize(("line", "said"), BROKEN.items(), ids=BROKEN.values())
def test_a_damaged_line_is_named_by_file_and_line_and_the_others_count(line, said, tmp_path):
    found = read_results([write(tmp_path / "run", record(0), "", line, record(1))])
    (damage,) = found.damaged
    assert len(found.entries) == 2
    assert (damage.file, damage.place) == (str(tmp_path / "run" / "outcomes.jsonl"), 3)
    assert said in damage.problem
    assert "1 damaged" in found.line


def test_bytes_that_are_no_text_are_damage(tmp_path):
    folder = write(tmp_path / "run", record(0))
    with (folder / "outcomes.jsonl").open("ab") as file:
        file.write(b'{"id": "\xff\xfe"}\n')
    assert [each.place for each in read_results([folder]).damaged] == [2]


def test_a_report_file_is_read_outcome_by_outcome(tmp_path):
    report = report_to_json([record(0), record(1), {**record(2), "category": "odd"}], [])
    write_report(tmp_path / "out.json", report)
    found = read_results([tmp_path / "out.json"])
    assert (len(found.entries), [each.place for each in found.damaged]) == (2, [3])
    assert len(read_results([tmp_path]).entries) == 2  # a folder that holds nothing but reports


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", '{"schema": "perfagents/report/1", "outc', "cut off"),
        ("x.json", '{"schema": "other"}', "not a perfagents/report/1 file"),
        ("x.json", "[1]", "not a perfagents/report/1 file"),
        ("x.txt", "", "not JSON"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_with_its_name(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        read_results([tmp_path / name])
    assert name in str(caught.value)


def test_a_folder_without_results_and_a_path_that_is_not_there_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no results here"):
            read_results([path])


def test_a_model_with_several_spellings_gets_its_shortest(tmp_path):
    bedrock = record(1, model="us-anthropic-claude-sonnet-4-5-20250929-v1-0", alias="trae_sonnet45")
    plain, other = record(2, model="claude-sonnet-45", alias="trae_sonnet45"), record(3)
    models = [entry.model for entry in read_results([write(tmp_path / "run", bedrock, plain, other)]).entries]
    assert models == ["claude-sonnet-45", "claude-sonnet-45", "gpt-5"]
