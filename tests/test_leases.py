"""What a session holds is given back: at its end, and by the next one when it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pytest_perfagents.processes.leases import MeasureLease, Session, holder, sweep

PATIENCE_S = 20.0
SLEEP = [sys.executable, "-c", "import time; time.sleep(9)"]


@contextmanager
def other_process(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that printed a line: it is where we want it."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def in_session(cache: Path) -> str:
    """Code of a process that enters a session, starts a sleeper in it, and waits."""
    return f"""
        import os, subprocess, sys
        from pathlib import Path
        from pytest_perfagents.processes.leases import Session
        with Session(Path({str(cache)!r})) as session:
            (session.folder / "w" / "tree").mkdir(parents=True)
            (session.tmp / "socket").write_text("")
            sleeper = subprocess.Popen(
                {SLEEP!r}, start_new_session=True, env={{"PERFAGENTS_SESSION": session.id}}
            )
            print(session.id, session.tmp, sleeper.pid, flush=True)
            input()
    """


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def left_in(cache: Path) -> list[str]:
    return sorted(each.name for each in (cache / "sessions").iterdir() if not each.name.startswith("."))


def test_a_session_has_folders_and_leaves_none(tmp_path: Path) -> None:
    with Session(tmp_path) as session:
        assert session.folder == tmp_path / "sessions" / session.id
        assert session.folder.is_dir()
        assert session.tmp.is_dir()
        assert len(str(session.tmp)) < 60  # a socket's path has room for 100 characters
    assert left_in(tmp_path) == []
    assert not session.tmp.exists()


def test_leaving_a_session_ends_its_processes_also_on_ctrl_c(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Session(tmp_path) as session:
        sleeper = subprocess.Popen(SLEEP, env={"PERFAGENTS_SESSION": session.id}, start_new_session=True)
        raise KeyboardInterrupt
    assert sleeper.wait(PATIENCE_S) == -signal.SIGKILL
    assert left_in(tmp_path) == []


def test_read_only_leftovers_are_removed(tmp_path: Path) -> None:
    with Session(tmp_path) as session:
        inner = session.folder / "a" / "b"
        inner.mkdir(parents=True)
        (inner / "file").write_text("")
        inner.chmod(0o500)
    assert left_in(tmp_path) == []


def test_a_link_in_a_session_takes_nothing_along(tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    with Session(tmp_path / "cache") as session:
        (session.folder / "link").symlink_to(treasure)
        (session.folder / "tmp-folder").write_text(str(treasure))
    assert treasure.is_dir()
    session.tmp.rmdir()


def test_the_next_session_sweeps_after_a_killed_one(tmp_path: Path) -> None:
    pruned: list[Path] = []
    with other_process(in_session(tmp_path)) as process:
        dead, tmp, sleeper = first_line(process).split()
        process.kill()
        process.wait(PATIENCE_S)
        assert is_running(int(sleeper))
        with Session(tmp_path, prune=pruned.append) as session:
            assert left_in(tmp_path) == sorted([session.id, f"{session.id}.lock"])
            assert not is_running(int(sleeper))
    assert not Path(tmp).exists()
    assert not (tmp_path / "sessions" / dead).exists()
    assert pruned == [tmp_path]


def test_a_living_session_is_left_alone(tmp_path: Path) -> None:
    with other_process(in_session(tmp_path)) as process:
        living, tmp, sleeper = first_line(process).split()
        assert sweep(tmp_path, prune=lambda _: pytest.fail("there was nothing to prune")) == []
        assert (tmp_path / "sessions" / living / "w" / "tree").is_dir()
        assert Path(tmp, "socket").exists()
        assert is_running(int(sleeper))
        process.communicate("\n", timeout=PATIENCE_S)
    assert left_in(tmp_path) == []
    assert not is_running(int(sleeper))


def test_a_cache_that_is_not_there_needs_no_sweep(tmp_path: Path) -> None:
    assert sweep(tmp_path / "absent") == []
    assert not (tmp_path / "absent").exists()


def test_one_process_has_its_turn_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"""
        import os
        from pathlib import Path
        from pytest_perfagents.processes.leases import MeasureLease
        for _ in range(20):
            with MeasureLease(Path({str(tmp_path / "lease")!r})):
                for word in ("in", "out"):
                    with open({str(log)!r}, "a") as file:
                        file.write(f"{{os.getpid()}} {{word}}\\n")
        print("done", flush=True)
    """
    with other_process(code) as one, other_process(code) as two:
        assert (first_line(one), first_line(two)) == ("done", "done")
    lines = log.read_text().splitlines()
    assert len(lines) == 80
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert entered.split() == [left.split()[0], "in"]


def test_who_waits_comes_before_who_just_had_it(tmp_path: Path) -> None:
    holders: list[str] = []
    lease, done = tmp_path / "lease", threading.Event()

    def wait_once() -> None:
        with MeasureLease(lease):
            holders.append("waiting")
        done.set()

    waiter = threading.Thread(target=wait_once)
    with MeasureLease(lease):
        waiter.start()
        gate = MeasureLease(lease)._gate
        deadline = time.monotonic() + PATIENCE_S
        while _is_free(gate) and time.monotonic() < deadline:
            time.sleep(0.001)
    for _ in range(3):
        with MeasureLease(lease):
            holders.append("greedy")
    assert done.wait(PATIENCE_S)
    waiter.join()
    assert holders[0] == "waiting"


def _is_free(lock: object) -> bool:
    from filelock import FileLock, Timeout

    assert isinstance(lock, FileLock)
    try:
        with lock.acquire(timeout=0):
            return True
    except Timeout:
        return False


def test_a_dead_process_holds_no_lease(tmp_path: Path) -> None:
    code = f"""
        from pathlib import Path
        from pytest_perfagents.processes.leases import MeasureLease
        with MeasureLease(Path({str(tmp_path / "lease")!r})):
            print("held", flush=True)
            input()
    """
    with other_process(code) as process:
        assert first_line(process) == "held"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        with MeasureLease(tmp_path / "lease", timeout_s=PATIENCE_S):
            pass


HOLDER = """
    import os, signal
    from pathlib import Path
    from pytest_perfagents.processes.leases import MeasureLease
    with MeasureLease(Path({lease!r})):
        print("held", flush=True)
        {then}
        input()
"""


@pytest.mark.parametrize(
    ("then", "said"),
    [("pass", " s"), ("os.kill(os.getpid(), signal.SIGSTOP)", "is stopped; continue it (fg, or kill -CONT {pid})")],
)
def test_who_waits_hears_who_has_it(tmp_path: Path, then: str, said: str) -> None:
    lease, lines = tmp_path / "lease", list[str]()
    with other_process(HOLDER.format(lease=str(lease), then=then)) as process:
        assert first_line(process) == "held"
        expected = said.format(pid=process.pid)

        def tell(line: str) -> None:
            lines.append(line)
            if expected in line:
                process.kill()

        with MeasureLease(lease, timeout_s=PATIENCE_S, tell=tell, tell_every_s=0.05):
            assert holder(tmp_path / "lease.holder").startswith(f"process {os.getpid()} ")
    assert lines[-1].startswith(f"waiting for its turn on this machine: process {process.pid} (")
    assert expected in lines[-1]
    assert not (tmp_path / "lease.holder").exists()


def test_a_lease_without_a_note_is_somebody_elses(tmp_path: Path) -> None:
    assert holder(tmp_path / "none") == "another session measures"
    (tmp_path / "note").write_text(f"{2**22 + 1} {time.time()}")
    assert holder(tmp_path / "note") == f"process {2**22 + 1} has had it for 0 s"
