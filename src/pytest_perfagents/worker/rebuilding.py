"""A result made anew of what was written of it."""

from __future__ import annotations

import sys
import types
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_perfagents.worker.base_types import enum_class, is_immutable, pack_array
from pytest_perfagents.worker.structure_reading import Node

if TYPE_CHECKING:
    from typing import Any


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
