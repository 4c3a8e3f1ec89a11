"""Recorded served benchmarks: by which metric they are compared, and whose move a server's end is."""

from __future__ import annotations

import pytest
from recordings import way

from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.records import outcome_to_json

REQUESTS, TOKENS, FIRST = "request_throughput_req_s", "output_token_throughput_tok_s", "ttft_mean_ms"


def the_one(root):
    [outcome] = import_records([root]).outcomes
    return outcome


def compared(tmp_path, baseline, agent, human=None):
    way(tmp_path, metrics=agent)
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics=baseline)
    if human is not None:
        way(tmp_path, "2b2b2b2b_human_result.json", metrics=human)
    return outcome_to_json(the_one(tmp_path))


def test_agent_and_human_are_compared_by_one_metric_that_all_sides_have(tmp_path):
    baseline = {REQUESTS: 40.0, TOKENS: 200.0, FIRST: 100.0}
    told = compared(tmp_path, baseline, {REQUESTS: 50.0, TOKENS: 100.0, FIRST: 50.0}, {REQUESTS: 60.0})
    assert (told["speedup"]["point"], told["human_speedup"]["point"]) == (1.25, 1.5)
    assert told["protocol"]["recorded"]["metric"] == REQUESTS


def test_the_weightiest_that_all_have_counts(tmp_path):
    sides = [{REQUESTS: 40.0 * factor, TOKENS: 200.0 * factor, FIRST: 100.0} for factor in (1.0, 1.25, 1.5)]
    assert compared(tmp_path, *sides)["protocol"]["recorded"]["metric"] == TOKENS


def test_a_human_without_a_metric_in_common_has_no_speedup_and_a_flag_says_so(tmp_path):
    told = compared(tmp_path, {TOKENS: 200.0, FIRST: 100.0}, {TOKENS: 300.0}, {FIRST: 50.0})
    assert (told["speedup"]["point"], told["human_speedup"]) == (1.5, None)
    assert told["integrity"]["flags"] == [
        "the human's side has no metric in common with baseline and agent: it has no speedup"
    ]


CONTRADICTIONS = [
    (
        {REQUESTS: 50.0, TOKENS: 100.0, FIRST: 50.0},
        [
            f"its metrics contradict each other: 0.50x by {TOKENS} and 1.25x by {REQUESTS}; judged by {TOKENS}",
        ],
    ),
    (
        {REQUESTS: 40.0, TOKENS: 300.0, FIRST: 200.0},
        [
            f"its metrics contradict each other: 1.50x by {TOKENS} and 0.50x by {FIRST}; judged by {TOKENS}",
        ],
    ),
    ({REQUESTS: 41.0, TOKENS: 300.0, FIRST: 103.0}, []),
    ({REQUESTS: 50.0, TOKENS: 300.0, FIRST: 50.0}, []),
]


@pytest.mark.parametrize(("agent", "flags"), CONTRADICTIONS)
def test_metrics_that_contradict_each_other_are_named(tmp_path, agent, flags):
    told = compared(tmp_path, {REQUESTS: 40.0, TOKENS: 200.0, FIRST: 100.0}, agent)
    assert told["integrity"]["flags"] == flags


# --- servers that end ------------------------------------------------------------------------------

CRASHED = "Server crashed after applying patch"


def log(last, patched="patching file vllm/other.py\n", file="/opt/vllm_baseline/vllm/config.py"):
    frame = f'Traceback (most recent call last):\n  File "{file}", line 9, in <module>\n    x()\n'
    return f"vllm bench serve\n{patched}AGENT_PATCH_APPLIED\n{frame}{last}\n"


ENDS = [
    "ImportError: cannot import name 'bar' from 'vllm.foo'",
    "ImportError: cannot import name 'bar' from 'vllm.foo' (/opt/vllm_baseline/vllm/foo.py)",
    "ModuleNotFoundError: No module named 'vllm.nope'",
    "TypeError: x() got an unexpected keyword argument 'y'",
    "AttributeError: 'X' object has no attribute 'y'",
    "NameError: name 'foo' is not defined",
    "RuntimeError: odd",
]


@pytest.mark.parametrize("last", ENDS)
@pytest.mark.parametrize("patched", ["", "patching file vllm/other.py\n"])
def test_where_the_baseline_served_an_exception_in_the_package_is_the_agents(tmp_path, last, patched):
    way(tmp_path, status="error", error=CRASHED, raw_output=log(last, patched))
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics={REQUESTS: 40.0})
    failure = the_one(tmp_path).failure
    assert (failure.category, failure.side, failure.blame) == ("SERVER_CRASHED", "patched", "agent")
    assert "the patch" in failure.hint and "script" not in failure.hint
    assert last[:40] in failure.reason


@pytest.mark.parametrize("last", ENDS)
def test_where_the_baseline_has_no_numbers_the_hint_is_about_the_patch(tmp_path, last):
    way(tmp_path, status="error", error=CRASHED, raw_output=log(last))
    failure = the_one(tmp_path).failure
    assert failure.category == "SERVER_CRASHED" and failure.blame in ("agent", "environment")
    assert failure.hint == (
        "start the server without the patch, too: if it serves, look in the patch for what the traceback names"
    )


def test_an_exception_of_a_file_that_the_patch_changed_is_the_agents_without_a_baseline(tmp_path):
    changed = "patching file vllm/config.py\n"
    way(tmp_path, status="error", error=CRASHED, raw_output=log("ImportError: odd", changed))
    assert the_one(tmp_path).failure.blame == "agent"


@pytest.mark.parametrize(
    "last",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "ModuleNotFoundError: No module named 'decord'",
        "RuntimeError: operator torchvision::nms does not exist",
    ],
)
def test_what_the_machine_lacks_is_not_the_agents(tmp_path, last):
    way(tmp_path, status="error", error=CRASHED, raw_output=log(last))
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics={REQUESTS: 40.0})
    assert the_one(tmp_path).failure.blame == "environment"


def test_an_exception_outside_of_the_package_is_judged_as_before(tmp_path):
    output = log("ImportError: odd", "", "/usr/lib/python3/site-packages/torch/x.py")
    way(tmp_path, status="error", error="Server failed to start", raw_output=output)
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics={REQUESTS: 40.0})
    assert the_one(tmp_path).failure.blame == "environment"


def test_an_exception_without_a_traceback_is_in_the_reason(tmp_path):
    way(tmp_path, status="error", error=CRASHED, raw_output="AGENT_PATCH_APPLIED\nNameError: name 'foo' is not defined")
    way(tmp_path, "2b2b2b2b_baseline_result.json", metrics={REQUESTS: 40.0})
    failure = the_one(tmp_path).failure
    assert "NameError: name 'foo' is not defined" in failure.reason
    assert (failure.blame, failure.evidence["exception"]) == ("agent", "NameError")


def test_what_ended_the_baselines_server_is_in_the_reason(tmp_path):
    way(tmp_path, status="timeout", error="Benchmark timed out after 1800s")
    beside = {"status": "error", "error": "Server crashed", "raw_output": "RuntimeError: CUDA out of memory"}
    way(tmp_path, "2b2b2b2b_baseline_result.json", **beside)
    failure = the_one(tmp_path).failure
    assert (failure.category, failure.side, failure.blame) == ("SERVER_CRASHED", "baseline", "environment")
    assert "Server crashed: ended in RuntimeError: CUDA out of memory" in failure.reason
    assert "memory" in failure.hint


def test_a_name_that_the_baselines_package_lacks_is_no_scripts_fault(tmp_path):
    way(tmp_path, metrics={REQUESTS: 40.0})
    beside = {"status": "error", "error": "Server crashed", "raw_output": log(ENDS[2], "")}
    way(tmp_path, "2b2b2b2b_baseline_result.json", **beside)
    failure = the_one(tmp_path).failure
    assert (failure.side, failure.blame) == ("baseline", "environment")
    assert "script" not in failure.hint and "image of this commit" in failure.hint
