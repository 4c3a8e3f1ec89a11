"""What a hint tells to do, and whose move it is: records that say the same thing in other words get the same advice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from recordings import FRAME, HUMAN, record, write

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.recommendations import recommendations
from pytest_perfagents.analysis.tables import Document, Kind, Section, table
from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.causes import group_causes, hints_in_words
from pytest_perfagents.diagnosis.failures import unreadable_patch
from pytest_perfagents.diagnosis.installed import torchvision_of
from pytest_perfagents.diagnosis.kinds import hint_of_kind
from pytest_perfagents.diagnosis.serving import ServedLog, not_served, not_supported
from pytest_perfagents.diagnosis.standins import stand_in
from pytest_perfagents.diagnosis.types import Place
from pytest_perfagents.diagnosis.unavailable import unavailable_module
from pytest_perfagents.model import Blame, Category, Commit, Ending, Execution, Outcome, Role
from pytest_perfagents.parsers.script_output import ScriptReport
from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.report.consoles import Screen
from pytest_perfagents.report.markdown import to_markdown
from pytest_perfagents.report.screens import to_screen

COMMIT = Commit("vllm", HUMAN, "f" * 40)
OTHER, THIRD = "5e6f7a8b" + "0" * 32, "9c0d1e2f" + "0" * 32


def judged(tmp_path, result, **metadata):
    write(tmp_path, record(result, **metadata))
    [outcome] = import_records([tmp_path]).outcomes
    return outcome


def says(error, **more):
    return {"status": "baseline_failed", "baseline_output": {"target_resolved": False, "error": error, **more}}


def ends(*lines, log=""):
    return {"stderr": log + "".join(f"{FRAME}{line}\n" for line in lines), "returncode": 1}


def entries_of(outcomes):
    return [msgspec.convert(json.loads(json.dumps(outcome_to_json(each))), Entry) for each in outcomes]


def things(outcomes):
    """Rows of the recommendations: what to do, runs, commits, how."""
    [found] = recommendations(entries_of(outcomes)).tables
    return [(row[0], row[1], row[3], row[5]) for row in found.rows]


# --- a script that another record names ------------------------------------------------------------


def lacking_script(commit, **more):
    error = f"No test script found for commit {commit[:8]}"
    return record({"status": "no_test", "error_message": error}, human_commit=commit, test_script_path=None, **more)


def some_without_scripts(tmp_path: Path) -> tuple[Outcome, ...]:
    """Codex found no script for three commits; Trae ran that of the first."""
    for number, commit in enumerate((HUMAN, OTHER, THIRD)):
        content = lacking_script(commit, agent="codex", item_id=f"vllm_core-{number:04}")
        write(tmp_path, content, agent="codex", item=f"vllm_core-{number:04}")
    write(tmp_path, record(ends("ValueError: odd"), test_script_path="/far/generators/1a2b3c4d_test_case_generator.py"))
    return import_records([tmp_path]).outcomes


def test_a_script_that_another_record_names_is_not_to_be_written(tmp_path):
    lacking = [each for each in some_without_scripts(tmp_path) if each.category is Category.NO_TEST_SCRIPT]
    found = {each.case.run.commit.short: each.failure for each in lacking}
    assert found["1a2b3c4d"].hint == (
        "a script for it exists: run the evaluation with it (generators/1a2b3c4d_test_case_generator.py)"
    )
    assert found["1a2b3c4d"].blame == "environment"
    assert "write 5e6f7a8b_test_case_generator.py" in found["5e6f7a8b"].hint
    assert found["5e6f7a8b"].blame == "script"


def test_a_record_without_a_script_that_names_where_it_was_sought_is_no_witness(tmp_path):
    path = "/far/1a2b3c4d_test_case_generator.py"
    outcome = judged(tmp_path, {"status": "no_test"}, test_script_path=path)
    assert "write 1a2b3c4d_test_case_generator.py" in outcome.failure.hint


def test_scripts_are_to_be_written_only_for_commits_that_have_none(tmp_path):
    told = {words: (runs, commits) for words, runs, commits, _ in things(some_without_scripts(tmp_path))}
    assert told["write scripts for 2 commits of vllm"] == (2, 2)
    assert told["evaluate 1 commit of vllm again, with the scripts that there are"] == (1, 1)


# --- a module that is not available ----------------------------------------------------------------

UNAVAILABLE = {
    "einx_not_available": "einx",
    "fastfold_is_not_installed.": "fastfold",
    "sgl_kernel_not_available": "sgl_kernel",
    "einx is not installed": "einx",
    "ImportError: the package 'einx' is not available": "einx",
    "Einx is not installed. Please see the manual": "Einx",
    "Required dependency fastfold not installed": "fastfold",
    "optional module fastfold was not available": "fastfold",
    "target_not_available": None,
    "fused_moe_kernel_not_available": None,
    "cuda_not_available": None,
    "nvcc is not installed": None,
    "einx_not_found": None,
    "FP8 is not available": None,
    "einx is not available on this platform": None,
    "the method is not available": None,
    "it is not available": None,
    "nothing was measured since einx is not installed": None,
}


@pytest.mark.parametrize(("text", "module"), UNAVAILABLE.items())
def test_a_module_that_a_script_calls_not_available_is_known(text, module):
    assert unavailable_module(text) == module


@pytest.mark.parametrize("error", ["einx_not_available", "einx is not installed", "ImportError: einx is not installed"])
def test_a_module_that_a_script_calls_not_available_is_one_to_install(tmp_path, error):
    report = {
        "status": "success",
        "baseline_output": {"avg_ms": 0.0, "iters": 0, "opt_path_hit": False, "error": error},
    }
    outcome = judged(tmp_path, report)
    assert (outcome.category, outcome.failure.blame) == ("TEST_IMPORT_ERROR", "environment")
    assert (outcome.failure.hint, outcome.failure.evidence["cause"]) == ("pip install einx", "need einx")


def test_a_module_that_is_said_to_be_missing_in_words_is_one_to_install(tmp_path):
    outcome = judged(tmp_path, {"stdout": "starting\nError: einx is not installed\n", "returncode": 1})
    assert (outcome.category, outcome.failure.hint) == ("TEST_IMPORT_ERROR", "pip install einx")


def test_a_gpu_that_is_not_available_is_hardware_and_no_module(tmp_path):
    outcome = judged(tmp_path, says("cuda_not_available", target_resolved=None))
    assert outcome.category == "HARDWARE_UNAVAILABLE"


# --- groups ----------------------------------------------------------------------------------------


def test_runs_of_one_cause_whose_hints_differ_are_told_apart(tmp_path):
    said = {"status": "success", "baseline_output": {"opt_path_hit": False, "avg_ms": 1.0, "target_resolved": True}}
    for number in range(3):
        write(tmp_path, record(said, item_id=f"a-{number}"), item=f"a-{number}")
    outcomes = list(import_records([tmp_path]).outcomes)
    failure = replace(outcomes[0].failure, hint="make the shapes larger")
    causes = group_causes([replace(outcomes[0], failure=failure), *outcomes[1:]])
    assert [(len(cause.runs), cause.hint.partition(" ")[0]) for cause in causes] == [(2, "choose"), (1, "make")]
    assert "more like it" not in causes[0].hint


def test_hints_that_differ_in_a_commit_alone_are_alike():
    hints = ["write 0ab1c2d3_test.py in x", "write fbcbb263_test.py in x", None, "look at it"]
    assert hints_in_words(hints) == "write 0ab1c2d3_test.py in x (and 1 more like it); or, for others: look at it"
    words = [f"its last words were: {each}" for each in ("bye", "adieu")]
    assert hints_in_words(words) == "its last words were: bye (and 1 more like it)"


# --- one cause, one category -----------------------------------------------------------------------

BROKEN = {
    "cannot import name 'AutoProcessorMixin' from 'transformers' (/x/__init__.py)": "transformers that imports",
    "Could not import module 'AutoProcessorMixin'. Are this object's requirements defined correctly?": (
        "transformers that imports"
    ),
    "cannot import name 'build_regex' from 'outlines.fsm.json_schema' (/x/y.py)": "the outlines of their day",
    "libcudart.so.12: cannot open shared object file: No such file or directory": "libcudart.so.12",
    "cannot import name '_moe_C' from 'vllm' (/w/vllm/__init__.py)": "the built vllm._moe_C",
}


@pytest.mark.parametrize(("error", "cause"), BROKEN.items())
def test_a_broken_install_is_no_target_that_is_missing(tmp_path, error, cause):
    outcome = judged(tmp_path, says(error))
    assert (outcome.category, outcome.failure.blame) == ("TEST_IMPORT_ERROR", "environment")
    assert cause in outcome.failure.evidence["cause"]
    printed = judged(tmp_path / "words", {"stdout": f"setup failed: {error}\n", "returncode": 1})
    assert printed.category == "TEST_IMPORT_ERROR"


def test_what_the_measured_package_lacks_is_still_the_target(tmp_path):
    outcome = judged(tmp_path, says("cannot import name 'Worker' from 'vllm.worker' (/w/vllm/worker.py)"))
    assert (outcome.category, outcome.failure.blame) == ("TARGET_NOT_RESOLVED", "script")


# --- served benchmarks that were given up ----------------------------------------------------------

GIVEN_UP = {
    "version_bug: vLLM 0.5.1 cannot bind its port": "meet a bug",
    "skipped: release 0.9 has a known memory bug": "meet a bug",
    "skipped: this is a bug of that version": "meet a bug",
    "incompatible: torch 2.1 and this CUDA": "versions of that day",
    "skipped: compatibility issues with the model": "versions of that day",
    "skipped: the model is not supported by this engine": "versions of that day",
    "skipped: no reason is recorded": "gave up",
}


@pytest.mark.parametrize(("reason", "cause"), GIVEN_UP.items())
def test_what_the_evaluation_gave_up_is_told_by_its_own_words(reason, cause):
    failure = not_supported(reason)
    assert cause in failure.evidence["cause"]
    assert ("versions, and with a model, of its day" in failure.hint) == (cause == "versions of that day")


# --- hardware --------------------------------------------------------------------------------------

HARDWARE = {
    "ValueError: Requires pipeline over 4 ranks (4 GPUs), only 1 A100 available": "asks for: 4 GPUs",
    "ValueError: needs 2 H100 GPUs": "asks for: 2 GPUs",
    "ValueError: not enough GPUs: the world size (16) is larger": "asks for: 16 GPUs",
    "ValueError: The number of required GPUs (8) exceeds the total number of available GPUs (1)": "asks for: 8 GPUs",
    "ValueError: there are not enough GPUs": "asks for: more GPUs",
    "ValueError: The number of required GPUs exceeds what is there": "asks for: more GPUs",
    "RuntimeError: CUDA error: invalid device ordinal": "asks for: more GPUs",
    "ValueError: requires compute capability 8.0, this GPU has compute capability 7.5": "compute capability 8.0",
    "RuntimeError: this kernel requires ROCm": "(ROCm)",
    "RuntimeError: The NVIDIA driver on your system is too old (found version 10)": "update the NVIDIA driver",
    "RuntimeError: CUDA driver version is insufficient for CUDA runtime version": "update the NVIDIA driver",
    "RuntimeError: requires at least 1 GPU": "mostly an NVIDIA GPU",
}


@pytest.mark.parametrize(("line", "words"), HARDWARE.items())
def test_the_hint_names_the_hardware_that_the_message_names(tmp_path, line, words):
    for number, result in enumerate((ends(line), says(line.partition(": ")[2]))):
        outcome = judged(tmp_path / str(number), result)
        assert outcome.category == "HARDWARE_UNAVAILABLE"
        assert words in outcome.failure.hint
    failure = not_served(ServedLog("skipped", line, ""), COMMIT, ("vllm",))
    assert (failure.category, words in failure.hint) == ("HARDWARE_UNAVAILABLE", True)


CPU_BUILD = ("AssertionError: Torch not compiled with CUDA enabled", "RuntimeError: torch was not compiled with GPU")


@pytest.mark.parametrize("line", CPU_BUILD)
def test_a_cpu_build_of_torch_is_no_missing_hardware(line):
    execution = Execution(("python",), Ending.EXITED, 1, "", f"{FRAME}{line}\n", 1.0)
    for role, category in ((Role.BASELINE, "BASELINE_CUDA_ERROR"), (Role.PATCHED, "PATCHED_CUDA_ERROR")):
        failure = diagnose(Evidence(execution=execution), role, packages=("vllm",), repo="vllm")
        assert (failure.category, failure.blame) == (category, "environment")
        assert failure.hint.startswith("install a CUDA build of this torch version, where there is an NVIDIA GPU")


# --- memory ----------------------------------------------------------------------------------------

GPU_MEMORY = (
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.00 GiB. GPU 0 has a total capacity of 8 GiB",
    "RuntimeError: CUDA error: out of memory",
    "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB",
    "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "RuntimeError: cuMemCreate failed with CUDA_ERROR_OUT_OF_MEMORY",
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    "ValueError: the max seq len (4096) is larger than the available KV cache memory",
    "ValueError: the max seq len is larger than the maximum number of tokens that can be stored in KV cache (64)",
    "ValueError: Free memory on device (3/79 GiB) on startup is less than desired GPU memory utilization (0.9)",
)
MAIN_MEMORY = (
    "MemoryError",
    "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 14.9 GiB for an array",
    "OSError: [Errno 12] Cannot allocate memory",
    "RuntimeError: [enforce fail at alloc_cpu.cpp:83] . DefaultCPUAllocator: can't allocate memory",
    "RuntimeError: std::bad_alloc",
)


@pytest.mark.parametrize("line", GPU_MEMORY)
def test_memory_of_the_gpu_is_not_raised_by_our_limit_of_main_memory(tmp_path, line):
    outcome = judged(tmp_path, ends(line))
    assert (outcome.category, outcome.failure.evidence["cause"]) == ("BASELINE_OOM", "need more GPU memory")
    assert "memory_gb" not in outcome.failure.hint
    assert "a GPU with more memory" in outcome.failure.hint


@pytest.mark.parametrize("line", MAIN_MEMORY)
def test_main_memory_has_the_limit_of_the_configuration(tmp_path, line):
    outcome = judged(tmp_path, ends(line))
    assert (outcome.category, outcome.failure.evidence["cause"]) == ("BASELINE_OOM", "need more memory")
    assert "raise memory_gb of [perfagents.protocol]" in outcome.failure.hint
    assert "GPU" not in outcome.failure.hint


def test_memory_of_no_kind_may_be_either(tmp_path):
    hint = judged(tmp_path, says("too small", error_name="MEMORY_INSUFFICIENT")).failure.hint
    assert "memory_gb" in hint
    assert "of the GPU" in hint


# --- what nothing shows ----------------------------------------------------------------------------

PERHAPS = (
    "ModuleNotFoundError: No module named 'vllm.spec_decode'",
    "TypeError: Worker.run() got an unexpected keyword argument 'blocks'",
    "AttributeError: module 'vllm.worker' has no attribute 'Cache'",
)


@pytest.mark.parametrize("line", PERHAPS)
def test_an_api_of_the_human_commit_is_a_guess(tmp_path, line):
    assert "perhaps the script calls an API of the human commit" in judged(tmp_path, ends(line)).failure.hint


VALUES = (
    "unhashable type: 'dict'",
    "unsupported operand type(s) for +: 'int' and 'str'",
    "'int' object is not iterable",
)


@pytest.mark.parametrize("text", VALUES)
def test_a_value_of_a_wrong_type_is_no_api_of_another_commit(tmp_path, text):
    for number, result in enumerate((ends(f"TypeError: {text}"), says(text, target_resolved=True))):
        outcome = judged(tmp_path / str(number), result)
        assert outcome.category == "BASELINE_TYPE_ERROR"
        assert "perhaps the script passes a value of a type" in outcome.failure.hint


# --- what is installed -----------------------------------------------------------------------------

UNMATCHED = "RuntimeError: operator torchvision::nms does not exist"
PAIRS = {
    "foo 1.0 requires torch==2.4.0, but you have torch 2.5.1 which is incompatible.": "torchvision==0.20.1",
    "PyTorch version: 2.3.0+cu121": "torchvision==0.18.0",
    '{"torch_version": "2.8"}': "torchvision==0.23.*",
    "torch.__version__ = 2.0.1": "torchvision==0.15.2",
    "torch version 1.13.1": "",
    "torchvision version: 0.19.0, requires torch==2.4.0": "",
}


@pytest.mark.parametrize(("log", "pair"), PAIRS.items())
def test_the_torchvision_of_a_torch_is_that_of_the_table_of_pairs(log, pair):
    assert torchvision_of(log) == pair


def test_torchvision_is_matched_to_the_torch_that_is_there_and_torch_stays(tmp_path):
    hint = judged(tmp_path / "words", ends(UNMATCHED)).failure.hint
    assert "leave torch as it is" in hint
    assert "--upgrade" not in hint
    known = judged(tmp_path / "known", ends(UNMATCHED, log="PyTorch version: 2.6.0+cu124\n"))
    assert known.failure.hint == 'pip install --no-deps "torchvision==0.21.0"'


LEFT_OVER = (
    "WARNING: Ignoring invalid distribution -ransformers (/usr/lib/python3/dist-packages)\n",
    "WARNING: Ignoring invalid distribution ~ransformers (/usr/lib/python3/dist-packages)\n",
)
ABSENT = "ModuleNotFoundError: No module named 'transformers.generation'"


@pytest.mark.parametrize("warning", LEFT_OVER)
def test_a_half_removed_package_is_to_be_installed_again(tmp_path, warning):
    script = judged(tmp_path, ends(ABSENT, log=warning)).failure
    server = not_served(ServedLog("error", "Server crashed", f"{warning}{FRAME}{ABSENT}\n"), COMMIT, ("vllm",))
    for failure in (script, server):
        assert "transformers is half removed" in failure.hint
        assert "pip install --force-reinstall --no-deps transformers" in failure.hint
        assert failure.evidence["cause"] == "have a half-removed transformers"
        assert failure.blame == "environment"


def test_a_half_removed_package_is_no_cause_of_another_ones_absence(tmp_path):
    log = "WARNING: Ignoring invalid distribution -illow (/usr/lib/python3/dist-packages)\n"
    assert "half removed" not in judged(tmp_path, ends(ABSENT, log=log)).failure.hint


# --- recommendations -------------------------------------------------------------------------------


def test_one_fix_is_one_line_whatever_its_runs_ended_in(tmp_path):
    broken = "Could not import module 'AutoProcessorMixin'. Are this object's requirements defined correctly?"
    results = [
        ends(UNMATCHED),
        says(UNMATCHED.partition(": ")[2], target_resolved=True),
        ends(f"ImportError: {broken}"),
    ]
    results += [says(broken), ends("ModuleNotFoundError: No module named 'einx'"), says("No module named 'einx'")]
    results += [ends("ModuleNotFoundError: No module named 'einx'", "RuntimeError: engine failed")]
    results[-1]["stderr"] = results[-1]["stderr"].replace(
        f"'einx'\n{FRAME}",
        f"'einx'\n\nThe above exception was the direct cause of the following exception:\n\n{FRAME}",
    )
    for number, result in enumerate(results):
        write(tmp_path, record(result, item_id=f"a-{number}"), item=f"a-{number}")
    told = [(words, runs) for words, runs, _, _ in things(import_records([tmp_path]).outcomes)]
    assert told == [
        ("install einx", 3),
        ("mend the environment: 2 runs need a torchvision that matches torch", 2),
        ("mend the environment: 2 runs need a transformers that imports", 2),
    ]


def test_a_long_table_says_how_to_see_all(tmp_path):
    rows = [(str(number),) for number in range(31)]
    long = table("", {"thing": Kind.TEXT}, rows, what="things")
    sample = table("", {"thing": Kind.TEXT}, rows[:5], what="runs", total=90)
    pages = [Document("x", (Section("y", (), (each,)),)) for each in (long, sample)]
    assert "*(showing 20 of 31 things)*; `--rows 0 shows all`" in to_markdown(pages[0])
    assert "... showing 20 of 31 things; --rows 0 shows all" in to_screen(pages[0], Screen(80, False, "utf-8"))
    assert "--rows 0" not in to_markdown(pages[1])


# --- whose move ------------------------------------------------------------------------------------


def test_a_stand_in_that_the_script_made_is_the_scripts_move():
    report = ScriptReport(seconds=1.0, raw={"using_mock": True})
    assert stand_in(report, "", Role.BASELINE).blame is Blame.SCRIPT
    hidden = {"vllm.worker": {"type": "KeyError", "message": "'a'", "chain": []}}
    assert diagnose(Evidence(swallowed=hidden), Role.BASELINE, packages=("vllm",)).blame is Blame.SCRIPT


def test_a_patch_that_cannot_be_read_here_is_not_the_agents_move(tmp_path):
    failure = unreadable_patch(tmp_path / "p.diff", PermissionError(13, "Permission denied"))
    assert (failure.category, failure.blame) == ("AGENT_NO_PATCH", "environment")


# One line for every rule whose hint could speak of a script, of our configuration or of our limit of memory.
SERVED = (
    *PERHAPS,
    *GPU_MEMORY,
    *MAIN_MEMORY,
    *(f"TypeError: {text}" for text in VALUES),
    "PermissionError: [Errno 13] Permission denied: '/data/hf/token'",
    "OSError: [Errno 28] No space left on device",
    "ImportError: cannot import name 'LLM' from partially initialized module 'vllm' (/w/vllm/__init__.py)",
    "ModuleNotFoundError: No module named 'vllm'",
    "ModuleNotFoundError: No module named 'vllm._C'",
    "ModuleNotFoundError: No module named 'distutils'",
    "ModuleNotFoundError: No module named 'benchmarks.backend'",
    "PackageNotFoundError: No package metadata was found for vllm",
    "OSError: You are trying to access a gated repo.",
    "OSError: [Errno 98] Address already in use",
    "RuntimeError: out of resource: shared memory, Required: 1",
    "RuntimeError: CUDA_HOME environment variable is not set",
    "AssertionError: no",
    "AttributeError: 'NoneType' object has no attribute 'x'",
    "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "ImportError: no luck",
    "KeyError: 'a'",
)


@pytest.mark.parametrize("line", SERVED)
@pytest.mark.parametrize("side", [Role.BASELINE, Role.PATCHED])
def test_no_hint_on_a_served_benchmark_speaks_of_a_script_or_of_our_configuration(line, side):
    failure = not_served(ServedLog("error", "Server crashed", f"{FRAME}{line}\n"), COMMIT, ("vllm",), side)
    assert failure.hint
    for word in ("the script", "memory_gb", "[repos.", "[perfagents"):
        assert word not in failure.hint
    assert failure.blame != "script" or "'benchmarks.backend'" in failure.reason  # the benchmark's own script


# Advice for a script that we run -> what of it means nothing to a server.
OURS = {
    "ModuleNotFoundError: No module named 'vllm._C'": " (build of [repos.vllm])",
    "RuntimeError: CUDA_HOME environment variable is not set": " in env of [repos.vllm]",
    "OSError: [Errno 28] No space left on device": ", or set cache of [perfagents] to a larger disk",
    "MemoryError": ", raise memory_gb of [perfagents.protocol]",
}


@pytest.mark.parametrize(("line", "words"), OURS.items())
def test_what_our_configuration_sets_is_left_out_of_the_advice_for_a_server(tmp_path, line, words):
    script = judged(tmp_path, ends(line)).failure
    server = not_served(ServedLog("error", "Server crashed", f"{FRAME}{line}\n"), COMMIT, ("vllm",))
    assert words in script.hint
    left = script.hint.replace(words, "")
    assert server.hint.partition(" (")[0] == left.partition(" (")[0]


def test_no_rule_speaks_of_the_script_on_a_served_benchmark():
    place = Place(Role.BASELINE, "vllm", ("vllm",), served=True)
    kinds = ("HARDWARE_UNAVAILABLE", "OOM", "CUDA_ERROR", "IMPORT_ERROR", "TYPE_ERROR", "ASSERTION", "EXCEPTION")
    assert not [kind for kind in kinds if "the script" in hint_of_kind(kind, place)]
