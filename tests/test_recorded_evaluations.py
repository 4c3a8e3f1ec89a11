"""Recorded evaluations whose times, results or messages are odd: what they are called, and what is said of them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from recordings import HUMAN, PARENT, measured, printed, put, record, served, write

from pytest_perfagents.analysis.speedups import milliseconds
from pytest_perfagents.cli import commands
from pytest_perfagents.recorded.files import read_json
from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.records import outcome_to_json, reason_of
from pytest_perfagents.resultsets import read_results


def the_one(root):
    [outcome] = import_records([root]).outcomes
    return outcome


def judged(tmp_path, result, **metadata):
    write(tmp_path, record(result, **metadata))
    return the_one(tmp_path)


def notes(root):
    return [str(note) for note in import_records([root]).notes]


# --- mean and median -------------------------------------------------------------------------------

P50 = {"iters": 50, "opt_path_hit": True, "p50_ms": 10.0}
ONE_MEAN = [
    # baseline_output, patched_output, point, who has no mean
    (P50, P50 | {"avg_ms": 11.0}, 1.0, "the baseline"),
    (P50 | {"avg_ms": 12.0}, P50, 1.0, "the patched side"),
    (P50, P50 | {"p50_ms": 8.0}, 1.25, "the baseline and the patched side"),
    (P50 | {"p50_ms": 12.48}, P50 | {"avg_ms": 9.0, "p50_ms": 12.39}, 12.48 / 12.39, "the baseline"),
    (P50 | {"avg_ms": -3}, P50 | {"avg_ms": 5.0}, 1.0, "the baseline"),
]


@pytest.mark.parametrize(("baseline", "patched", "point", "who"), ONE_MEAN)
def test_where_a_side_has_no_mean_the_medians_are_compared_and_a_flag_says_so(tmp_path, baseline, patched, point, who):
    result = measured(1.0, 1.0, baseline_output=baseline, patched_output=patched, baseline_ms=None, patched_ms=None)
    outcome = judged(tmp_path, result | {"speedup": None})
    assert outcome.comparison.point == outcome.comparison.median == pytest.approx(point)
    assert outcome.category == ("SUCCESS_IMPROVEMENT" if point > 1.05 else "SUCCESS_NEUTRAL")
    flag = outcome.integrity.flags[0]
    assert flag == f"no mean is recorded of {who}: the medians of both sides are compared"
    assert "by the means" not in " ".join(outcome.integrity.flags)
    stated = outcome_to_json(outcome)["sides"]["baseline"]["stated"]
    assert ("baseline" in who) == (stated["mean_s"] is None)


def test_a_table_of_speedups_shows_the_times_that_were_compared(tmp_path):
    result = measured(12.0, 10.0, baseline_output=P50 | {"avg_ms": 12.0}, patched_output=P50)
    write(tmp_path / "eval", record(result))
    command = ["import", str(tmp_path / "eval"), "--results", str(tmp_path / "results"), "--run", "x"]
    assert CliRunner().invoke(commands, command).exit_code == 0
    [entry] = read_results([tmp_path / "results"]).entries
    assert [milliseconds(entry, role) for role in ("baseline", "patched")] == pytest.approx([10.0, 10.0])


def test_a_mean_alone_and_a_median_alone_are_no_comparison(tmp_path):
    mean = {"iters": 50, "opt_path_hit": True, "avg_ms": 9.0}
    failure = judged(tmp_path, measured(1.0, 1.0, baseline_output=P50, patched_output=mean)).failure
    assert (failure.category, failure.blame) == ("NO_METRICS", "script")
    assert failure.reason == "the record has only a median of the baseline and only a mean of the patched side"
    assert "both sides" in failure.hint


def test_times_that_are_written_as_texts_are_times(tmp_path):
    texts = {"baseline_ms": "10", "patched_ms": " 5.0 ", "speedup": "2"}
    outputs = {"baseline_output": P50 | {"avg_ms": "10.0"}, "patched_output": P50 | {"avg_ms": "5", "p50_ms": "5e0"}}
    outcome = judged(tmp_path, measured(1.0, 1.0, **texts, **outputs))
    assert (outcome.category, outcome.comparison.point) == ("SUCCESS_IMPROVEMENT", 2.0)
    assert outcome.comparison.median == 2.0
    assert outcome.integrity.flags == ()


NO_TIMES = [
    ({"baseline_ms": "fast"}, "baseline_ms is 'fast', which is no time: passed over"),
    ({"patched_ms": -3}, "patched_ms is -3, which is no time: passed over"),
    (
        {"patched_output": printed(1.0) | {"avg_ms": -3, "mean_ms": 1.0}},
        "avg_ms of patched_output is -3, which is no time: passed over",
    ),
    (
        {"baseline_output": printed(2.0) | {"p50_ms": ["x"]}},
        "p50_ms of baseline_output is ['x'], which is no time: passed",
    ),
]


@pytest.mark.parametrize(("odd", "flag"), NO_TIMES)
def test_what_is_no_time_is_named(tmp_path, odd, flag):
    outcome = judged(tmp_path, measured(2.0, 1.0, **odd))
    assert outcome.category == "SUCCESS_IMPROVEMENT"
    assert [each for each in outcome.integrity.flags if each.startswith(flag)]
    assert [note for note in notes(tmp_path) if "which is no time; passed over" in note]


def test_less_than_nothing_is_no_time(tmp_path):
    outcome = judged(tmp_path, {"status": "success", "baseline_ms": -2.0, "patched_ms": -1.0})
    assert outcome.category == "BASELINE_NO_OUTPUT"


# --- no patch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent_status", ["success", "error"])
@pytest.mark.parametrize("status", ["success", "no_patch"])
def test_without_a_patch_times_of_both_sides_say_nothing(tmp_path, agent_status, status):
    outcome = judged(tmp_path, measured(10.0, 5.0, status=status), patch_path=None, agent_status=agent_status)
    assert outcome.category == "AGENT_NO_PATCH"
    assert outcome.protocol["recorded"]["contradictions"] == [
        "it says that there is no patch, and both sides have a time: nothing of a patch was measured"
    ]
    [note] = notes(tmp_path)
    assert note.endswith("both sides have a time; nothing of a patch was measured")


@pytest.mark.parametrize("path", [3, {"a": 1}, False])
def test_what_is_no_path_does_not_say_that_there_is_no_patch(tmp_path, path):
    outcome = judged(tmp_path, measured(10.0, 5.0), patch_path=path)
    assert outcome.category == "SUCCESS_IMPROVEMENT"
    assert f"patch_path is {path!r}, which is no path: passed over" in outcome.integrity.flags


EXPIRED = "ExpiredTokenException: The security token included in the request is expired"


@pytest.mark.parametrize(
    ("result", "category", "blame"),
    [
        ({"status": "no_patch", "error_message": EXPIRED}, "AGENT_INFRA_ERROR", "environment"),
        ({"status": "error", "error_message": EXPIRED}, "AGENT_INFRA_ERROR", "environment"),
        ({"status": "error", "error_message": f"Baseline test failed: {EXPIRED}"}, "AGENT_NO_PATCH", "agent"),
        ({"status": "baseline_failed", "error_message": EXPIRED}, "AGENT_NO_PATCH", "agent"),
        (
            {"status": "error", "error_message": EXPIRED, "baseline_output": {"error": EXPIRED}},
            "AGENT_NO_PATCH",
            "agent",
        ),
    ],
)
def test_an_agent_whose_service_failed_is_told_from_what_its_record_says(tmp_path, result, category, blame):
    failure = judged(tmp_path, result, patch_path=None, agent_status="error").failure
    assert (failure.category, failure.blame) == (category, blame)
    assert ("aws sso login" in failure.hint) == (category == "AGENT_INFRA_ERROR")


# --- another result --------------------------------------------------------------------------------

SAID = "Equivalence check failed: max abs diff 3.2"
UNEQUAL = [
    ({"error_message": SAID}, SAID),
    ({"patched_output": printed(5.0, equivalent=False)}, "the record says equivalent: false"),
    ({"patched_output": printed(5.0, eq_level="mismatch")}, "the record says eq_level: mismatch"),
    ({"patched_output": printed(5.0, eq_level="mismatch", equivalent=False), "error_message": SAID}, SAID),
    ({"equivalent": False, "patched_output": None}, "the record says equivalent: false"),
    ({"status": "equivalence_failed"}, "its status is equivalence_failed"),
]


@pytest.mark.parametrize(("odd", "said"), UNEQUAL)
def test_another_result_counts_whatever_the_status(tmp_path, odd, said):
    failure = judged(tmp_path, measured(10.0, 5.0, **odd)).failure
    assert (failure.category, failure.blame) == ("EQUIVALENCE_FAILED", "agent")
    assert failure.reason == f"the result changed: {said}"


@pytest.mark.parametrize("level", ["numeric", "exact", "behavioral", "skip", None])
def test_a_result_that_was_found_equal_or_not_looked_at_is_no_other(tmp_path, level):
    outcome = judged(tmp_path, measured(10.0, 5.0, patched_output=printed(5.0, eq_level=level, equivalent=True)))
    assert outcome.category == "SUCCESS_IMPROVEMENT"


def test_a_side_that_did_not_run_has_no_other_result(tmp_path):
    error = {"error": "CUDA out of memory", "equivalent": False}
    result = measured(10.0, 5.0, status="error", patched_ms=None, patched_output=error, equivalent=False)
    assert judged(tmp_path, result).category == "PATCHED_OOM"


@pytest.mark.parametrize(("one", "other", "flags"), [("cuda", "cpu", 1), ("cuda:0", "cuda", 0), ("cuda", None, 0)])
def test_sides_on_different_devices_are_flagged(tmp_path, one, other, flags):
    outputs = {"baseline_output": printed(10.0) | {"device": one}, "patched_output": printed(5.0) | {"device": other}}
    outcome = judged(tmp_path, measured(10.0, 5.0, **outputs))
    assert outcome.category == "SUCCESS_IMPROVEMENT"
    told = ["the baseline ran on cuda, the patched side on cpu: the speedup is that of the device, too"]
    assert list(outcome.integrity.flags) == told[:flags]


# --- messages --------------------------------------------------------------------------------------

LIMITS = [
    ("Test execution timed out after 600 seconds", "within 600 s"),
    ("timed out after 1800s", "within 1800 s"),
    ("time limit of 10 minutes: timed out", "within 600 s"),
    ("timeout expired", "within 7.23 s"),
]


@pytest.mark.parametrize(("error", "words"), LIMITS)
def test_the_time_limit_that_a_message_states_counts(tmp_path, error, words):
    outcome = judged(tmp_path, {"status": "timeout", "error_message": error, "duration_s": 7.228})
    assert outcome.category == "BASELINE_TIMEOUT"
    assert words in reason_of(outcome)


def test_a_time_limit_that_nobody_states_is_not_made_up(tmp_path):
    reason = reason_of(judged(tmp_path, {"status": "timeout", "error_message": None, "duration_s": None}))
    assert reason == "baseline gave no result in time and was stopped"


@pytest.mark.parametrize(
    ("error", "fetched"),
    [
        ("Failed to create worktree: fatal: invalid reference: aaaaaaa5", "aaaaaaa5"),
        (f"fatal: invalid reference: {HUMAN}", HUMAN[:8]),
        (f"fatal: reference is not a tree: {PARENT}", PARENT[:8]),
        ("fatal: bad revision 'abcdef12^'", "abcdef12"),
        ("Failed to create worktree: it is locked", PARENT[:8]),
    ],
)
def test_the_commit_that_git_lacks_is_fetched_and_no_other(tmp_path, error, fetched):
    failure = judged(tmp_path, {"error_message": error}).failure
    assert failure.category == "GIT_WORKTREE_FAILED"
    assert failure.hint == f"git -C <the clone of vllm> fetch origin {fetched}"
    assert f"need commit {fetched} " in failure.evidence["cause"]


PATCHING = "patching file a/x.py\nHunk #1 succeeded at 2.\npatching file vllm/core/y.py\nHunk #4 FAILED at 572.\n"
LOST = (
    "can't find file to patch at input line 156\nPerhaps you used the wrong -p or --strip option?\n"
    "The text leading up to this was:\n--------------------------\n|diff --git a/vllm/z.py b/vllm/z.py\n"
    "|--- a/vllm/z.py\n|+++ b/vllm/z.py\n--------------------------\n"
)
FILES = [
    (PATCHING, "Hunk #4 FAILED at 572. in vllm/core/y.py"),
    (PATCHING.replace("patching", "checking"), "Hunk #4 FAILED at 572. in vllm/core/y.py"),
    (PATCHING + LOST, "Hunk #4 FAILED at 572. in vllm/core/y.py; vllm/z.py is not there"),
    ("patching file a/x.py\n" + LOST, "can't find file to patch at input line 156; vllm/z.py is not there"),
    (LOST.replace("+++ b/vllm/z.py", "+++ /dev/null"), "at input line 156; vllm/z.py is not there"),
    ("Hunk #4 FAILED at 572.", "Hunk #4 FAILED at 572."),
]


@pytest.mark.parametrize(("said", "words"), FILES)
def test_a_patch_that_does_not_apply_names_the_file(tmp_path, said, words):
    failure = judged(tmp_path, {"status": "patch_failed", "error_message": said}).failure
    assert failure.category == "PATCH_APPLY_FAILED"
    assert failure.reason.endswith(words)


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ['{"a": "' + 200 * "x" + '"}', '{"a": 1, "b": ]' + 200 * " " + "}"])
def test_a_file_that_is_too_large_is_called_so(tmp_path, content):
    file = put(tmp_path / "x.json", content)
    assert read_json(file, 100).damage == "is larger than 100 bytes, and was read to there"
    assert "larger" not in read_json(file).damage


def test_as_much_as_is_read_of_a_large_file_is_kept(tmp_path):
    file = put(tmp_path / "x.json", json.dumps({"status": "error", "stdout": "x" * 200}, indent=None))
    content = read_json(file, 100)
    assert content.fields["status"] == "error" and len(content.fields["stdout"]) < 100


# --- several records -------------------------------------------------------------------------------

MISSING = {"status": "error", "error": "Missing parent_commit - cannot determine baseline image"}


def threeway(tmp_path, **fields):
    told = served(human_commit="1a2b3c4d", human_commit_full=HUMAN, parent_commit=None, **MISSING | fields)
    return put(tmp_path / "3way_codex_gpt5" / "1a2b3c4d_agent_result.json", told)


def of_codex(tmp_path):
    return next(each for each in import_records([tmp_path]).outcomes if each.case.run.agent == "codex")


def test_a_parent_that_a_record_lacks_is_taken_from_another(tmp_path):
    file, other = threeway(tmp_path), write(tmp_path, record())
    outcome = of_codex(tmp_path)
    assert outcome.case.run.commit.parent == PARENT
    assert outcome.failure.hint == (
        f"give parent_commit of this commit, which another record says is {PARENT}, in benchmark_mode_mapping.json, "
        "then run it again"
    )
    done = f"{PARENT[:8]} was taken, which {other} names"
    assert f"{file}: does not name the commit before its commit; {done}" in notes(tmp_path)


def test_a_parent_that_two_records_name_differently_is_not_taken(tmp_path):
    threeway(tmp_path)
    write(tmp_path, record())
    write(tmp_path, record(pre_commit="e" * 40), item="vllm_core-0002")
    outcome = of_codex(tmp_path)
    assert outcome.case.run.commit.parent == ""
    assert outcome.failure.hint.startswith("give parent_commit of this commit in benchmark_mode_mapping.json")


def test_a_parent_that_the_plan_names_is_taken(tmp_path):
    threeway(tmp_path)
    put(tmp_path / "mappings" / "benchmark_mode_mapping.json", {"1a2b3c4d": {"parent_commit": PARENT}})
    assert of_codex(tmp_path).case.run.commit.parent == PARENT


def test_an_import_into_a_run_that_is_there_says_what_became_of_it(tmp_path):
    write(tmp_path / "a", record())
    write(tmp_path / "b", record(item_id="vllm_core-0002"), item="vllm_core-0002")
    results = tmp_path / "results"

    def stored(*folders):
        command = ["import", *(str(tmp_path / each) for each in folders), "--results", str(results), "--run", "old"]
        result = CliRunner().invoke(commands, command)
        assert result.exit_code == 0
        return result.stderr

    write(tmp_path / "b", record(item_id="vllm_core-0003"), item="vllm_core-0003")
    assert stored("a") == ""
    there = f"{results / 'old'}: this run was there already: "
    other = "; another --run NAME keeps them apart\n"
    assert stored("a", "b") == f"{there}1 of its outcomes replaced, 2 added, 0 kept{other}"
    assert stored("b") == f"{there}2 of its outcomes replaced, 0 added, 1 kept{other}"
    assert len(read_results([results]).entries) == 3
