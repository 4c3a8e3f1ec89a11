"""How evidence is read: exceptions before words, the true cause under logs, prefixes, colours and groups."""

from __future__ import annotations

import signal

import pytest
from recordings import DURING, FRAME, HUMAN, PARENT, record, write

from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.preparing import not_prepared
from pytest_perfagents.diagnosis.serving import ServedLog, not_served, served_nothing
from pytest_perfagents.diagnosis.tracebacks import chain_in_text, exceptions_in
from pytest_perfagents.model import Category, Commit, Ending, Execution, Role
from pytest_perfagents.recorded.importing import import_records

COMMIT = Commit("vllm", HUMAN, PARENT)


def judged(tmp_path, result):
    write(tmp_path, record(result))
    [outcome] = import_records([tmp_path]).outcomes
    return outcome.failure


def printed(text, code=1):
    """A baseline that printed ``text`` on stderr."""
    ending = Ending.SIGNALED if code is not None and code < 0 else Ending.EXITED
    return diagnose(
        Evidence(execution=Execution((), ending, code, "", text, 1.0)), Role.BASELINE, packages=("vllm",), repo="vllm"
    )


def served(error, output="", status="error"):
    return not_served(ServedLog(status, error, output), COMMIT, ("vllm",))


def ends(line):
    return f"{FRAME}{line}\n"


def prefixed(prefix, text):
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


# --- exceptions before the words of git, patch and container engines ---------------------------------

WORDS = [
    ("KeyError: \"['ttft'] does not exist in index\"", "BASELINE_EXCEPTION"),
    ("RuntimeError: monkey patch failed: attention backend", "BASELINE_RUNTIME_ERROR"),
    ("FileNotFoundError: image not found: cherry_blossom.jpg", "BASELINE_EXCEPTION"),
    ("ValueError: cannot check outputs of a closed engine", "BASELINE_EXCEPTION"),
    ("RuntimeError: the patch does not apply to this layer: toomanyrequests", "BASELINE_RUNTIME_ERROR"),
    ("Failed to check output equivalence against the reference", "BASELINE_NO_OUTPUT"),
    ("image not found: cherry_blossom.jpg", "BASELINE_NO_OUTPUT"),
    ("monkey patch failed", "BASELINE_NO_OUTPUT"),
]


@pytest.mark.parametrize(("message", "category"), WORDS)
def test_words_that_are_not_the_tools_own_blame_no_tool(tmp_path, message, category):
    failure = judged(tmp_path, {"error_message": message, "exit_code": 1})
    assert (failure.category, failure.side) == (category, Role.BASELINE)


TOOLS = [
    ("RuntimeError: Failed to apply patch: error: patch failed: vllm/x.py:12", "PATCH_APPLY_FAILED"),
    ("subprocess.CalledProcessError: Command 'git checkout 067c34a1' returned non-zero exit", "GIT_WORKTREE_FAILED"),
    (
        "git.exc.GitCommandError: Cmd('git') failed\n  stderr: 'fatal: invalid reference: 067c34a1'",
        "GIT_WORKTREE_FAILED",
    ),
    ("error: vllm/gone.py: does not exist in index", "PATCH_APPLY_FAILED"),
]


@pytest.mark.parametrize(("message", "category"), TOOLS)
def test_a_tools_own_line_counts_in_an_exception_too(message, category):
    assert not_prepared(message, COMMIT).category == category


SERVED = [
    (
        "WARNING image not found in cache, downloading",
        "torch.OutOfMemoryError: CUDA out of memory.",
        "OutOfMemoryError",
    ),
    ("INFO 429 toomanyrequests from hub, retrying", "KeyError: 'x'", "KeyError"),
    (
        "fatal error: monkey patch failed: fused_moe",
        "RuntimeError: CUDA error: no kernel image is available",
        "RuntimeEr",
    ),
    ("INFO unable to check output of health yet", "TypeError: f() got an unexpected keyword argument 'x'", "TypeError"),
    ("error: patch failed: a.py:1\npatching file a.py", "KeyError: 'x'", "KeyError"),
    ("toomanyrequests: slow down\nPulled", "KeyError: 'x'", "KeyError"),
    ("fatal: not a git repository (or any of the parent directories): .git", "KeyError: 'x'", "KeyError"),
]


@pytest.mark.parametrize(("line", "ending", "words"), SERVED)
def test_a_servers_log_is_judged_by_its_exception(line, ending, words):
    failure = served("No metrics in agent output", f"{line}\n{ends(ending)}")
    assert (failure.category, words in failure.reason) == (Category.NO_METRICS, True)


def test_a_sentence_in_a_servers_log_is_no_line_of_a_tool():
    log = "INFO image not found in cache\nINFO the patch does not apply here\nINFO cannot checkout main\n"
    assert served("No metrics in agent output", log).category is Category.NO_METRICS
    assert served("No metrics", f"{log}error: patch failed: a.py:1\n").category is Category.PATCH_APPLY_FAILED


# --- signals ------------------------------------------------------------------------------------------

SIGQUIT = "\n[2025-10-01 10:00:00] Received sigquit from a child process. It usually means the child failed.\n"
SCHEDULER = f"[2025-10-01 10:00:00 TP0] Scheduler hit an exception: {ends('ModuleNotFoundError: No module named %r')}"


@pytest.mark.parametrize("code", [-9, 137, None])
def test_an_engine_that_kills_its_own_processes_after_an_exception_ended_in_that(code):
    failure = printed(f"{SCHEDULER % 'sgl_kernel'}{SIGQUIT}Killed\n", code)
    assert failure.category is Category.BASELINE_IMPORT_ERROR
    assert "sgl_kernel" in failure.reason


def test_a_process_that_was_at_work_after_an_exception_was_killed_by_something_else():
    work = "INFO 10-01 10:00:00 engine.py:1] Avg generation throughput: 10 tokens/s\n"
    failure = printed(f"{ends('ValueError: odd')}{work}", -9)
    assert failure.category is Category.BASELINE_OOM
    assert printed(f"{ends('ValueError: odd')}{work}", 1).category is Category.BASELINE_EXCEPTION
    over = "INFO 10-01 10:00:00 launcher.py:1] Shutting down\n"
    assert printed(f"{ends('ValueError: odd')}{over}", -9).category is Category.BASELINE_EXCEPTION


@pytest.mark.parametrize("code", [130, -2, 1])
def test_an_interruption_is_nobodys_exception(code):
    failure = printed(ends("KeyboardInterrupt"), code)
    assert (failure.category, failure.blame) == (Category.BASELINE_NO_OUTPUT, "environment")
    assert "SIGINT" in failure.reason


@pytest.mark.parametrize(
    ("error", "output", "number"),
    [
        ("exit 137", "Killed\n", signal.SIGKILL),
        ("No metrics in agent output", "loading\nKilled\nSERVER_CRASHED\n", signal.SIGKILL),
        ("Server process exited with code -11", "Segmentation fault (core dumped)\n", signal.SIGSEGV),
        ("Server exited with code 139", "", signal.SIGSEGV),
        ("Server crashed after applying patch", "loading\nKilled\nserver exited with code 137\n", signal.SIGKILL),
    ],
)
def test_a_server_that_was_killed_crashed_of_that(error, output, number):
    failure = served(error, output)
    assert (failure.category, failure.blame) == (Category.SERVER_CRASHED, "environment")
    assert number.name in failure.reason
    assert ("memory" in failure.reason) == (number is signal.SIGKILL)
    assert "memory_gb" not in failure.hint and "script" not in failure.hint


def test_a_server_whose_exception_came_before_the_kill_crashed_of_the_exception():
    work = "INFO 10-01 10:00:00 loggers.py:1] Avg generation throughput: 10 tokens/s\n"
    assert "SIGKILL" in served("Server exited with code 137", f"{ends('ValueError: odd')}{work}").reason
    assert "KeyError: 1" in served("exit code 137", f"{ends('KeyError: 1')}{POINTER}{work}").reason
    failure = served("Server exited with code 137", f"{ends('ValueError: odd')}Killed\n")
    assert "ValueError: odd" in failure.reason
    assert "SIGKILL" not in failure.reason


# --- prefixes, colours, pointers -------------------------------------------------------------------------

POINTER = ends("RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}")
PREFIXES = [
    "\x1b[1;36m(EngineCore_DP0 pid=77)\x1b[0;0m ERROR 10-01 10:00:00 [core.py:708] ",
    "\x1b[0;36m(EngineCore_DP0 pid=77)\x1b[0;0m \x1b[31mERROR\x1b[0m 10-01 10:00:00 [core.py:708] ",
    "(VllmWorker rank=0 pid=77) ERROR 10-01 10:00:00 [multiproc_executor.py:1] ",
    "(EngineCore_DP0 pid=77) ERROR 2025-10-01 10:00:00 [core.py:708] ",
    "\x1b[36m(RayWorkerWrapper pid=999, ip=10.0.0.7)\x1b[0m ",
    "[rank0]: ",
    "ERROR 10-01 10:00:00 engine.py:366] ",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("ending", ["AssertionError", "KeyError: 'a'", "ValueError: odd", "x.y.Strange"])
def test_the_prefix_of_a_process_hides_no_exception(prefix, ending):
    text = prefixed(prefix, ends(ending))
    name = ending.partition(":")[0].rsplit(".", 1)[-1]
    assert [raised.type for raised in chain_in_text(text)] == [name]
    assert [raised.type for raised in chain_in_text(f"{text}{POINTER}")] == ["RuntimeError", name]


def test_a_root_cause_is_found_before_megabytes_of_log():
    log = "INFO 10-01 10:00:00 engine.py:1] step done, something long to fill the line with\n" * 25_000
    text = f"{ends('torch.OutOfMemoryError: CUDA out of memory.')}{log}{POINTER}"
    assert len(text) > 1_900_000
    assert [raised.type for raised in chain_in_text(text)] == ["RuntimeError", "OutOfMemoryError"]


WORKER = "(Worker pid=46) ERROR 11-22 06:07:32 [multiproc_executor.py:1063] "
ENGINE = "(EngineCore pid=36) ERROR 11-22 06:07:32 [core.py:1512] "
SERVER = "(APIServer pid=8) ERROR 11-22 06:07:32 [serving.py:500] "
CAUSE = "RuntimeError: the kernel cannot be had."
DEAD_ENGINE = (
    prefixed(WORKER, f"WorkerProc hit an exception.\n{ends(CAUSE)}\n") * 2
    + prefixed(ENGINE.replace("core.py:1512", "dump_input.py:72"), "Dumping input data")
    + prefixed(
        ENGINE,
        "EngineCore encountered a fatal error.\n"
        + ends("RuntimeError: Worker failed with error 'the kernel cannot be had.', please check the stack trace above "
               "for the root cause"),
    )
    + prefixed(
        SERVER,
        "Error in completion stream generator.\n"
        + ends("vllm.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for "
               "the root cause."),
    )
    * 3
    + "(APIServer pid=8) INFO:     Finished server process [8]\n"
)  # fmt: skip


def test_the_cause_of_a_dead_engine_is_found_beneath_all_that_point_at_it():
    """The form of a log of vLLM 0.32 whose worker failed at the first request."""
    chain = [str(raised) for raised in chain_in_text(DEAD_ENGINE)]
    assert [line.partition(":")[0] for line in chain] == ["EngineDeadError", "RuntimeError", "RuntimeError"]
    assert chain[-1] == CAUSE
    assert chain[0].endswith("for the root cause.")  # and not the next record's first line
    failure = served("No metrics in agent output", DEAD_ENGINE)
    assert (failure.category, CAUSE in failure.reason) == (Category.SERVER_CRASHED, True)
    assert CAUSE in served_nothing(DEAD_ENGINE).reason


def test_hardware_that_an_engine_lacks_is_hardware_under_a_pointer_too():
    text = f"{ends('RuntimeError: no CUDA-capable device is detected')}{POINTER}"
    assert printed(text).category is Category.HARDWARE_UNAVAILABLE
    assert served("Server crashed", text).category is Category.HARDWARE_UNAVAILABLE


@pytest.mark.parametrize(
    "line",
    [
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n" + 60 * "=" + "\ntest_script.py FAILED",
        "vllm.engine.multiprocessing.MQEngineDeadError: Engine loop is not running. Inspect the stacktrace to find it.",
        "RuntimeError: Engine process failed to start. See stack trace for the root cause.",
    ],
)
def test_an_exception_that_only_tells_of_another_process_is_a_pointer(line):
    failure = printed(f"{prefixed('[rank0]: ', ends('KeyError: 1'))}{ends(line)}")
    assert "beneath it KeyError: 1" in failure.reason


def test_tracebacks_of_processes_that_log_at_once_are_told_apart():
    first, second = ends("KeyError: 'a'").splitlines(), ends("ValueError: odd").splitlines()
    text = "".join(f"[rank0]: {a}\n[rank1]: {b}\n" for a, b in zip(first, second, strict=True))
    assert [str(raised) for raised in chain_in_text(text)] == ["ValueError: odd"]
    assert [str(raised) for raised in chain_in_text(f"{text}{POINTER}")][-1] == "ValueError: odd"


@pytest.mark.parametrize(
    ("ending", "category"),
    [
        ("\x1b[1;35mAssertionError\x1b[0m", "BASELINE_ASSERTION"),
        ("\x1b[1;35mAssertionError\x1b[0m: \x1b[35mbad\x1b[0m", "BASELINE_ASSERTION"),
        ("\x1b[1;35mTypeError\x1b[0m: \x1b[35mf() got an odd one\x1b[0m", "BASELINE_TYPE_ERROR"),
    ],
)
def test_a_traceback_in_colours_is_read(tmp_path, ending, category):
    frame = (
        '  File \x1b[35m"/tmp/t.py"\x1b[0m, line \x1b[35m3\x1b[0m, in \x1b[35m<module>\x1b[0m\n    \x1b[31mf\x1b[0m\n'
    )
    failure = judged(tmp_path, {"stderr": f"Traceback (most recent call last):\n{frame}{ending}\n"})
    assert failure.category == category
    assert "[1;35m" not in failure.reason
    assert "[1;35m" not in judged(tmp_path, {"stderr": f"setup: {ending}\n"}).reason


# --- where a traceback ends and what it ends -------------------------------------------------------------

LOGGING = (
    f"--- Logging error ---\n{ends('ValueError: I/O operation on closed file.')}"
    "Call stack:\n  File \"/x.py\", line 1, in y\n    z()\nMessage: 'a'\nArguments: ()\n"
)
CHAIN = ends("KeyError: 1") + DURING + ends("AttributeError: no engine")
IGNORED = f"Exception ignored in: <function X.__del__ at 0x1>\n{CHAIN}"


@pytest.mark.parametrize("noise", [LOGGING, IGNORED])
def test_what_python_and_logging_tell_in_passing_is_no_ending(tmp_path, noise):
    assert judged(tmp_path, {"stderr": f"{ends('ValueError: real')}{noise}"}).reason.endswith("in ValueError: real")
    assert judged(tmp_path, {"stderr": noise, "exit_code": 1}).category is Category.BASELINE_NO_OUTPUT


def test_a_text_goes_on_after_an_empty_line_where_it_announces_more(tmp_path):
    text = (
        "huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: Root=1-6)\n\n"
        "Repository Not Found for url: https://huggingface.co/api/models/a/b."
    )
    assert "HF_TOKEN" in judged(tmp_path, {"stderr": ends(text)}).hint
    gated = (
        "OSError: You are trying to access it.\n404 Client Error. (Request ID: Root=1)\n\nCannot access gated repo\n"
    )
    assert "HF_TOKEN" in judged(tmp_path, {"stderr": ends(gated)}).hint


@pytest.mark.parametrize(
    "after",
    [
        "\nNo module named 'ghost', using none\n",
        "/x/resource_tracker.py:254: UserWarning: leaked semaphores\n",
        "\n[2025-10-01 10:00:00] going on\n",
        "Killed\n",
        "SERVER_CRASHED\n",
        "Loading: 25%|##   | 1/4\n",
    ],
)
def test_what_comes_after_a_text_does_not_belong_to_it(after):
    assert [str(raised) for raised in chain_in_text(f"{ends('ValueError: x')}{after}")] == ["ValueError: x"]


# --- exception groups ------------------------------------------------------------------------------------


def group(*members, depth=2):
    """What Python prints of a group of exceptions, each given by its last line or by the lines of a group."""
    pad = " " * depth
    lines = [
        f"{pad}{'+' if depth == 2 else '|'} Exception Group Traceback (most recent call last):",
        f'{pad}|   File "/w/x.py", line 1, in f',
        f"{pad}| ExceptionGroup: several ({len(members)} sub-exceptions)",
    ]
    for number, member in enumerate(members, 1):
        lines.append(f"{pad}{'+-' if number == 1 else '  '}+---------------- {number} ----------------")
        if isinstance(member, list):
            lines += member
        else:
            inner = ends(member).splitlines()
            lines += [f"{pad}  | {line}" for line in inner]
    return [*lines, f"{pad}  +------------------------------------"] if not isinstance(members[-1], list) else lines


MODULE = "ModuleNotFoundError: No module named 'decord'"


@pytest.mark.parametrize(
    ("members", "others"),
    [
        ((MODULE, "ValueError: x"), 1),
        (("ValueError: x", MODULE), 1),
        (("ValueError: x", "KeyError: 'a'", MODULE, "ModuleNotFoundError: No module named 'later'"), 3),
        (("ValueError: x", group("KeyError: 'a'", MODULE, depth=4)), 2),
    ],
)
def test_of_a_group_the_first_exception_that_a_rule_knows_counts(tmp_path, members, others):
    text = "\n".join(group(*members)) + "\n"
    failure = judged(tmp_path, {"stderr": text})
    assert (failure.category, failure.hint) == (Category.BASELINE_IMPORT_ERROR, "pip install decord")
    assert f"{others} other exception" in failure.reason
    assert len(failure.evidence["others"]) == others


def test_of_a_group_without_a_rule_the_first_exception_counts(tmp_path):
    failure = judged(tmp_path, {"stderr": "\n".join(group("ValueError: x", "KeyError: 'a'")) + "\n"})
    assert failure.reason == "baseline ended in ValueError: x; 1 other exception in its group"


def test_what_was_raised_from_a_group_and_what_lay_beneath_it_are_one_chain():
    text = f"{ends('OSError: deep')}{DURING}" + "\n".join(group("ValueError: x", "KeyError: 'a'"))
    told = exceptions_in(f"{text}\n{DURING}{ends('RuntimeError: end')}")
    assert [str(raised) for raised in told.chain] == ["RuntimeError: end", "ValueError: x", "OSError: deep"]
    assert [str(raised) for raised in told.others] == ["KeyError: 'a'"]


# --- time ---------------------------------------------------------------------------------------------------

TIMES = [
    ("requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='huggingface.co', port=443): Read timed out.", False),
    ("torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 1/2 clients joined.", False),
    ("TimeoutError: Timed out waiting for the engine to start", False),
    ("TimeoutError: Test timed out after 600 seconds", True),
    ("subprocess.TimeoutExpired: Command 'python' timed out after 300 seconds", True),
    ("Test timed out after 600 seconds", True),
]


@pytest.mark.parametrize(("message", "is_late"), TIMES)
def test_a_library_that_gave_up_waiting_is_an_exception(tmp_path, message, is_late):
    failure = judged(tmp_path, {"error_message": message, "exit_code": 1})
    assert failure.category == ("BASELINE_TIMEOUT" if is_late else "BASELINE_EXCEPTION")
    if "https" in message.lower():
        assert "network" in failure.reason


def test_a_run_of_unknown_length_was_not_stopped_within_0_s(tmp_path):
    failure = judged(tmp_path, {"status": "timeout", "error_message": "timed out", "duration_s": None})
    assert failure.category is Category.BASELINE_TIMEOUT
    assert " 0 s" not in failure.reason


def test_the_evaluations_own_words_are_not_taken_for_the_text_of_an_exception(tmp_path):
    failure = judged(tmp_path, {"stderr": ends("x.y.Strange: bad"), "error_message": "it went wrong, and nobody knows"})
    assert failure.reason == "baseline ended in Strange: bad"
