"""Scripts that run to their end: who keeps them, what they leave behind, where their output ends. Real processes."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from test_worker import Place, find_interpreters

from pytest_perfagents.model import Ending


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)


def test_a_daemon_that_nobody_can_know_is_ended_and_counted(place: Place, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    run = place.program(f"""
        import os, subprocess, sys
        if os.fork() == 0:
            os.setsid()
            null = subprocess.DEVNULL
            command = [sys.executable, "-c", "import time; time.sleep(60)"]
            daemon = subprocess.Popen(command, env={{}}, start_new_session=True, stdin=null, stdout=null, stderr=null)
            open({str(note)!r}, "w").write(str(daemon.pid))
            os._exit(0)
        os.wait()
        os._exit(0)
    """)
    assert run.left_behind == 1
    assert not psutil.pid_exists(int(note.read_text()))
    assert run.execution.duration_s < 30


def test_helpers_of_the_standard_library_outlive_nobody() -> None:
    with TemporaryDirectory() as folder:  # a socket's path is short
        run = Place(Path(folder)).program("""
            import multiprocessing
            from multiprocessing.shared_memory import SharedMemory
            def square(n): return n * n
            if __name__ == "__main__":
                shared = SharedMemory(create=True, size=64)
                shared.unlink()
                with multiprocessing.get_context("forkserver").Pool(2) as pool:
                    print(pool.map(square, [3]))
        """)
    assert (run.execution.stdout, run.left_behind) == ("[9]\n", 0), run.execution.stderr


def test_what_is_printed_after_the_end_is_told_apart(place: Place) -> None:
    run = place.program("import atexit\natexit.register(print, 'late')\nprint('in time')\n")
    assert (run.execution.stdout, run.late) == ("in time\nlate\n", "late\n")
    assert place.program("print('in time', end='')\n").late == ""
    assert place.program("import os\nos.close(1)\n").late is None


def test_a_stream_of_the_scripts_own_is_written_before_its_end(place: Place) -> None:
    run = place.program("""
        import io, sys
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
        print("in time")
    """)
    assert (run.execution.stdout, run.late) == ("in time\n", "")


def test_the_lines_through_which_it_left_are_those_of_the_script(place: Place) -> None:
    place.write("pkg/core.py", "def work(n):\n    raise SystemExit(0)\n")
    script = textwrap.dedent("""\
        import sys
        from pkg.core import work
        def main():
            if "work" in sys.argv:
                work(1)
        sys.exit(main())
    """)
    assert place.program(script).left == (6,)
    assert place.program(script, "work").left == (6, 5)
    assert place.program("print()\n").left == ()


@pytest.mark.parametrize("python", [sys.executable, *find_interpreters()], ids=lambda path: Path(path).name)
def test_nobody_leads_to_the_name_of_the_report(place: Place, python: str) -> None:
    place.python = python
    run = place.program("""
        import gc, re, sys
        found, seen, waiting, frame = set(), set(), gc.get_objects(), sys._getframe()
        while frame is not None:
            waiting += [frame, *frame.f_locals.values(), *frame.f_globals.values()]
            frame = frame.f_back
        while waiting:
            each = waiting.pop()
            if id(each) not in seen:
                seen.add(id(each))
                if isinstance(each, (str, bytes)):
                    found.update(re.findall("[0-9a-f]{32}", each if isinstance(each, str) else each.decode("latin-1")))
                else:
                    waiting += gc.get_referents(each)
        print(len(seen) > 1000, [each for each in found if len(set(each)) > 4])
    """)
    assert run.execution.stdout == "True []\n", run.execution.stderr
    assert (run.reports, run.is_reported, run.left_behind) == (1, True, 0)


def test_reports_are_not_read_by_who_writes_them_nor_written_twice(place: Place) -> None:
    run = place.program("""
        import atexit, os
        def tried(action):
            try:
                return action()
            except OSError as error:
                return type(error).__name__
        def late():
            print([tried(lambda: os.write(each, b"x")) for each in (100, spare)])
        spare = os.dup(100)
        print(tried(lambda: os.pread(100, 10, 0)), tried(lambda: os.open("/proc/self/fd/100", os.O_RDONLY)))
        print(tried(lambda: os.write(100, b"rubbish\\n")))
        atexit.register(late)
    """)
    assert run.execution.stdout == "OSError OSError\n8\n['OSError', 'BrokenPipeError']\n", run.execution.stderr
    assert (run.is_reported, run.reports) == (True, 1)


def test_the_script_is_told_to_end_and_may_say_its_last_words(place: Place) -> None:
    run = place.program(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("told", flush=True)))
        print("begun", flush=True)
        time.sleep(99)
        """,
        timeout_s=2.0,
    )
    assert (run.execution.ending, run.execution.stdout) == (Ending.TIMED_OUT, "begun\ntold\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_script_that_ends_by_a_signal(place: Place, number: signal.Signals) -> None:
    run = place.program(f"import os\nos.kill(os.getpid(), {int(number)})\n")
    assert (run.execution.ending, run.execution.code) == (Ending.SIGNALED, number)
    assert not run.is_reported


def test_a_script_that_ends_its_keeper_is_not_believed(place: Place) -> None:
    run = place.program("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nprint('{}')\n")
    assert not run.is_reported


def test_the_clock_of_the_process_is_that_of_the_scripts_own(place: Place) -> None:
    run = place.program("import time\nwhile time.process_time() < 0.5: pass\n")
    assert run.execution.cpu_s is not None
    assert run.execution.ready_s is not None
    assert run.execution.cpu_s >= 0.5
    assert run.execution.duration_s >= run.execution.cpu_s
    assert run.execution.ready_s >= 0.0


def test_its_time_is_not_that_of_its_keepers_start(place: Place) -> None:
    worker = Path(place.worker)
    worker.write_text(worker.read_text().replace("\nimport ", "\nimport time; time.sleep(0.5)\nimport ", 1))
    began = time.perf_counter()
    run = place.program("import atexit, time\natexit.register(time.sleep, 0.2)\n")
    assert time.perf_counter() - began - run.execution.duration_s >= 0.5
    assert 0.2 <= run.after_s <= run.execution.duration_s


def test_a_fork_that_runs_on_to_the_end_reports_nothing(place: Place) -> None:
    run = place.program("""
        import os
        if os.fork() == 0:
            print("child", flush=True)
        else:
            os.wait()
            print("parent")
    """)
    assert run.execution.stdout == "child\nparent\n"
    assert (run.reports, run.is_reported) == (1, True)
