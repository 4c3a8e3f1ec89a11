"""Reading what was written of a result, without running anything that is in it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pytest_perfagents.worker.base_types import unpack_floats
from pytest_perfagents.worker.structure import DEPTH_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NUMBERS = {b"q": "int", b"e": "float"}


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
