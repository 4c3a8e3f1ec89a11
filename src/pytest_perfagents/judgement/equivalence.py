"""Are two results the same by structure? Pure: two structures as the worker writes them, and no process.

What counts is the values, not the types that hold them: a list equals a tuple, an array or a tensor of the same
numbers, 1 equals 1.0 and True, a dict of a subclass equals a dict. Sets and dicts have no order. Integers and text are
exact; floats are as close as `closeness` wants it for the precision of the reference. An object is its class's name
and its public attributes, or, where it has none, the private ones. Only the public attributes of records (dataclasses
and their like) are a promise: another difference inside an object proves nothing, nor does what could not be looked
into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_perfagents.judgement import closeness
from pytest_perfagents.worker.structure_reading import Node, StructureReader

_NUMBERS = ("bool", "int", "float", "complex")
_SEQUENCES = ("list", "tuple", "numbers")
_MOST_LOOKS, _DEEP_KEY = 2_000_000, 20


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference that proves something, else the first at all. ``certain``: no rounding, nothing private."""

    path: str
    text: str
    certain: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def compare(reference: bytes, candidate: bytes) -> Difference | None:
    """How ``candidate`` differs from ``reference``; None where it does not. Raises ValueError: one is no structure."""
    if reference == candidate:
        return None
    found = _Comparison().differences(read(reference), read(candidate), "result")
    first = None
    for difference in found:
        if difference.certain:
            return difference
        first = first or difference
    return first


def read(structure: bytes) -> Node:
    """The value that a structure describes."""
    return StructureReader(structure).read()


def says_nothing(structure: bytes) -> bool:
    """Whether there is nothing to compare: no result at all, or nothing in it that could be looked into."""
    if structure[:1] in (b"O", b"o"):
        return not read(structure).value
    return structure[:1] in (b"N", b"X")


class _Comparison:
    """One walk through two structures; a pair that was met before is not walked again, so that cycles end."""

    def __init__(self) -> None:
        self._met: dict[tuple[int, int], tuple[Node, Node]] = {}  # holds the nodes, so that no id comes back
        self._looks = 0
        self._keys = _Keys()

    def differences(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        """All of them."""
        pair = id(want), id(have)
        self._looks += 1
        if pair in self._met or self._looks > _MOST_LOOKS:
            return
        self._met[pair] = want, have
        if "opaque" in (want.kind, have.kind):
            if (want.kind, want.name) != (have.kind, have.name):
                yield Difference(path, f"{_shown(have)} instead of {_shown(want)}", False)
        elif _is_numeric(want) and _is_numeric(have):
            yield from self._numbers(want, have, path)
        elif _is_sequence(want) and _is_sequence(have):
            yield from self._sequences(_items(want), _items(have), path)
        elif want.kind != have.kind:
            yield Difference(path, f"{_shown(have)} instead of {_shown(want)}", True)
        elif want.kind == "dict":
            yield from self._dicts(want, have, path)
        elif want.kind == "set":
            yield from self._sets(want, have, path)
        elif want.kind == "object":
            yield from self._objects(want, have, path)
        elif want.kind == "sample":
            yield from self._samples(want, have, path)
        elif want.value != have.value:
            is_exact = not want.name.endswith(":Decimal")  # of which the same one can be written in several ways
            yield Difference(path, f"{_shown(have)} instead of {_shown(want)}", is_exact)

    def _numbers(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        if want.kind in ("bool", "int") and have.kind in ("bool", "int"):
            if want.value != have.value:
                yield Difference(path, f"{_shown(have)} instead of {_shown(want)}", True)
            return
        try:
            (one, tolerance), (other, _) = _array(want), _array(have)
        except OverflowError:
            yield Difference(path, f"{_shown(have)} instead of {_shown(want)}", True)
            return
        yield from _gap(one, other, tolerance, path)

    def _sequences(self, want: Sequence[Node], have: Sequence[Node], path: str) -> Iterator[Difference]:
        if len(want) != len(have):
            yield Difference(path, f"{len(have)} items instead of {len(want)}", True)
            return
        if len(want) > 1 and all(node.kind in _NUMBERS for node in (*want, *have)) and _fit(want) and _fit(have):
            one, other = np.array([node.value for node in want]), np.array([node.value for node in have])
            tolerance = None if one.dtype.kind not in "fc" else closeness.precision(one)
            if tolerance is None and other.dtype.kind in "fc":
                tolerance = closeness.DOUBLE
            yield from _gap(one, other, tolerance, path)
            return
        for number, (one_node, other_node) in enumerate(zip(want, have, strict=True)):
            yield from self.differences(one_node, other_node, f"{path}[{number}]")

    def _dicts(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        wanted = {self._keys.of(key): (key, item) for key, item in want.value}
        had = {self._keys.of(key): (key, item) for key, item in have.value}
        for name, (key, item) in wanted.items():
            if name not in had:
                yield Difference(path, f"the key {_shown(key)} is missing", True)
            else:
                yield from self.differences(item, had[name][1], f"{path}[{_shown(key)}]")
        for name, (key, _) in had.items():
            if name not in wanted:
                yield Difference(path, f"the key {_shown(key)} should not be there", True)

    def _sets(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        wanted, had = ({self._keys.of(item): item for item in node.value} for node in (want, have))
        if wanted.keys() == had.keys():
            return
        if all(item.kind in _NUMBERS for item in (*wanted.values(), *had.values())) and len(wanted) == len(had):
            ordered = [sorted(items, key=lambda item: complex(item.value).real) for items in (want.value, have.value)]
            yield from self._sequences(ordered[0], ordered[1], f"sorted({path})")
            return
        missing = [item for name, item in wanted.items() if name not in had]
        more = [item for name, item in had.items() if name not in wanted]
        text = f"{_shown(missing[0])} is missing" if missing else f"{_shown(more[0])} should not be there"
        certain = all(item.kind in (*_NUMBERS, "str", "bytes", "none") for item in (*missing, *more))
        yield Difference(path, text, certain)

    def _objects(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        ours, theirs = _short(want.name), _short(have.name)
        if ours != theirs:
            yield Difference(path, f"an object {theirs} instead of {ours}", False)
        wanted, had = ({key.value: item for key, item in node.value} for node in (want, have))
        public = [name for name in wanted if not name.startswith("_")]
        is_promise = bool(public) and want.where == "record"
        for name in public or wanted:
            place = f"{path}.{name}"
            if name not in had:
                yield Difference(place, "is missing", False)
                continue
            for each in self.differences(wanted[name], had[name], place):
                yield each if is_promise else Difference(each.path, each.text, False)

    def _samples(self, want: Node, have: Node, path: str) -> Iterator[Difference]:
        (shape, data), (other_shape, other_data) = want.value, have.value
        if shape != other_shape:
            yield Difference(path, f"the shape {other_shape} instead of {shape}", True)
            return
        if data[:32] == other_data[:32]:
            return
        one, tolerance = closeness.decode(want.name, (-1,), data[32:])
        other, _ = closeness.decode(have.name, (-1,), other_data[32:])
        found = list(_gap(one, other, tolerance, f"a sample of {path}"))
        yield from found
        if not found and tolerance is None:
            yield Difference(path, "some of its values differ", True)


def _gap(one: closeness.Array, other: closeness.Array, tolerance: Any, path: str) -> Iterator[Difference]:
    if one.shape != other.shape:
        yield Difference(path, f"the shape {other.shape} instead of {one.shape}", True)
        return
    found = closeness.gap(one, other, tolerance)
    if found is not None:
        place = "".join(f"[{number}]" for number in found.place) if len(found.place) < 2 else str(list(found.place))
        yield Difference(path + place, found.text, found.certain)


def _is_numeric(node: Node) -> bool:
    """A number, or an array of any shape."""
    return node.kind in (*_NUMBERS, "array", "numbers")


def _is_sequence(node: Node) -> bool:
    return node.kind in _SEQUENCES or (node.kind == "array" and bool(node.value[0]))


def _items(node: Node) -> Sequence[Node]:
    if node.kind == "numbers":
        kind = "<i8" if node.name == "int" else "<f8"
        return [Node(node.name, value) for value in np.frombuffer(node.value, kind).tolist()]
    if node.kind != "array":
        return list(node.value)
    shape, data = node.value
    step = len(data) // shape[0] if shape[0] else 0
    return [
        Node("array", (shape[1:], data[number * step : (number + 1) * step]), node.name, node.where)
        for number in range(shape[0])
    ]


def _array(node: Node) -> tuple[closeness.Array, closeness.Tolerance | None]:
    """A number or an array, and how close it must be met."""
    if node.kind == "array":
        shape, data = node.value
        return closeness.decode(node.name, shape, data)
    if node.kind == "numbers":
        array = np.frombuffer(node.value, "<i8" if node.name == "int" else "<f8")
        return array, closeness.precision(array) if node.name == "float" else None
    array = np.array(float(node.value) if abs(node.value) > 2**62 and node.kind == "int" else node.value)
    return array, closeness.precision(array) if array.dtype.kind in "fc" else None


def _fit(nodes: Sequence[Node]) -> bool:
    """Whether the numbers are small enough for NumPy to hold."""
    return all(node.kind != "int" or abs(node.value) < 2**62 for node in nodes)


class _Keys:
    """Numbers that are equal where Python's own keys are; a node is looked into once, however many hold it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[Node, int]] = {}  # holds the nodes, so that no id comes back
        self._numbers: dict[Any, int] = {}

    def of(self, node: Node, depth: int = 0) -> int:
        """The node's."""
        place = id(node), depth
        if place not in self._known:
            self._known[place] = node, self._numbers.setdefault(self._content(node, depth), len(self._numbers))
        return self._known[place][1]

    def _content(self, node: Node, depth: int) -> Any:
        if depth > _DEEP_KEY:
            return ("deep",)
        if node.kind in ("list", "tuple", "set"):
            inner = [self.of(item, depth + 1) for item in node.value]
            return (node.kind, frozenset(inner) if node.kind == "set" else tuple(inner))
        if node.kind in ("dict", "object"):
            pairs = frozenset((self.of(key, depth + 1), self.of(item, depth + 1)) for key, item in node.value)
            return (node.kind, _short(node.name), pairs)
        if node.kind in ("array", "sample", "numbers", "opaque", "text"):
            return (node.kind, node.name, node.value)
        if node.kind in _NUMBERS:
            return ("number", "nan" if node.value != node.value else node.value)
        return (node.kind, node.value)


def _short(name: str) -> str:
    """A class without its module: where it lives is nobody's business."""
    return name.rpartition(":")[2].rpartition(".")[2]


def _shown(node: Node) -> str:
    if node.kind in (*_NUMBERS, "str", "bytes", "none"):
        text = repr(node.value) if node.kind != "int" or abs(node.value) < 10**100 else "a large number"
        return text if len(text) <= 60 else text[:57] + "..."
    if node.kind in ("array", "sample"):
        return f"an array {node.name} {node.value[0]}"
    if node.kind == "numbers":
        return f"a {node.where}"
    if node.kind == "text":
        return str(node.value)[:60]
    name = _short(node.name) or node.name
    return f"an object {name}" if node.kind in ("object", "opaque") and name else f"a {node.kind}"
