"""What foreign code has replaced: clocks, builtins, hooks, functions of the script, of libraries and of the worker."""

from __future__ import annotations

import ast
import builtins
import gc
import json
import os
import signal
import sys
import threading
import types
from os.path import abspath, join
from typing import TYPE_CHECKING

from pytest_perfagents.worker.base_types import vars_of
from pytest_perfagents.worker.errors import Refusal, text
from pytest_perfagents.worker.importing import file_of
from pytest_perfagents.worker.recorder import Recorder
from pytest_perfagents.worker.script_names import ScriptNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

RARELY = 1_000_000  # objects more from one garbage collection to the next: as good as none
REMEMBERED = ("builtins", "time", "gc", "json", "json.encoder", "json.decoder")
CHECKED = (
    "math", "pickle", "random", "timeit", "datetime", "statistics", "numpy", "numpy.testing", "torch", "torch.testing",
    "torch.cuda",
)  # fmt: skip
DEEPLY = ("timeit", "pickle", "random", "statistics")
ALARMS = ("SIGALRM", "SIGVTALRM", "SIGPROF")
SIGCHLD, SIG_IGN = 17, 1
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
