"""The rule table on records that nobody has seen: Python's and the libraries' error language, one example a rule."""

from __future__ import annotations

import pytest
from recordings import DURING, FRAME, FROM, HUMAN, PARENT, measured, printed, record, write

from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.preparing import not_prepared
from pytest_perfagents.diagnosis.serving import ServedLog, not_served
from pytest_perfagents.diagnosis.standins import stand_in
from pytest_perfagents.model import Category, Commit, Ending, Execution, Role
from pytest_perfagents.parsers.script_output import report_from_json
from pytest_perfagents.recorded.importing import import_records

COMMIT = Commit("vllm", HUMAN, PARENT)


def judged(tmp_path, result, **metadata):
    write(tmp_path, record(result, **metadata))
    [outcome] = import_records([tmp_path]).outcomes
    return outcome


def says(error, **more):
    """A baseline whose script printed a report of trouble."""
    return {"status": "baseline_failed", "baseline_output": {"target_resolved": True, "error": error, **more}}


def ends(line):
    """A baseline that ended in a traceback."""
    return {"stderr": f"{FRAME}{line}\n"}


# --- exceptions ------------------------------------------------------------------------------------

ENDINGS = [
    ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "BASELINE_OOM"),
    ("RuntimeError: CUDA error: out of memory", "BASELINE_OOM"),
    ("torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB", "BASELINE_OOM"),
    ("RuntimeError: [enforce fail at alloc_cpu.cpp:83] . DefaultCPUAllocator: can't allocate memory", "BASELINE_OOM"),
    ("OSError: [Errno 12] Cannot allocate memory", "BASELINE_OOM"),
    ("MemoryError", "BASELINE_OOM"),
    ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 14.9 GiB for an array", "BASELINE_OOM"),
    ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "BASELINE_OOM"),
    ("ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`", "BASELINE_OOM"),
    ("RuntimeError: CUDA error: device-side assert triggered", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: cuda runtime error (59) : device-side assert triggered at /x.cu:1", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: Triton Error [CUDA]: an illegal memory access was encountered", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: CUDA unknown error - this may be due to a wrong environment", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 2", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: HIP error: invalid argument", "BASELINE_CUDA_ERROR"),
    ("RuntimeError: no CUDA-capable device is detected", "HARDWARE_UNAVAILABLE"),
    ("RuntimeError: FlashAttention only supports Ampere GPUs or newer.", "HARDWARE_UNAVAILABLE"),
    ("ValueError: needs 8 GPUs, only 1 H100 available", "HARDWARE_UNAVAILABLE"),
    ("TypeError: Scheduler.__init__() missing 1 required positional argument: 'x'", "BASELINE_TYPE_ERROR"),
    ("TypeError: __init__() got an unexpected keyword argument 'do_sample'", "BASELINE_TYPE_ERROR"),
    ("AssertionError", "BASELINE_ASSERTION"),
    ("AssertionError: shapes differ: (1, 2) and\n(2, 1)", "BASELINE_ASSERTION"),
    ("NotImplementedError", "BASELINE_EXCEPTION"),
]


@pytest.mark.parametrize(("line", "category"), ENDINGS)
def test_a_traceback_is_named_after_the_exception_that_ended_the_run(tmp_path, line, category):
    outcome = judged(tmp_path, ends(line))
    assert outcome.category == category
    assert outcome.failure.hint


REPORTS = [
    ("CUDA out of memory. Tried to allocate 20.00 MiB", {"target_resolved": False}, "BASELINE_OOM"),
    ("CUDA error: an illegal memory access was encountered", {"target_resolved": False}, "BASELINE_CUDA_ERROR"),
    ("AssertionError", {}, "BASELINE_ASSERTION"),
    ("AssertionError('shapes differ')", {}, "BASELINE_ASSERTION"),
    ("", {"error_name": "AssertionError"}, "BASELINE_ASSERTION"),
    ("Benchmark failed: ValueError: odd", {}, "BASELINE_EXCEPTION"),
    ("torch.OutOfMemoryError: gone", {}, "BASELINE_OOM"),
    ("RuntimeError: mat1 and mat2 shapes cannot be multiplied", {}, "BASELINE_RUNTIME_ERROR"),
    ("LinearBase.__init__() takes 3 positional arguments but 4 were given", {}, "BASELINE_TYPE_ERROR"),
]


@pytest.mark.parametrize(("error", "more", "category"), REPORTS)
def test_a_report_is_named_after_the_exception_in_its_words(tmp_path, error, more, category):
    assert judged(tmp_path, says(error, **more)).category == category


PRINTED = [
    ("Error: No module named 'einops'", "TEST_IMPORT_ERROR", "pip install einops"),
    ("Import failed: No module named 'vllm.core.block'", "TARGET_NOT_RESOLVED", "no package to install"),
    ("ImportError: cannot import name 'PromptInputs' from 'vllm.inputs' (/w)", "TARGET_NOT_RESOLVED", "guard it"),
    (
        "Failed to import vLLM components: cannot import name 'PromptType' from 'vllm.inputs' (/w)",
        "TARGET_NOT_RESOLVED",
        "",
    ),
    ("Error: module 'vllm.core.block_manager' has no attribute 'Uncached'", "TARGET_NOT_RESOLVED", "guard it"),
    ("Error: CUDA out of memory. Tried to allocate 20 MiB", "BASELINE_OOM", "free memory"),
    ("setup failed: KeyError: 'a'", "BASELINE_EXCEPTION", "traceback"),
]


@pytest.mark.parametrize("place", ["stdout", "stderr"])
@pytest.mark.parametrize(("line", "category", "hint"), PRINTED)
def test_what_a_script_says_in_words_counts_where_it_says_nothing_else(tmp_path, line, category, hint, place):
    outcome = judged(tmp_path, {place: f"starting\n{line}\n"})
    assert outcome.category == category
    assert hint in outcome.failure.hint


def test_a_log_line_that_tells_of_trouble_is_no_ending(tmp_path):
    log = "WARNING 12-23 21:52:48 x.py:15] could not import it: ValueError: odd\n"
    assert judged(tmp_path, {"stderr": log}).category == "BASELINE_NO_OUTPUT"


def test_an_exception_that_python_ignored_is_no_ending(tmp_path):
    ignored = (
        f"Exception ignored in: <function X.__del__ at 0x1>\n{FRAME}AttributeError: 'X' object has no attribute 'y'\n"
    )
    assert judged(tmp_path, {"stderr": ignored}).category == "BASELINE_NO_OUTPUT"
    outcome = judged(tmp_path, {"stderr": f"{FRAME}ValueError: odd\n{ignored}"})
    assert outcome.failure.reason == "baseline ended in ValueError: odd"


def test_a_chain_is_named_after_its_end_and_explained_by_its_beginning(tmp_path):
    beneath = f"{FRAME}ModuleNotFoundError: No module named 'xgrammar'\n"
    outcome = judged(tmp_path, {"stderr": f"{beneath}{FROM}{FRAME}RuntimeError: engine failed\n"})
    assert (outcome.category, outcome.failure.hint) == ("BASELINE_RUNTIME_ERROR", "pip install xgrammar")
    outcome = judged(tmp_path, {"stderr": f"{FRAME}KeyError: 'a'\n{DURING}{FRAME}ImportError: no fast path\n"})
    assert outcome.category == "BASELINE_IMPORT_ERROR"
    assert "KeyError: 'a'" in outcome.failure.reason


def test_a_traceback_before_megabytes_of_logs_is_found(tmp_path):
    logs = "INFO 12-23 12:00:00 engine.py:1] still here\n" * 30_000
    outcome = judged(tmp_path, {"stderr": f"{FRAME}ValueError: deep\n{logs}"})
    assert outcome.category == "BASELINE_EXCEPTION"
    assert outcome.failure.reason == "baseline ended in ValueError: deep"


def test_an_exception_group_is_named_after_what_is_in_it(tmp_path):
    group = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/w/x.py", line 1, in <module>\n  |     f()\n'
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "/w/x.py", line 2, in g\n    |     raise TypeError("x")\n'
        "    | TypeError: x\n    +------------------------------------\n"
    )
    outcome = judged(tmp_path, {"stderr": group})
    assert (outcome.category, outcome.failure.evidence["exception"]) == ("BASELINE_TYPE_ERROR", "TypeError")


# --- how a process ended ---------------------------------------------------------------------------

DEATHS = [
    ({"returncode": -11}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"baseline_exit_code": -11}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"error_message": "Process exited with code -11"}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"error_message": "Baseline test failed with exit code 139"}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"stderr": "Segmentation fault (core dumped)\n"}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"stderr": "Fatal Python error: Segmentation fault\n\nThread 0x1:\n  File x\n"}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"error_message": "Process killed by signal 11"}, "BASELINE_NO_OUTPUT", "SIGSEGV"),
    ({"error_message": "Baseline test failed (exit code 137)"}, "BASELINE_OOM", "SIGKILL"),
    ({"exit_code": -9}, "BASELINE_OOM", "SIGKILL"),
    ({"stderr": "some output\nKilled\n"}, "BASELINE_OOM", "SIGKILL"),
    ({"error_message": "Process terminated by SIGKILL"}, "BASELINE_OOM", "SIGKILL"),
    ({"returncode": 0}, "BASELINE_NO_OUTPUT", "exit code 0"),
    ({}, "BASELINE_NO_OUTPUT", "its exit code is not recorded"),
]


@pytest.mark.parametrize(("result", "category", "words"), DEATHS)
def test_the_end_of_a_process_is_read_from_codes_and_words(tmp_path, result, category, words):
    outcome = judged(tmp_path, result)
    assert outcome.category == category
    assert words in outcome.failure.reason


def test_words_of_a_fault_say_nothing_of_a_process_that_ended_well():
    execution = Execution(("python",), Ending.EXITED, 0, "", "Killed\n", 1.0)
    assert diagnose(Evidence(execution=execution), Role.BASELINE).category is Category.BASELINE_NO_OUTPUT


# --- what the evaluation could not prepare ---------------------------------------------------------

NOT_PREPARED = {
    "docker: Error response from daemon: manifest for me/images:baseline-88f6 not found: manifest unknown": (
        "IMAGE_UNAVAILABLE",
        "me/images:baseline-88f6",
    ),
    "Error response from daemon: pull access denied for me/images": ("IMAGE_UNAVAILABLE", "pull access denied"),
    "docker: failed to register layer: write /x: no space left on device": ("IMAGE_UNAVAILABLE", "no space left"),
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.": ("IMAGE_UNAVAILABLE", "Docker daemon"),
    "Missing parent_commit - cannot determine baseline image": ("IMAGE_UNAVAILABLE", "which commit it is"),
    "Failed to create worktree: fatal: invalid reference: 067c34a1": ("GIT_WORKTREE_FAILED", "067c34a1"),
    "stderr: 'fatal: not a valid object name: 067c34a1'": ("GIT_WORKTREE_FAILED", "067c34a1"),
    "error: corrupt patch at line 12": ("PATCH_INVALID", "corrupt patch at line 12"),
    "error: patch failed: vllm/x.py:12\nerror: vllm/x.py: patch does not apply": ("PATCH_APPLY_FAILED", "vllm/x.py:12"),
    "Hunk #4 FAILED at 572.\n1 out of 4 hunks FAILED": ("PATCH_APPLY_FAILED", "Hunk #4"),
}


@pytest.mark.parametrize(("text", "expected"), NOT_PREPARED.items())
def test_what_git_and_container_engines_say_is_named(text, expected):
    failure = not_prepared(f"before\n{text}\nafter", COMMIT)
    assert (failure.category, expected[1] in failure.reason) == (expected[0], True)
    assert failure.hint


def test_a_commit_that_is_not_in_the_clone_comes_with_the_command(tmp_path):
    outcome = judged(tmp_path, {"error_message": "Failed to create worktree: fatal: invalid reference: ffffffff"})
    assert outcome.category == "GIT_WORKTREE_FAILED"
    assert "fetch origin ffffffff" in outcome.failure.hint


MESSAGES = [
    ("Baseline failed with CUDA out of memory", {}, "BASELINE_OOM"),
    ("Baseline test failed: No module named 'decord'", {}, "TEST_IMPORT_ERROR"),
    ("f() got an unexpected keyword argument 'timeout'", {}, "BASELINE_TYPE_ERROR"),
    ("Command '['python', 'x.py']' timed out after 600 seconds", {}, "BASELINE_TIMEOUT"),
    ("fatal: could not create work tree dir '/tmp/x': No space left on device", {}, "GIT_WORKTREE_FAILED"),
    ("Failed to apply patch: error: patch failed: a.py:1", {"baseline_output": printed(2.0)}, "PATCH_APPLY_FAILED"),
    ("list index out of range", {}, "BASELINE_NO_OUTPUT"),
]


@pytest.mark.parametrize(("message", "result", "category"), MESSAGES)
def test_the_evaluations_own_message_is_read_where_nothing_else_tells(tmp_path, message, result, category):
    assert judged(tmp_path, {"error_message": message, **result}).category == category


def test_a_path_with_the_word_worktree_is_no_trouble_of_git(tmp_path):
    outcome = judged(tmp_path, ends("ValueError: error in /tmp/eval_worktree_1/worktree/vllm/x.py: error"))
    assert outcome.category == "BASELINE_EXCEPTION"


# --- stand-ins -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        ("WARNING: import failed, using_mock=True", True),
        ('{"using_mock": true}', True),
        ("Using a mock implementation of the scheduler", True),
        ("falling back to stub", True),
        ("using_mock: False", False),
        ('{"using_mock": false}', False),
        ("Using dummy weights (--load-format dummy)", False),
    ],
)
def test_a_script_that_says_it_times_a_mock_has_the_wrong_target(tmp_path, words, is_one):
    assert (stand_in(None, f"log\n{words}\n", Role.BASELINE) is not None) == is_one
    outcome = judged(tmp_path, measured(2.0, 1.0, stderr=f"{words}\n"))
    assert outcome.category == ("WRONG_TARGET" if is_one else "SUCCESS_IMPROVEMENT")


def test_a_mock_in_the_report_counts_too():
    assert stand_in(report_from_json(printed(2.0, using_mock=True)), "", Role.PATCHED).side is Role.PATCHED


# --- serving ---------------------------------------------------------------------------------------


def served(error, output="", status="error"):
    return not_served(ServedLog(status, error, output), COMMIT, ("vllm",))


def test_a_server_that_died_of_a_missing_module_is_no_fault_of_the_patch():
    ended = f"{FRAME}ModuleNotFoundError: No module named 'transformers.utils'\nSERVER_CRASHED\n"
    log = f"AGENT_PATCH_APPLIED\nvLLM import failed\n{ended}"
    failure = served("Server crashed after applying patch", log)
    assert (failure.category, failure.blame) == (Category.SERVER_CRASHED, "environment")
    assert "transformers" in failure.hint


def test_a_server_that_died_in_a_patched_file_is_the_agents():
    frame = 'Traceback (most recent call last):\n  File "/opt/base/vllm/core/scheduler.py", line 3, in f\n    go()\n'
    log = f"patching file vllm/core/scheduler.py\n{frame}AttributeError: 'Scheduler' object has no attribute 'x'\n"
    failure = served("Server crashed after applying patch", log)
    assert (failure.category, failure.blame) == (Category.SERVER_CRASHED, "agent")


@pytest.mark.parametrize(
    ("error", "status", "category"),
    [
        ("No metrics in agent output", "error", "NO_METRICS"),
        ("Benchmark timed out after 900s", "timeout", "BENCHMARK_TIMEOUT"),
        ("Server did not become healthy within 300s", "error", "SERVER_CRASHED"),
        ("Requires tensor-parallel-size 8 (8 GPUs), only 1 H100 available", "skipped", "HARDWARE_UNAVAILABLE"),
    ],
)
def test_a_served_benchmark_without_numbers_is_named(error, status, category):
    assert served(error, status=status).category == category


def test_no_metrics_can_be_a_missing_image():
    log = "Unable to find image 'me/x:base' locally\ndocker: manifest for me/x:base not found: manifest unknown\n"
    assert served("No metrics in agent output", log).category is Category.IMAGE_UNAVAILABLE
