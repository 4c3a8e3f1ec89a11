"""The worker's ``intact``: what a patch replaced in its process, in real processes."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from test_worker import Place, ask

from pytest_perfagents.worker.originals import RT_SIGACTION

SCRIPT = """
    import time
    from pkg.core import work

    def setup():
        return 1000

    def experiment(n):
        return work(n)

    def check_equivalence(current, reference):
        assert current == reference
"""
HONEST = "def work(n):\n    return sum(range(n))\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    try:
        yield place
    finally:
        for each in place.workers:
            each.close()


def intact(place: Place, patched: str, script: str = SCRIPT, turns: int = 1) -> Mapping[str, Any]:
    place.write("pkg/core.py", HONEST + textwrap.dedent(patched))
    started = place.load(script)
    for _ in range(turns):
        ask(started, "turn", iterations=1)
    return ask(started, "intact")


def names(answer: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in answer["replaced"]]


def test_nothing_is_replaced_by_honest_code(place: Place) -> None:
    answer = intact(place, "import time, json, gc, random, threading\nbegan = time.perf_counter()\n", turns=3)
    assert answer == {"replaced": [], "gc": True, "children": True}


NO_WAIT = """
import ctypes
action = (ctypes.c_ulong * 16)(0, 2)
ctypes.CDLL(None).syscall({"x86_64": 13, "aarch64": 134}[__import__("os").uname().machine], 17, action, None, 8)
"""


@pytest.mark.skipif(os.uname().machine not in RT_SIGACTION, reason="the number of sigaction() is not known")
@pytest.mark.parametrize("patched", ["import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n", NO_WAIT])
def test_children_that_are_not_waited_for_are_not_counted(patched: str, place: Place) -> None:
    assert intact(place, patched)["children"] is False


def test_a_replaced_clock_is_named_with_the_place_of_its_code(place: Place) -> None:
    answer = intact(place, "import time\ntime.perf_counter = lambda: 0.0\n")
    assert answer["replaced"] == [{"name": "time.perf_counter", "file": str(place.root / "pkg/core.py"), "line": 4}]


def test_a_clock_replaced_without_a_line_that_says_so(place: Place) -> None:
    hidden = """
        import sys
        from functools import partial
        class Fake:
            def __call__(self):
                return 0.0
            def method(self):
                return 0.0
        place = vars(sys.modules["".join(["t", "i", "m", "e"])])
        place["time"], place["monotonic"], place["time_ns"] = Fake(), Fake().method, partial(lambda: 0)
    """
    answer = intact(place, hidden)
    assert sorted(names(answer)) == ["time.monotonic", "time.time", "time.time_ns"]
    assert {each["file"] for each in answer["replaced"]} == {str(place.root / "pkg/core.py")}


def test_a_clock_replaced_by_another_builtin_is_named_without_a_place(place: Place) -> None:
    answer = intact(place, "import time\ntime.perf_counter = time.process_time\n")
    assert answer["replaced"] == [{"name": "time.perf_counter", "file": None, "line": 0}]


def test_the_whole_time_module_replaced(place: Place) -> None:
    answer = intact(place, "import sys, types\nsys.modules['time'] = types.ModuleType('time')\n")
    assert "time.*" in names(answer)


@pytest.mark.parametrize(
    ("patched", "name"),
    [
        ("import builtins\nbuiltins.sorted = lambda x: x", "builtins.sorted"),
        ("import json\njson.dump = lambda *a: None", "json.dump"),
        ("import json\njson.JSONEncoder.encode = lambda *a: ''", "json.JSONEncoder.encode"),
        ("import gc\ngc.collect = lambda: 0", "gc.collect"),
        ("import threading\nthreading.settrace(lambda *a: None)", "threading._trace_hook"),
        ("import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)", "signal.SIGALRM"),
        ("import math\nmath.isclose = lambda *a: True", "math.isclose"),
        ("import pickle\npickle.dumps = lambda *a: b''", "pickle.dumps"),
    ],
)
def test_other_things_that_are_nobodys_to_replace(place: Place, patched: str, name: str) -> None:
    assert name in names(intact(place, patched))


def test_a_profiler_is_named_until_a_turn_takes_it_off(place: Place) -> None:
    assert "sys.setprofile" in names(intact(place, "import sys\nsys.setprofile(lambda *a: None)", turns=0))


def test_garbage_collection_that_was_switched_off(place: Place) -> None:
    assert intact(place, "import gc\ngc.disable()\n")["gc"] is False


MODULE = """
    import sys
    def work(n):
        sys.modules["__perfscript__"].experiment = lambda n: 0
        return 0
"""
CODE = """
    import sys
    def fake(n):
        return 0
    def work(n):
        function = sys.modules["__perfscript__"].experiment
        if not function.__closure__:
            function.__code__ = fake.__code__
        else:
            function.__code__ = (lambda cell: lambda n: cell and 0)(1).__code__
        return 0
"""
TABLE = """
    import gc, sys
    def fake(n):
        return 0
    def work(n):
        module = vars(sys.modules["__perfscript__"])
        for each in gc.get_objects():
            if isinstance(each, dict) and "check_equivalence" in each and each is not module:
                each["experiment"] = fake
        return 0
"""


@pytest.mark.parametrize("patched", [MODULE, CODE, TABLE], ids=["module", "code", "table"])
def test_a_replaced_function_of_the_script(place: Place, patched: str) -> None:
    answer = intact(place, patched)
    entries = [each for each in answer["replaced"] if each["name"] == "script.experiment"]
    assert entries
    assert entries[0]["file"] == str(place.root / "pkg/core.py")


@pytest.mark.parametrize("patched", [MODULE, CODE], ids=["module", "code"])
def test_a_replaced_function_that_the_script_had_decorated(place: Place, patched: str) -> None:
    script = textwrap.dedent(SCRIPT).replace(
        "def experiment", "def same(f): return lambda n: f(n)\n@same\ndef experiment"
    )
    [entry] = intact(place, patched, script)["replaced"]
    assert (entry["name"], entry["file"]) == ("script.experiment", str(place.root / "pkg/core.py"))


def test_a_function_replaced_while_the_script_is_still_loading(place: Place) -> None:
    patched = """
        import sys
        def late():
            sys._getframe(1).f_globals["experiment"] = lambda n: 0
    """
    script = textwrap.dedent(SCRIPT) + "import pkg.core\npkg.core.late()\n"
    assert names(intact(place, patched, script)) == ["script.experiment"]


def test_a_script_that_decorates_and_rebinds_its_own_functions_is_honest(place: Place) -> None:
    script = """
        import functools
        from pkg.core import work

        def shout(function):
            @functools.wraps(function)
            def inner(*args):
                return function(*args)
            return inner

        @functools.lru_cache(maxsize=None)
        def helper(n):
            return work(n)

        def setup():
            return 1000

        @shout
        def experiment(n):
            return helper(n)

        setup = shout(setup)
        try:
            import missing
        except ImportError:
            def fallback():
                return 1
    """
    assert intact(place, "", script)["replaced"] == []


def test_an_asynchronous_experiment_is_honest(place: Place) -> None:
    script = "from pkg.core import work\nasync def experiment():\n    return work(9)\ndef setup():\n    pass\n"
    assert intact(place, "", script)["replaced"] == []


def test_a_benchmark_test_is_honest_and_its_replacement_is_named(place: Place) -> None:
    script = (
        "from pkg.core import work\nclass TestIt:\n    def test_it(self, benchmark):\n        benchmark(work, 10)\n"
    )
    assert intact(place, "", script)["replaced"] == []
    patched = "import sys\ndef work(n):\n    sys.modules['__perfscript__'].TestIt = None\n    return 0"
    assert intact(place, patched, script)["replaced"] == []  # what was bound at the start is what is called


def test_other_random_data_do_not_look_like_a_replaced_function(place: Place) -> None:
    place.write("pkg/core.py", HONEST)
    started = place.load("import random\n" + textwrap.dedent(SCRIPT).replace("return 1000", "random.seed(1)"), shift=3)
    assert ask(started, "intact")["replaced"] == []


def test_a_package_that_is_not_the_workspaces_is_not_named_for_its_own_functions(place: Place) -> None:
    pytest.importorskip("numpy")
    answer = intact(place, "import numpy, pickle, timeit, statistics\n")
    assert answer["replaced"] == []


def test_a_replaced_comparison_of_a_library_is_named(place: Place) -> None:
    pytest.importorskip("numpy")
    answer = intact(place, "import numpy\nnumpy.allclose = lambda *a, **k: True\n")
    assert names(answer) == ["numpy.allclose"]


def test_a_program_reports_it_too(place: Place) -> None:
    place.write("pkg/core.py", "import time\ntime.perf_counter = lambda: 0.0\n")
    run = place.program("import pkg.core\nprint('Execution time: 1.0s')\n")
    assert names(run.intact) == ["time.perf_counter"]
    place.write("pkg/core.py", "")
    assert place.program("import pkg.core\nprint('x')\n").intact == {"replaced": [], "gc": True, "children": True}


def test_run_test_reports_it_too(place: Place) -> None:
    place.write("pkg/core.py", "import timeit\ntimeit.default_timer = lambda: 0.0\n")
    run = place.run_test("import pkg.core\ndef run_test():\n    return 1.0\n")
    assert names(run.intact) == ["timeit.default_timer"]


def test_a_child_and_its_cpu_time_are_seen_from_outside(place: Place) -> None:
    patched = """
        import os, time
        def work(n):
            if os.fork() == 0:
                while time.process_time() < 0.2:
                    pass
                os._exit(0)
            time.sleep(0.01)
            return 0
    """
    place.write("pkg/core.py", HONEST)
    started = place.load(SCRIPT)
    ask(started, "turn", iterations=1)
    assert started.company().cpu_s == {}
    assert started.company().threads >= 1
    place.write("pkg/core.py", HONEST + textwrap.dedent(patched))
    started = place.load(SCRIPT)
    ask(started, "turn", iterations=1)
    [child] = started.company().cpu_s
    ask(started, "turn", iterations=1)
    while (seen := started.company().cpu_s)[child] < 0.2:
        pass
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("patched", "name"),
    [
        ("import sys\nvars(sys.modules['__main__'])['time'] = Fake()", "script.time"),
        ("import sys\nvars(sys.modules['__main__'])['range'] = lambda n: ()", "script.range"),
        ("import sys\nvars(sys.modules['__main__'])['clock'] = lambda: 0.0", "script.clock"),
        ("import sys, __main__\ndef late(): __main__.main = lambda: 0", "script.main"),
        ("import timeit\ntimeit.Timer.timeit = lambda *a: 0.0", "timeit.Timer.timeit"),
        ("import timeit\ntimeit.timeit = lambda *a, **k: 0.0", "timeit.timeit"),
    ],
)
def test_names_of_a_program_that_the_patch_rebinds(place: Place, patched: str, name: str) -> None:
    place.write("pkg/core.py", f"class Fake:\n    perf_counter = None\ndef late(): pass\n{patched}\n")
    script = "import time\nfrom time import perf_counter as clock\nimport pkg.core\ndef main(): pass\npkg.core.late()\n"
    [entry] = place.program(script + "print('x')\n").intact["replaced"]
    assert entry["name"] == name
    assert entry["file"] == str(place.root / "pkg/core.py")


def test_a_program_may_bind_what_it_likes(place: Place) -> None:
    place.write("pkg/core.py", "")
    script = """
        import os.path as where
        import time, json
        from time import perf_counter as clock, time as now
        import pkg.core as core
        def range(n):
            return []
        def helper():
            global input
            input = 1
        helper()
        for max in [1, 2]:
            pass
        with open("/dev/null") as min:
            pass
        clock = clock
        def main():
            return 1
        main = None
        print("x")
    """
    assert place.program(script).intact["replaced"] == []
