"""The worker against scripts and patches that fail, cheat and break things."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents.backends import oneshot
from pytest_perfagents.backends.assembling import write_worker
from pytest_perfagents.backends.base import ProgramRun, Reply, WorkerEnded
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.model import Ending
from pytest_perfagents.processes.childenv import child_env, make_private
from pytest_perfagents.processes.process import Command
from pytest_perfagents.worker import recorder

PATIENCE_S = 30.0


def find_interpreters() -> list[str]:
    """Working Pythons of other versions on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*os.get_exec_path(), *(str(each) for each in sorted(pyenv.glob("versions/*/bin")))]
    found = []
    for minor in (8, 9, 10, 12, 13):
        for folder in folders:
            path = Path(folder, f"python3.{minor}")
            if path.exists() and _version_of(path) == str(minor):
                found.append(str(path))
                break
    return found


def _version_of(python: Path) -> str:
    ask = [python, "-c", "import sys; print(sys.version_info[1])"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()


class Place:
    """A workspace with a package, a script beside it, and workers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "tree"
        self.script = folder / "scripts" / "1a2b3c4d_test_case_generator.py"
        self.workers: list[ChannelWorker] = []
        self.python, self.worker = sys.executable, write_worker(folder / "worker.py")
        self.spec: dict[str, Any] = {"import_root": ".", "packages": ["pkg"]}
        self.env: dict[str, str] = {}
        self.write("pkg/__init__.py", "")

    def write(self, path: str, code: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(code))
        return file

    def write_script(self, code: str) -> None:
        self.script.parent.mkdir(exist_ok=True)
        self.script.write_text(textwrap.dedent(code))

    def start(self) -> ChannelWorker:
        started = ChannelWorker(self.command(PATIENCE_S), {**self.spec, "root": str(self.root)})
        self.workers.append(started)
        return started

    def load(self, code: str, **arguments: Any) -> ChannelWorker:
        """A worker in which the script was loaded without an error."""
        self.write_script(code)
        started = self.start()
        self.loaded = ask(started, "load", script=str(self.script), **arguments)
        return started

    def fail(self, code: str) -> Mapping[str, Any]:
        """The error that loading, or else a turn, ends with."""
        self.write_script(code)
        started = self.start()
        reply = started.request("load", PATIENCE_S, script=str(self.script))
        if reply.ok:
            reply = started.request("turn", PATIENCE_S)
        assert reply.error is not None
        return reply.error

    def program(self, code: str, *arguments: str, timeout_s: float = PATIENCE_S) -> ProgramRun:
        self.write_script(code)
        return self._once("program", list(arguments), timeout_s)

    def run_test(self, code: str, **arguments: Any) -> ProgramRun:
        self.write_script(code)
        return self._once("run_test", arguments, PATIENCE_S)

    def _once(self, mode: str, arguments: Any, timeout_s: float) -> ProgramRun:
        spec = {**self.spec, "root": str(self.root), "mode": mode, "script": str(self.script)}
        return oneshot.run_once(self.command(timeout_s), {**spec, "arguments": arguments})

    def command(self, timeout_s: float) -> Command:
        private = make_private(self.folder / "private")
        ambient = {"PATH": "/usr/bin:/bin"}
        env = child_env(ambient, session_id="test", private=private, env=self.env, seed=1)
        return Command((self.python, str(self.worker)), self.root, env, timeout_s)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    try:
        yield place
    finally:
        for each in place.workers:
            each.close()


def ask(started: ChannelWorker, op: str, **arguments: Any) -> Mapping[str, Any]:
    reply = started.request(op, PATIENCE_S, **arguments)
    assert reply.ok, reply.error
    return reply.value


SCRIPT = """
    import json
    from pkg.core import work
    def setup():
        return 1000
    def experiment(n):
        return work(n)
    def store_result(result, path):
        with open(path, "w") as file:
            json.dump(result, file)
    def load_result(path):
        with open(path) as file:
            return json.load(file)
    def check_equivalence(current, reference):
        assert current == reference, f"{current} is not {reference}"
"""
CORE = """
    def work(n):
        return sum(range(n))
"""


# --- the ordinary -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", [sys.executable, *find_interpreters()], ids=lambda path: Path(path).name)
def test_a_script_from_load_to_check(place: Place, python: str, tmp_path: Path) -> None:
    place.python = python
    place.write("pkg/core.py", CORE)
    started = place.load(SCRIPT)
    assert place.loaded["style"] == "driven"
    assert {"setup", "experiment", "check_equivalence"} <= set(place.loaded["has"])
    turn = ask(started, "turn", iterations=3)
    assert turn["wall_ns"] > 0
    assert turn["cpu_ns"] > 0
    assert (turn["threads"], turn["children"], turn["cuda_ms"]) == (1, 0, None)
    reference = str(tmp_path / "reference.json")
    assert ask(started, "store", path=reference)["stored"] is True
    assert ask(started, "check", path=reference) == {"equal": True, "message": ""}
    assert started.close().ending is Ending.EXITED


def test_clocks_outside_agree_with_those_inside(place: Place) -> None:
    started = place.load("""
        def setup(): return 200_000
        def experiment(n): return sum(range(n))
    """)
    reply = started.request("turn", PATIENCE_S, iterations=10)
    inside_s = (reply.value["wall_ns"] + reply.value["setup_ns"]) / 1e9
    assert reply.wall_s >= inside_s
    assert reply.cpu_s is not None
    assert reply.cpu_s >= reply.value["cpu_ns"] / 1e9


def test_setup_runs_again_only_when_asked(place: Place) -> None:
    started = place.load("""
        made = []
        def setup(size=3):
            made.append(size)
            return len(made)
        def experiment(data): return data
        def store_result(result, path): open(path, "w").write(str(result))
    """)
    file = place.folder / "r"
    for again, expected in ((False, "1"), (True, "2"), (False, "2")):
        ask(started, "turn", iterations=2, setups=int(again))
        ask(started, "store", path=str(file))
        assert file.read_text() == expected


@pytest.mark.parametrize(
    "experiment",
    [
        "def experiment(): return 7",
        "def experiment(data): return data[0]",
        "def experiment(a, b): return a",
        "def experiment(a, b, c=1): return a",
        "async def experiment(data): return data[0]",
        "import functools\n@functools.lru_cache\ndef experiment(data): return data[0]",
    ],
)
def test_ways_to_take_data(place: Place, experiment: str) -> None:
    started = place.load(
        f"def setup(): return 7, 8\n{experiment}\ndef store_result(r, p): open(p, 'w').write(str(r))\n"
    )
    ask(started, "turn")
    ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text() == "7"


def test_defaults_stand_where_there_is_no_data(place: Place) -> None:
    started = place.load("def experiment(n=7): return n\ndef store_result(r, p): open(p, 'w').write(str(r))\n")
    ask(started, "turn")
    ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text() == "7"


def test_environment_of_the_script_is_set_before_it_is_imported(place: Place) -> None:
    place.load(
        "import os\nassert os.environ['PROB_DEVICE'] == 'cpu'\ndef setup(): pass\ndef experiment(d): pass\n",
        env={"PROB_DEVICE": "cpu"},
    )


def test_work_in_threads_and_children_shows(place: Place) -> None:
    started = place.load("""
        import subprocess, sys, threading, time
        def setup(): pass
        def experiment(data):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    """)
    turn = ask(started, "turn")
    assert (turn["threads"], turn["children"]) == (2, 1)


def test_a_request_that_makes_no_sense_is_refused(place: Place) -> None:
    place.write_script("def setup(): pass\ndef experiment(d): pass\n")
    started = place.start()
    for op in ("turn", "nonsense"):
        assert not started.request(op, PATIENCE_S).ok
    ask(started, "load", script=str(place.script))
    place.write_script("def setup(): pass\ndef experiment(d): pass\ndef store_result(r, p): pass\n")
    assert started.request("store", PATIENCE_S, path="x").value["stored"] is False


# --- styles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "code"),
    [
        ("driven", "def setup(): pass\ndef experiment(d): pass"),
        ("driven", "def experiment(): pass"),
        ("driven", "try:\n    def setup(): pass\nexcept Exception: pass\ndef experiment(d): pass"),
        ("benchmark", "def test_it(benchmark): benchmark(len, [])"),
        ("benchmark", "class TestIt:\n    def test_it(self, benchmark): benchmark(len, [])"),
        ("run_test", "def run_test(eqcheck=False): return 1.0"),
        ("program", "def main(): pass\nraise RuntimeError('a program must not be imported')"),
    ],
)
def test_styles(place: Place, style: str, code: str) -> None:
    place.load(code)
    assert place.loaded["style"] == style


def test_a_benchmark_test_is_driven_with_its_asserts(place: Place) -> None:
    started = place.load("""
        calls = []
        def test_it(benchmark):
            data = list(range(10))
            result = benchmark(lambda items: calls.append(1) or sum(items), data)
            assert result == 45
            benchmark.extra_info["n"] = 10
        def store_result(result, path): open(path, "w").write(f"{result} {len(calls)}")
    """)
    turn = ask(started, "turn", iterations=5)
    assert turn["setup_ns"] > 0
    ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text() == "45 5"


def test_pedantic_sets_up_before_every_call_untimed(place: Place) -> None:
    started = place.load("""
        import time
        log = []
        def test_it(benchmark):
            def fresh():
                log.append("setup")
                return ([3, 1, 2],), {}
            benchmark.pedantic(lambda items: log.append("call") or items.sort(), setup=fresh, rounds=9)
        def store_result(result, path): open(path, "w").write(" ".join(log))
    """)
    ask(started, "turn", iterations=2)
    ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text() == "setup call setup call"


def test_a_failing_assert_of_a_benchmark_test_is_an_error(place: Place) -> None:
    error = place.fail("def test_it(benchmark):\n    assert benchmark(len, []) == 1\n")
    assert error["type"] == "AssertionError"


# --- the user's folder and the import path ------------------------------------------------------------------------


def test_the_workspace_comes_first_and_the_script_folder_last(place: Place) -> None:
    place.spec["import_root"] = "python"
    place.write("python/pkg/__init__.py", "")
    place.write("python/pkg/core.py", CORE)
    place.write_script("")
    (place.script.parent / "pkg.py").write_text("raise ImportError('the wrong one')")
    (place.script.parent / "helper.py").write_text("VALUE = 1")
    started = place.load("""
        import os, sys
        import helper
        from pkg.core import work
        assert os.getcwd() == sys.path[0] and sys.path[0].endswith("/python")
        assert __name__ != "__main__" and sys.argv == [__file__]
        def setup(): return 10
        def experiment(n): return work(n)
    """)
    modules = ask(started, "modules")["modules"]
    assert modules["pkg.core"] == str(place.root / "python/pkg/core.py")


def test_nothing_is_written_into_the_users_folder(place: Place) -> None:
    place.write_script("")
    (place.script.parent / "helper.py").write_text("VALUE = 1")
    place.load("import helper\ndef setup(): pass\ndef experiment(d): pass\n")
    assert sorted(each.name for each in place.script.parent.iterdir()) == [
        "1a2b3c4d_test_case_generator.py",
        "helper.py",
    ]


def test_start_up_files_of_the_workspace_do_not_run(place: Place) -> None:
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "inspect.py"):
        place.write(name, "raise SystemExit('a patch ran before the worker')")
    place.load("def setup(): pass\ndef experiment(d): pass\n")


def test_the_worker_offers_none_of_its_own_modules(place: Place) -> None:
    error = place.fail("import worker\ndef setup(): pass\ndef experiment(d): pass\n")
    assert (error["type"], error["module"]) == ("ModuleNotFoundError", "worker")


# --- errors -------------------------------------------------------------------------------------------------------


def test_an_import_error_names_the_module_and_where(place: Place) -> None:
    place.write("pkg/core.py", "import decord_of_nowhere\n")
    error = place.fail(SCRIPT)
    assert (error["type"], error["module"], error["phase"]) == ("ModuleNotFoundError", "decord_of_nowhere", "import")
    assert "ImportError" in error["bases"]
    assert error["where"]["file"] == str(place.root / "pkg/core.py")
    assert "worker.py" not in error["traceback"]


def test_the_chain_ends_in_the_deepest_cause(place: Place) -> None:
    place.write(
        "pkg/core.py",
        """
        def work(n):
            try:
                try:
                    import nowhere_at_all
                except ImportError as error:
                    raise ValueError("middle") from error
            except ValueError:
                raise RuntimeError("outer")
        """,
    )
    error = place.fail(SCRIPT)
    assert (error["type"], error["phase"]) == ("RuntimeError", "experiment")
    assert [each["type"] for each in error["chain"]] == ["ValueError", "ModuleNotFoundError"]
    assert error["chain"][-1]["module"] == "nowhere_at_all"


def test_a_script_that_exits_is_an_error_with_its_code(place: Place) -> None:
    error = place.fail("""
        import sys
        def setup():
            print('{"error": "no CUDA"}')
            sys.exit(2)
        def experiment(d): pass
    """)
    assert (error["type"], error["code"], error["phase"]) == ("SystemExit", 2, "setup")


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "MemoryError", "RecursionError"])
def test_other_exceptions_come_back_and_the_worker_lives(place: Place, name: str) -> None:
    started = place.load(f"""
        def setup(): pass
        def experiment(d):
            raise {name}("x")
    """)
    for _ in range(2):
        reply = started.request("turn", PATIENCE_S)
        assert reply.error is not None
        assert reply.error["type"] == name


def test_a_syntax_error_of_the_script(place: Place) -> None:
    error = place.fail("def setup(:\n")
    assert (error["type"], error["phase"]) == ("SyntaxError", "import")


def test_a_long_message_and_a_long_traceback_are_cut(place: Place) -> None:
    error = place.fail("""
        def setup(): pass
        def experiment(d):
            raise ValueError("x" * 1_000_000)
    """)
    assert len(error["message"]) <= 4000
    assert len(error["traceback"]) < 9000


def test_an_exception_that_cannot_be_printed(place: Place) -> None:
    error = place.fail("""
        class Odd(Exception):
            def __str__(self): raise SystemExit(1)
        def setup(): pass
        def experiment(d): raise Odd
    """)
    assert (error["type"], error["message"]) == ("Odd", "<unprintable Odd>")


def test_a_cause_of_itself_ends(place: Place) -> None:
    error = place.fail("""
        def setup(): pass
        def experiment(d):
            one, two = ValueError(1), ValueError(2)
            one.__cause__, two.__cause__ = two, one
            raise one
    """)
    assert len(error["chain"]) == 1


# --- equivalence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "equal"),
    [
        ("return None", True),
        ("return True", True),
        ("return []", True),
        ("return False", False),
        ("return False, 'off by one'", False),
        ("import numpy; return numpy.bool_(False)", False),
        ("assert current == 0, 'off by one'", False),
        ("raise AssertionError", False),
    ],
)
def test_verdicts_of_check_equivalence(place: Place, verdict: str, equal: bool) -> None:
    started = place.load(f"""
        def setup(): pass
        def experiment(d): return 1
        def load_result(path): return 1
        def check_equivalence(current, reference):
            {verdict}
    """)
    ask(started, "turn")
    answer = ask(started, "check", path="x")
    assert answer["equal"] is equal
    assert ("off by one" in verdict) == ("off by one" in answer["message"])
    assert equal or answer["message"]


def test_a_different_result_says_how(place: Place, tmp_path: Path) -> None:
    (tmp_path / "reference").write_text("1")
    place.write("pkg/core.py", CORE)
    started = place.load(SCRIPT)
    ask(started, "turn")
    assert ask(started, "check", path=str(tmp_path / "reference")) == {
        "equal": False,
        "message": "499500 is not 1",
    }


def test_an_error_in_the_check_is_no_verdict(place: Place, tmp_path: Path) -> None:
    place.write("pkg/core.py", CORE)
    started = place.load(SCRIPT)
    ask(started, "turn")
    reply = started.request("check", PATIENCE_S, path=str(tmp_path / "absent"))
    assert reply.error is not None
    assert (reply.error["type"], reply.error["phase"]) == ("FileNotFoundError", "check")


def test_a_script_without_a_check_cannot_tell(place: Place) -> None:
    started = place.load("def setup(): pass\ndef experiment(d): return 1\n")
    ask(started, "turn")
    assert ask(started, "store", path="x") == {"stored": False, "message": "the script has no store_result()"}
    answer = ask(started, "check", path="x")
    assert answer["equal"] is None
    assert "check_equivalence()" in answer["message"]


# --- what the script measures -------------------------------------------------------------------------------------


def targets_of(place: Place, code: str) -> Mapping[str, Any]:
    place.load(code + "\ndef setup(): pass\ndef experiment(d): pass\n")
    found: Mapping[str, Any] = place.loaded["targets"]
    return found


def test_a_swallowed_import_is_brought_to_light(place: Place) -> None:
    place.write("pkg/core.py", "import transformers_of_nowhere\n")
    found = targets_of(place, "try:\n    from pkg.core import work\nexcept ImportError:\n    def work(n): return 0\n")
    assert found["pkg.core"]["error"]["module"] == "transformers_of_nowhere"
    assert found["pkg.core"]["loaded"] is False


def test_a_name_that_is_not_there(place: Place) -> None:
    place.write("pkg/core.py", CORE)
    found = targets_of(place, "try:\n    from pkg.core import gone\nexcept ImportError:\n    gone = None\n")
    assert found["pkg.core"]["loaded"] is True
    assert found["pkg.core"]["error"]["type"] == "ImportError"
    assert "cannot import name 'gone' from 'pkg.core'" in found["pkg.core"]["error"]["message"]


def test_a_submodule_is_a_name_too(place: Place) -> None:
    place.write("pkg/core.py", CORE)
    found = targets_of(place, "from pkg import core\n")
    assert found["pkg"] == {
        "file": str(place.root / "pkg/__init__.py"),
        "loaded": True,
        "names": ["core"],
        "error": None,
    }


def test_second_choices_and_imports_in_functions_accuse_nobody(place: Place) -> None:
    place.write("pkg/new.py", CORE)
    found = targets_of(
        place,
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pkg.types\n"
        "try:\n    import pkg.new\nexcept ImportError:\n    import pkg.old\n"
        "def later():\n    import pkg.later\n",
    )
    assert sorted(found) == ["pkg.later", "pkg.new", "pkg.old"]
    assert all(each["error"] is None for each in found.values())
    assert [name for name, each in found.items() if each["loaded"]] == ["pkg.new"]


def test_a_module_named_by_variables(place: Place) -> None:
    place.write("pkg/core.py", "class Scheduler:\n    def step(self): pass\n")
    code = """
        import importlib, os
        def resolve_target():
            module_path = os.getenv("PROB_MODULE", "")
            symbol_name = os.getenv("PROB_SYMBOL", "")
            if not (module_path and symbol_name):
                module_path, symbol_name = "pkg.core", "Scheduler.{method}"
            target = importlib.import_module(module_path)
            for name in symbol_name.split("."):
                target = getattr(target, name)
            return target
        def setup():
            try:
                resolve_target()
            except AttributeError:
                pass
        def experiment(d): pass
    """
    for method, is_there in (("step", True), ("leap", False)):
        started = place.load(code.replace("{method}", method))
        assert place.loaded["targets"]["pkg.core"]["names"] == [f"Scheduler.{method}"]
        ask(started, "turn")
        state = ask(started, "modules")["targets"]["pkg.core"]
        assert state["loaded"] is True
        assert (state["error"] is None) == is_there


def test_imports_inside_experiment_are_found_after_a_turn(place: Place) -> None:
    place.write("pkg/core.py", CORE)
    started = place.load("def setup(): pass\ndef experiment(d):\n    from pkg.core import work\n    work(3)\n")
    assert place.loaded["targets"]["pkg.core"]["file"] is None
    ask(started, "turn")
    assert ask(started, "modules")["targets"]["pkg.core"]["file"] == str(place.root / "pkg/core.py")


# --- which lines ran ----------------------------------------------------------------------------------------------


def test_lines_by_phase(place: Place) -> None:
    place.write(
        "pkg/core.py",
        """\
        '''Docstring.'''
        LIMIT = 3

        def prepare():
            return LIMIT

        def work(n):
            # a comment
            return sum(
                range(
                    n,
                )
            )

        def unused():
            return 0
        """,
    )
    place.write_script("""
        import threading
        from pkg.core import prepare, work
        def setup(): return prepare()
        def experiment(n):
            thread = threading.Thread(target=work, args=(n,))
            thread.start()
            thread.join()
    """)
    started = place.start()
    ask(started, "trace", files={"pkg/core.py": list(range(1, 17))})
    ask(started, "load", script=str(place.script))
    ask(started, "turn")
    traced = ask(started, "traced")
    lines = {phase: files["pkg/core.py"] for phase, files in traced.items()}
    assert lines == {
        "executable": [2, 4, 5, 7, 9, 10, 11, 12, 13, 15, 16],
        "import": [2, 4, 7, 15],
        "setup": [5],
        "call": [9, 10, 11, 12, 13],
    }


# --- hostile code -------------------------------------------------------------------------------------------------


def claims(place: Place, code: str) -> Reply:
    """A turn of 5 ms of work, after a patch has done its worst."""
    place.write("pkg/core.py", code)
    started = place.load("""
        from time import monotonic
        import pkg.core
        def setup(): pass
        def experiment(d):
            end = monotonic() + 0.005
            while monotonic() < end: pass
            return 1
    """)
    return started.request("turn", PATIENCE_S)


CHEATS = {
    "clock": """
        import time
        for name in ("perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "time", "monotonic"):
            setattr(time, name, lambda: 0)
    """,
    "the worker's globals": """
        import sys, __main__
        for module in (__main__, sys.modules["__main__"]):
            for name in [name for name in vars(module) if not name.startswith("__")]:
                setattr(module, name, None)
    """,
    "builtins": """
        import builtins
        for name in ("range", "isinstance", "open", "str", "sum", "dict", "bytes", "type"):
            setattr(builtins, name, None)
    """,
    "json": """
        import json, json.encoder, json.decoder
        json.dumps = json.loads = json.JSONEncoder = json.JSONDecoder = lambda *a, **k: '{"wall_ns": 1}'
        json.encoder.encode_basestring_ascii = json.encoder.c_make_encoder = None
        json.decoder.JSONDecoder.decode = json.decoder.scanstring = None
    """,
    "os": """
        import os
        for name in ("read", "write", "listdir", "getpid", "_exit", "fork"):
            setattr(os, name, lambda *a: 1 / 0)
    """,
    "streams": """
        import sys, os
        sys.stdout = sys.stderr = sys.stdin = sys.__stdout__ = sys.__stderr__ = None
        os.close(1); os.close(2); os.close(0)
    """,
    "modules": """
        import sys
        for name in ("time", "os", "json", "traceback", "threading", "inspect", "itertools"):
            sys.modules[name] = None
    """,
    "answers in print": """
        import os
        for fd in (0, 1, 2):
            for line in (b'{"id": "1", "ok": true, "value": {"wall_ns": 1, "cpu_ns": 1}}\\n', b"{]\\n", b"\\xff\\n"):
                try: os.write(fd, line)
                except OSError: pass
        print('{"ok": true, "value": {"wall_ns": 1}}', flush=True)
    """,
    "answers on every descriptor": """
        import os
        for fd in range(3, 256):
            for line in (b'{"id": "1", "ok": true, "value": {"wall_ns": 1, "cpu_ns": 1}}\\n', b"[" * 9999 + b"\\n"):
                try: os.write(fd, line)
                except OSError: pass
    """,
    "tracing and recursion": """
        import sys
        sys.setprofile(lambda *a: None)
        sys.settrace(lambda *a: None)
        sys.excepthook = sys.displayhook = None
    """,
}


@pytest.mark.parametrize("how", CHEATS)
def test_cheats_neither_change_the_time_nor_stop_the_answer(place: Place, how: str) -> None:
    reply = claims(place, CHEATS[how])
    assert reply.ok, reply.error
    assert reply.value["wall_ns"] >= 5_000_000
    assert reply.wall_s >= reply.value["wall_ns"] / 1e9


@pytest.mark.parametrize("python", find_interpreters(), ids=lambda path: Path(path).name)
@pytest.mark.parametrize("how", ["builtins", "json"])
def test_cheats_on_other_interpreters(place: Place, how: str, python: str) -> None:
    place.python = python
    reply = claims(place, CHEATS[how])
    assert reply.ok, reply.error
    assert reply.value["wall_ns"] >= 5_000_000


def test_reading_stdin_does_not_take_requests(place: Place) -> None:
    started = place.load("""
        import sys
        def setup(): return sys.stdin.read()
        def experiment(d): assert d == ""
    """)
    ask(started, "turn")
    ask(started, "turn")


def test_what_a_script_prints_goes_to_stderr_and_never_blocks(place: Place) -> None:
    started = place.load("""
        def setup(): print("hello from setup")
        def experiment(d): print("x" * 1_000_000)
    """)
    ask(started, "turn")
    assert "hello from setup" in started.close().stderr


def test_a_forked_copy_does_not_answer_too(place: Place) -> None:
    started = place.load("""
        import os
        forked = []
        def setup(): pass
        def experiment(d):
            while len(forked) < 5:
                forked.append(os.fork())
                if not forked[-1]:
                    break
        def store_result(result, path): open(path, "a").write(f"{os.getpid()} ")
    """)
    ask(started, "turn")
    for _ in range(30):
        ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text().split() == [str(started.pid)] * 30


DEATHS = {
    "os._exit": ("os._exit(7)", Ending.EXITED, 7),
    "os._exit pretending success": ("os._exit(0)", Ending.EXITED, 0),
    "segmentation fault": ("os.kill(os.getpid(), 11)", Ending.SIGNALED, 11),
    "killed": ("os.kill(os.getpid(), 9)", Ending.SIGNALED, 9),
    "exec": ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(5)'])", Ending.EXITED, 5),
    "its group ended": ("os.killpg(0, 15)", Ending.SIGNALED, 15),
}


@pytest.mark.parametrize("how", DEATHS)
@pytest.mark.parametrize("op", ["load", "turn"])
def test_a_worker_that_dies_says_how(place: Place, how: str, op: str) -> None:
    code, ending, number = DEATHS[how]
    place.write_script(f"""
import os, sys
def die():
    print("last words", flush=True)
    {code}
{"die()" if op == "load" else ""}
def setup(): pass
def experiment(d): die()
""")
    started = place.start()
    with pytest.raises(WorkerEnded) as ended:
        started.request("load", PATIENCE_S, script=str(place.script))
        started.request("turn", PATIENCE_S)
    assert ended.value.op == op
    assert (ended.value.execution.ending, ended.value.execution.code) == (ending, number)
    assert "last words" in ended.value.execution.stderr
    with pytest.raises(WorkerEnded):
        started.request("modules", PATIENCE_S)
    assert started.close() == ended.value.execution


def test_a_worker_that_hangs_is_ended(place: Place) -> None:
    started = place.load("""
        import signal, time
        signal.signal(signal.SIGALRM, lambda *_: None)
        def setup(): pass
        def experiment(d): time.sleep(99)
    """)
    with pytest.raises(WorkerEnded) as ended:
        started.request("turn", 0.3)
    assert ended.value.execution.ending is Ending.TIMED_OUT
    assert "no answer to turn in 0.3 s" in ended.value.execution.stderr


def test_closing_every_descriptor_is_noticed(place: Place) -> None:
    started = place.load("""
        import os
        def setup(): pass
        def experiment(d): os.closerange(0, 4096)
    """)
    with pytest.raises(WorkerEnded) as ended:
        started.request("turn", PATIENCE_S)
    assert ended.value.execution.ending is not Ending.TIMED_OUT


def test_more_memory_than_allowed_is_an_error(place: Place) -> None:
    place.spec["memory_bytes"] = 300_000_000
    error = place.fail("def setup(): pass\ndef experiment(d): return bytearray(2_000_000_000)\n")
    assert error["type"] == "MemoryError"


def test_workers_die_with_the_harness(place: Place) -> None:
    place.write_script("import time\ndef setup(): pass\ndef experiment(d): time.sleep(99)\n")
    code = f"""
import os, sys
from pathlib import Path
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.processes.process import Command
spec = {{"root": {str(place.root)!r}, "import_root": ".", "packages": [], "parent": os.getpid()}}
worker = ChannelWorker(Command((sys.executable, {str(place.worker)!r}), Path("."), {{}}, 30), spec)
worker.request("load", 30, script={str(place.script)!r})
worker.send("turn")
print(worker.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    harness = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S)
    import psutil

    pid = int(harness.stdout)
    if psutil.pid_exists(pid):
        gone, _ = psutil.wait_procs([psutil.Process(pid)], timeout=PATIENCE_S)
        assert gone


# --- a GPU that only torch can drive (tests/test_gpu_standin.py has those with a CUDA driver) -----------------------

FAKE_TORCH = """
    import sys, types
    log = []
    torch = types.ModuleType("torch")
    torch.cuda = types.ModuleType("torch.cuda")
    torch.cuda.is_initialized = lambda: bool(log)
    torch.cuda.synchronize = lambda: log.append("synchronize")
    sys.modules["torch"] = torch
"""


@pytest.fixture
def without_driver(place: Place) -> Place:
    """A workspace in which no CUDA driver can be loaded, wherever the test runs."""
    (place.folder / "libcuda.so.1").write_text("no library")
    place.env["LD_LIBRARY_PATH"] = str(place.folder)
    place.write("pkg/core.py", FAKE_TORCH)
    return place


def test_work_on_a_gpu_without_a_cuda_driver_is_waited_for(without_driver: Place) -> None:
    started = without_driver.load("""
        from pkg.core import log, torch
        def setup(): return None
        def experiment(d): log.append("kernel")
        def store_result(result, path): open(path, "w").write(" ".join(log))
    """)
    assert without_driver.loaded["gpu"] is False  # torch is loaded and has not touched the GPU
    for _ in range(2):
        assert ask(started, "turn", setups=0)["cuda_ms"] is None
    ask(started, "store", path=str(without_driver.folder / "r"))
    assert (without_driver.folder / "r").read_text() == "kernel synchronize synchronize kernel synchronize"


def test_a_synchronize_that_was_replaced_later_is_not_used(without_driver: Place) -> None:
    started = without_driver.load("""
        from pkg.core import log, torch
        def setup(): log.append("awake")
        def experiment(d): torch.cuda.synchronize = lambda: 1 / 0
        def store_result(result, path): open(path, "w").write(str(log.count("synchronize")))
    """)
    for _ in range(2):
        ask(started, "turn")
    ask(started, "store", path=str(without_driver.folder / "r"))
    assert (without_driver.folder / "r").read_text() == "6"


# --- programs -----------------------------------------------------------------------------------------------------


def test_a_program_keeps_its_output_its_arguments_and_its_exit_status(place: Place) -> None:
    place.write("pkg/core.py", CORE)
    run = place.program(
        """
        import sys
        from pkg.core import work
        if __name__ == "__main__":
            print(sys.argv[1:], work(3))
            print("a log line", file=sys.stderr)
            sys.exit(2)
        """,
        "--reference",
        "--prefix",
        "p",
    )
    assert (run.execution.ending, run.execution.code) == (Ending.EXITED, 2)
    assert run.execution.stdout == "['--reference', '--prefix', 'p'] 3\n"
    assert run.execution.stderr == "a log line\n"
    assert run.execution.command == (sys.executable, str(place.script), "--reference", "--prefix", "p")
    assert run.modules["pkg.core"] == str(place.root / "pkg/core.py")
    assert run.targets["pkg.core"]["error"] is None
    assert run.error is not None
    assert (run.error["type"], run.error["code"]) == ("SystemExit", 2)


def test_a_program_that_ends_well_has_no_error(place: Place) -> None:
    run = place.program("import sys\nprint('Execution time: 1.5s')\nsys.exit(0)\n")
    assert (run.execution.code, run.error) == (0, None)


def test_a_program_that_raises_prints_its_own_traceback(place: Place) -> None:
    run = place.program("def f(): raise ValueError('x')\nf()\n")
    assert run.execution.code == 1
    assert run.execution.stderr.endswith("ValueError: x\n")
    assert "worker.py" not in run.execution.stderr
    assert run.error is not None
    assert run.error["type"] == "ValueError"


def test_an_import_tried_again_does_not_print_into_the_output(place: Place) -> None:
    place.write("pkg/core.py", "print('noise')\nimport nowhere_at_all\n")
    run = place.program("try:\n    import pkg.core\nexcept ImportError: pass\nprint('{}')\n")
    assert run.execution.stdout == "noise\n{}\n"
    assert run.targets["pkg.core"]["error"]["module"] == "nowhere_at_all"


def test_a_program_that_leaves_abruptly_has_no_report(place: Place) -> None:
    run = place.program("import os\nprint('partial', flush=True)\nos._exit(3)\n")
    assert (run.execution.code, run.execution.stdout) == (3, "partial\n")
    assert (run.modules, run.targets, run.error) == ({}, {}, None)


def test_a_program_that_closes_everything_keeps_its_exit_status(place: Place) -> None:
    assert place.program("import os\nos.closerange(0, 4096)\nos._exit(4)\n").execution.code == 4
    assert place.program("import os\nos.closerange(3, 4096)\nraise SystemExit(5)\n").execution.code == 5


def test_a_program_cannot_forge_its_report(place: Place) -> None:
    run = place.program("""
        import json, os
        for fd in range(3, 256):
            try:
                os.write(fd, json.dumps({"id": "1", "modules": {"pkg.core": "/elsewhere"}}).encode() + b"\\n")
            except OSError:
                pass
    """)
    assert run.execution.code == 0
    assert "pkg.core" not in run.modules


def test_a_program_that_takes_too_long(place: Place) -> None:
    run = place.program("import time\nprint('begun', flush=True)\ntime.sleep(99)\n", timeout_s=1.0)
    assert (run.execution.ending, run.execution.stdout) == (Ending.TIMED_OUT, "begun\n")


def test_multiprocessing_with_spawn_works_in_a_program(place: Place) -> None:
    run = place.program("""
        import multiprocessing
        def square(n): return n * n
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(square, [3]))
    """)
    assert run.execution.stdout == "[9]\n", run.execution.stderr


RUN_TEST = """
    import json
    def run_test(eqcheck=False, reference=False, prefix=''):
        print(json.dumps([eqcheck, reference, prefix]))
        {body}
    if __name__ == "__main__":
        raise SystemExit("not as a program")
"""


def test_run_test_is_called_with_what_it_takes(place: Place) -> None:
    run = place.run_test(RUN_TEST.replace("{body}", "return 12.5"), eqcheck=True, prefix="p", unknown=1)
    assert run.returned is not None
    assert run.returned["value"] == 12.5
    assert run.returned["wall_ns"] > 0
    assert json.loads(run.execution.stdout) == [True, False, "p"]
    assert run.execution.code == 0


def test_a_number_of_numpy_is_a_number(place: Place) -> None:
    run = place.run_test(RUN_TEST.replace("{body}", "import numpy; return numpy.float32(0.5)"))
    assert run.returned is not None
    assert run.returned["value"] == 0.5


def test_run_test_that_raises(place: Place) -> None:
    run = place.run_test(RUN_TEST.replace("{body}", "raise TypeError('no such argument')"))
    assert run.returned is None
    assert run.error is not None
    assert run.error["type"] == "TypeError"
    assert run.execution.code == 1


def test_every_block_of_a_turn_is_as_likely_to_be_looked_at():
    keep, counts = recorder.make_keeper(), [0] * 12
    for _ in range(4000):
        kept = []
        for number in range(len(counts)):
            keep(kept, [(number, place) for place in range(3)], number)
        assert kept[-1] == (len(counts) - 1, 2)
        assert len(kept) == recorder.MOST_KEPT + 1
        for number, _ in kept[:-1]:
            counts[number] += 1
    expected = 4000 * recorder.MOST_KEPT / len(counts)
    assert all(abs(count - expected) < 6 * expected**0.5 for count in counts)


def test_what_a_block_is_worth_is_one_of_its_results():
    keep, kept = recorder.make_keeper(), []
    keep(kept, ["a"], 0)
    assert kept == ["a", "a"]
    keep(kept, ["b"], 1)
    assert kept == ["a", "b", "b"]
