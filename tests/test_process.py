"""Nothing that was started survives, nothing that was printed blocks or is unbounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_perfagents.model import Ending
from pytest_perfagents.processes import orphans
from pytest_perfagents.processes.capture import BoundedText
from pytest_perfagents.processes.childenv import THREAD_COUNTS, child_env, make_private
from pytest_perfagents.processes.process import ChannelClosed, Child, Command, run

PATIENCE_S = 20.0


def python(tmp_path: Path, code: str, timeout_s: float = PATIENCE_S, env: dict[str, str] | None = None) -> Command:
    return Command((sys.executable, "-c", textwrap.dedent(code)), tmp_path, env or {}, timeout_s)


def wait_for(file: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"{file} was never written"
        time.sleep(0.01)
    return file.read_text().strip()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_exit_status_and_both_streams(tmp_path: Path) -> None:
    ended = run(python(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (ended.ending, ended.code, ended.stdout, ended.stderr) == (Ending.EXITED, 3, "out\n", "err\n")


def test_a_signal_is_reported_by_its_number(tmp_path: Path) -> None:
    ended = run(python(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert (ended.ending, ended.code) == (Ending.SIGNALED, signal.SIGSEGV)


@pytest.mark.parametrize("program", ["/nowhere/python", "/etc/passwd"])
def test_a_missing_interpreter_is_not_started(tmp_path: Path, program: str) -> None:
    ended = run(Command((program, "-c", "pass"), tmp_path, {}, PATIENCE_S))
    assert (ended.ending, ended.code) == (Ending.NOT_STARTED, None)
    assert program in ended.stderr


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    ended = run(Command((sys.executable, "-c", "pass"), tmp_path / "absent", {}, PATIENCE_S))
    assert ended.ending is Ending.NOT_STARTED
    assert "absent" in ended.stderr


def test_a_timeout_keeps_what_was_printed(tmp_path: Path) -> None:
    ended = run(python(tmp_path, "import time; print('begun', flush=True); time.sleep(99)", timeout_s=0.5))
    assert (ended.ending, ended.code, ended.stdout) == (Ending.TIMED_OUT, None, "begun\n")


def test_term_that_is_ignored_becomes_kill(tmp_path: Path) -> None:
    code = """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        time.sleep(99)
    """
    ended = run(python(tmp_path, code, timeout_s=0.5), grace_s=0.1)
    assert ended.ending is Ending.TIMED_OUT
    assert not is_running(int(ended.stdout))


def test_term_lets_a_process_clean_up(tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("cleaned up"))
        print("ready", flush=True)
        time.sleep(99)
    """
    assert run(python(tmp_path, code, timeout_s=0.5)).stderr == "cleaned up\n"


SURVIVORS = {
    "child": "subprocess.Popen([sys.executable, '-c', SLEEP])",
    "new session": "subprocess.Popen([sys.executable, '-c', SLEEP], start_new_session=True)",
    "double fork": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        exec(SLEEP)
    os._exit(0)
os.wait()""",
}


@pytest.mark.parametrize("how", SURVIVORS)
@pytest.mark.parametrize("ends", ["exits", "times out", "is killed"])
def test_grandchildren_do_not_survive(tmp_path: Path, how: str, ends: str) -> None:
    pid_file = tmp_path / "pid"
    sleep = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()) + chr(10)); time.sleep(99)"
    )
    after = {"exits": "", "times out": "time.sleep(99)", "is killed": "os.kill(os.getpid(), 9)"}[ends]
    code = "\n".join(
        (
            "import os, subprocess, sys, time",
            f"SLEEP = {sleep!r}",
            SURVIVORS[how],
            f"PID_FILE = {str(pid_file)!r}",
            "while not (os.path.exists(PID_FILE) and open(PID_FILE).read()): time.sleep(.01)",
            after,
        )
    )
    ended = run(Command((sys.executable, "-c", code), tmp_path, {}, 1.0), grace_s=0.1)
    assert ended.ending is {"exits": Ending.EXITED, "times out": Ending.TIMED_OUT}.get(ends, Ending.SIGNALED)
    assert not is_running(int(wait_for(pid_file)))


def test_a_grandchild_that_keeps_the_pipe_does_not_delay_the_end(tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
        print("done")
    """
    ended = run(python(tmp_path, code))
    assert (ended.ending, ended.stdout) == (Ending.EXITED, "done\n")


def test_long_output_is_cut_in_the_middle(tmp_path: Path) -> None:
    ended = run(python(tmp_path, "print('first'); print('x' * 2_000_000); print('last')"))
    assert ended.stdout.startswith("first\n")
    assert ended.stdout.endswith("last\n")
    assert "bytes left out" in ended.stdout
    assert len(ended.stdout) < 400_000


def test_bounded_text_says_how_much_is_missing() -> None:
    text = BoundedText(head_bytes=3, tail_bytes=2)
    for piece in (b"ab", b"cdef", b"ghij"):
        text.add(piece)
    assert text.text() == "abc\n[... 5 bytes left out ...]\nij"


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    assert run(python(tmp_path, "import os; os.write(1, bytes([255, 65]))")).stdout == "\ufffdA"


def test_no_descriptor_and_no_zombie_is_left(tmp_path: Path) -> None:
    run(python(tmp_path, "pass"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(python(tmp_path, "pass"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [each.pid for each in psutil.Process().children() if each.status() == psutil.STATUS_ZOMBIE] == []


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"""
        import sys
        from pathlib import Path
        from pytest_perfagents.processes.process import Command, run
        inner = (
            "import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid()) + chr(10)); time.sleep(99)"
        )
        run(Command((sys.executable, "-c", inner), Path("."), {{}}, 99.0))
    """
    outer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True)
    try:
        pid = int(wait_for(pid_file))
        outer.send_signal(signal.SIGINT)
        _, said = outer.communicate(timeout=PATIENCE_S)
    finally:
        outer.kill()
    assert "KeyboardInterrupt" in said
    assert not is_running(pid)


def test_lines_go_back_and_forth(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "while True: print(input().upper(), flush=True)"))
    try:
        child.send("hello", time.monotonic() + PATIENCE_S)
        assert child.receive(time.monotonic() + PATIENCE_S) == "HELLO"
        with pytest.raises(TimeoutError):
            child.receive(time.monotonic() + 0.05)
    finally:
        child.end()
    with pytest.raises(ChannelClosed):
        child.receive(time.monotonic() + 1)


def test_last_words_are_read_before_the_end_is_noticed(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "import os; print('bye', flush=True); os._exit(4)"))
    try:
        child.wait(PATIENCE_S)
        assert child.receive(time.monotonic() + PATIENCE_S) == "bye"
        with pytest.raises(ChannelClosed):
            child.receive(time.monotonic() + PATIENCE_S)
        assert child.end().code == 4
    finally:
        child.end()


def test_death_is_noticed_though_a_grandchild_holds_the_channel(tmp_path: Path) -> None:
    code = """
        import os, time
        if os.fork() == 0:
            time.sleep(99)
        os._exit(5)
    """
    child = Child(python(tmp_path, code))
    try:
        with pytest.raises(ChannelClosed):
            child.receive(time.monotonic() + PATIENCE_S)
    finally:
        ended = child.end()
    assert (ended.ending, ended.code) == (Ending.EXITED, 5)


def test_a_child_that_does_not_read_cannot_block_us(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "import time; time.sleep(99)"))
    try:
        with pytest.raises(TimeoutError):
            child.send("x" * 1_000_000, time.monotonic() + 0.2)
    finally:
        child.end()


def test_marked_processes_are_found_and_killed(tmp_path: Path) -> None:
    mark = f"test-{os.getpid()}"
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], env={"PERFAGENTS_SESSION": mark})
    try:
        assert [each.pid for each in orphans.find_marked("PERFAGENTS_SESSION", mark)] == [process.pid]
        assert orphans.kill_marked("PERFAGENTS_SESSION", mark) == 1
    finally:
        process.kill()
        process.wait()
    assert orphans.find_marked("PERFAGENTS_SESSION", mark) == []


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """Let what we start run on the same CPU as we do, so that it is often caught halfway."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_cpu")
def test_a_process_in_the_midst_of_exec_is_found(tmp_path: Path) -> None:
    missed = []
    for number in range(200):
        mark = f"test-{os.getpid()}-{number}"
        process = subprocess.Popen(["/bin/sleep", "99"], env={"PERFAGENTS_SESSION": mark})
        try:
            if not orphans.find_marked("PERFAGENTS_SESSION", mark):
                missed.append(number)
        finally:
            process.kill()
            process.wait()
    assert missed == []


AMBIENT = {
    "PATH": "/bin", "LC_ALL": "C.UTF-8", "CUDA_VISIBLE_DEVICES": "0", "AWS_SECRET_ACCESS_KEY": "s",
    "HF_TOKEN": "t", "HF_HOME": "/hf", "PYTHONPATH": "/evil", "HOME": "/root", "PYTEST_CURRENT_TEST": "x",
}  # fmt: skip


def test_the_environment_is_an_allow_list(tmp_path: Path) -> None:
    env = child_env(AMBIENT, session_id="abc", private=tmp_path)
    assert {"PATH", "LC_ALL", "CUDA_VISIBLE_DEVICES"} <= env.keys()
    assert not {"AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "HF_HOME", "PYTHONPATH", "PYTEST_CURRENT_TEST"} & env.keys()
    assert env["PERFAGENTS_SESSION"] == "abc"
    assert env["PYTHONNOUSERSITE"] == "1"
    assert [env[name] for name in THREAD_COUNTS] == ["1"] * len(THREAD_COUNTS)


def test_home_and_temporary_folders_are_private(tmp_path: Path) -> None:
    env = child_env(AMBIENT, session_id="abc", private=make_private(tmp_path / "p"))
    for name in ("HOME", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        assert Path(env[name]).is_dir()
        assert Path(env[name]).is_relative_to(tmp_path / "p")


def test_the_configuration_sets_and_hands_through(tmp_path: Path) -> None:
    env = child_env(
        AMBIENT,
        session_id="abc",
        private=tmp_path,
        env={"OMP_NUM_THREADS": "4", "PYTHONPATH": "/evil", "PERFAGENTS_SESSION": "other"},
        pass_env=("HF_*",),
        threads=2,
        seed=2**40 + 7,
        padding=100,
    )
    assert (env["OMP_NUM_THREADS"], env["MKL_NUM_THREADS"]) == ("4", "2")
    assert (env["HF_TOKEN"], env["HF_HOME"]) == ("t", "/hf")
    assert env["PYTHONHASHSEED"] == "7"
    assert len(env["PERFAGENTS_PADDING"]) == 100
    assert "PYTHONPATH" not in env
    assert env["PERFAGENTS_SESSION"] == "abc"
