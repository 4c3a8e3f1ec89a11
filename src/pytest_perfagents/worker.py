"""Runs a perf script inside the target's Python: one file, standard library only, Python 3.8 and later.

Started as ``python worker.py SPEC`` (JSON, see `main`). It takes its clocks, its channel and its own copy
of the builtins before any foreign code runs, keeps them in closures, and expects the script and the patch
to be hostile: what they print, replace, close or raise must neither be taken for an answer nor keep one
back. The harness reads the clocks a second time from outside. The operations are described in
``backends/base.py``.
"""

from __future__ import annotations

import builtins
import sys

if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # our own folder
    globals()["__builtins__"] = dict(vars(builtins))  # what a patch does to builtins does not reach us

import ast
import itertools
import json
import os
import platform
import threading
import time
import traceback
import types
from importlib import import_module, machinery
from inspect import signature
from os.path import abspath, dirname, join, normpath, realpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

SCRIPT_MODULE = "__perfscript__"
TEXT_LIMIT = 4000
TRACEBACK_LIMIT = 8000
CHAIN_LIMIT = 16
CHANNEL_FD_MIN = 100
CO_VARARGS, CO_COROUTINE = 0x04, 0x80
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, SIGKILL = 1, 36, 9


# --- what goes over the channel -------------------------------------------------------------------


def make_encoder() -> Callable[[Any], str]:
    """JSON of plain values on one line, anything else as its text; without the json module's Python part."""
    escape = json.encoder.encode_basestring_ascii

    def encode(value: Any) -> str:
        if value is None or value is True or value is False:
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value) if value - value == 0 else "null"
        if isinstance(value, dict):
            return "{" + ",".join([escape(text(k)) + ":" + encode(v) for k, v in value.items()]) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ",".join([encode(each) for each in value]) + "]"
        return str(escape(value if isinstance(value, str) else text(value)))

    return encode


def make_channel(reader: int, writer: int) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """``receive() -> request, None at the end`` and ``send(reply)``: JSON lines on private descriptors."""
    read, write, scan, encode = os.read, os.write, json.JSONDecoder().scan_once, make_encoder()  # type: ignore[attr-defined]
    buffer = bytearray()

    def receive() -> Any:
        while b"\n" not in buffer:
            chunk = read(reader, 65536)
            if not chunk:
                return None
            buffer.extend(chunk)
        line, _, rest = bytes(buffer).partition(b"\n")
        buffer[:] = rest
        return scan(line.decode("utf-8"), 0)[0]

    def send(reply: Any) -> None:
        data = (encode(reply) + "\n").encode("ascii")
        while data:
            data = data[write(writer, data) :]

    return receive, send


def take_channel() -> tuple[int, int]:
    """Move the pipes on 0 and 1 out of the script's reach: it reads nothing, and prints to stderr."""
    import fcntl

    reader = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    writer = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return reader, writer


# --- errors as data -------------------------------------------------------------------------------


def text(value: Any) -> str:
    """What an object says of itself, cut short; a ``__str__`` that raises does no harm."""
    try:
        return str(value)[:TEXT_LIMIT]
    except BaseException:
        return "<unprintable " + type(value).__name__ + ">"


def make_describe() -> Callable[[BaseException, str], dict[str, Any]]:
    """``describe(exception, phase) -> dict``: see `Reply` in ``backends/base.py``."""
    format_exception, own_file = traceback.format_exception, make_describe.__code__.co_filename

    def describe(error: BaseException, phase: str) -> dict[str, Any]:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == own_file and trace.tb_next is not None:
            trace = trace.tb_next
        try:
            lines = "".join(format_exception(type(error), error, trace))
        except BaseException as trouble:
            lines = "<no traceback: " + type(trouble).__name__ + ">"
        if len(lines) > TRACEBACK_LIMIT:
            lines = lines[: TRACEBACK_LIMIT // 4] + "\n[...]\n" + lines[-3 * TRACEBACK_LIMIT // 4 :]
        described = brief(error)
        described.update(
            bases=[each.__name__ for each in type(error).__mro__[:-1]],
            phase=phase,
            where=innermost(trace),
            traceback=lines,
            chain=chain(error),
        )
        if isinstance(error, SystemExit):
            described["code"] = error.code if isinstance(error.code, int) else text(error.code)
        return described

    return describe


def brief(error: BaseException) -> dict[str, Any]:
    """Type and message, and the module that an ImportError names."""
    described: dict[str, Any] = {"type": type(error).__name__, "message": text(error)}
    if isinstance(error, ImportError):
        described["module"] = error.name if error.name is None else text(error.name)
    return described


def chain(error: BaseException) -> list[dict[str, Any]]:
    """Causes and contexts of an exception, the deepest last."""
    found: list[dict[str, Any]] = []
    seen = [error]
    step = error.__cause__ or error.__context__
    while step is not None and len(found) < CHAIN_LIMIT and not any(step is each for each in seen):
        found.append(brief(step))
        seen.append(step)
        step = step.__cause__ or step.__context__
    return found


def innermost(trace: types.TracebackType | None) -> dict[str, Any] | None:
    """Where an exception was raised."""
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return {"file": code.co_filename, "line": trace.tb_lineno, "function": code.co_name}


class Refusal(Exception):  # noqa: N818
    """A request that makes no sense now, such as a turn before anything was loaded."""


# --- reading the script before it runs ------------------------------------------------------------


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, also inside if, try, with and loops."""
    waiting: list[Any] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner: list[Any] = []
            for field in ("body", "handlers", "orelse", "finalbody", "cases"):
                inner.extend(getattr(node, field, []))
            waiting.extend(reversed(inner))


def bound_names(tree: ast.Module) -> dict[str, ast.stmt]:
    """Names that the script has at module level, with the statement that binds them."""
    names: dict[str, ast.stmt] = {}
    for node in top_level(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((each.asname or each.name.partition(".")[0], node) for each in node.names)
        elif isinstance(node, ast.Assign):
            names.update((each.id, node) for each in node.targets if isinstance(each, ast.Name))
    return names


def benchmark_tests(tree: ast.Module) -> list[tuple[str | None, str]]:
    """(class or None, function) of the tests that ask for the ``benchmark`` fixture."""
    found: list[tuple[str | None, str]] = []
    for node in top_level(tree):
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in inside:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
                if "benchmark" in [argument.arg for argument in each.args.args + each.args.kwonlyargs]:
                    found.append((node.name if isinstance(node, ast.ClassDef) else None, each.name))
    return found


def style_of(tree: ast.Module, names: Mapping[str, ast.stmt]) -> str:
    """``driven``, ``benchmark``, ``run_test`` or ``program``."""
    experiment = names.get("experiment")
    if experiment is not None and "setup" in names:
        return "driven"
    if isinstance(experiment, ast.FunctionDef) and len(experiment.args.args) == len(experiment.args.defaults):
        return "driven"
    if benchmark_tests(tree):
        return "benchmark"
    return "run_test" if "run_test" in names else "program"


class TargetFinder(ast.NodeVisitor):
    """Collects the modules of the measured packages that a script names, and the names it wants from them.

    ``wanted`` maps a module to dotted names in it; ``early`` holds the modules that the script must have
    tried to import when it was imported itself: not those in functions, nor the second choices in except
    clauses. Understood are import statements anywhere, ``import_module("literal")`` and
    ``import_module(variable)`` where the variable is given a literal, also as the default of an environment
    variable; then the name may be given likewise.
    """

    def __init__(self, tree: ast.Module, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)
        self.wanted: dict[str, list[str]] = {}
        self.early: set[str] = set()  # depth 0: neither in a function nor in an except clause
        self.depth = 0
        self.variables: set[str] = set()
        self.literals: dict[str, list[str]] = {}
        self.symbols: set[str] = set()
        self.visit(tree)
        self._resolve_variables()

    def _want(self, module: str | None, name: str = "") -> None:
        if module is None or not any(module == each or module.startswith(each + ".") for each in self.packages):
            return
        names = self.wanted.setdefault(module, [])
        if name and name != "*" and name not in names:
            names.append(name)
        if self.depth == 0:
            self.early.add(module)

    def _inside(self, node: Any) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_ExceptHandler = _inside  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        """Called by NodeVisitor."""
        if "TYPE_CHECKING" in ast.dump(node.test):
            for each in node.orelse:
                self.visit(each)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Called by NodeVisitor."""
        for each in node.names:
            self._want(each.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Called by NodeVisitor."""
        for each in node.names:
            if node.level == 0:
                self._want(node.module, each.name)

    def visit_Call(self, node: ast.Call) -> None:
        """Called by NodeVisitor."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args:
            for literal in strings_of(node.args[0]):
                self._want(literal)
            self.variables.update(each.id for each in ast.walk(node.args[0]) if isinstance(each, ast.Name))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Called by NodeVisitor."""
        values: list[tuple[ast.expr, ast.expr]] = []
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                values.extend(zip(target.elts, node.value.elts))  # noqa: B905 - Python 3.8
            else:
                values.append((target, node.value))
        for target, value in values:
            if isinstance(target, ast.Name):
                found = strings_of(value)
                self.literals.setdefault(target.id, []).extend(found)
                if "PROB_SYMBOL" in found:
                    self.symbols.add(target.id)
        self.generic_visit(node)

    def _resolve_variables(self) -> None:
        self.depth = 1
        modules = [literal for name in sorted(self.variables) for literal in self.literals.get(name, [])]
        for module in modules:
            self._want(module)
        known = [module for module in modules if module in self.wanted]
        if len(set(known)) == 1:
            for name in sorted(self.symbols):
                for symbol in self.literals[name]:
                    if symbol.replace(".", "").isidentifier() and not symbol.startswith("PROB_"):
                        self._want(known[0], symbol)


def strings_of(node: ast.AST) -> list[str]:
    """String literals in an expression."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


# --- where modules come from ----------------------------------------------------------------------


class NoCacheLoader(machinery.SourceFileLoader):
    """Imports helpers that lie beside the script without writing bytecode into the user's folder."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def set_import_path(import_root: str, script: str) -> None:
    """The workspace first, what is installed next, the script's own folder last."""
    folder = dirname(abspath(script))
    sys.path[:] = [import_root, *(each for each in sys.path if each not in (import_root, folder)), folder]
    if folder != import_root:
        sys.path_importer_cache[folder] = machinery.FileFinder(
            folder,
            (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
            (NoCacheLoader, machinery.SOURCE_SUFFIXES),
        )


class Targets:
    """What became of the modules that the script names, and which modules of the packages are loaded."""

    def __init__(self, packages: Sequence[str], describe: Callable[[BaseException, str], dict[str, Any]]) -> None:
        self.packages = tuple(packages)
        self.describe = describe
        self.modules = sys.modules
        self.import_module = import_module
        self.finder: TargetFinder | None = None

    def read(self, tree: ast.Module) -> None:
        """Note what a script names."""
        self.finder = TargetFinder(tree, self.packages)

    def loaded(self) -> dict[str, str | None]:
        """All loaded modules of the packages and their files."""
        tops = {package.partition(".")[0] for package in self.packages}
        return {
            name: file_of(module)
            for name, module in list(self.modules.items())
            if module is not None and name.partition(".")[0] in tops
        }

    def report(self, retry: str) -> dict[str, dict[str, Any]]:
        """The state of every target; those not loaded are imported again (``retry``: no, early, all)."""
        if self.finder is None:
            return {}
        return {
            name: self._state(name, names, retry == "all" or (retry == "early" and name in self.finder.early))
            for name, names in self.finder.wanted.items()
        }

    def _state(self, name: str, names: list[str], retry: bool) -> dict[str, Any]:
        state: dict[str, Any] = {"file": None, "loaded": name in self.modules, "names": names, "error": None}
        try:
            module = self.modules.get(name)
            if module is None:
                if not retry:
                    return state
                module = self.import_module(name)
            state["file"] = file_of(module)
            for each in names:
                self._find(module, name, each)
        except BaseException as error:
            state["error"] = self.describe(error, "import")
        return state

    def _find(self, module: Any, name: str, wanted: str) -> None:
        """Walk ``Class.method`` down from a module; what is missing is an ImportError as Python words it."""
        found = module
        for step in wanted.split("."):
            try:
                found = getattr(found, step)
            except AttributeError:
                try:
                    found = self.import_module(name + "." + step)
                except ModuleNotFoundError as error:
                    if error.name != name + "." + step:
                        raise
                    message = "cannot import name " + repr(wanted) + " from " + repr(name)
                    message += " (" + str(file_of(module)) + ")"
                    raise ImportError(message, name=name, path=file_of(module)) from None


def file_of(module: Any) -> str | None:
    """Where a module was loaded from: a file, or the folder of a namespace package."""
    try:
        file = getattr(module, "__file__", None)
        if file is None:
            file = next(iter(getattr(module, "__path__", ())), None)
        return None if file is None else abspath(str(file))
    except Exception:
        return None


# --- which lines run ------------------------------------------------------------------------------


class Tracer:
    """Records which of the lines asked for run, by phase: import, setup, call."""

    PHASES = ("import", "setup", "call")

    def __init__(self) -> None:
        self.settrace, self.thread_settrace = sys.settrace, threading.settrace
        self.wanted: dict[str, tuple[str, list[int], dict[int, tuple[int, int]]]] = {}
        self.known: dict[str, str] = {}
        self.hits: set[tuple[str, str, int]] = set()
        self.phase = ""

    def ask(self, root: str, files: Mapping[str, Iterable[int]]) -> None:
        """Record these lines of these files from now on."""
        for path, lines in files.items():
            file = realpath(join(root, path))
            self.wanted[file] = (path, sorted(lines), statement_spans(file))

    def enter(self, phase: str) -> None:
        """What runs from now on belongs to this phase; ``""``: to none."""
        self.phase = phase
        if self.wanted:
            self.thread_settrace(self._on_call if phase else None)
            self.settrace(self._on_call if phase else None)

    def _on_call(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in self.known:
            file = realpath(name)
            self.known[name] = file if file in self.wanted else ""
        return self._on_line if self.known[name] else None

    def _on_line(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.hits.add((self.phase, self.known[frame.f_code.co_filename], frame.f_lineno))
        return self._on_line

    def report(self) -> dict[str, dict[str, list[int]]]:
        """Of the lines asked for, those that hold code, and those whose statement ran, by phase."""
        result: dict[str, dict[str, list[int]]] = {name: {} for name in ("executable", *self.PHASES)}
        for file, (path, lines, spans) in self.wanted.items():
            coded = [line for line in lines if line in spans]
            result["executable"][path] = coded
            for phase in self.PHASES:
                ran = {line for when, name, line in self.hits if when == phase and name == file}
                result[phase][path] = [line for line in coded if not ran.isdisjoint(range(*spans[line]))]
        return result


def statement_spans(file: str) -> dict[int, tuple[int, int]]:
    """For every line with code, the lines (half-open) of its statement; of a compound one, of its header."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    spans: dict[int, tuple[int, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)) and not is_silent(node):
            first, last = header_lines(node)
            spans.update((line, (first, last + 1)) for line in range(first, last + 1))
    return spans


def is_silent(node: ast.AST) -> bool:
    """Whether a statement compiles to nothing: docstrings, declarations."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, (ast.Global, ast.Nonlocal)) or (isinstance(node, ast.AnnAssign) and node.value is None)


def header_lines(node: Any) -> tuple[int, int]:
    """First and last line of a statement without the statements in it."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    if not hasattr(node, "body"):
        return first, node.end_lineno
    last = node.lineno
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler)) and type(child).__name__ != "match_case":
            last = max([last, *(getattr(each, "end_lineno", None) or 0 for each in ast.walk(child))])
    return first, last


# --- the timed call -------------------------------------------------------------------------------


def make_cuda() -> tuple[Callable[[], bool], Callable[[], Any]]:
    """``look()``: whether torch sees a GPU; ``ready()``: (synchronize, Event) once the script has used it."""
    modules = sys.modules
    found: list[Any] = []

    def look() -> bool:
        if not found and "torch" in modules:
            try:
                cuda = modules["torch"].cuda
                if cuda.is_available():
                    found.append((cuda.is_initialized, cuda.synchronize, cuda.Event))
                else:
                    found.append(None)
            except Exception:
                return False  # torch is not imported to its end, or is no torch
        return bool(found and found[0])

    def ready() -> Any:
        return found[0][1:] if look() and found[0][0]() else None

    return look, ready


def make_timer() -> Callable[..., dict[str, Any]]:
    """``timed(call, args, kwargs, iterations)``: a block of calls -> result, wall_ns, cpu_ns, cuda_ms."""
    clock, cpu_clock, repeat = time.perf_counter_ns, time.process_time_ns, itertools.repeat
    _, cuda_ready = make_cuda()

    def timed(
        call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], iterations: int
    ) -> dict[str, Any]:
        result, events = None, None
        gpu = cuda_ready()
        if gpu is not None:
            events = gpu[1](enable_timing=True), gpu[1](enable_timing=True)
            gpu[0]()
            events[0].record()
        loop = repeat(None, iterations)
        wall = clock()
        cpu = cpu_clock()
        for _ in loop:
            result = call(*args, **kwargs)
        if events is not None:
            events[1].record()
        else:
            gpu = cuda_ready()  # the first turn may be what woke the GPU
        if gpu is not None:
            gpu[0]()
        cpu = cpu_clock() - cpu
        wall = clock() - wall
        elapsed = None if events is None else events[0].elapsed_time(events[1])
        return {"result": result, "wall_ns": wall, "cpu_ns": cpu, "cuda_ms": elapsed}

    return timed


class Recorder:
    """Stands in for pytest-benchmark's fixture: what it is called with is the experiment of this turn."""

    def __init__(self, timed: Callable[..., dict[str, Any]], iterations: int, tracer: Tracer) -> None:
        self._timed = timed
        self._iterations = iterations
        self._tracer = tracer
        self._clock = time.perf_counter_ns
        self._entered: int | None = None
        self._left = 0
        self._taken: dict[str, Any] = {}
        self.extra_info: dict[str, Any] = {}
        self.group = self.param = self.params = self.stats = None
        self.name = self.fullname = "perfagents"
        self.enabled, self.disabled, self.has_error = True, False, False

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Time a function; returns its result, as the fixture does."""
        return self._measure(function, args, kwargs, None)

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **ignored: Any,
    ) -> Any:
        """Time a function with a set-up before every call; how many rounds is the harness's to decide."""
        return self._measure(target, args, kwargs or {}, setup, teardown)

    def _measure(self, function: Any, args: Any, kwargs: Any, setup: Any, teardown: Any = None) -> Any:
        if self._entered is not None:
            raise Refusal("the test uses its benchmark fixture twice")
        self._entered = self._clock()
        rounds = self._iterations if setup or teardown else 1
        total: dict[str, Any] = {}
        for _ in range(rounds):
            made = setup() if setup else None
            now_args, now_kwargs = made if made is not None else (args, kwargs)
            self._tracer.enter("call")
            taken = self._timed(function, now_args, now_kwargs, 1 if setup or teardown else self._iterations)
            self._tracer.enter("setup")
            if teardown:
                teardown(*now_args, **now_kwargs)
            for name in ("wall_ns", "cpu_ns", "cuda_ms"):
                taken[name] = taken[name] if taken[name] is None else taken[name] + (total.get(name) or 0)
            total = taken
        self._taken = total
        self._left = self._clock()
        return total["result"]


def collected(recorder: Recorder, began: int, ended: int) -> dict[str, Any]:
    """The times that a recorder took; all the rest of the test function counts as set-up."""
    taken = recorder._taken
    if not taken:
        raise Refusal("the test did not call its benchmark fixture")
    return {**taken, "setup_ns": ended - began - taken["wall_ns"]}


def call_plan(function: Callable[..., Any], data: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How ``experiment`` wants its data: not at all, as one argument, spread over several, or its defaults."""
    places, required, takes_more = parameters_of(function)
    if (not places and not takes_more) or (data is None and not required):
        return (), {}
    if len(required) > 1 and isinstance(data, (tuple, list)) and len(required) <= len(data) <= len(places):
        return tuple(data), {}
    if len(required) > 1 and isinstance(data, dict) and set(required) <= set(data) <= set(places):
        return (), dict(data)
    return (data,), {}


def parameters_of(function: Any) -> tuple[list[str], list[str], bool]:
    """Positional parameters, those without a default, and whether there may be more.

    A plain function is read without help from the inspect module, which a patch may have broken.
    """
    if isinstance(function, types.FunctionType) and not hasattr(function, "__wrapped__"):
        code, defaults = function.__code__, function.__defaults__ or ()
        places = list(code.co_varnames[: code.co_argcount])
        return places, places[: len(places) - len(defaults)], bool(code.co_flags & CO_VARARGS)
    try:
        parameters = list(signature(function).parameters.values())
    except Exception:
        return ["data"], ["data"], False
    found = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    required = [each.name for each in found if each.default is each.empty]
    return [each.name for each in found], required, any(each.kind is each.VAR_POSITIONAL for each in parameters)


def waits(function: Any) -> Callable[..., Any]:
    """A coroutine function as one that runs to its end."""
    code = getattr(function, "__code__", None)
    if not (isinstance(code, types.CodeType) and code.co_flags & CO_COROUTINE):
        return function  # type: ignore[no-any-return]
    import asyncio

    loop = asyncio.new_event_loop()
    places, _, takes_more = parameters_of(function)
    if not places and not takes_more:
        return lambda: loop.run_until_complete(function())
    run = lambda *args, **kwargs: loop.run_until_complete(function(*args, **kwargs))  # noqa: E731
    run.__wrapped__ = function  # type: ignore[attr-defined]
    return run


def make_census() -> Callable[[], tuple[int, int]]:
    """``census() -> (threads, child processes)`` of this process, as the kernel counts them."""
    listdir, active, pid = os.listdir, threading.active_count, os.getpid()
    opener = open
    tasks = "/proc/" + str(pid) + "/task"

    def census() -> tuple[int, int]:
        try:
            threads = listdir(tasks)
        except OSError:
            return active(), 0
        children = 0
        for thread in threads:
            try:
                with opener(tasks + "/" + thread + "/children") as file:
                    children += len(file.read().split())
            except OSError:
                continue
        return len(threads), children

    return census


# --- the operations -------------------------------------------------------------------------------


class Script:
    """The loaded script and its last result: every public method is an operation of the channel."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._root = spec["root"]
        self._import_root = normpath(join(spec["root"], spec["import_root"]))
        self._describe = make_describe()
        self._targets = Targets(spec["packages"], self._describe)
        self._tracer = Tracer()
        self._clock = time.perf_counter_ns
        self._python = platform.python_version()
        self._timed, self._census, (self._cuda_look, _) = make_timer(), make_census(), make_cuda()
        self._style = ""
        self._functions: dict[str, Any] = {}
        self._data: list[Any] = []
        self._result: list[Any] = []
        self._phase = "import"

    def trace(self, files: Mapping[str, Iterable[int]]) -> dict[str, Any]:
        """Record which of these lines run."""
        self._tracer.ask(self._root, files)
        return {}

    def traced(self) -> dict[str, Any]:
        """What `trace` recorded."""
        return dict(self._tracer.report())

    def load(self, script: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Import the script, unless it is a program."""
        self._phase = "import"
        os.environ.update(env or {})
        tree, code = read_script(script)
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
            "python": self._python,
            "torch_cuda": self._cuda_look(),
            "targets": self._targets.report("early" if self._style != "program" else "no"),
        }

    def _import(self, script: str, tree: ast.Module, code: types.CodeType) -> None:
        os.chdir(self._import_root)
        set_import_path(self._import_root, script)
        sys.argv[:] = [script]
        tests = benchmark_tests(tree)
        module = new_module(SCRIPT_MODULE, script)
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

    def turn(self, iterations: int = 1, setup: bool = True) -> dict[str, Any]:
        """Time a block of calls."""
        if self._style not in ("driven", "benchmark") or not self._functions:
            raise Refusal("a turn needs a loaded script with setup() and experiment(), or with a benchmark test")
        try:
            taken = self._benchmark(iterations) if self._style == "benchmark" else self._drive(iterations, setup)
        finally:
            self._tracer.enter("")
        self._result[:] = [taken.pop("result")]
        threads, children = self._census()
        return {**taken, "threads": threads, "children": children}

    def _drive(self, iterations: int, setup: bool) -> dict[str, Any]:
        setup_ns = 0
        if setup or not self._data:
            self._phase = "setup"
            self._data.clear()
            self._result.clear()  # what is freed here is freed outside the timed call
            self._tracer.enter("setup")
            began = self._clock()
            made = self._functions["setup"]() if "setup" in self._functions else None
            setup_ns = self._clock() - began
            self._data[:] = [made]
        self._phase = "experiment"
        args, kwargs = call_plan(self._functions["experiment"], self._data[0])
        self._tracer.enter("call")
        taken = self._timed(self._functions["experiment"], args, kwargs, iterations)
        return {**taken, "setup_ns": setup_ns}

    def _benchmark(self, iterations: int) -> dict[str, Any]:
        self._phase = "experiment"
        self._tracer.enter("setup")
        recorder = Recorder(self._timed, iterations, self._tracer)
        began = self._clock()
        self._functions["test"](benchmark=recorder)
        return collected(recorder, began, self._clock())

    def store(self, path: str) -> dict[str, Any]:
        """Save the last result with the script's own function."""
        self._phase = "store"
        if "store_result" not in self._functions:
            return {"stored": False, "message": "the script has no store_result()"}
        if not self._result:
            raise Refusal("there is no result before a turn")
        self._functions["store_result"](self._result[0], path)
        return {"stored": True, "message": ""}

    def check(self, path: str) -> dict[str, Any]:
        """Compare the last result with a stored one by the script's own functions."""
        self._phase = "check"
        missing = [name for name in ("load_result", "check_equivalence") if name not in self._functions]
        if missing:
            return {"equal": None, "message": "the script has no " + "() and no ".join(missing) + "()"}
        if not self._result:
            raise Refusal("there is no result before a turn")
        reference = self._functions["load_result"](path)
        try:
            verdict = self._functions["check_equivalence"](self._result[0], reference)
        except AssertionError as error:
            return {"equal": False, "message": text(error) or "an assertion of check_equivalence() failed"}
        if isinstance(verdict, tuple) and verdict and is_false(verdict[0]):
            return {"equal": False, "message": " ".join(text(each) for each in verdict[1:])}
        if is_false(verdict):
            return {"equal": False, "message": "check_equivalence() returned False"}
        return {"equal": True, "message": ""}

    def modules(self, retry: bool = True) -> dict[str, Any]:
        """Loaded modules of the packages, and the targets."""
        self._phase = "import"
        loaded = self._targets.loaded()
        return {"modules": loaded, "targets": self._targets.report("all" if retry else "no")}


def new_module(name: str, file: str | None) -> types.ModuleType:
    """An empty module in sys.modules, with everybody's builtins and not our copy."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    if file is not None:
        module.__file__ = file
    sys.modules[name] = module
    return module


def is_false(verdict: Any) -> bool:
    """False, or NumPy's or torch's False; an empty list of differences is not."""
    return verdict is False or (str(getattr(verdict, "dtype", "")) in ("bool", "torch.bool") and not bool(verdict))


def read_script(script: str) -> tuple[ast.Module, types.CodeType]:
    """The script as a tree and as code; raises SyntaxError, OSError."""
    with open(script, "rb") as file:
        source = file.read()
    return ast.parse(source, script), compile(source, script, "exec", dont_inherit=True)


# --- the life of the process ----------------------------------------------------------------------


def set_limits(spec: Mapping[str, Any]) -> None:
    """Die with the harness, adopt what is orphaned below, be the first that the kernel kills for memory."""
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # no Linux, or a Python without ctypes: the end of the channel ends us too
    if spec.get("parent") and os.getppid() != spec["parent"]:
        os._exit(1)  # the harness was gone before we asked to die with it
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")
    except OSError:
        pass
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec.get("memory_bytes"):
        resource.setrlimit(resource.RLIMIT_DATA, (spec["memory_bytes"], spec["memory_bytes"]))


def serve(spec: Mapping[str, Any]) -> None:
    """Answer requests until the harness hangs up."""
    own_pid, getpid, leave, flush = os.getpid(), os.getpid, os._exit, make_flush()
    receive, send = make_channel(*take_channel())
    set_limits(spec)
    script = Script(spec)
    operations = {
        name: getattr(script, name) for name in ("trace", "load", "turn", "store", "check", "modules", "traced")
    }
    describe = make_describe()
    new_module("__main__", None)
    send({"id": spec["id"], "ok": True, "value": identity()})
    while True:
        request = receive()
        if request is None or request["op"] == "exit":
            break
        reply: dict[str, Any] = {"id": request["id"], "ok": False}
        try:
            reply["value"] = operations[request["op"]](**request["arguments"])
            reply["ok"] = True
        except BaseException as error:
            reply["error"] = describe(error, script._phase)
            flush()
        if getpid() != own_pid:
            leave(1)  # a process that the script forked, come back to where it was forked
        send(reply)
        del request, reply
    flush()
    leave(0)


def make_flush() -> Callable[[], None]:
    """``flush()`` the streams as they were before foreign code ran."""
    streams = [each for each in (sys.stdout, sys.stderr) if each is not None]

    def flush() -> None:
        for stream in streams:
            try:
                stream.flush()
            except BaseException:
                continue

    return flush


def identity() -> dict[str, Any]:
    """The greeting."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": " ".join(os.uname()[each] for each in (0, 2, 4)),
    }


def run_once(spec: Mapping[str, Any]) -> None:
    """Run the script to its end, as ``__main__`` or by its ``run_test``; report to ``report_fd``.

    Its exit status is this process's; its stdout is this process's.
    """
    import fcntl

    set_limits(spec)
    writer = fcntl.fcntl(spec["report_fd"], fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    os.close(spec["report_fd"])
    describe, targets = make_describe(), Targets(spec["packages"], make_describe())
    _, send = make_channel(0, writer)
    own_pid, getpid, write, flush, aside = os.getpid(), os.getpid, os.write, make_flush(), make_aside()
    report: dict[str, Any] = {"id": spec["id"], "error": None, "returned": None}
    try:
        report["returned"] = run_script(spec, targets)
    except BaseException as error:
        if not (isinstance(error, SystemExit) and error.code in (None, 0)):
            report["error"] = describe(error, "import" if spec["mode"] == "program" else "experiment")
        if not isinstance(error, SystemExit):
            flush()
            with_no_fuss(lambda: write(2, report["error"]["traceback"].encode("utf-8", "replace")))
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
        raise
    finally:
        if getpid() == own_pid:
            flush()
            # an import that is tried once more must not print into the script's output
            aside(lambda: report.update(modules=targets.loaded(), targets=targets.report("all")))
            with_no_fuss(lambda: send(report))


def with_no_fuss(action: Callable[[], object]) -> None:
    """Do it; that a descriptor was closed by the script is no reason to fail."""
    try:
        action()
    except OSError:
        pass


def make_aside() -> Callable[[Callable[[], object]], None]:
    """``aside(action)``: run it while what is printed goes to stderr."""
    dup, dup2, close, flush = os.dup, os.dup2, os.close, make_flush()

    def aside(action: Callable[[], object]) -> None:
        try:
            kept = dup(1)
            dup2(2, 1)
        except OSError:
            action()
            return
        action()
        flush()
        dup2(kept, 1)
        close(kept)

    return aside


def run_script(spec: Mapping[str, Any], targets: Targets) -> dict[str, Any] | None:
    """The script's own code; what ``run_test`` returned, and how long it took."""
    script, is_program = spec["script"], spec["mode"] == "program"
    import_root = normpath(join(spec["root"], spec["import_root"]))
    tree, code = read_script(script)
    targets.read(tree)
    os.chdir(import_root)
    set_import_path(import_root, script)
    sys.argv[:] = [script, *(spec["arguments"] if is_program else [])]
    new_module("__main__", None)
    module = new_module("__main__" if is_program else SCRIPT_MODULE, script)
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    exec(code, module.__dict__)
    if is_program:
        return None
    function = waits(vars(module)["run_test"])
    arguments = accepted(function, spec["arguments"])
    wall, cpu = clock(), cpu_clock()
    value = function(**arguments)
    return {"value": plain(value), "wall_ns": clock() - wall, "cpu_ns": cpu_clock() - cpu}


def accepted(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments that a function takes."""
    parameters = signature(function).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return {name: value for name, value in arguments.items() if takes_all or name in parameters}


def plain(value: Any) -> Any:
    """A number of NumPy's or torch's as Python's own; what is no number as its text."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return text(value)


def main() -> None:
    """``SPEC``: mode (serve, program, run_test), id, root, import_root, packages, parent, memory_bytes.

    The latter two modes also have script, arguments and report_fd.
    """
    spec = json.loads(sys.argv[1])
    if spec["mode"] == "serve":
        serve(spec)
    else:
        run_once(spec)


if __name__ == "__main__":
    # Python 3.8 and 3.9 look at __builtins__ of the globals only where a call changes globals.
    types.FunctionType(main.__code__, dict(globals()))()
