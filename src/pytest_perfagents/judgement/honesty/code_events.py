"""What a module's code does to names of other modules: it assigns, calls or reads them, or says a string. Pure."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from enum import StrEnum

ANYTHING = "?"
_SETTERS = ("setattr", "delattr", "object")
_FRAME = ("f_back", "f_builtins", "f_globals", "f_locals")
_HELD = "sys.modules."
_BUILTINS = frozenset((*vars(builtins), "__builtins__"))


class Action(StrEnum):
    """What is done with a name, as a message says it."""

    ASSIGNS = "assigns"
    CALLS = "calls"
    READS = "reads"
    SAYS = "names"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done in lines ``first``..``last``. ``name`` is dotted, with imports resolved; a constant key counts
    as one more step (``sys.modules.time``), an unknown one as ``?``; what is read of a stack frame begins with
    ``frame``. Of `Action.SAYS` it is the string.
    """

    action: Action
    name: str
    first: int
    last: int


def events_of(source: str) -> list[Event]:
    """What the code of a module does; nothing where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    reader = _Reader(_names_of(tree))
    reader.visit(tree)
    return reader.events


def _names_of(tree: ast.Module) -> dict[str, str]:
    """What the names that imports bind, anywhere in the module, stand for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)
    return names


class _Reader(ast.NodeVisitor):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.events: list[Event] = []

    def _note(self, action: Action, name: str | None, node: ast.expr | ast.stmt) -> None:
        if name:
            self.events.append(Event(action, name, node.lineno, node.end_lineno or node.lineno))

    def _dotted(self, node: ast.expr) -> str | None:
        """``sys.modules["time"]`` as ``sys.modules.time``; None where no import or builtin begins it."""
        match node:
            case ast.Name(name):
                return self.names.get(name, name if name in _BUILTINS else None)
            case ast.Attribute(_, attribute) if attribute in _FRAME:
                return f"frame.{attribute}"
            case ast.Attribute(value, attribute):
                return self._below(value, attribute)
            case ast.Subscript(value, ast.Constant(str(key))):
                return self._below(value, key)
            case ast.Subscript(value, ast.Name("__name__")):
                return self._below(value, "(itself)")
            case ast.Subscript(value, _):
                return self._below(value, ANYTHING)
            case ast.Call(ast.Name("vars"), [module]):
                return self._dotted(module)
            case ast.Call(ast.Name("getattr"), [module, ast.Constant(str(key)), *_]):
                return self._below(module, key)
            case ast.Call(ast.Attribute(value, "get" | "__getitem__" | "pop"), [ast.Constant(str(key)), *_]):
                return self._below(value, key)
            case ast.Call(function, [ast.Constant(str(module)), *_]) if self._imports(function):
                return module
        return None

    def _imports(self, function: ast.expr) -> bool:
        return self._dotted(function) in ("__import__", "importlib.import_module", "importlib.__import__")

    def _below(self, value: ast.expr, step: str) -> str | None:
        above = self._dotted(value)
        if above is None:
            return None
        if step == "__dict__":
            return above
        held = above.removeprefix(_HELD)  # sys.modules["time"].time is time.time
        return f"{held}.{step}"

    def visit(self, node: ast.AST) -> None:
        """Note what this node does, then look into it."""
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                self._note(Action.ASSIGNS, self._dotted(node), node)
            case ast.Call():
                self._on_call(node)
            case ast.Import():
                for each in node.names:
                    self._note(Action.READS, each.name, node)
            case ast.ImportFrom(module=str(module), level=0):
                for each in node.names:
                    self._note(Action.READS, f"{module}.{each.name}", node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                self._note(Action.READS, self._dotted(node), node)
            case ast.Compare(ast.Constant(str(key)), [ast.In() | ast.NotIn()], [container]):
                self._note(Action.READS, self._below(container, key), node)
            case ast.Constant(str(text)):
                self._note(Action.SAYS, text, node)
        self.generic_visit(node)

    def _on_call(self, node: ast.Call) -> None:
        called = self._dotted(node.func)
        if called is not None:
            self._note(Action.CALLS, called, node.func)
        self._note(Action.READS, self._dotted(node), node)
        match node:
            case ast.Call(_, [ast.Constant(str(key)), *_]) if called in ("os.getenv", "os.environ.get"):
                self._note(Action.READS, f"os.environ.{key}", node)
            case ast.Call(ast.Attribute(_, "patch") | ast.Name("patch"), [ast.Constant(str(target)), *_]):
                self._note(Action.ASSIGNS, target, node)
            case ast.Call(ast.Attribute(_, "setattr"), [ast.Constant(str(target)), *_]):
                self._note(Action.ASSIGNS, target, node)
            case ast.Call(function, [owner, key, *_]) if self._sets(function):
                self._note(Action.ASSIGNS, self._below(owner, _literal(key)), node)
            case ast.Call(ast.Attribute(owner, "update" | "setdefault" | "__setitem__" | "insert" | "append"), _):
                self._on_change(owner, node)

    def _sets(self, function: ast.expr) -> bool:
        """``setattr``, ``monkeypatch.setattr``, ``mock.patch.object``."""
        last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return last in _SETTERS

    def _on_change(self, owner: ast.expr, node: ast.Call) -> None:
        """``time.__dict__.update(perf_counter=…)`` assigns the keys, ``sys.meta_path.insert(0, …)`` the list."""
        name = self._dotted(owner)
        if name is None:
            return
        keys = [each.arg or ANYTHING for each in node.keywords]
        for argument in node.args:
            if isinstance(argument, ast.Dict):
                keys += [_literal(key) for key in argument.keys]
            elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                keys.append(argument.value)
        self._note(Action.ASSIGNS, name, node)
        for key in keys:
            self._note(Action.ASSIGNS, f"{name}.{key}", node)


def _literal(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ANYTHING
