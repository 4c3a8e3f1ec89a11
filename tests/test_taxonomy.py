"""The table of categories, and one example in the spirit of real records for every rule of diagnosis."""

import signal
from dataclasses import replace

import pytest

from pytest_perfagents.diagnosis import Evidence, agent_failure, diagnose
from pytest_perfagents.diagnosis.kinds import KINDS
from pytest_perfagents.diagnosis.taxonomy import TABLE, pytest_outcome
from pytest_perfagents.model import AgentRun, Blame, Category, Commit, Ending, Execution, Role, Stage
from pytest_perfagents.parsers.script_output import report_from_json

BROKEN_TRANSFORMERS = "Could not import module 'ProcessorMixin'. Are this object's requirements defined correctly?"


def ended(stderr="", stdout="", *, code=1, ending=Ending.EXITED, duration_s=3.0):
    return Execution(("python", "perf script.py"), ending, code, stdout, stderr, duration_s)


def traceback(*exceptions):
    """The text Python prints for a chain of exceptions, the deepest first."""
    frame = 'Traceback (most recent call last):\n  File "/w/script.py", line 3, in setup\n    go()\n'
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    return link.join(f"{frame}{exception}\n" for exception in exceptions)


def judge(evidence, role=Role.BASELINE, **where):
    where = {"packages": ("vllm",), "repo": "vllm", **where}
    return diagnose(evidence, role, **where)


def raised(*exceptions, role=Role.BASELINE):
    return judge(Evidence(execution=ended(traceback(*exceptions))), role)


def reported(error, role=Role.BASELINE, **more):
    report = report_from_json({"target_resolved": False, "error": error, **more})
    return judge(Evidence(execution=ended(), report=report), role)


# --- the table -------------------------------------------------------------------------------------


def test_every_category_has_a_row_and_no_row_is_left_over():
    assert set(TABLE) == set(Category)


@pytest.mark.parametrize("category", Category)
def test_a_row_agrees_with_what_the_category_says(category):
    row = TABLE[category]
    if category.measured:
        assert row.outcome == "passed"
    elif category.startswith(("BASELINE_", "PATCHED_")):
        assert row.outcome == "xfailed"
        assert (row.blame is Blame.AGENT) == category.startswith("PATCHED_")
    assert (row.outcome == "failed") == (category is Category.HARNESS_ERROR)


def test_skipped_is_what_could_not_be_measured_at_all():
    skipped = {category for category, row in TABLE.items() if row.outcome == "skipped"}
    assert skipped == {
        Category.AGENT_NO_PATCH,
        Category.AGENT_TIMEOUT,
        Category.AGENT_INFRA_ERROR,
        Category.NO_TEST_SCRIPT,
        Category.HARDWARE_UNAVAILABLE,
    }


def test_the_configuration_can_change_an_outcome():
    assert pytest_outcome(Category.PATCH_INVALID) == "xfailed"
    assert pytest_outcome(Category.PATCH_INVALID, {"PATCH_INVALID": "failed"}) == "failed"
    assert pytest_outcome(Category.PATCH_INVALID, {"NEEDS_BUILD": "failed"}) == "xfailed"


# --- what an exception is called -------------------------------------------------------------------

KIND_EXAMPLES = {
    "RuntimeError: No CUDA GPUs are available": "HARDWARE_UNAVAILABLE",
    "RuntimeError: Found no NVIDIA driver on your system.": "HARDWARE_UNAVAILABLE",
    "RuntimeError: 0 active drivers ([]). There should only be one.": "HARDWARE_UNAVAILABLE",
    "ImportError: libcuda.so.1: cannot open shared object file: No such file": "HARDWARE_UNAVAILABLE",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.": "OOM",
    "RuntimeError: CUDA out of memory. Tried to allocate 20 MiB": "OOM",
    "MemoryError": "OOM",
    "RuntimeError: CUDA error: an illegal memory access was encountered": "CUDA_ERROR",
    "torch.AcceleratorError: CUDA error: device-side assert triggered": "CUDA_ERROR",
    "ModuleNotFoundError: No module named 'decord'": "IMPORT_ERROR",
    "ImportError: cannot import name 'A' from 'vllm.b' (/w/vllm/b.py)": "IMPORT_ERROR",
    "AttributeError: 'Scheduler' object has no attribute 'fast'": "ATTRIBUTE_ERROR",
    "TypeError: unhashable type: 'list'": "TYPE_ERROR",
    "AssertionError": "ASSERTION",
    "RuntimeError: mat1 and mat2 shapes cannot be multiplied": "RUNTIME_ERROR",
    "NotImplementedError: not on this backend": "EXCEPTION",
    "NameError: name 'tl' is not defined": "EXCEPTION",
    "ValueError: too many values to unpack (expected 2)": "EXCEPTION",
    "vllm.errors.Odd: never seen": "EXCEPTION",
}


def test_there_is_an_example_of_every_kind():
    assert {kind for kind, _ in KINDS} == set(KIND_EXAMPLES.values())


@pytest.mark.parametrize(("line", "kind"), KIND_EXAMPLES.items())
@pytest.mark.parametrize("role", Role)
def test_an_exception_is_named_after_what_it_is(line, kind, role):
    failure = raised(line, role=role)
    if kind == "HARDWARE_UNAVAILABLE":
        assert (failure.category, failure.blame) == (Category.HARDWARE_UNAVAILABLE, Blame.ENVIRONMENT)
    else:
        assert failure.category is Category.for_side(role, kind)
        assert (failure.blame is Blame.AGENT) == (role is Role.PATCHED)
    assert failure.side is role
    assert failure.reason.startswith(role.value)
    assert failure.hint


def test_a_lack_of_kv_cache_is_not_a_lack_of_hardware():
    assert raised("ValueError: no GPU blocks are left").category is Category.BASELINE_EXCEPTION


def test_a_librarys_own_class_counts_as_what_it_derives_from():
    bases = ["LazyImportError", "ImportError", "Exception", "BaseException"]
    error = {"type": "LazyImportError", "message": "odd", "bases": bases, "chain": []}
    assert judge(Evidence(error=error)).category is Category.BASELINE_IMPORT_ERROR
    builtin = {"type": "NotImplementedError", "message": "", "bases": ["NotImplementedError", "RuntimeError"]}
    assert judge(Evidence(error=builtin)).category is Category.BASELINE_EXCEPTION


# --- what a cause means ----------------------------------------------------------------------------

# Exception -> (words of the reason, words of the hint, blame on the baseline, missing module)
ADVICE_EXAMPLES = {
    "PackageNotFoundError: No package metadata was found for vllm": (
        "asks for the metadata of vllm",
        "vllm-<version>.dist-info",
        Blame.ENVIRONMENT,
        None,
    ),
    "ModuleNotFoundError: No module named 'decord'": (
        "'decord'",
        "pip install decord",
        "environment",
        "decord",
    ),
    "ModuleNotFoundError: No module named 'cv2'": ("'cv2'", "opencv-python-headless", "environment", "cv2"),
    "ModuleNotFoundError: No module named 'PIL.Image'": ("PIL", "pillow", "environment", "PIL.Image"),
    "ModuleNotFoundError: No module named 'yaml'": ("yaml", "pip install pyyaml", "environment", "yaml"),
    "ModuleNotFoundError: No module named 'sklearn'": ("sklearn", "scikit-learn", "environment", "sklearn"),
    "ModuleNotFoundError: No module named 'outlines.fsm.regex'": (
        "not in the installed version of outlines",
        '"outlines>=0.0.44,<0.1"',
        "environment",
        "outlines.fsm.regex",
    ),
    "ModuleNotFoundError: No module named 'foo.bar'": (
        "foo.bar",
        "foo of the commit's day",
        "environment",
        "foo.bar",
    ),
    "ModuleNotFoundError: No module named 'deep_ep'": ("deep_ep", "DeepEP", "environment", "deep_ep"),
    "ModuleNotFoundError: No module named 'distutils'": ("this Python", "3.11", "environment", "distutils"),
    "ModuleNotFoundError: No module named 'benchmark.kernels.minmax'": (
        "a file of the repository",
        "no package to install",
        "script",
        "benchmark.kernels.minmax",
    ),
    "ModuleNotFoundError: No module named 'vllm._C'": ("compiled", "overlay", "environment", "vllm._C"),
    "ModuleNotFoundError: No module named 'vllm._moe_C'": ("compiled", "build", "environment", "vllm._moe_C"),
    "ModuleNotFoundError: No module named 'vllm.compilation'": (
        "vllm does not have at this commit",
        "no package to install: perhaps the script calls an API of the human commit; guard it",
        "script",
        "vllm.compilation",
    ),
    "ModuleNotFoundError: No module named 'vllm'": ("measured package", "import_root", "environment", "vllm"),
    "RuntimeError: operator torchvision::nms does not exist": (
        "torchvision",
        "torchvision",
        "environment",
        None,
    ),
    "ImportError: cannot import name 'default_cache_dir' from 'triton.runtime.cache' (/x/cache.py)": (
        "triton is too new",
        "older triton",
        "environment",
        None,
    ),
    "ValueError: Unknown RoPE scaling type llama3": ("too new", "model of the commit's day", "script", None),
    f"ModuleNotFoundError: {BROKEN_TRANSFORMERS}": (
        "transformers is broken",
        "torchvision",
        "environment",
        None,
    ),
    "ImportError: cannot import name 'ProcessorMixin' from 'transformers' (/x/__init__.py)": (
        "transformers is broken",
        "torchvision",
        "environment",
        None,
    ),
    "AttributeError: '_OpNamespace' '_C' object has no attribute 'rms_norm'": (
        "compiled",
        "overlay",
        "environment",
        "vllm._C",
    ),
    "ImportError: /w/vllm/_C.abi3.so: undefined symbol: _ZN3c104cuda9SetDeviceEi": (
        "another torch",
        "build it again",
        "environment",
        None,
    ),
    "AttributeError: module 'numpy' has no attribute 'bool8'": ("NumPy", '"numpy<2"', "environment", None),
    "ImportError: cannot import name 'cuda_utils' from partially initialized module 'vllm' (most likely …)": (
        "compiled",
        "build",
        "environment",
        "vllm.cuda_utils",
    ),
    "ImportError: cannot import name 'LLM' from partially initialized module 'vllm' (/w/vllm/__init__.py)": (
        "circle",
        "another road",
        "script",
        None,
    ),
    "ImportError: cannot import name 'PromptStrictInputs' from 'vllm.inputs' (/w/vllm/inputs.py)": (
        "wants 'PromptStrictInputs' from vllm.inputs",
        "guard it",
        "script",
        None,
    ),
    "ImportError: cannot import name 'build_regex' from 'outlines.fsm.json_schema' (/x/y.py)": (
        "installed version",
        "outlines of the commit's day",
        "environment",
        None,
    ),
    "AttributeError: module 'vllm.core.block_manager' has no attribute 'Uncached'": (
        "'Uncached' from vllm.core.block_manager",
        "guard it",
        "script",
        None,
    ),
    "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory": (
        "libcudart.so.12",
        "CUDA version",
        "environment",
        None,
    ),
    "OSError: You are trying to access a gated repo.": ("model", "HF_TOKEN", "environment", None),
    "OSError: We couldn't connect to 'https://huggingface.co' to load the files": (
        "network",
        "HF_HOME",
        "environment",
        None,
    ),
    "PermissionError: [Errno 13] Permission denied: '/data/hf/token'": (
        "/data/hf/token",
        "`writable` of [repos.",
        "environment",
        None,
    ),
    "OSError: [Errno 28] No space left on device": ("disk", "disk", "environment", None),
    "RuntimeError: CUDA error: no kernel image is available for execution on the device": (
        "this GPU",
        "architecture",
        "environment",
        None,
    ),
    "RuntimeError: \"normal_kernel_cuda\" not implemented for 'Float8_e4m3fn'": (
        "Float8_e4m3fn",
        "convert",
        "script",
        None,
    ),
    "TypeError: Paged.forward() got an unexpected keyword argument 'context_lens'": (
        "interface",
        "guard it",
        "script",
        None,
    ),
    "AttributeError: type object 'P2pEngine' has no attribute 'extract'": (
        "interface",
        "guard it",
        "script",
        None,
    ),
}


@pytest.mark.parametrize(("line", "expected"), ADVICE_EXAMPLES.items())
def test_a_known_cause_tells_what_mends_it(line, expected):
    reason, hint, blame, module = expected
    failure = raised(line)
    assert reason in failure.reason
    assert hint in failure.hint
    assert failure.blame == blame
    assert failure.evidence.get("module") == module
    assert raised(line, role=Role.PATCHED).blame is Blame.AGENT


def test_a_compiled_file_is_never_something_to_pip_install():
    assert "pip install" not in raised("ModuleNotFoundError: No module named 'vllm._C'").hint


def test_what_the_human_commit_lacks_too_is_not_an_api_of_the_human_commit():
    line = "AttributeError: module 'vllm.core' has no attribute 'Nothing'"
    assert "not even the human commit" in raised(line, role=Role.HUMAN).hint


def test_a_circle_that_the_patch_made_is_the_patchs():
    line = "ImportError: cannot import name 'LLM' from partially initialized module 'vllm' (/w/vllm/__init__.py)"
    assert "the patch" in raised(line, role=Role.PATCHED).hint


def test_the_reason_of_a_missing_module_is_short():
    assert raised("ModuleNotFoundError: No module named 'decord'").reason == (
        "baseline needs module 'decord', which is not installed"
    )


# --- chains: the deepest cause explains, the last exception names ----------------------------------


def test_the_deepest_cause_explains_what_the_last_exception_names():
    failure = raised(
        "RuntimeError: operator torchvision::nms does not exist",
        f"ModuleNotFoundError: {BROKEN_TRANSFORMERS}",
    )
    assert failure.category is Category.BASELINE_IMPORT_ERROR
    assert failure.reason.startswith("baseline cannot import torchvision")
    assert "ProcessorMixin" in failure.reason
    assert failure.evidence["exception"] == "ModuleNotFoundError"
    assert len(failure.evidence["chain"]) == 2


def test_an_error_that_points_above_is_explained_by_what_stands_above():
    inner = traceback("ModuleNotFoundError: No module named 'decord'")
    inner = "".join(f"(EngineCore pid=7) ERROR 01-02 10:11:12 core.py:586] {line}\n" for line in inner.splitlines())
    outer = traceback("RuntimeError: Engine core initialization failed. See root cause above.")
    failure = judge(Evidence(execution=ended(f"{inner}INFO 01-02 10:11:13 [llm.py:1] bye\n{outer}")))
    assert failure.category is Category.BASELINE_RUNTIME_ERROR
    assert failure.hint == "pip install decord"


def test_a_traceback_whose_head_was_cut_off_still_counts():
    text = 'lf.x)\n  File "/w/a.py", line 9, in <module>\n    import pynvml\n'
    text += "ModuleNotFoundError: No module named 'pynvml'\n"
    failure = judge(Evidence(execution=ended(text)))
    assert (failure.category, failure.hint) == (Category.BASELINE_IMPORT_ERROR, "pip install nvidia-ml-py")


def test_a_traceback_on_stdout_counts_where_stderr_has_none():
    failure = judge(Evidence(execution=ended(stdout=traceback("KeyError: 'a'"))))
    assert (failure.category, failure.evidence["exception"]) == (Category.BASELINE_EXCEPTION, "KeyError")


def test_the_cause_may_stand_on_a_later_line_of_the_message():
    failure = raised("RuntimeError: Failed to import transformers.x (look up its traceback):\nNo module named 'keras'")
    assert (failure.category, failure.hint) == (Category.BASELINE_RUNTIME_ERROR, "pip install keras")


def test_an_ignored_exception_at_shutdown_does_not_decide():
    text = (
        traceback("ValueError: true end")
        + "Exception ignored in: <function X.__del__>\n"
        + traceback("TypeError: late")
    )
    assert judge(Evidence(execution=ended(text))).category is Category.BASELINE_EXCEPTION


def test_the_workers_chain_is_read_deepest_last():
    error = {
        "type": "RuntimeError",
        "message": "setup failed",
        "traceback": "the traceback",
        "chain": [
            {"type": "ImportError", "message": "no luck"},
            {"type": "ModuleNotFoundError", "message": "No module named 'ray'"},
        ],
    }
    failure = judge(Evidence(error=error, stage=Stage.RUN))
    assert (failure.category, failure.hint) == (Category.BASELINE_RUNTIME_ERROR, "pip install ray")
    assert failure.evidence["traceback"] == "the traceback"


def test_the_module_of_an_import_error_is_enough():
    error = {"type": "ModuleNotFoundError", "message": "halted; None in sys.modules", "module": "librosa"}
    assert judge(Evidence(error=error)).hint == "pip install librosa"


# --- what the script reports -----------------------------------------------------------------------

REPORT_EXAMPLES = [
    ("No module named 'transformers'", {}, "TEST_IMPORT_ERROR", "PATCHED_IMPORT_ERROR"),
    (
        "Failed to import vLLM components: No module named 'cbor2'",
        {},
        "TEST_IMPORT_ERROR",
        "PATCHED_IMPORT_ERROR",
    ),
    ("No module named 'vllm._C'", {}, "TEST_IMPORT_ERROR", "PATCHED_IMPORT_ERROR"),
    (
        "Import error: No module named 'vllm.core.block'",
        {},
        "TARGET_NOT_RESOLVED",
        "PATCHED_TARGET_NOT_RESOLVED",
    ),
    (
        "cannot import name 'X' from 'vllm.y' (/w/y.py)",
        {},
        "TARGET_NOT_RESOLVED",
        "PATCHED_TARGET_NOT_RESOLVED",
    ),
    ("type object 'E' has no attribute 'f'", {}, "TARGET_NOT_RESOLVED", "PATCHED_TARGET_NOT_RESOLVED"),
    ("Target not found", {}, "TARGET_NOT_RESOLVED", "PATCHED_TARGET_NOT_RESOLVED"),
    (
        "no such symbol",
        {"error_name": "IMPORT_MISSING_SYMBOL", "target_resolved": True},
        "TARGET_NOT_RESOLVED",
        "PATCHED_TARGET_NOT_RESOLVED",
    ),
    (
        "FP8 operations require CUDA device",
        {"target_resolved": True, "opt_path_hit": False},
        "HARDWARE_UNAVAILABLE",
        "HARDWARE_UNAVAILABLE",
    ),
    ("no", {"error_name": "CAPABILITY_UNSUPPORTED"}, "HARDWARE_UNAVAILABLE", "HARDWARE_UNAVAILABLE"),
    (
        "CI configuration only",
        {"error_name": "OPT_PATH_NOT_TRIGGERED", "opt_path_hit": False},
        "OPT_PATH_NOT_HIT",
        "OPT_PATH_NOT_HIT",
    ),
    ("OPT_PATH_NOT_TRIGGERED: nothing to time", {}, "OPT_PATH_NOT_HIT", "OPT_PATH_NOT_HIT"),
    (
        "tensorizer_not_available",
        {"target_resolved": None, "opt_path_hit": False, "avg_ms": 0.0, "iters": 0},
        "TEST_IMPORT_ERROR",
        "PATCHED_IMPORT_ERROR",
    ),
    (
        "too small",
        {"error_name": "MEMORY_INSUFFICIENT", "target_resolved": True},
        "BASELINE_OOM",
        "PATCHED_OOM",
    ),
    (
        "differs",
        {"error_name": "EQUIVALENCE_FAILED", "target_resolved": True},
        "BASELINE_ASSERTION",
        "EQUIVALENCE_FAILED",
    ),
    (
        "S.__init__() got an unexpected keyword argument 'x'",
        {"target_resolved": True, "opt_path_hit": False},
        "BASELINE_TYPE_ERROR",
        "PATCHED_TYPE_ERROR",
    ),
    (
        "'S' object has no attribute 'x'",
        {"target_resolved": True},
        "BASELINE_ATTRIBUTE_ERROR",
        "PATCHED_ATTRIBUTE_ERROR",
    ),
    (
        "ValueError: odd",
        {"target_resolved": True, "opt_path_hit": False},
        "BASELINE_EXCEPTION",
        "PATCHED_EXCEPTION",
    ),
    (
        "CUDA error: misaligned address",
        {"target_resolved": True},
        "BASELINE_CUDA_ERROR",
        "PATCHED_CUDA_ERROR",
    ),
]


@pytest.mark.parametrize(("error", "more", "baseline", "patched"), REPORT_EXAMPLES)
def test_a_report_of_trouble_is_named(error, more, baseline, patched):
    assert reported(error, **more).category == baseline
    assert reported(error, Role.PATCHED, **more).category == patched


def test_a_report_on_stdout_is_found_and_the_exit_after_it_is_no_exception_of_its_own():
    error = {
        "type": "SystemExit",
        "message": "1",
        "code": 1,
        "chain": [{"type": "ModuleNotFoundError", "message": "x"}],
    }
    printed = '{"target_resolved": false, "error": "no such kernel"}\n'
    for execution in (ended(stdout=printed), ended(stderr=f"WARNING: noise\n{printed}")):
        failure = judge(Evidence(execution=execution, error=error, stage=Stage.RUN))
        assert failure.category is Category.TARGET_NOT_RESOLVED
        assert failure.stage is Stage.IMPORT


def test_an_exception_after_a_good_report_is_what_ended_the_run():
    printed = '{"avg_ms": 1.5, "opt_path_hit": true}\n'
    failure = judge(Evidence(execution=ended(traceback("ValueError: late"), printed)))
    assert failure.category is Category.BASELINE_EXCEPTION


def test_an_exception_after_a_report_of_trouble_is_what_ended_the_run():
    error = {"type": "KeyError", "message": "'a'", "chain": []}
    report = report_from_json({"target_resolved": False, "error": "tried and gave up"})
    assert judge(Evidence(error=error, report=report)).category is Category.BASELINE_EXCEPTION


def test_the_path_not_hit_without_an_error():
    report = report_from_json({"avg_ms": 1.5, "opt_path_hit": False, "target_resolved": True})
    assert judge(Evidence(report=report)).category is Category.OPT_PATH_NOT_HIT


def test_a_report_of_nothing_is_no_output():
    report = report_from_json({"avg_ms": 0.0, "iters": 0})
    failure = judge(Evidence(execution=ended(code=0), report=report))
    assert failure.category is Category.BASELINE_NO_OUTPUT
    assert "iters: 0" in failure.reason


def test_a_reported_error_is_explained_by_the_traceback_of_that_very_error():
    message = BROKEN_TRANSFORMERS
    log = traceback("RuntimeError: operator torchvision::nms does not exist", f"ModuleNotFoundError: {message}")
    printed = f'{{"target_resolved": false, "error": "{message}"}}\n'
    failure = judge(Evidence(execution=ended(log, printed)))
    assert failure.category is Category.TEST_IMPORT_ERROR
    assert "torchvision, which does not match" in failure.reason


# --- how the process ended -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (signal.SIGKILL, "OOM", "out of memory"),
        (signal.SIGXCPU, "TIMEOUT", "CPU time"),
        (signal.SIGSEGV, "NO_OUTPUT", "SIGSEGV"),
        (signal.SIGABRT, "NO_OUTPUT", "SIGABRT"),
        (signal.SIGILL, "NO_OUTPUT", "SIGILL"),
        (signal.SIGUSR1, "NO_OUTPUT", "SIGUSR1"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_signal_is_named(number, kind, word, sign):
    failure = judge(Evidence(execution=ended(code=sign * number, ending=Ending.SIGNALED)))
    assert failure.category is Category.for_side(Role.BASELINE, kind)
    assert word in failure.reason
    assert failure.evidence["signal"] == signal.Signals(number).name


def test_a_shells_word_for_a_signal_is_understood():
    failure = judge(Evidence(execution=ended(code=137)), Role.PATCHED)
    assert (failure.category, failure.blame) == (Category.PATCHED_OOM, Blame.AGENT)
    assert "the baseline survived" in failure.hint


def test_a_crash_that_said_why_is_what_it_said():
    words = "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: launch failure\n"
    failure = judge(Evidence(execution=ended(words, code=6, ending=Ending.SIGNALED)))
    assert failure.category is Category.BASELINE_CUDA_ERROR


def test_too_late_is_a_timeout_and_the_earlier_exception_its_hint():
    execution = ended(code=None, ending=Ending.TIMED_OUT, duration_s=600.0)
    failure = judge(Evidence(execution=execution))
    assert (failure.category, failure.blame) == (Category.BASELINE_TIMEOUT, Blame.SCRIPT)
    assert "600 s" in failure.reason
    assert judge(Evidence(execution=execution), Role.PATCHED).blame is Blame.AGENT
    hanging = ended(traceback("ModuleNotFoundError: No module named 'ray'"), code=None, ending=Ending.TIMED_OUT)
    failure = judge(Evidence(execution=hanging))
    assert (failure.category, failure.hint) == (Category.BASELINE_TIMEOUT, "pip install ray")


def test_the_end_of_a_worker_that_was_closed_after_an_error_says_nothing():
    error = {"type": "ValueError", "message": "odd", "chain": []}
    for execution in (ended(code=9, ending=Ending.SIGNALED), ended(code=None, ending=Ending.TIMED_OUT)):
        failure = judge(Evidence(execution=execution, error=error))
        assert failure.category is Category.BASELINE_EXCEPTION
        assert not {"signal", "exit_code"} & failure.evidence.keys()


def test_an_interpreter_that_is_not_there():
    failure = judge(Evidence(execution=ended("No such file: 'python'", code=None, ending=Ending.NOT_STARTED)))
    assert (failure.category, failure.blame) == (Category.BASELINE_NO_OUTPUT, Blame.ENVIRONMENT)
    assert "python of [repos.vllm]" in failure.hint


def test_a_script_without_main_block_says_nothing():
    failure = judge(Evidence(execution=ended(code=0)))
    assert failure.category is Category.BASELINE_NO_OUTPUT
    assert "main block" in failure.hint


def test_sys_exit_without_a_word_is_no_output():
    failure = judge(Evidence(error={"type": "SystemExit", "message": "3", "code": 3, "chain": []}))
    assert failure.category is Category.BASELINE_NO_OUTPUT
    assert failure.evidence["exit_code"] == 3


def test_a_time_before_a_bad_end():
    failure = judge(Evidence(execution=ended(stdout='{"avg_ms": 2.0}', code=3)))
    assert failure.category is Category.BASELINE_UNKNOWN
    assert "exit code 3" in failure.reason


def test_no_evidence_at_all_is_unknown():
    failure = judge(Evidence())
    assert failure.category is Category.BASELINE_UNKNOWN
    assert failure.hint


# --- words that do not decide, words that do -------------------------------------------------------

HARMLESS = (
    "/w/vllm/__init__.py:5: RuntimeWarning: Failed to read commit hash:\nNo module named 'vllm._version'\n"
    "  from .version import __version__\n"
    "WARNING 12-23 21:52:48 _custom_ops.py:15] Failed to import from vllm._C with "
    "ModuleNotFoundError(\"No module named 'vllm._C'\")\n"
)


def test_harmless_lines_never_decide():
    assert judge(Evidence(execution=ended(HARMLESS, code=0))).category is Category.BASELINE_NO_OUTPUT
    failure = judge(Evidence(execution=ended(HARMLESS + traceback("ValueError: odd"))))
    assert failure.category is Category.BASELINE_EXCEPTION
    assert "module" not in failure.evidence


def test_a_missing_version_file_beneath_is_harmless_too():
    failure = raised(
        "ModuleNotFoundError: No module named 'vllm._version'", "ModuleNotFoundError: No module named 'ray'"
    )
    assert failure.hint == "pip install ray"


def test_a_script_that_says_it_in_words_and_leaves():
    said = "Error: No module named 'outlines.fsm.regex'. Please install a new version of outlines\n"
    failure = judge(Evidence(execution=ended(HARMLESS, said)))
    assert failure.category is Category.TEST_IMPORT_ERROR
    assert failure.evidence["module"] == "outlines.fsm.regex"


# --- swallowed imports -----------------------------------------------------------------------------

HIDDEN = {
    "vllm.core.scheduler": {
        "type": "ModuleNotFoundError",
        "message": "No module named 'msgspec'",
        "chain": [],
    }
}


def test_a_stand_in_for_the_target_is_no_target():
    failure = judge(Evidence(swallowed=HIDDEN))
    assert (failure.category, failure.hint) == (Category.WRONG_TARGET, "pip install msgspec")
    assert judge(Evidence(swallowed=HIDDEN), Role.PATCHED).category is Category.PATCHED_IMPORT_ERROR


def test_a_swallowed_import_explains_what_stumbles_over_it():
    error = {"type": "TypeError", "message": "'NoneType' object is not callable", "chain": []}
    failure = judge(Evidence(error=error, swallowed=HIDDEN))
    assert (failure.category, failure.hint) == (Category.BASELINE_TYPE_ERROR, "pip install msgspec")
    other = {"type": "ValueError", "message": "odd", "chain": []}
    assert "msgspec" not in judge(Evidence(error=other, swallowed=HIDDEN)).hint


# --- what every failure carries --------------------------------------------------------------------


def test_the_evidence_lets_a_person_check():
    execution = ended(traceback("KeyError: 'a'"), "some\noutput\n")
    failure = judge(Evidence(execution=execution))
    assert failure.evidence["ran"] == "python 'perf script.py'"
    assert failure.evidence["stdout"] == "some\noutput"
    assert failure.evidence["stderr"].endswith("KeyError: 'a'")
    assert failure.evidence["exit_code"] == 1
    worker = replace(execution, command=("python", "/gone/worker.pyc", '{"root": "/gone/too"}'))
    assert not {"ran", "command"} & judge(Evidence(execution=worker)).evidence.keys()
    asked = []
    silent = replace(worker, stderr="", stdout="", code=0)
    diagnose(Evidence(execution=silent), Role.BASELINE, names_in=lambda file: asked.append(file) or ())
    assert asked == [], "the worker is no script whose functions could be misspelt"


def test_a_long_message_stays_one_short_line():
    failure = raised(f"ValueError: {'very long ' * 500}")
    assert len(failure.reason) < 520
    assert "\n" not in failure.reason


def test_the_agent_is_not_blamed_where_the_baseline_never_worked():
    evidence = Evidence(execution=ended(traceback("ValueError: odd")), baseline_worked=False)
    assert judge(evidence, Role.PATCHED).blame is Blame.ENVIRONMENT


def test_the_stage_is_where_it_happened_unless_the_category_means_one():
    error = {"type": "ValueError", "message": "odd", "chain": []}
    assert judge(Evidence(error=error, stage=Stage.VERIFY)).stage is Stage.VERIFY
    assert judge(Evidence(error=error)).stage is Stage.RUN
    assert raised("ModuleNotFoundError: No module named 'x'").stage is Stage.IMPORT


# --- the agent's run -------------------------------------------------------------------------------


def agent_run(**facts):
    facts = {"has_patch": False, "status": "error", "returncode": 1, "duration_s": 60.0, **facts}
    commit = facts.pop("commit", Commit("vllm", "2f192835", "0000abcd"))
    return AgentRun(commit, "trae", "gpt-5", "2026-01-01_00-00-00", "vllm_core-0000", "runs/x", "trae_gpt5", **facts)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (
            "botocore.exceptions.UnauthorizedSSOTokenError: The SSO session associated with this profile has expired",
            "SSO",
        ),
        ("Error loading SSO Token: Token for dev does not exist", "SSO"),
        ("openai.RateLimitError: Error code: 429 - {'error': {'code': 'insufficient_quota'}}", "quota"),
        ("anthropic.AuthenticationError: Error code: 401 - invalid x-api-key", "authenticate"),
        ("ThrottlingException: Too many tokens, please wait before trying again", "rate"),
        ('{"type":"error","error":{"type":"overloaded_error"}}', "reached"),
    ],
)
def test_trouble_with_the_service_is_worth_a_retry(said, word):
    failure = agent_failure(agent_run(), f"working\n{said}\nbye\n")
    assert (failure.category, failure.blame) == (Category.AGENT_INFRA_ERROR, Blame.ENVIRONMENT)
    assert word in failure.reason
    assert failure.evidence["line"] == said


@pytest.mark.parametrize(
    "facts",
    [
        {"returncode": 124},
        {"status": "timeout"},
        {"duration_s": 7200.0, "time_budget_minutes": 120.0},
    ],
)
def test_an_agent_that_ran_out_of_time(facts):
    assert agent_failure(agent_run(**facts)).category is Category.AGENT_TIMEOUT


def test_an_agent_that_just_left_no_patch():
    failure = agent_failure(agent_run(returncode=0, time_budget_minutes=120.0), "I could not find a way.")
    assert (failure.category, failure.stage) == (Category.AGENT_NO_PATCH, Stage.DISCOVER)
    assert "status error" in failure.reason
    assert "before it could begin" in agent_failure(agent_run(duration_s=0.65)).hint


def test_a_patch_goes_on_whatever_the_status_says():
    assert agent_failure(agent_run(has_patch=True, returncode=124), "AuthenticationError") is None
    assert agent_failure(agent_run(has_patch=True, commit=Commit("vllm", "2f192835", ""))) is None


def test_a_patch_for_no_known_commit_cannot_be_tried():
    run = agent_run(has_patch=True, commit=Commit("vllm", "", ""), trouble="journal.json is no JSON")
    failure = agent_failure(run)
    assert failure.category is Category.GIT_WORKTREE_FAILED
    assert "journal.json is no JSON" in failure.reason


@pytest.mark.parametrize(("human", "pre"), [("2f192835", "2f192835"), ("2f192835", "2f19283" + "5" * 33)])
def test_a_journal_whose_baseline_is_the_human_commit_is_blamed_before_anything_is_applied(human, pre):
    failure = agent_failure(agent_run(has_patch=True, commit=Commit("vllm", human, pre)))
    assert (failure.category, failure.blame) == (Category.GIT_WORKTREE_FAILED, Blame.ENVIRONMENT)
    assert failure.reason == "commits.pre and commits.human are the same commit, 2f192835: there is no baseline"
    assert "journal.json" in failure.hint
    other = Commit("vllm", human, "3" + pre[1:])
    assert agent_failure(agent_run(has_patch=True, commit=other)) is None
