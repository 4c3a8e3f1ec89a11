"""Real records, imported: a person has read every kind of them, and says here what each should be called.

The records are not in the repository: PERFAGENTS_CORPUS names their folder, else it is ``../shared/corpus`` beside
the checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_perfagents.model import Outcome
from pytest_perfagents.recorded.importing import import_records

CORPUS = Path(os.environ.get("PERFAGENTS_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")

pytestmark = pytest.mark.skipif(
    not (CORPUS / "eval").is_dir(), reason=f"no recorded evaluations under {CORPUS} (set PERFAGENTS_CORPUS)"
)

# Repository, agent, model's beginning, run's beginning and item (as much as is needed) -> category, and words of its
# reason or hint. One for each kind of record, in the order in which the rules look.
EVALUATED = {
    # the run itself
    "vllm/codex/gpt-4o/2025-11-19_18-08-24/vllm_core-0001": ("AGENT_NO_PATCH", "status error"),
    "vllm/claude_code/default/2025-12-22_20-31-26/vllm_core-0000": ("AGENT_NO_PATCH", ""),
    "vllm/trae/claude-sonnet-45/2025-11-27_15-42-14/vllm_bedrock_sonnet45-0051": ("AGENT_NO_PATCH", ""),
    "vllm/trae/claude-sonnet-45/2025-11-27_15-42-14/vllm_bedrock_sonnet45-0082": ("AGENT_NO_PATCH", ""),
    "sglang/trae/claude-sonnet-45/2025-11-28_15-26-15/sglang_077_f0815419": ("AGENT_NO_PATCH", ""),
    "sglang/trae/claude-sonnet-45/2025-11-28_15-26-15/sglang_078_fbcbb263": ("NO_TEST_SCRIPT", "fbcbb263"),
    "vllm/codex/gpt-5/2025-11-20_11-05-30/vllm_core-0012": (
        "NO_TEST_SCRIPT",
        "working_test_generators/2deb029d_test_case_generator.py",
    ),
    # modules, as the script reports them
    "sglang/codex/gpt-5/389be848/sglang_core-0001": ("TEST_IMPORT_ERROR", "pip install ipython"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_015_2a754e57": ("TEST_IMPORT_ERROR", "pip install rpyc"),
    "sglang/trae/claude-sonnet-45/2025-11-28_15-26-15/sglang_020_3212c2ad": ("TEST_IMPORT_ERROR", "install pybase64"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_013_2854a5ea": ("TEST_IMPORT_ERROR", '"outlines>=0.0.44'),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0041": ("TEST_IMPORT_ERROR", "nvidia-ml-py"),
    "vllm/openhands/gpt-5/2025-09-17_05-18-56/chunked_local_attn_opt-0000": ("TEST_IMPORT_ERROR", "pip install cbor2"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_038_8f8f96a6": (
        "TEST_IMPORT_ERROR",
        "transformers is broken",
    ),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0022": ("TEST_IMPORT_ERROR", "transformers is broken"),
    # the target, as the script reports it
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0075": ("TARGET_NOT_RESOLVED", "no package to install"),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0086": ("TEST_IMPORT_ERROR", "compiled or generated"),
    "vllm/claude_code/default/2025-12-23_04-37-32/vllm_core-0008": ("TEST_IMPORT_ERROR", "transformers is broken"),
    # the path, as the script reports it
    "vllm/trae/gpt-5/2025-10-14_14-11-42/vllm_core-0016": ("OPT_PATH_NOT_HIT", "CI/build configuration only"),
    "vllm/claude_code/default/2025-12-23_04-37-32/vllm_core-0044": ("TEST_IMPORT_ERROR", "pip install tensorizer"),
    # tracebacks behind "failed to produce output"
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_056_b77a02cd": (
        "BASELINE_IMPORT_ERROR",
        "outlines.fsm.regex",
    ),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0094": ("BASELINE_IMPORT_ERROR", "nvidia-ml-py"),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0060": ("BASELINE_IMPORT_ERROR", "torchvision"),
    "vllm/claude_code/default/2025-12-22_21-40-38/vllm_core-0069": ("BASELINE_IMPORT_ERROR", "guard it"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_023_564a898a": ("BASELINE_OOM", "CUDA out of memory"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_073_e822e590": ("BASELINE_TYPE_ERROR", "unhashable type"),
    "vllm/trae/gpt-5/2025-10-14_14-11-42/vllm_core-0038": ("BASELINE_TYPE_ERROR", "context_lens"),
    "vllm/trae/gpt-5/2025-10-14_14-11-42/vllm_core-0031": ("BASELINE_RUNTIME_ERROR", "Float8_e4m3fn"),
    "vllm/trae/gpt-5/2025-10-14_14-11-42/vllm_core-0039": ("BASELINE_RUNTIME_ERROR", "torchvision"),
    # times
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_001_09deb20d": ("SUCCESS_NEUTRAL", "1.011x"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_037_880221bd": ("SUCCESS_NEUTRAL", "0.996x"),
    "sglang/claude_code/default/2025-12-23_06-28-44/sglang_034_79961afa": ("SUCCESS_REGRESSION", "0.930x"),
    "vllm/trae/claude-sonnet-45/2025-11-27_15-42-14/vllm_bedrock_sonnet45-0013": ("SUCCESS_REGRESSION", "1.41x by"),
}

SERVED = {
    "codex/0d243f2a_agent_result.json": ("IMAGE_UNAVAILABLE", "baseline-88f6ba3281f7"),
    "codex/3127e975_agent_result.json": ("IMAGE_UNAVAILABLE", "parent_commit"),
    "codex/3a243095_agent_result.json.partial": ("SERVER_CRASHED", "transformers.utils"),
    "codex/9ed82e70_agent_result.json.partial": ("PATCH_APPLY_FAILED", "Hunk #4 FAILED"),
    "codex/aea94362_agent_result.json.partial": ("NO_METRICS", "7178.39"),
    "claude_code/docker/2f192835_result.json": ("NO_METRICS", "incompatible"),
    "claude_code/docker/bfdb1ba5_result.json": ("NO_METRICS", "no valid JSON"),
    "claude_code/modal/9323a315_benchmark_result.json.tail.partial": ("NO_METRICS", "version_bug"),
    "claude_code/separate_agent/21d93c14_agent_result.json": ("HARDWARE_UNAVAILABLE", "8 GPUs"),
}


def words_of(outcome: Outcome) -> str:
    from pytest_perfagents.records import hint_of, reason_of

    return f"{reason_of(outcome)} {hint_of(outcome)}"


@pytest.fixture(scope="module")
def evaluated():
    return import_records([CORPUS / "eval"])


@pytest.fixture(scope="module")
def served():
    return import_records([CORPUS / "threeway"])


def by_file(imported, top):
    return {str(Path(each.protocol["recorded"]["file"]).relative_to(top)): each for each in imported.outcomes}


@pytest.mark.parametrize(("place", "expected"), EVALUATED.items())
def test_a_kind_of_evaluation_is_called_what_a_person_would_call_it(evaluated, place, expected):
    outcome = by_file(evaluated, CORPUS / "eval")[f"{place}/test_results.json"]
    assert outcome.category == expected[0]
    assert expected[1] in words_of(outcome)


@pytest.mark.parametrize(("place", "expected"), SERVED.items())
def test_a_kind_of_three_way_result_is_called_what_a_person_would_call_it(served, place, expected):
    outcome = by_file(served, CORPUS / "threeway")[place]
    assert outcome.category == expected[0]
    assert expected[1] in words_of(outcome)
    assert outcome.case.run.commit.repo == "vllm"


def test_every_evaluation_is_one_outcome_with_a_reason_and_a_hint(evaluated):
    files = list((CORPUS / "eval").rglob("test_results.json"))
    assert len(evaluated.outcomes) == len(files) == evaluated.files
    for outcome in evaluated.outcomes:
        assert not outcome.category.endswith(("_UNKNOWN", "_NO_OUTPUT", "_EXCEPTION")), outcome.case.id
        if outcome.failure is not None:
            assert outcome.failure.hint, outcome.case.id
            assert (outcome.failure.blame == "agent") == (outcome.category == "AGENT_NO_PATCH"), outcome.case.id


def test_a_missing_patch_goes_before_everything_that_happened_to_the_baseline(evaluated):
    for outcome in evaluated.outcomes:
        metadata = json.loads(Path(outcome.protocol["recorded"]["file"]).read_text())["metadata"]
        assert (metadata["patch_path"] is None) == (outcome.category == "AGENT_NO_PATCH")


def test_recorded_speedups_are_those_of_the_records(evaluated):
    measured = [outcome for outcome in evaluated.outcomes if outcome.comparison is not None]
    assert len(measured) > 10
    for outcome in measured:
        result = json.loads(Path(outcome.protocol["recorded"]["file"]).read_text())["result"]
        assert outcome.comparison.point == pytest.approx(result["speedup"])
        assert outcome.comparison.recorded
        medians = [result[f"{side}_output"]["p50_ms"] for side in ("baseline", "patched")]
        assert outcome.comparison.median == pytest.approx(medians[0] / medians[1])


def test_every_file_of_the_three_way_results_is_an_outcome_or_is_named(served):
    files = {str(file) for file in (CORPUS / "threeway").rglob("*_result.json*")}
    told = {outcome.protocol["recorded"]["file"] for outcome in served.outcomes} | {note.path for note in served.notes}
    assert files <= told
    assert len(files) == served.files


def test_summaries_of_agents_without_a_patch_are_outcomes_and_the_others_are_named():
    imported = import_records([CORPUS / "runs"])
    assert {outcome.category for outcome in imported.outcomes} == {"AGENT_NO_PATCH"}
    summaries = {str(file) for file in (CORPUS / "runs").rglob("run_summary.json")}
    told = {outcome.protocol["recorded"]["file"] for outcome in imported.outcomes} | {
        note.path for note in imported.notes
    }
    assert summaries <= told


def test_the_command_judges_all_records_without_torch(tmp_path):
    code = "import sys; from pytest_perfagents.cli import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "import", str(CORPUS / "eval"), "--perf-json", "out.json"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["schema"] == "perfagents/report/1"
    assert report["summary"]["total"] == len(report["outcomes"]) == report["summary"]["files"] == 99
