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

import array
import ast
import collections
import enum
import functools
import gc
import itertools
import json
import os
import platform
import signal
import struct
import threading
import time
import traceback
import types
from importlib import import_module, machinery
from inspect import signature
from os.path import abspath, dirname, join, normpath, realpath
from stat import S_ISDIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

SCRIPT_MODULE = "__perfscript__"
TEXT_LIMIT = 4000
TRACEBACK_LIMIT = 8000
CHAIN_LIMIT = 16
CHANNEL_FD_MIN = 100
MESSAGE_BYTES = 1 << 20
CO_VARARGS, CO_COROUTINE = 0x04, 0x80
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SIGKILL, SIGCHLD, SIG_IGN = 9, 17, 1
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_PATH_BENEATH = 444, 445, 446, 1
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1 << 0, 1 << 1
READ_FILES = 1 << 0 | 1 << 2  # execute, read
ACCESS_OF_FILES = READ_FILES | 1 << 1 | 1 << 14  # write, truncate
ACCESS_ABI_1 = ((1 << 13) - 1) & ~(1 << 3)  # all but listing a folder
ACCESS_REFER, ACCESS_TRUNCATE = 1 << 13, 1 << 14
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 1 << 2
SECCOMP_ALLOW, SECCOMP_EPERM, X32 = 0x7FFF0000, 0x00050001, 1 << 30  # from there on, x86 has its calls once more
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 1 << 17, 1 << 27, 1 << 28
MS_NOSUID_NODEV, MS_REC_PRIVATE, CAPABILITY_VERSION = 2 | 4, 1 << 14 | 1 << 18, 0x20080522
# AUDIT_ARCH; the numbers of seccomp, prctl, prlimit64; add_key, request_key, keyctl; shmget, semget, msgget, mq_open
SYSTEM_CALLS = {
    "x86_64": (0xC000003E, 317, 157, 302, (248, 249, 250), (29, 64, 68, 240)),
    "aarch64": (0xC00000B7, 277, 167, 261, (217, 218, 219), (194, 190, 186, 180)),
}


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

    def shared(self, root: str, script: str) -> list[str]:
        """What is loaded from files outside the workspace and the script's folder, in the order of loading."""
        own = (join(root, ""), join(dirname(abspath(script)), ""))
        files = [(name, file_of(module)) for name, module in list(self.modules.items()) if module is not None]
        return [name for name, file in files if file is not None and not file.startswith(own)]

    def strangers(self) -> int:
        """How many modules are loaded that are none of the packages, those in other modules not counted."""
        tops = {package.partition(".")[0] for package in self.packages}
        return len([name for name in list(self.modules) if "." not in name and name not in tops])

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

DRIVER_FUNCTIONS = (
    "DeviceGetCount", "DeviceGet", "DeviceGetAttribute", "DevicePrimaryCtxGetState", "DevicePrimaryCtxRetain",
    "CtxPushCurrent_v2", "CtxPopCurrent_v2", "CtxSynchronize", "EventCreate", "EventRecord", "EventElapsedTime",
    "MemAlloc_v2", "MemFree_v2", "MemsetD8Async", "GetErrorString",
)  # fmt: skip
L2_CACHE_SIZE = 38  # CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE of cuda.h
UNKNOWN_L2_BYTES = 128 << 20


class Driver:
    """The CUDA driver's own functions: what is replaced in torch, or in ctypes, does not reach them.

    False where there is no NVIDIA driver. Loading it wakes nothing up: the process can still fork.
    """

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}
        try:
            import ctypes

            library = ctypes.CDLL("libcuda.so.1")
            functions = {name: getattr(library, "cu" + name) for name in DRIVER_FUNCTIONS}
        except (ImportError, OSError, AttributeError):
            return
        functions["CtxResetPersistingL2Cache"] = getattr(library, "cuCtxResetPersistingL2Cache", lambda: 0)
        self.byref, self.handle, self.integer = ctypes.byref, ctypes.c_void_p, ctypes.c_int
        self.size, self.address, self.milliseconds = ctypes.c_size_t, ctypes.c_uint64, ctypes.c_float
        self.text = ctypes.c_char_p
        self._functions = functions

    def __bool__(self) -> bool:
        return bool(self._functions)

    def ask(self, name: str, *arguments: Any) -> int:
        """CUDA's code: 0 where it did what was asked."""
        return int(self._functions[name](*arguments))

    def call(self, name: str, *arguments: Any) -> None:
        """Raises RuntimeError in torch's words; code that failed on the GPU is found out this way."""
        code = self.ask(name, *arguments)
        if code:
            words = self.text()
            self.ask("GetErrorString", code, self.byref(words))
            found = (words.value or b"error %d" % code).decode("ascii", "replace")
            raise RuntimeError("CUDA error: " + found + " (cu" + name + ")")


class Device:
    """One GPU that this process uses: its primary context, which torch and most others share, and three events."""

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._context = driver.handle()
        driver.call("DevicePrimaryCtxRetain", driver.byref(self._context), number)
        self._events = [driver.handle() for _ in range(3)]
        with self:
            for event in self._events:
                driver.call("EventCreate", driver.byref(event), 0)
        size = driver.integer()
        known = not driver.ask("DeviceGetAttribute", driver.byref(size), L2_CACHE_SIZE, number)
        self._bytes = 2 * (size.value if known and size.value > 0 else UNKNOWN_L2_BYTES)
        self._buffer: Any = None
        self._is_warm = False

    def __enter__(self) -> None:
        self._driver.call("CtxPushCurrent_v2", self._context)

    def __exit__(self, *raised: object) -> None:
        self._driver.ask("CtxPopCurrent_v2", self._driver.byref(self._driver.handle()))

    def wait(self) -> None:
        """Until all that was asked of this GPU is done, on every stream."""
        with self:
            self._driver.call("CtxSynchronize")

    def record(self, event: int) -> None:
        """Event 0, 1 or 2 on the default stream."""
        with self:
            self._driver.call("EventRecord", self._events[event], None)

    def elapsed_ms(self, first: int, last: int) -> float:
        """Between two events that have happened."""
        found = self._driver.milliseconds()
        with self:
            self._driver.call("EventElapsedTime", self._driver.byref(found), self._events[first], self._events[last])
        return float(found.value)

    def warm_up(self, nanoseconds: int, clock: Callable[[], int]) -> None:
        """Keep it busy so that its clocks rise: once in this process, where there is memory for it."""
        if self._is_warm:
            return
        self._is_warm = True
        until = clock() + nanoseconds
        if clock() < until and self._has_buffer():
            while clock() < until:
                for _ in range(8):
                    self._overwrite()
                self.wait()

    def flush(self) -> None:
        """Write twice the L2 cache full, so that no turn finds the data of the one before."""
        if not self._has_buffer():
            raise RuntimeError("CUDA error: out of memory: l2_flush wants " + str(self._bytes >> 20) + " MB of the GPU")
        with self:
            self._driver.ask("CtxResetPersistingL2Cache")  # such lines outlive being written over
        self._overwrite()

    def free(self) -> None:
        """Give the buffer back."""
        if self._buffer is not None:
            with self:
                self._driver.ask("MemFree_v2", self._buffer)
            self._buffer = None

    def _has_buffer(self) -> bool:
        if self._buffer is None:
            address = self._driver.address()
            with self:
                if not self._driver.ask("MemAlloc_v2", self._driver.byref(address), self._driver.size(self._bytes)):
                    self._buffer = address
        return self._buffer is not None

    def _overwrite(self) -> None:
        with self:
            self._driver.call("MemsetD8Async", self._buffer, 0, self._driver.size(self._bytes), None)


class Gpu:
    """Waits for the GPUs that this process uses, and times what they do.

    Every GPU on which the process has a context is waited for, whatever stream, thread or library gave it work.
    ``cuda_ms`` is between two events that are recorded while all of them rest, so that work on any stream lies between
    them. ``stream_ms`` ends already where the default stream has come to the end of the calls: what a harness sees that
    waits for that stream alone. Where only torch can drive the GPU (AMD's), it is waited for and nothing else.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._driver = Driver()
        self._devices: dict[int, Device] = {}
        self._warmup_ns = int(1e9 * spec.get("gpu_warmup_s", 0.0))
        self._flushes = bool(spec.get("l2_flush", False))
        self._clock = time.perf_counter_ns
        self._torch, self._memory = make_torch_wait(), make_memory()

    def look(self) -> bool:
        """Whether this process uses a GPU now; asking wakes none up."""
        driver = self._driver
        if not driver:
            return self._torch(False)
        count, device, flags, active = driver.integer(), driver.integer(), driver.integer(), driver.integer()
        if driver.ask("DeviceGetCount", driver.byref(count)):
            return False  # CUDA was not initialised, neither by torch nor by anybody
        for number in range(count.value):
            if number in self._devices or driver.ask("DeviceGet", driver.byref(device), number):
                continue
            state = driver.ask("DevicePrimaryCtxGetState", device, driver.byref(flags), driver.byref(active))
            if state == 0 and active.value:
                self._devices[number] = Device(driver, device.value)
        return bool(self._devices)

    def wait(self) -> None:
        """Until every GPU in use rests, also those that the last call woke up."""
        if self._driver:
            if self.look():
                for device in self._devices.values():
                    device.wait()
        else:
            self._torch(True)

    def begin(self) -> bool:
        """Bring all GPUs to rest and start their clock; False where there is no event to end it by."""
        self.wait()
        if not self._devices:
            return False
        for device in self._devices.values():
            device.warm_up(self._warmup_ns, self._clock)
            if self._flushes:
                device.flush()
            else:
                device.free()
            device.wait()
        self._memory(self._devices, True)
        self._timekeeper().record(0)
        return True

    def end(self, began: bool) -> None:
        """Within the wall clock's time: note where the default stream is, and wait for all others."""
        if began:
            self._timekeeper().record(1)
        self.wait()

    def read(self, began: bool) -> dict[str, Any]:
        """``cuda_ms``, ``stream_ms`` and ``gpu_bytes`` of what lay between; None where they are not known."""
        if not began:
            return {"cuda_ms": None, "stream_ms": None, "gpu_bytes": None}
        keeper = self._timekeeper()
        keeper.record(2)
        keeper.wait()
        return {
            "cuda_ms": keeper.elapsed_ms(0, 2),
            "stream_ms": keeper.elapsed_ms(0, 1),
            "gpu_bytes": self._memory(self._devices, False),
        }

    def _timekeeper(self) -> Device:
        return next(iter(self._devices.values()))


def make_torch_wait() -> Callable[[bool], bool]:
    """``look(wait)``: whether torch uses a GPU; waits for it too. torch's functions as they were when first seen."""
    modules = sys.modules
    found: list[Any] = []

    def look(wait: bool) -> bool:
        if not found and "torch" in modules:
            try:
                cuda = modules["torch"].cuda
                found.append((cuda.is_initialized, cuda.synchronize))
            except AttributeError:
                return False  # torch is not imported to its end, or is no torch
        if not found or not found[0][0]():
            return False
        if wait:
            found[0][1]()
        return True

    return look


def make_memory() -> Callable[[Iterable[int], bool], int | None]:
    """``peak(devices, reset)``: most bytes that torch's allocator held since the last reset; None without torch.

    By torch's own word: it is shown, and no verdict hangs on it.
    """
    modules = sys.modules

    def peak(devices: Iterable[int], reset: bool) -> int | None:
        try:
            torch = modules["torch"]._C
            held = 0
            for number in devices:
                if reset:
                    torch._cuda_resetPeakMemoryStats(number)
                else:
                    held += int(torch._cuda_memoryStats(number)["allocated_bytes"]["all"]["peak"])
            return held
        except Exception:
            return None

    return peak


def make_timer(gpu: Gpu, quiet: Callable[[], None], loud: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    """``timed(call, args, kwargs, iterations)``: a block of calls -> results, wall_ns, cpu_ns, and `Gpu.read`.

    ``results`` are those of some calls and of the last. The calls are made in C, and which of them are chosen stands
    in no variable of any frame: what is called can find out neither that nor how many are still to come. The profiler
    and the like are off afterwards, until ``loud``.
    """
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    repeat, starmap, partial = itertools.repeat, itertools.starmap, functools.partial
    begin, end, read = gpu.begin, gpu.end, gpu.read
    last_of: Callable[[Iterable[Any]], Any] = functools.partial(collections.deque, maxlen=1)
    chosen = make_chosen()

    def timed(
        call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], iterations: int
    ) -> dict[str, Any]:
        loud()
        began = begin()
        calls = starmap(partial(call, **kwargs) if kwargs else call, repeat(args, iterations))
        wall = clock()
        cpu = cpu_clock()
        kept = list(map(last_of, chosen(calls, iterations)))
        quiet()
        end(began)
        cpu = cpu_clock() - cpu
        wall = clock() - wall
        results = [result for part in kept for result in part]
        return {"results": results, "wall_ns": wall, "cpu_ns": cpu, **read(began)}

    return timed


def make_chosen() -> Callable[[Iterator[Any], int], tuple[Iterable[Any], ...]]:
    """``chosen(calls, count)``: the calls cut in two to four parts, at places that the kernel's random numbers give."""
    urandom, islice, number_of = os.urandom, itertools.islice, int.from_bytes

    def chosen(calls: Iterator[Any], count: int) -> tuple[Iterable[Any], ...]:
        if count < 2:
            return (calls,)
        noise = urandom(16)
        cuts = sorted([number_of(noise[at : at + 4], "little") % count for at in (0, 4, 8)][: 1 + noise[12] % 3])
        ends = [0, *cuts]
        sizes = [end - begin for begin, end in zip(ends, cuts)]  # noqa: B905 - Python 3.8
        return (*[islice(calls, size) for size in sizes], calls)

    return chosen


def make_quiet() -> tuple[Callable[[], None], Callable[[], None]]:
    """``quiet()``: until ``loud()`` no signal handler, profiler, tracer or collection runs foreign code in this thread.

    So that nothing fills in a result between the end of the clock and a look at what was returned.
    """
    sigmask, setprofile, settrace = import_module("_signal").pthread_sigmask, sys.setprofile, sys.settrace
    kept = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGSTOP")]
    held = {int(each) for each in range(1, signal.NSIG)} - {int(each) for each in kept}
    block, restore = int(signal.SIG_BLOCK), int(signal.SIG_SETMASK)
    collects, collect, wait = gc.isenabled, gc.enable, gc.disable
    monitoring = getattr(sys, "monitoring", None)
    names = ("get_tool", "set_events")
    get_tool, set_events = [getattr(monitoring, name, None) for name in names]
    before: list[Any] = []

    def quiet() -> None:
        setprofile(None)
        settrace(None)
        if not before:
            before.append((sigmask(block, held), collects()))
            wait()
        if get_tool is not None and set_events is not None:
            for tool in range(6):
                if get_tool(tool) is not None:
                    set_events(tool, 0)

    def loud() -> None:
        if before:
            mask, was_collecting = before.pop()
            if was_collecting:
                collect()
            sigmask(restore, mask)

    return quiet, loud


MOST_KEPT = 4
"""Blocks of a turn of which a result is kept."""


class Recorder:
    """Stands in for pytest-benchmark's fixture: what it is called with is the experiment of this turn."""

    def __init__(
        self,
        timed: Callable[..., dict[str, Any]],
        iterations: int,
        tracer: Tracer,
        loud: Callable[[], None],
        keep: Callable[[list[Any], list[Any], int], None],
    ) -> None:
        self._timed, self._loud, self._keep = timed, loud, keep
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
        is_single = bool(setup or teardown)
        total: dict[str, Any] = {}
        results: list[Any] = []
        for number in range(self._iterations if is_single else 1):
            self._loud()
            made = setup() if setup else None
            now_args, now_kwargs = made if made is not None else (args, kwargs)
            self._tracer.enter("call")
            taken = self._timed(function, now_args, now_kwargs, 1 if is_single else self._iterations)
            self._tracer.enter("setup")
            if teardown:
                self._loud()
                teardown(*now_args, **now_kwargs)
            self._keep(results, taken.pop("results"), number)
            total = summed(total, taken)
        self._taken = {**total, "results": results}
        self._left = self._clock()
        return results[-1]


def make_keeper() -> Callable[[list[Any], list[Any], int], None]:
    """``keep(kept, results, number)``: of block ``number``. Kept are one result of some blocks, and the last of all.

    Every block is as likely to be among them (reservoir sampling, Vitter 1985, algorithm R).
    """
    urandom, number_of = os.urandom, int.from_bytes

    def keep(kept: list[Any], results: list[Any], number: int) -> None:
        chance = number_of(urandom(8), "little")
        one, place = results[chance % len(results)], chance // len(results) % (number + 1)
        if number < MOST_KEPT:
            kept[-1:] = [one, results[-1]]
            return
        if place < MOST_KEPT:
            kept[place] = one
        kept[-1] = results[-1]

    return keep


def make_sizes() -> Callable[[], list[int]]:
    """``sizes()``: numbers of bytes between 512 and 128 K, as many small as large, by the kernel's noise."""
    urandom, number_of = os.urandom, int.from_bytes

    def sizes() -> list[int]:
        noise = urandom(24)
        return [(number_of(noise[at : at + 2], "little") | 65536) >> (noise[at + 2] % 8) for at in range(0, 24, 3)]

    return sizes


def summed(total: Mapping[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    """Two timed calls as one: times add up, memory is the larger; the rest is the later one's."""
    for name in ("wall_ns", "cpu_ns", "cuda_ms", "stream_ms"):
        taken[name] = taken[name] if taken[name] is None else taken[name] + (total.get(name) or 0)
    if taken["gpu_bytes"] is not None:
        taken["gpu_bytes"] = max(taken["gpu_bytes"], total.get("gpu_bytes") or 0)
    return taken


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
    """``census() -> (threads, child processes)`` of this process, as the kernel counts them.

    Of a process with one thread nothing is opened for it: audit hooks would hear of that.
    """
    listdir, active, pid = os.listdir, threading.active_count, os.getpid()
    opener, pread = open, os.pread
    tasks = "/proc/" + str(pid) + "/task"
    files: list[int] = []
    try:
        for path in ("/proc/" + str(pid) + "/stat", tasks + "/" + str(pid) + "/children"):
            files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        files.clear()

    def census() -> tuple[int, int]:
        try:
            if files and pread(files[0], 4096, 0).rpartition(b")")[2].split()[17] == b"1":
                return 1, len(pread(files[1], 65536, 0).split())
        except (OSError, IndexError):
            files.clear()  # somebody closed them
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


# --- what a result is made of ---------------------------------------------------------------------

STRUCTURE_LIMIT = 64 << 20  # bytes of one structure; of an array that is larger, a sample is taken
LEAF_LIMIT, DEPTH_LIMIT, SAMPLE_COUNT, COPY_LIMIT, FEW = 1000000, 100, 65536, 1 << 30, 16
HEAP_TYPE, IMMUTABLE_TYPE = 1 << 9, 1 << 8
SEQUENCES = {"list": b"L", "tuple": b"U", "set": b"S", "frozenset": b"S", "deque": b"L", "range": b"L"}
PLAIN = ("NoneType", "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "set", "dict")


class StructureWriter:
    """Writes a value as plain data that another process reads without running anything that is in it.

    Only functions of base types that cannot be changed from Python touch the value: what its class says of itself
    (``__eq__``, ``__iter__``, ``__class__``, ``__getattr__``) has no say. A value is a tag of one character and its
    contents; ``n;`` is a number in hexadecimal, ``text`` is ``n;`` and so many bytes::

        N T F                          None, True, False
        i n;                           int
        d (8 bytes) c (16 bytes)       float, complex, little endian
        s text, b text                 str, bytes
        L U S n; values                list, tuple, set
        q Q e E text                   list and tuple of many numbers: of 64 bits (q), of floats (e)
        M n; keys and values           dict
        O o text n; names and values   an object (o: one that is a record): its class, its attributes
        C text value n; names, values  an instance of another class: its class, itself as one of these, its attributes
        A text text n; sizes; text     an array: where (numpy, scalar, a device of torch), type, shape, data
        D text text n; sizes; text     of an array that is too large: the digest, then the elements of a sample
        V text text                    dates and decimals: class, and how they are written
        X text                         not looked into: its class, or why
        R n;                           what began as container number n, from 0
    """

    def __init__(self, limit: int = STRUCTURE_LIMIT, seed: int = 0) -> None:
        self.whole = True
        self._parts: list[bytes] = []
        self._left, self._leaves, self._seed = limit, LEAF_LIMIT, seed
        self._numbers: dict[int, int] = {}
        self._kinds: dict[int, Any] = {}
        self._alive: list[Any] = []
        self._writers: dict[str, Callable[..., None]] = {
            "builtins:NoneType": self._constant,
            "builtins:bool": self._constant,
            "builtins:int": self._integer,
            "builtins:float": self._float,
            "builtins:complex": self._complex,
            "builtins:str": self._string,
            "builtins:bytes": self._string,
            "builtins:bytearray": self._string,
            "builtins:dict": self._dict,
            "builtins:BaseException": self._object,
            "types:SimpleNamespace": self._object,
            "numpy:ndarray": self._numpy,
            "numpy:generic": self._numpy,
            "torch._C:TensorBase": self._torch,
            "torch._C:_TensorBase": self._torch,
        }
        for name in ("builtins:list", "builtins:tuple", "builtins:set", "builtins:frozenset", "builtins:range"):
            self._writers[name] = self._sequence
        self._writers["collections:deque"] = self._sequence
        for name in ("datetime:datetime", "datetime:date", "datetime:time", "datetime:timedelta", "decimal:Decimal"):
            self._writers[name] = self._written
        itself = ("_object", "_numpy", "_torch", "_written")
        self._namers = {name for name, write in self._writers.items() if write.__name__ in itself} | {"builtins:object"}

    def take(self, value: Any) -> bytes:
        """The structure. ``whole`` says afterwards whether nothing in it was left out."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 20 * DEPTH_LIMIT))
        try:
            self._write(value, 0)
        finally:
            sys.setrecursionlimit(limit)
        return b"".join(self._parts)

    def _put(self, *parts: bytes) -> None:
        for part in parts:
            self._left -= len(part)
            self._parts.append(part)

    def _put_text(self, value: Any) -> None:
        data = value if type(value) is bytes else str.encode(value, "utf-8", "surrogatepass")
        self._put(b"%x;" % len(data), data)

    def _write(self, value: Any, depth: int) -> None:
        kind = type(value)
        key = place_of(kind)
        if key not in self._kinds:
            write, base = self._writer_for(kind)
            is_itself = class_name(base) in self._namers or (kind is base and base.__name__ in PLAIN)
            self._kinds[key] = write, base, is_itself
            self._alive.append(kind)
        write, base, is_itself = self._kinds[key]
        self._leaves -= 1
        if depth > DEPTH_LIMIT or self._left <= 0 or self._leaves <= 0:
            self._leave_out("<too deep>" if depth > DEPTH_LIMIT else "<too large>")
        elif write is None:
            self._leave_out(class_name(kind))
        elif is_itself:
            write(value, base, depth)
        else:
            self._put(b"C")
            self._put_text(class_name(kind))
            write(value, base, depth)
            self._attributes(value, depth)

    def _writer_for(self, kind: Any) -> tuple[Any, Any]:
        """What writes instances of a class, and the unchangeable base that decides it."""
        is_plain = True
        for base in mro_of(kind):
            if base is object:
                return (self._object if is_plain and kind is not object else None), base
            if is_immutable(base):
                write = self._writers.get(class_name(base))
                if write is not None:
                    return write, base
                is_plain = False
        return None, object

    def _leave_out(self, why: str) -> None:
        self.whole = False
        self._put(b"X")
        self._put_text(why)

    def _is_known(self, value: Any) -> bool:
        """Whether this container was begun before; then a reference to it is written."""
        key = place_of(value)
        number = self._numbers.get(key)
        if number is None:
            self._numbers[key] = len(self._numbers)
            self._alive.append(value)
            return False
        self._put(b"R%x;" % number)
        return True

    def _constant(self, value: Any, base: Any, depth: int) -> None:
        self._put(b"N" if value is None else b"T" if value is True else b"F")

    def _integer(self, value: Any, base: Any, depth: int) -> None:
        self._put(b"i", int.__format__(value, "x").encode("ascii"), b";")

    def _float(self, value: Any, base: Any, depth: int) -> None:
        self._put(b"d", pack_floats("<d", float.__float__(value)))

    def _complex(self, value: Any, base: Any, depth: int) -> None:
        parts = [complex.__dict__[name].__get__(value) for name in ("real", "imag")]
        self._put(b"c", pack_floats("<dd", *parts))

    def _string(self, value: Any, base: Any, depth: int) -> None:
        if base is str:
            data = str.encode(value, "utf-8", "surrogatepass")
        else:
            data = base.__getitem__(value, slice(None))
        if len(data) > self._left:
            self._leave_out("<too large>")
            return
        self._put(b"s" if base is str else b"b")
        self._put_text(bytes(data))

    def _sequence(self, value: Any, base: Any, depth: int) -> None:
        if self._is_known(value):
            return
        items = list(itertools.islice(base.__iter__(value), self._left + 1))
        tag = SEQUENCES[base.__name__]
        if len(items) >= FEW and type(value) in (list, tuple) and self._packed(tag, items):
            return
        if len(items) > self._leaves:
            self._forget(value)
            return
        self._put(tag, b"%x;" % len(items))
        for item in items:
            self._write(item, depth + 1)

    def _forget(self, value: Any) -> None:
        del self._numbers[place_of(value)]
        self._leave_out("<too large>")

    def _packed(self, tag: bytes, items: list[Any]) -> bool:
        """Write many numbers of one type at once."""
        kind = type(items[0])
        if not (kind is int or kind is float) or any(type(each) is not kind for each in items):
            return False
        try:
            data = pack_array("q" if kind is int else "d", items).tobytes()
        except OverflowError:
            return False
        if len(data) > self._left:
            return False
        tags = b"qQ" if kind is int else b"eE"
        self._put(tags[:1] if tag == b"L" else tags[1:])
        self._put_text(data)
        return True

    def _dict(self, value: Any, base: Any, depth: int) -> None:
        if self._is_known(value):
            return
        if dict.__len__(value) > self._leaves:
            self._forget(value)
            return
        self._pairs(b"M", list(dict.items(value)), depth)

    def _pairs(self, tag: bytes, pairs: list[tuple[Any, Any]], depth: int) -> None:
        self._put(tag, b"%x;" % len(pairs))
        for key, item in pairs:
            self._write(key, depth + 1)
            self._write(item, depth + 1)

    def _object(self, value: Any, base: Any, depth: int) -> None:
        if self._is_known(value):
            return
        self._put(b"o" if base is not object or is_record(type(value)) else b"O")
        self._put_text(class_name(type(value)))
        self._attributes(value, depth)

    def _attributes(self, value: Any, depth: int) -> None:
        self._pairs(b"", attributes_of(value), depth)

    def _written(self, value: Any, base: Any, depth: int) -> None:
        self._put(b"V")
        self._put_text(class_name(type(value)))
        self._put_text(base.__repr__(value))

    def _numpy(self, value: Any, base: Any, depth: int) -> None:
        dtype = base.__dict__["dtype"].__get__(value)
        names = next(vars_of(each) for each in mro_of(type(dtype)) if class_name(each) == "numpy:dtype")
        if names["kind"].__get__(dtype) in ("O", "V"):  # no numbers, or with gaps between them
            self._write(base.__dict__["tolist"](value), depth + 1)
            return
        is_array = class_name(base) == "numpy:ndarray"
        shape = base.__dict__["shape"].__get__(value) if is_array else ()
        size = base.__dict__["nbytes"].__get__(value) if is_array else 1
        if size > COPY_LIMIT:
            self._leave_out("<too large>")
            return
        data = base.__dict__["tobytes"](value)
        self._array("numpy" if is_array else "scalar", names["str"].__get__(dtype), shape, data)

    def _torch(self, value: Any, base: Any, depth: int) -> None:
        if answers_for_torch(type(value), base) or address_of is None:
            self._leave_out("<a tensor of a class of its own>")
            return
        names = vars_of(base)
        try:
            size = names["numel"](value) * names["element_size"](value)
            if size > COPY_LIMIT:
                self._leave_out("<too large>")
                return
            where, dtype, shape = [names[name].__get__(value) for name in ("device", "dtype", "shape")]
            for name in ("detach", "resolve_conj", "resolve_neg", "cpu", "contiguous"):
                value = names[name](value)
            data = address_of(names["data_ptr"](value), size)
        except (RuntimeError, NotImplementedError):
            self._leave_out("<a tensor whose layout cannot be read>")
        else:
            self._array(str(where), str(dtype), shape, data)

    def _array(self, where: str, dtype: str, shape: Any, data: bytes) -> None:
        is_large = len(data) > self._left
        self._put(b"D" if is_large else b"A")
        self._put_text(where)
        self._put_text(dtype)
        sizes = list(tuple.__iter__(shape))
        self._put(b"%x;" % len(sizes), *[b"%x;" % each for each in sizes])
        if is_large:
            self.whole = False
            data = digest_of(data) + self._sample(data, sizes)
        self._put_text(data)

    def _sample(self, data: bytes, sizes: list[int]) -> bytes:
        """Elements at places that nobody knows who does not know the seed; the same for equal shapes."""
        count = 1
        for each in sizes:
            count *= each
        width, state, chosen = len(data) // count, self._seed, []
        for _ in range(min(SAMPLE_COUNT, count)):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)  # Knuth, MMIX
            place = (state >> 16) % count * width
            chosen.append(data[place : place + width])
        return b"".join(chosen)


def make_seal(kinds: Sequence[Any]) -> Callable[[], None]:
    """``seal()`` raises Refusal where a function of these classes is no longer what it is now."""
    code_of = types.FunctionType.__dict__["__code__"].__get__
    known = [
        (vars_of(kind), name, each, code_of(each))
        for kind in kinds
        for name, each in vars_of(kind).items()
        if type(each) is types.FunctionType
    ]

    def seal() -> None:
        for names, name, each, code in known:
            if names.get(name) is not each or code_of(each) is not code:
                raise Refusal("functions of the worker were replaced (" + name + ")")

    return seal


def make_address_of() -> Callable[[int, int], bytes] | None:
    """``address_of(address, size)``: the bytes that lie there. None in a Python without ctypes."""
    try:
        from ctypes import c_char
    except ImportError:
        return None
    return lambda address, size: (c_char * size).from_address(address).raw if size else b""


def make_digest_of() -> Callable[[bytes], bytes]:
    """SHA-256, where possible without the hashlib module, which takes long to import."""
    for name in ("_sha2", "_sha256", "hashlib"):
        try:
            sha256 = import_module(name).sha256
            break
        except ImportError:
            continue
    return lambda data: bytes(sha256(data).digest())


address_of, digest_of, pack_floats, unpack_floats = make_address_of(), make_digest_of(), struct.pack, struct.unpack
pack_array, enum_class = array.array, enum.Enum
place_of = object.__hash__  # one number for each object that lives, as id() gives, which audit hooks hear of
mro_of = type.__dict__["__mro__"].__get__
bases_of = type.__dict__["__bases__"].__get__
flags_of = type.__dict__["__flags__"].__get__
vars_of = type.__dict__["__dict__"].__get__


def is_record(kind: Any) -> bool:
    """Whether its attributes are what an object is for: a dataclass and its like, a member of an enumeration."""
    marks = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "__pydantic_fields__")
    return any(each is enum_class or any(name in vars_of(each) for name in marks) for each in mro_of(kind))


def answers_for_torch(kind: Any, base: Any) -> bool:
    """Whether a class above ``torch.Tensor``, which is right above ``base``, replaces torch's functions."""
    for each in mro_of(kind):
        if any(parent is base for parent in bases_of(each)):
            return False
        own = vars_of(each).get("__torch_function__")
        if "__torch_dispatch__" in vars_of(each) or not (own is None or type(own) is types.BuiltinFunctionType):
            return True
    return True


def is_immutable(kind: Any) -> bool:
    """Whether nothing in Python can change this type, nor make another that passes for it."""
    flags = flags_of(kind)
    return not flags & HEAP_TYPE or bool(flags & IMMUTABLE_TYPE)


def class_name(kind: Any) -> str:
    """``module:Class.Inner``."""
    found = [type.__dict__[name].__get__(kind) for name in ("__module__", "__qualname__")]
    return ":".join([each if type(each) is str else "?" for each in found])


def attributes_of(value: Any) -> list[tuple[str, Any]]:
    """What is in an object's ``__dict__`` and slots; of a member of an enumeration its value."""
    found: dict[str, Any] = {}
    bases = mro_of(type(value))
    for base in bases:
        if base is object:
            continue
        for name, each in list(vars_of(base).items()):
            if name == "__dict__" and type(each) is types.GetSetDescriptorType:
                found.update([pair for pair in dict.items(each.__get__(value)) if type(pair[0]) is str])
            elif name == "args" and base is BaseException:
                found["args"] = each.__get__(value)
            elif type(each) is types.MemberDescriptorType and type(name) is str and not is_immutable(base):
                try:
                    found.setdefault(name, each.__get__(value))
                except AttributeError:
                    continue  # a slot that holds nothing
    if any(base is enum_class for base in bases):
        return [("value", found.get("_value_"))]
    return list(found.items())


class Node:
    """One value of a structure that was read.

    ``kind`` is none, bool, int, float, complex, str, bytes, list, tuple, set, dict, object, array, sample, text or
    opaque; or numbers: a list or tuple (``where``) of int or float (``name``), as the bytes of an array. ``value``:
    items, pairs, ``(shape, data)``, ``(shape, digest and elements)``, or the value itself. ``name``: the class where it
    is not the plain one, the type of an array; ``where``: numpy, scalar or a device of torch, record of an object whose
    attributes are what it is for. ``more``: attributes.
    """

    __slots__ = ("kind", "more", "name", "value", "where")

    def __init__(self, kind: str, value: Any, name: str = "", where: str = "") -> None:
        self.kind, self.value, self.name, self.where = kind, value, name, where
        self.more: Sequence[tuple[Node, Node]] = ()


class StructureReader:
    """Reads what `StructureWriter` wrote; raises ValueError on anything else."""

    KINDS = {b"L": "list", b"U": "tuple", b"S": "set", b"M": "dict", b"O": "object", b"o": "object"}  # noqa: RUF012

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._containers: list[Node] = []

    def read(self) -> Node:
        """The value."""
        try:
            found = self._read(0)
        except (IndexError, OverflowError, struct.error, MemoryError) as error:
            raise ValueError("the structure is broken: " + str(error)) from None
        if self._place != len(self._data):
            raise ValueError("the structure goes on after its end")
        return found

    def _take(self, size: int) -> bytes:
        start, self._place = self._place, self._place + size
        if size < 0 or self._place > len(self._data):
            raise ValueError("the structure ends too early")
        return self._data[start : self._place]

    def _number(self) -> int:
        end = self._data.index(b";", self._place)
        number = int(self._take(end - self._place), 16)
        self._place += 1
        return number

    def _text(self) -> str:
        return self._take(self._number()).decode("utf-8", "surrogatepass")

    def _pairs(self, depth: int) -> list[tuple[Node, Node]]:
        return [(self._read(depth + 1), self._read(depth + 1)) for _ in range(self._number())]

    def _read(self, depth: int) -> Node:
        if depth > DEPTH_LIMIT + 2:
            raise ValueError("the structure is too deep")
        tag = self._take(1)
        if tag in b"NTF":
            return Node("none" if tag == b"N" else "bool", {b"N": None, b"T": True, b"F": False}[tag])
        if tag == b"i":
            return Node("int", self._number())
        if tag == b"d":
            return Node("float", unpack_floats("<d", self._take(8))[0])
        if tag == b"c":
            return Node("complex", complex(*unpack_floats("<dd", self._take(16))))
        if tag == b"s":
            return Node("str", self._text())
        if tag == b"b":
            return Node("bytes", self._take(self._number()))
        if tag in b"AD":
            where, name = self._text(), self._text()
            shape = tuple([self._number() for _ in range(self._number())])
            return Node("array" if tag == b"A" else "sample", (shape, self._take(self._number())), name, where)
        if tag in b"qQeE":
            where = "list" if tag in b"qe" else "tuple"
            node = Node("numbers", self._take(self._number()), NUMBERS[tag.lower()], where)
            self._containers.append(node)  # as the writer counted it
            return node
        if tag == b"V":
            name = self._text()
            return Node("text", self._text(), name)
        if tag == b"X":
            return Node("opaque", None, self._text())
        if tag == b"R":
            return self._containers[self._number()]
        if tag == b"C":
            name = self._text()
            node = self._read(depth)
            if not node.name:  # what is known already has its class
                node.name, node.more = name, self._pairs(depth)
            else:
                self._pairs(depth)
            return node
        return self._container(tag, depth)

    def _container(self, tag: bytes, depth: int) -> Node:
        node = Node(self.KINDS.get(tag, ""), [], self._text() if tag in b"Oo" else "", "record" if tag == b"o" else "")
        self._containers.append(node)
        if tag in b"MOo":
            node.value.extend(self._pairs(depth))
        elif tag in b"LUS":
            node.value.extend([self._read(depth + 1) for _ in range(self._number())])
        else:
            raise ValueError("the structure has an unknown tag " + repr(tag))
        return node


NUMBERS = {b"q": "int", b"e": "float"}


class Rebuilder:
    """Makes values of a structure, with the classes that this process has loaded.

    ``faithful`` says afterwards whether all of it could be made as it was.
    """

    def __init__(self) -> None:
        self.faithful = True
        self._made: dict[int, Any] = {}
        self._begun: set[int] = set()

    def make(self, node: Node) -> Any:
        """The value of a node."""
        if id(node) in self._made:
            return self._made[id(node)]
        if id(node) in self._begun:
            return self._give_up()  # a tuple or a set that holds itself
        self._begun.add(id(node))
        try:
            value = getattr(self, "_" + node.kind, self._plain)(node)
        except (TypeError, ValueError, AttributeError, ImportError, RuntimeError):
            value = self._give_up()
        if not isinstance(value, enum_class):
            for name, item in node.more:
                self._set_attribute(value, name.value, self.make(item))
        self._made[id(node)] = value
        return value

    def _set_attribute(self, made: Any, name: str, item: Any) -> None:
        try:
            if isinstance(getattr(type(made), name, None), (types.MemberDescriptorType, types.GetSetDescriptorType)):
                object.__setattr__(made, name, item)
            else:
                made.__dict__[name] = item
        except (AttributeError, TypeError):
            self._give_up()

    def _give_up(self, instead: Any = None) -> Any:
        self.faithful = False
        return instead

    def _class(self, node: Node, base: Any) -> Any:
        """The class of that name below ``base``; ``base`` where there is none."""
        if not node.name:
            return base
        module, _, path = node.name.partition(":")
        found: Any = sys.modules.get(module)
        for step in path.split("."):
            found = getattr(found, step, None)
        return found if isinstance(found, type) and issubclass(found, base) else self._give_up(base)

    def _plain(self, node: Node) -> Any:
        base = type(node.value)
        kind = self._class(node, base)
        return node.value if kind is base else self._instance(kind, base, node.value)

    def _instance(self, kind: Any, base: Any, value: Any) -> Any:
        if issubclass(kind, enum_class) or is_immutable(kind):
            return kind(value)
        return base.__new__(kind, value)

    def _list(self, node: Node) -> Any:
        if node.name == "collections:deque":
            return import_module("collections").deque([self.make(item) for item in node.value])
        made = self._made[id(node)] = list.__new__(self._class(node, list))
        list.extend(made, [self.make(item) for item in node.value])
        return made

    def _tuple(self, node: Node) -> Any:
        return self._instance(self._class(node, tuple), tuple, [self.make(item) for item in node.value])

    def _set(self, node: Node) -> Any:
        items = [self.make(item) for item in node.value]
        return frozenset(items) if node.name == "builtins:frozenset" else set(items)

    def _numbers(self, node: Node) -> Any:
        items = pack_array("q" if node.name == "int" else "d", node.value).tolist()
        return items if node.where == "list" else tuple(items)

    def _dict(self, node: Node) -> Any:
        kind = self._class(node, dict)
        made = self._made[id(node)] = dict.__new__(kind)
        if hasattr(kind, "move_to_end"):
            kind.__init__(made)
        for key, item in node.value:
            made[self.make(key)] = self.make(item)
        return made

    def _object(self, node: Node) -> Any:
        kind = self._class(node, object)
        if issubclass(kind, enum_class):
            return kind(self.make(node.value[0][1]))
        if kind is object or kind is types.SimpleNamespace:
            made: Any = types.SimpleNamespace()
        else:
            made = (BaseException if issubclass(kind, BaseException) else object).__new__(kind)
        self._made[id(node)] = made
        for name, item in node.value:
            self._set_attribute(made, name.value, self.make(item))
        return made

    def _array(self, node: Node) -> Any:
        shape, data = node.value
        if node.where in ("numpy", "scalar"):
            numpy = import_module("numpy")
            made = numpy.frombuffer(data, numpy.dtype(node.name)).reshape(shape).copy()
            return made[()] if node.where == "scalar" else made
        torch = import_module("torch")
        kind = getattr(torch, node.name.partition(".")[2])
        flat = torch.frombuffer(bytearray(data), dtype=kind) if data else torch.empty(0, dtype=kind)
        return flat.reshape(shape).to(node.where)

    def _sample(self, node: Node) -> Any:
        return self._give_up()

    _text = _opaque = _sample


def write_new_file(path: str, data: bytes) -> None:
    """A file that was not there before."""
    file = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[write_file(file, view) :]
    finally:
        close_file(file)


open_file, write_file, close_file = os.open, os.write, os.close


# --- other random data ----------------------------------------------------------------------------

SEEDERS = (
    "seed", "Random", "RandomState", "SeedSequence", "default_rng", "manual_seed", "manual_seed_all", "PRNGKey",
    "set_seed", "set_random_seed", "seed_everything",
)  # fmt: skip
SHIFT = "__perfagents_shift__"


class SeedShifter(ast.NodeTransformer):
    """Passes every seed that a script gives through a function named `SHIFT`; one that gives none, gets one."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Called by NodeTransformer."""
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in SEEDERS:
            return node
        if node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._shifted(node.args[0])
        elif node.keywords:
            for each in node.keywords:
                if each.arg in ("seed", "a", "x", "entropy"):
                    each.value = self._shifted(each.value)
        elif not node.args and called in ("seed", "Random", "RandomState", "default_rng"):
            node.args.append(self._shifted(ast.Constant(None)))
        return node

    def _shifted(self, seed: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(SHIFT, ast.Load()), [seed], [])


def make_shift(offset: int) -> Callable[[Any], Any]:
    """``shift(seed)``: another one, the same for the same ``offset``; what is no seed stays as it is."""

    def shift(seed: Any) -> Any:
        if seed is None:
            return offset
        if type(seed) is int:
            return (seed + offset) % (1 << 32)
        return seed + str(offset) if type(seed) is str else seed

    return shift


def seed_all(offset: int) -> None:
    """Seed the global generators, for a script that does not."""
    random = import_module("random")
    random.seed(offset)
    for name, path in (("numpy", "random.seed"), ("torch", "manual_seed")):
        found: Any = sys.modules.get(name)
        for step in path.split("."):
            found = getattr(found, step, None)
        if found is not None:
            found(offset % (1 << 32))


# --- what has been replaced -----------------------------------------------------------------------

RARELY = 1_000_000  # objects more from one garbage collection to the next: as good as none
REMEMBERED = ("builtins", "time", "gc", "json", "json.encoder", "json.decoder")
CHECKED = (
    "math", "pickle", "random", "timeit", "datetime", "statistics", "numpy", "numpy.testing", "torch", "torch.testing",
    "torch.cuda",
)  # fmt: skip
DEEPLY = ("timeit", "pickle", "random", "statistics")
ALARMS = ("SIGALRM", "SIGVTALRM", "SIGPROF")
RT_SIGACTION, SA_NOCLDWAIT = {"x86_64": 13, "aarch64": 134}, 2
REPLACED_LIMIT = 50


class Originals:
    """What foreign code has no business to replace: clocks, builtins, hooks, and the functions of the script.

    The standard library's are remembered before any foreign code runs. Of libraries that come later is known where
    their functions belong: not into the workspace. A patch that puts the original back unseen is not seen here.
    """

    def __init__(self, root: str) -> None:
        self._root = join(abspath(root), "")
        self._modules = sys.modules
        known: list[tuple[str, Any, str, Any]] = []
        for name in REMEMBERED:
            module = sys.modules[name]
            known.append((name + ".*", sys.modules, name, module))
            known.extend((name + "." + key, vars(module), key, each) for key, each in callables(vars(module)))
        for owner, place in (
            (json.JSONEncoder, "json.JSONEncoder."), (json.JSONDecoder, "json.JSONDecoder."),
            (Recorder, "script.benchmark."),
        ):  # fmt: skip
            known.extend((place + key, vars(owner), key, each) for key, each in callables(vars(owner)))
        for key in ("settrace", "setprofile", "gettrace", "getprofile", "_getframe"):
            known.append(("sys." + key, vars(sys), key, getattr(sys, key)))
        self._known = tuple(known)
        self._hooks = make_hooks()
        self._hooked = tuple(self._hooks())
        self._collects, self._threshold = gc.isenabled, gc.get_threshold
        self._forgets = make_forgets()
        self._builtins = frozenset(key for key in vars(builtins) if not key.startswith("_"))
        self._namespace: dict[str, Any] = {}
        self._text: ScriptNames | None = None
        self._code: types.CodeType | None = None
        self._script: tuple[tuple[str, Any, Any], ...] = ()
        self._held: tuple[dict[str, Any], tuple[tuple[str, Any], ...]] = ({}, ())

    def read_script(self, tree: ast.Module, code: types.CodeType, namespace: dict[str, Any]) -> None:
        """What the text of the script binds once must be what it was bound to, whenever it is asked for."""
        self._text, self._code, self._namespace = ScriptNames(tree), code, namespace

    def hold(self, functions: dict[str, Any]) -> None:
        """The script was imported to its end: its functions stay what they are, here and in ``functions``."""
        self._held = functions, tuple(functions.items())
        self._script = tuple(
            (name, each, each.__code__)
            for name, each in self._namespace.items()
            if type(each) is types.FunctionType and each.__globals__ is self._namespace
        )

    def report(self, libraries: bool = True) -> dict[str, Any]:
        """``replaced``: name, file and line of what stands there now; ``gc``: whether it is on; ``children``: whether
        the kernel counts what those use that have ended.
        """
        found: dict[str, dict[str, Any]] = {}
        looks = (self._of_python, self._of_text, self._of_script, *((self._of_libraries,) if libraries else ()))
        for look in looks:
            try:
                for each in look():
                    found.setdefault(each["name"], each)
            except Exception:
                found.setdefault("the list of modules", {"name": "the list of modules", "file": None, "line": 0})
        return {
            "replaced": list(found.values())[:REPLACED_LIMIT],
            "gc": self._collects() and 0 < self._threshold()[0] < RARELY,
            "children": not self._forgets(),
        }

    def _of_python(self) -> Iterator[dict[str, Any]]:
        for name, namespace, key, original in self._known:
            now = namespace.get(key)
            if now is not original:
                yield self._entry(name, now)
        for (name, before), (_, now) in zip(self._hooked, self._hooks()):  # noqa: B905 - Python 3.8
            if now is not before and now != before:
                yield self._entry(name, now)

    def _of_text(self) -> Iterator[dict[str, Any]]:
        if self._text is None or self._code is None:
            return
        names, namespace = self._text, self._namespace
        compiled = [each for each in self._code.co_consts if isinstance(each, types.CodeType)]
        for name in names.functions:
            code = getattr(namespace.get(name), "__code__", None)
            if name in namespace and not any(code is each for each in compiled):
                yield self._entry("script." + name, namespace[name])
        for name, module in names.modules.items():
            real = self._modules.get(module)
            is_foreign = isinstance(real, types.ModuleType) and not self._is_inside(file_of(real))
            if is_foreign and name in namespace and namespace[name] is not real:
                yield self._entry("script." + name, namespace[name])
        originals = {name: original for name, _, _, original in self._known}
        for name, source in names.members.items():
            if name in namespace and source in originals and namespace[name] is not originals[source]:
                yield self._entry("script." + name, namespace[name])
        for name in [] if names.has_star else self._builtins.intersection(namespace).difference(names.all):
            yield self._entry("script." + name, namespace[name])

    def _of_script(self) -> Iterator[dict[str, Any]]:
        for name, function, code in self._script:
            now = self._namespace.get(name)
            if now is not function or getattr(now, "__code__", None) is not code:
                yield self._entry("script." + name, now)
        functions, held = self._held
        for name, original in held:
            if functions.get(name) is not original:
                yield self._entry("script." + name, functions.get(name))

    def _of_libraries(self) -> Iterator[dict[str, Any]]:
        inside: dict[Any, bool] = {}
        for name in CHECKED:
            module = self._modules.get(name)
            if not isinstance(module, types.ModuleType) or self._is_inside(file_of(module)):
                continue
            for key, each in members_of(module, name in DEEPLY):
                kind = type(each)
                if kind is types.FunctionType:
                    strange = each.__code__.co_filename.startswith(self._root)
                else:
                    owner = vars(each).get("__module__") if kind is type else kind.__module__
                    if not isinstance(owner, str):
                        continue
                    if owner not in inside:
                        inside[owner] = self._is_inside(file_of(self._modules.get(owner)))
                    strange = inside[owner]
                if strange:
                    yield self._entry(name + "." + key, each)

    def _is_inside(self, file: str | None) -> bool:
        return file is not None and file.startswith(self._root)

    def _entry(self, name: str, now: Any) -> dict[str, Any]:
        """Where the code of what stands there now was written, as far as that can be told."""
        for _ in range(8):
            code = now if isinstance(now, types.CodeType) else getattr(now, "__code__", None)
            if isinstance(code, types.CodeType):
                return {"name": name, "file": abspath(code.co_filename), "line": code.co_firstlineno}
            inner = getattr(now, "__func__", None) or getattr(now, "func", None)
            if inner is None:
                break
            now = inner
        owner = now if isinstance(now, type) else type(now)
        module = self._modules.get(text(owner.__module__))
        return {"name": name, "file": file_of(module), "line": 0}


def callables(namespace: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Functions and classes of a module or a class."""
    return [(key, each) for key, each in namespace.items() if callable(each)]


def members_of(module: types.ModuleType, deeply: bool) -> list[tuple[str, Any]]:
    """What a module holds; ``deeply``: and what its own classes hold."""
    found = list(vars(module).items())
    if deeply:
        for key, each in list(found):
            if isinstance(each, type) and each.__module__ == module.__name__:
                found.extend((key + "." + inner, member) for inner, member in list(vars(each).items()))
    return found


class ScriptNames:
    """What the text of a script binds at its top and nowhere else, by how it does it.

    ``functions``: by ``def`` without a decorator. ``modules``: by ``import``, with the module's name. ``members``: by
    ``from``, with the dotted name. ``all``: every name that it binds anywhere, in functions too.
    """

    def __init__(self, tree: ast.Module) -> None:
        bound: dict[str, list[ast.stmt]] = {}
        for node in top_level(tree):
            for name in names_bound_by(node):
                bound.setdefault(name, []).append(node)
        self.functions = [name for name, nodes in bound.items() if all(is_plain_function(each) for each in nodes)]
        self.modules: dict[str, str] = {}
        self.members: dict[str, str] = {}
        for name, nodes in bound.items():
            node = nodes[0]
            if len(nodes) == 1 and isinstance(node, ast.Import):
                self.modules.update((name, each) for each in [imported_as(name, node)] if each)
            elif len(nodes) == 1 and isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found = [each.name for each in node.names if (each.asname or each.name) == name]
                self.members[name] = node.module + "." + found[0]
        everywhere = list(ast.walk(tree))
        self.has_star = any(isinstance(each, ast.alias) and each.name == "*" for each in everywhere)
        self.all = set(bound) | {
            name for each in everywhere if isinstance(each, ast.stmt) for name in names_bound_by(each)
        }


def is_plain_function(node: ast.stmt) -> bool:
    """Whether a statement is a ``def`` without a decorator."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.decorator_list


def imported_as(name: str, node: ast.Import) -> str | None:
    """The module that an import statement binds to this name."""
    for each in node.names:
        if each.asname == name:
            return each.name
        if each.asname is None and each.name.partition(".")[0] == name:
            return name
    return None


def names_bound_by(node: ast.stmt) -> Iterator[str]:
    """Names of the module that a statement binds, itself and not by statements in it."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for each in node.names:
            yield each.asname or each.name.partition(".")[0]
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.expr, ast.withitem)):
                for part in ast.walk(child):
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                        yield part.id


def make_forgets() -> Callable[[], bool]:
    """``forgets()``: SIGCHLD is ignored, or SA_NOCLDWAIT set: no clock has the time of children that ended."""
    try:
        import ctypes

        number, call = RT_SIGACTION[os.uname().machine], ctypes.CDLL(None).syscall
        action = (ctypes.c_ulong * 16)()  # struct sigaction of the kernel: handler, flags, …
    except (ImportError, OSError, AttributeError, KeyError):
        return lambda: False

    def forgets() -> bool:
        asked = call(number, SIGCHLD, None, action, 8) == 0
        return asked and (action[0] == SIG_IGN or bool(action[1] & SA_NOCLDWAIT))

    return forgets


def make_hooks() -> Callable[[], list[tuple[str, Any]]]:
    """``hooks()``: what Python calls by itself, by name: for lines, for calls, when a timer rings."""
    trace, profile, module = sys.gettrace, sys.getprofile, threading
    handler, numbers = signal.getsignal, [(name, getattr(signal, name)) for name in ALARMS if hasattr(signal, name)]
    tool = getattr(getattr(sys, "monitoring", None), "get_tool", None)

    def hooks() -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = [("sys.settrace", trace()), ("sys.setprofile", profile())]
        found.extend(("threading." + name, getattr(module, name, None)) for name in ("_trace_hook", "_profile_hook"))
        found.extend(("signal." + name, handler(number)) for name, number in numbers)
        if tool is not None:
            found.extend(("sys.monitoring", tool(number)) for number in range(6))
        return found

    return hooks


# --- the operations -------------------------------------------------------------------------------


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
        self._ballast: list[bytes] = []
        self._sizes, self._keep = make_sizes(), make_keeper()
        self._results: list[Any] = []
        self._seal = make_seal((StructureWriter,))
        self._shift: int | None = None
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
        self._shift = shift
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
            module.__dict__[SHIFT] = make_shift(self._shift)
            seed_all(self._shift)
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

    def turn(self, iterations: int = 1, setups: int = 1) -> dict[str, Any]:
        """Time calls, in as many blocks as there are set-ups; what some of them returned stays until the next turn."""
        if self._style not in ("driven", "benchmark") or not self._functions:
            raise Refusal("a turn needs a loaded script with setup() and experiment(), or with a benchmark test")
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
            if setups:
                self._scatter()
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

    def _scatter(self) -> None:
        """Fill memory with blocks of random sizes, so that the next data do not lie where the last ones did.

        How data are aligned can make a tenth of the time of what works on them, and stays the same otherwise. After
        Curtsinger and Berger, Stabilizer: statistically sound performance evaluation, ASPLOS 2013.
        """
        self._loud()
        self._data.clear()
        self._ballast[:] = [bytes(size) for size in self._sizes()]

    def _make_data(self) -> tuple[int, int]:
        """Call ``setup()``; nanoseconds by wall and CPU clock."""
        self._phase = "setup"
        if self._shift is not None:
            seed_all(self._shift)
        self._tracer.enter("setup")
        began, cpu = self._clock(), self._cpu_clock()
        made = self._functions["setup"]() if "setup" in self._functions else None
        self._gpu.wait()  # what setup() started on a GPU is part of it
        taken = self._clock() - began, self._cpu_clock() - cpu
        self._data[:] = [made]
        return taken

    def _benchmark(self, iterations: int, setups: int) -> dict[str, Any]:
        if setups:
            self._scatter()
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


def make_settings() -> Callable[[], dict[bytes, bytes]]:
    """``settings()``: the environment variables as they are now, with no code that a patch may have replaced."""
    known: Any = getattr(os.environ, "_data", {})
    return lambda: dict.copy(known)


def changed(
    before: Mapping[bytes, bytes], now: Mapping[bytes, bytes], places: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """What is no longer what it was, and what it is; what is gone is empty. What is one process's own has no say:
    ``places`` are left out of the values.
    """
    found = []
    for name in sorted({*before, *now}):
        if now.get(name) != before.get(name):
            value = now.get(name, b"").decode("utf-8", "replace")
            for place in places:
                value = value.replace(place, "") if place else value
            found.append((name.decode("utf-8", "replace"), value))
    return found


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


def confine(spec: Mapping[str, Any]) -> bool:
    """Landlock(7): from here on this process and its children keep to what the file ``spec["confine"]`` lists.

    It holds JSON, ``read`` and ``write``: paths that exist, of files or of folders with all below them. Names can
    be listed everywhere. Shared memory is this process's own where that can be had, and where none of the paths lies
    in it. Signals and abstract sockets reach no other process where the kernel can hold them back (ABI 6). False where
    there is no such list, no Landlock, or where it is refused: then no files are guarded.
    """
    if not spec.get("confine"):
        return False
    with open(spec["confine"], encoding="utf-8") as file:
        reach = json.load(file)
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        call, prctl = libc.syscall, libc.prctl
        abi = call(LANDLOCK_CREATE, None, 0, 1)
    except (ImportError, OSError, AttributeError):
        return False
    if abi < 1:
        return False
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0
    ruleset = call(LANDLOCK_CREATE, *as_struct([access_rights(abi), 0, scopes][: 3 if abi >= 6 else 1]), 0)
    if ruleset < 0:
        return False
    paths = (spec.get("root", ""), *reach["read"], *reach["write"])
    needs_shared = any((path + "/").startswith("/dev/shm/") for path in paths)
    is_alone = not needs_shared and live_alone(ctypes, libc)
    try:
        for path in reach["read"]:
            allow(call, ruleset, path, READ_FILES)
        for path in reach["write"]:
            allow(call, ruleset, path, access_rights(abi))
        if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or call(LANDLOCK_RESTRICT, ruleset, 0):
            return False
        refuse_calls(ctypes, call, is_alone=is_alone)
        return True
    finally:
        os.close(ruleset)


def live_alone(ctypes: Any, libc: Any) -> bool:
    """Give this process and its children shared memory of their own, so that they leave none behind for later ones.

    namespaces(7): System V's and POSIX's, and a new ``/dev/shm``. Without privileges by way of a user namespace, whose
    privileges are given up again; some systems give one that cannot be used, so a child tries it before. False where
    the kernel does not allow it.
    """
    if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0:
        return new_memory(libc)
    if os.getuid() == 0:
        return False  # a user namespace would take rights away that are left
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if live_alone_unprivileged(ctypes, libc) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0 and live_alone_unprivileged(ctypes, libc)


def live_alone_unprivileged(ctypes: Any, libc: Any) -> bool:
    """The same in a user namespace in which everybody is who they were. Raises OSError where it is an empty one."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) != 0:
        return False
    for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(line)
    is_alone = new_memory(libc)
    libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())
    return is_alone


def new_memory(libc: Any) -> bool:
    """An empty ``/dev/shm``, which nobody outside sees."""
    is_private = libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) == 0
    return is_private and bool(libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", MS_NOSUID_NODEV, b"mode=1777") == 0)


def refuse_calls(ctypes: Any, call: Callable[..., int], *, is_alone: bool) -> None:
    """seccomp(2): what Landlock does not guard is refused with EPERM; where the kernel will not, nothing is.

    Limits of other processes; to leave orphans to somebody else; keys, which outlive a process, and memory and queues
    that do, unless it has ``is_alone`` its own. Code for another architecture is refused, since its calls have other
    numbers. Data speculation stays as it is.
    """
    if os.uname().machine not in SYSTEM_CALLS:
        return
    architecture, seccomp, prctl, prlimit, keys, ipc = SYSTEM_CALLS[os.uname().machine]
    load, equal, least, give = 0x20, 0x15, 0x35, 0x06  # BPF; offsets are those of struct seccomp_data
    refused = keys if is_alone else (*keys, *ipc)
    lines: list[tuple[int, int | str, int | str, int]] = [(load, 0, 0, 4), (equal, 0, "refuse", architecture)]
    lines += [(load, 0, 0, 0), (least, "refuse", 0, X32), *[(equal, "refuse", 0, number) for number in refused]]
    lines += [(equal, 0, 2, prctl), (load, 0, 0, 16), (equal, "refuse", "allow", PR_SET_CHILD_SUBREAPER)]
    lines += [
        (equal, 0, "allow", prlimit),
        (load, 0, 0, 32), (equal, 0, 2, 0), (load, 0, 0, 36), (equal, "allow", 0, 0),  # no new limit: it only asks
        (load, 0, 0, 16), (equal, "allow", 0, 0), (equal, "allow", "refuse", os.getpid()),
    ]  # fmt: skip
    ends = {"refuse": len(lines), "allow": len(lines) + 1}
    lines += [(give, 0, 0, SECCOMP_EPERM), (give, 0, 0, SECCOMP_ALLOW)]
    program = [
        struct.pack("HBBI", code, *[ends[to] - at - 1 if isinstance(to, str) else to for to in jumps], value)
        for at, (code, *jumps, value) in enumerate(lines)
    ]
    source = ctypes.create_string_buffer(b"".join(program))
    filters = struct.pack("HP", len(program), ctypes.addressof(source))
    call(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, filters)


def access_rights(abi: int) -> int:
    """All that this version of Landlock can forbid, but listing folders and, for GPUs, ioctl on devices."""
    return ACCESS_ABI_1 | (ACCESS_REFER if abi >= 2 else 0) | (ACCESS_TRUNCATE if abi >= 3 else 0)


def allow(call: Callable[..., int], ruleset: int, path: str, rights: int) -> None:
    """Add the file or folder to the ruleset; what is not there needs no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if rights != READ_FILES and not S_ISDIR(os.fstat(place).st_mode):
            rights &= ACCESS_OF_FILES
        rule = rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
        call(LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def as_struct(numbers: Sequence[int]) -> tuple[bytes, int]:
    """64-bit numbers as the kernel reads them, and their size."""
    data = b"".join([number.to_bytes(8, sys.byteorder) for number in numbers])
    return data, len(data)


def serve(spec: Mapping[str, Any]) -> None:
    """Answer requests until the harness hangs up."""
    own_pid, getpid, leave, flush = os.getpid(), os.getpid, os._exit, make_flush()
    receive, send = make_channel(*take_channel())
    set_limits(spec)
    confined = confine(spec)
    script = Script(spec)
    operations = {
        name: getattr(script, name)
        for name in ("trace", "load", "turn", "store", "check", "describe", "judge", "modules", "shared", "traced")
    }
    operations["intact"] = script.intact
    describe = make_describe()
    new_module("__main__", None)
    send({"id": spec["id"], "ok": True, "value": identity(confined)})
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


def identity(confined: bool) -> dict[str, Any]:
    """The greeting."""
    return {
        "confined": confined,
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
    confined = confine(spec)
    writer = fcntl.fcntl(spec["report_fd"], fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    send = make_report(writer, spec["name_fd"])
    os.close(spec["report_fd"])
    describe, targets = make_describe(), Targets(spec["packages"], make_describe())
    originals = Originals(spec["root"])
    own_pid, getpid, write, flush, aside = os.getpid(), os.getpid, os.write, make_flush(), make_aside()
    report: dict[str, Any] = {"error": None, "returned": None, "confined": confined}
    try:
        report["returned"] = run_script(spec, targets, originals)
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
            report["intact"] = originals.report()
            # an import that is tried once more must not print into the script's output
            aside(lambda: report.update(modules=targets.loaded(), targets=targets.report("all")))
            with_no_fuss(lambda: send(report))


def make_report(writer: int, name_fd: int) -> Callable[[dict[str, Any]], None]:
    """``send(report)`` under a name that is read here, before foreign code runs, and stands nowhere else."""
    _, send = make_channel(0, writer)
    name = os.read(name_fd, 64).decode("ascii")
    os.close(name_fd)
    return lambda report: send({"id": name, **report})


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


def run_script(spec: Mapping[str, Any], targets: Targets, originals: Originals) -> dict[str, Any] | None:
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
    originals.read_script(tree, code, module.__dict__)
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


# --- a template that forks workers ----------------------------------------------------------------


def serve_forks(spec: Mapping[str, Any]) -> None:
    """Import what the first message names, then fork a worker for each further one; its pipes come with it.

    The script and the workspace are not seen here: they are imported by the worker, after the fork.
    """
    import socket

    set_limits(spec)
    control = socket.socket(fileno=spec["control_fd"])
    settings = make_settings()
    before = settings()
    for name in json.loads(control.recv(MESSAGE_BYTES))["modules"]:
        try:
            import_module(name)
        except BaseException:
            continue
    inherited = dict(changed(before, settings()))
    control.send(json.dumps({"threads": len(os.listdir("/proc/self/task"))}).encode())
    forks: set[int] = set()
    while True:
        message, received, _, _ = control.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(3 * 4))
        if not message:
            os._exit(0)
        pipes = [pipe for _, _, data in received for pipe in memoryview(data).cast("i")]
        request = json.loads(message)
        if "reap" in request:
            status = os.waitpid(request["reap"], 0)[1]
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            forks.discard(request["reap"])
            kill_children(but=forks)
            control.send(json.dumps({"code": code}).encode())
            continue
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            control.close()
            request["spec"]["settings"] = inherited
            become_worker(request, pipes, parent)
        forks.add(pid)
        for pipe in pipes:
            os.close(pipe)
        control.send(json.dumps({"pid": pid}).encode())


def kill_children(but: Iterable[int]) -> None:
    """End what forks that are gone left behind: it has become our child. Whoever forks faster is tried for long."""
    for _ in range(1000):
        try:
            with open("/proc/self/task/" + str(os.getpid()) + "/children") as file:
                strangers = set(map(int, file.read().split())) - set(but)
            if not strangers:
                return
            for pid in strangers:
                os.kill(pid, SIGKILL)
                os.waitpid(pid, 0)
        except OSError:
            return  # the kernel does not tell


def become_worker(request: Mapping[str, Any], pipes: Sequence[int], parent: int) -> None:
    """In a fork: take the pipes, the environment and the place of a worker of its own, and serve.

    What a new process would draw is drawn anew where that can be done: NumPy's random state, the places of heap
    and stack.
    """
    os.setsid()
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    ballast = bytes(request["padding"])

    def deeper(levels: int) -> None:
        if levels:
            list(map(deeper, (levels - 1,)))  # a call through C: it takes some of the C stack
        serve(dict(request["spec"], parent=parent))

    try:
        deeper(len(ballast) // 512)
    finally:
        os._exit(1)


def become(spec: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Take on limits and confinement, which outlive exec, then be ``command``: a counter around another worker.

    Valgrind knows no Landlock, so that the worker inside could not confine itself.
    """
    set_limits(spec)
    confine(spec)
    os.execv(spec["command"][0], [*spec["command"], *arguments])


def main() -> None:
    """``SPEC``: mode (serve, program, run_test), id, root, import_root, packages, parent, memory_bytes, confine.

    The latter two modes also have script, arguments, report_fd and name_fd, and no id. ``template`` has control_fd and
    parent alone. ``become`` has parent, confine and command.
    """
    spec = json.loads(sys.argv[1])
    if spec["mode"] == "serve":
        serve(spec)
    elif spec["mode"] == "template":
        serve_forks(spec)
    elif spec["mode"] == "become":
        become(spec, sys.argv[2:])
    else:
        run_once(spec)


if __name__ == "__main__":
    # Python 3.8 and 3.9 look at __builtins__ of the globals only where a call changes globals.
    types.FunctionType(main.__code__, dict(globals()))()
