"""The loaded script: the operations that the harness asks for, one after the other."""

from __future__ import annotations

import ast
import os
import platform
import sys
import time
import types
from os.path import dirname, join, normpath
from typing import TYPE_CHECKING

from pytest_perfagents.worker.base_types import digest_of
from pytest_perfagents.worker.calling import call_plan, waits
from pytest_perfagents.worker.errors import Refusal, make_describe, text
from pytest_perfagents.worker.files import write_new_file
from pytest_perfagents.worker.gpu import Gpu
from pytest_perfagents.worker.importing import SCRIPT_MODULE, new_module, set_import_path
from pytest_perfagents.worker.originals import Originals, make_seal
from pytest_perfagents.worker.rebuilding import Rebuilder
from pytest_perfagents.worker.recorder import Recorder, collected, make_keeper, summed
from pytest_perfagents.worker.scattering import make_scatter
from pytest_perfagents.worker.script_text import benchmark_tests, bound_names, read_script, style_of
from pytest_perfagents.worker.seeding import SHIFT, SeedShifter, Shift
from pytest_perfagents.worker.settings import changed, make_settings
from pytest_perfagents.worker.structure import StructureWriter
from pytest_perfagents.worker.structure_reading import StructureReader
from pytest_perfagents.worker.targets import Targets
from pytest_perfagents.worker.timing import make_census, make_quiet, make_timer
from pytest_perfagents.worker.tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class Script:
    """The loaded script and its last result: every public method is an operation of the channel."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._root = spec["root"]
        self._import_root = normpath(join(spec["root"], spec["import_root"]))
        self._describe = make_describe()
        self._targets, self._settings = Targets(spec["packages"], self._describe), make_settings()
        self._inherited: dict[str, str] = spec.get("settings") or {}
        self._places = (spec["root"], dirname(os.environ.get("HOME", "")), str(os.getpid()))
        self._tracer, self._originals = Tracer(), Originals(spec["root"])
        self._clock, self._cpu_clock = time.perf_counter_ns, time.process_time_ns
        self._python = platform.python_version()
        self._gpu = Gpu(spec)
        quiet, self._loud = make_quiet()
        self._timed, self._census = make_timer(self._gpu, quiet, self._loud), make_census()
        self._style = self._file = ""
        self._functions: dict[str, Any] = {}
        self._data: list[Any] = []
        self._scatter, self._keep = make_scatter(), make_keeper()
        self._results: list[Any] = []
        self._seal = make_seal((StructureWriter,))
        self._shift: Shift | None = None
        self._phase = "import"

    def trace(self, files: Mapping[str, Iterable[int]]) -> dict[str, Any]:
        """Record which of these lines run."""
        self._tracer.ask(self._root, files)
        return {}

    def intact(self, libraries: bool = True) -> dict[str, Any]:
        """What was replaced since the start; ask before ``store`` and the like, which run foreign code again."""
        self._loud()
        return self._originals.report(libraries)

    def traced(self) -> dict[str, Any]:
        """What `trace` recorded."""
        return dict(self._tracer.report())

    def load(self, script: str, env: Mapping[str, str] | None = None, shift: int | None = None) -> dict[str, Any]:
        """Import the script, unless it is a program; ``shift`` gives it other random data."""
        self._phase, self._file = "import", script
        os.environ.update(env or {})
        before = self._settings()
        os.environ.update(self._inherited)
        tree, code = read_script(script)
        self._shift = Shift(shift) if shift is not None else None
        if shift is not None:
            code = compile(ast.fix_missing_locations(SeedShifter().visit(tree)), script, "exec", dont_inherit=True)
        self._targets.read(tree)
        names = bound_names(tree)
        self._style = style_of(tree, names)
        began = self._clock()
        if self._style != "program":
            self._import(script, tree, code)
        elapsed = self._clock() - began
        return {
            "style": self._style,
            "has": sorted(names),
            "import_s": elapsed / 1e9,
            "libraries": self._targets.strangers(),
            "python": self._python,
            "gpu": self._gpu.look(),
            "settings": changed(before, self._settings(), self._places),
            "targets": self._targets.report("early" if self._style != "program" else "no"),
        }

    def _import(self, script: str, tree: ast.Module, code: types.CodeType) -> None:
        os.chdir(self._import_root)
        set_import_path(self._import_root, script)
        sys.argv[:] = [script]
        tests = benchmark_tests(tree)
        module = new_module(SCRIPT_MODULE, script)
        if self._shift is not None:
            module.__dict__[SHIFT] = self._shift
            self._shift.seed_all()
        self._originals.read_script(tree, code, module.__dict__)
        self._tracer.enter("import")
        try:
            exec(code, module.__dict__)
        finally:
            self._tracer.enter("")
        self._functions = dict(vars(module))
        if self._style == "driven":
            for name in ("setup", "experiment"):
                if name in self._functions:
                    self._functions[name] = waits(self._functions[name])
        elif self._style == "benchmark":
            owner, name = tests[0]
            holder = self._functions[owner]() if owner else None
            self._functions["test"] = getattr(holder, name) if holder is not None else self._functions[name]
        self._originals.hold(self._functions)

    def turn(self, iterations: int = 1, setups: int = 1, own: bool = False) -> dict[str, Any]:
        """Time calls, in as many blocks as there are set-ups; what some of them returned stays until the next turn.

        ``own``: the shift of seeds rests meanwhile.
        """
        if self._style not in ("driven", "benchmark") or not self._functions:
            raise Refusal("a turn needs a loaded script with setup() and experiment(), or with a benchmark test")
        if self._shift is not None:
            self._shift.rests = own
        self._loud()
        self._results.clear()  # what is freed here is freed outside the timed call
        try:
            drive = self._benchmark if self._style == "benchmark" else self._drive
            taken = drive(iterations, setups)
        except BaseException:
            self._loud()
            raise
        finally:
            self._tracer.enter("")
        self._results.extend(taken.pop("results"))
        threads, children = self._census()
        return {**taken, "threads": threads, "children": children}

    def _drive(self, iterations: int, setups: int) -> dict[str, Any]:
        total: dict[str, Any] = {"setup_ns": 0, "setup_cpu_ns": 0}
        results: list[Any] = []
        blocks = max(1, min(setups, iterations))
        for number in range(blocks):
            if setups or not self._data:
                wall_ns, cpu_ns = self._make_data()
                total["setup_ns"] += wall_ns
                total["setup_cpu_ns"] += cpu_ns
            self._phase = "experiment"
            args, kwargs = call_plan(self._functions["experiment"], self._data[0])
            self._tracer.enter("call")
            calls = iterations * (number + 1) // blocks - iterations * number // blocks
            taken = self._timed(self._functions["experiment"], args, kwargs, calls)
            self._keep(results, taken.pop("results"), number)
            del args, kwargs  # the next data shall find their memory free
            total.update(summed(total, taken))
        return {**total, "results": results}

    def _make_data(self) -> tuple[int, int]:
        """Give the last data up and call ``setup()``; nanoseconds of both by wall and CPU clock."""
        self._phase = "setup"
        self._loud()
        self._tracer.enter("setup")
        began, cpu = self._clock(), self._cpu_clock()
        self._data.clear()
        freed = self._clock() - began, self._cpu_clock() - cpu
        self._loud()
        self._scatter()
        if self._shift is not None:
            self._shift.seed_all()
        began, cpu = self._clock(), self._cpu_clock()
        made = self._functions["setup"]() if "setup" in self._functions else None
        self._gpu.wait()  # what setup() started on a GPU is part of it
        taken = self._clock() - began + freed[0], self._cpu_clock() - cpu + freed[1]
        self._data[:] = [made]
        return taken

    def _benchmark(self, iterations: int, setups: int) -> dict[str, Any]:
        if setups:
            self._scatter()
        if self._shift is not None:
            self._shift.seed_all()
        self._phase = "experiment"
        self._tracer.enter("setup")
        recorder = Recorder(self._timed, iterations, self._tracer, self._loud, self._keep)
        began = self._clock()
        self._functions["test"](benchmark=recorder)
        return collected(recorder, began, self._clock())

    def store(self, path: str) -> dict[str, Any]:
        """Save the last result with the script's own function."""
        self._phase = "store"
        if "store_result" not in self._functions:
            return {"stored": False, "message": "the script has no store_result()"}
        if not self._results:
            raise Refusal("there is no result before a turn")
        self._loud()
        self._functions["store_result"](self._results[-1], path)
        return {"stored": True, "message": ""}

    def check(self, path: str) -> dict[str, Any]:
        """Compare the last result with a stored one by the script's own functions."""
        self._phase = "check"
        missing = self._missing()
        if missing:
            return {"equal": None, "message": missing}
        if not self._results:
            raise Refusal("there is no result before a turn")
        self._loud()
        return self._compare(self._results[-1], path)

    def _missing(self) -> str:
        missing = [name for name in ("load_result", "check_equivalence") if name not in self._functions]
        return "the script has no " + "() and no ".join(missing) + "()" if missing else ""

    def _compare(self, result: Any, path: str) -> dict[str, Any]:
        reference = self._functions["load_result"](path)
        try:
            verdict = self._functions["check_equivalence"](result, reference)
        except AssertionError as error:
            return {"equal": False, "message": text(error) or "an assertion of check_equivalence() failed"}
        if isinstance(verdict, tuple) and verdict and is_false(verdict[0]):
            return {"equal": False, "message": " ".join(text(each) for each in verdict[1:])}
        if is_false(verdict):
            return {"equal": False, "message": "check_equivalence() returned False"}
        return {"equal": True, "message": ""}

    def describe(self, path: str, seed: int = 0, place: int = -1, stored: str | None = None) -> dict[str, Any]:
        """Write the structure of a result of the last turn, or of a stored one, to a new file.

        Right after a turn, before anything that is not ours has run: whatever could fill it in is still held back.
        """
        self._phase = "describe"
        if stored is not None:
            self._loud()
            value = self._functions["load_result"](stored)
        elif self._results:
            value = self._results[place % len(self._results)]
        else:
            raise Refusal("there is no result before a turn")
        writer = StructureWriter(seed=seed)
        data = writer.take(value)
        self._seal()
        write_new_file(path, data)
        return {"bytes": len(data), "sha256": digest_of(data).hex(), "whole": writer.whole}

    def judge(self, candidate: str, reference: str) -> dict[str, Any]:
        """Compare a result of which there is a structure with a stored one by the script's own functions."""
        self._phase = "check"
        missing = self._missing()
        if missing:
            return {"equal": None, "message": missing, "faithful": False}
        with open(candidate, "rb") as file:
            node = StructureReader(file.read()).read()
        rebuilder = Rebuilder()
        result = rebuilder.make(node)
        return {**self._compare(result, reference), "faithful": rebuilder.faithful}

    def shared(self) -> dict[str, Any]:
        """What a template may import for all sides."""
        return {"modules": self._targets.shared(self._root, self._file)}

    def modules(self, retry: bool = True) -> dict[str, Any]:
        """Loaded modules of the packages, and the targets."""
        self._phase = "import"
        self._loud()
        loaded = self._targets.loaded()
        return {"modules": loaded, "targets": self._targets.report("all" if retry else "no")}


def is_false(verdict: Any) -> bool:
    """False, or NumPy's or torch's False; an empty list of differences is not."""
    return verdict is False or (str(getattr(verdict, "dtype", "")) in ("bool", "torch.bool") and not bool(verdict))
