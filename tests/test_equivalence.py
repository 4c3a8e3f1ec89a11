"""Structural comparison: what is the same, what differs and where, and what proves nothing."""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict, deque, namedtuple
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.judgement.equivalence import Difference, compare, says_nothing
from pytest_perfagents.worker.rebuilding import Rebuilder
from pytest_perfagents.worker.structure import StructureWriter
from pytest_perfagents.worker.structure_reading import StructureReader


def structure(value: Any, **limits: int) -> bytes:
    return StructureWriter(**limits).take(value)


def difference(reference: Any, candidate: Any) -> Difference | None:
    return compare(structure(reference), structure(candidate))


@dataclass
class Point:
    x: float
    name: str = "a"


@dataclass(slots=True)
class SlottedPoint:
    x: float
    name: str = "a"


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Engine:
    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._cache = {steps: steps}


class Hidden:
    def __init__(self, value: int) -> None:
        self._value = value


class Liar(list):  # type: ignore[type-arg]
    """Says that it is whatever one wants to hear."""

    __class__ = tuple  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter([1, 2, 3])

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: Any) -> int:
        return [1, 2, 3][place]

    def __reduce__(self) -> Any:
        return (list, ([1, 2, 3],))


Pair = namedtuple("Pair", "a b")
CYCLE: list[Any] = [1]
CYCLE.append(CYCLE)
OTHER_CYCLE: list[Any] = [1]
OTHER_CYCLE.append(OTHER_CYCLE)
SHARED = [1, 2]


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        (1, 1),
        (1, 1.0),
        (1, True),
        (10**400, 10**400),
        (float("nan"), float("nan")),
        (math.inf, math.inf),
        (1.0, 1.0 + 1e-9),
        (0.5, 0.5 + 2e-7),  # what single precision holds was computed in it
        ("é\ud800", "é\ud800"),
        ([1, 2], (1, 2)),
        ([1, 2], deque([1, 2])),
        ([0, 1, 2], range(3)),
        (list(range(100)), tuple(range(100))),
        (list(range(100)), np.arange(100)),
        (list(range(100)), [float(n) for n in range(100)]),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        ({"a": 1, "b": 2}, OrderedDict(b=2, a=1)),
        ({1: 1}, {1.0: True}),
        (Counter("aab"), {"a": 2, "b": 1}),
        ({1, 2, (3, "x")}, frozenset([(3, "x"), 2, 1])),
        ({0.1 + 0.2, 5.0}, {0.3, 5.0}),
        (np.float32(1.5), 1.5),
        (np.arange(6).reshape(2, 3), np.arange(6, dtype=np.int8).reshape(2, 3)),
        (np.ones(3, np.float32), np.ones(3, np.float32) + np.float32(1e-6)),
        (np.ones(3, np.float16), np.ones(3, np.float64) * 1.0005),
        (np.array(["a", "b"]), np.array(["a", "b"], dtype="U5")),
        (Pair(1, [2]), (1, [2])),
        (Point(1.0), SlottedPoint(1.0)),
        (Colour.RED, Colour.RED),
        (Engine(3), Engine(3)),
        (CYCLE, OTHER_CYCLE),
        ([[1, 2], [1, 2]], [SHARED, SHARED]),
        (date(2020, 1, 2), date(2020, 1, 2)),
        (ValueError("x"), ValueError("x")),
        (None, None),
        ([], ()),
    ],
)
def test_the_same(reference: Any, candidate: Any) -> None:
    found = difference(reference, candidate)
    if {type(reference), type(candidate)} == {Point, SlottedPoint}:
        assert found is not None
        assert not found.certain  # the class has another name, and nothing else
    else:
        assert found is None


@pytest.mark.parametrize(
    ("reference", "candidate", "said"),
    [
        (1, 2, "result: 2 instead of 1"),
        (1.0, 1.1, "result: 1.1 instead of 1"),
        (math.inf, 1e300, "result: 1e+300 instead of inf"),
        (float("nan"), 0.0, "result: 0 instead of nan"),
        ("a", "b", "result: 'b' instead of 'a'"),
        ("a", b"a", "result: b'a' instead of 'a'"),
        (None, 0, "result: 0 instead of None"),
        ({"ids": [1, 2, 3, 7]}, {"ids": [1, 2, 3, 5]}, "result['ids'][3]: 5 instead of 7 (1 of 4 values differ)"),
        ({"tokens": [1, "x"]}, {"tokens": [1, "y"]}, "result['tokens'][1]: 'y' instead of 'x'"),
        ([1, 2], [1], "result: 1 items instead of 2"),
        ({"a": 1}, {}, "result: the key 'a' is missing"),
        ({}, {"a": 1}, "result: the key 'a' should not be there"),
        ({1, 2}, {1, 3}, "sorted(result)[1]: 3 instead of 2 (1 of 2 values differ)"),
        ({"a"}, {"b"}, "result: 'a' is missing"),
        (list(range(100)), [0, *range(1, 99), 0], "result[99]: 0 instead of 99 (1 of 100 values differ)"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "result: the shape (3, 2) instead of (2, 3)"),
        (np.zeros((2, 3)), np.eye(2, 3), "result[0, 0]: 1 instead of 0 (2 of 6 values differ)"),
        (np.array([1, 2]), np.array([1, 3]), "result[1]: 3 instead of 2 (1 of 2 values differ)"),
        (Point(1.0), Point(1.0, "b"), "result.name: 'b' instead of 'a'"),
        (Colour.RED, Colour.BLUE, "result.value: 2 instead of 1"),
        ([1, 2, 3], Liar(), "result: 0 items instead of 3"),
        ([[1]], [[[1]]], "result[0][0]: a list instead of 1"),
    ],
)
def test_a_difference_is_named(reference: Any, candidate: Any, said: str) -> None:
    found = difference(reference, candidate)
    assert found is not None
    assert str(found) == said
    assert found.certain


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        (np.linspace(0.1, 1, 9), np.linspace(0.1, 1, 9) * (1 + 1e-6)),  # more than rounding, less than an error
        (Engine(3), Engine(4)),  # an engine is no record: what it has is its own business
        (Hidden(1), Hidden(2)),
        (lambda: 1, [1]),
        ([1, 2, 3], iter([1, 2, 3])),
        (Decimal("1.50"), Decimal("1.5")),
    ],
)
def test_what_proves_nothing(reference: Any, candidate: Any) -> None:
    found = difference(reference, candidate)
    assert found is not None
    assert not found.certain


def test_a_class_that_raises_at_every_touch_is_looked_into_all_the_same() -> None:
    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            raise SystemExit

        def __hash__(cls) -> int:
            raise SystemExit

        def __getattribute__(cls, name: str) -> Any:
            raise SystemExit

    class Hostile(metaclass=Meta):
        def __getattribute__(self, name: str) -> Any:
            raise SystemExit

    value = object.__new__(Hostile)
    object.__setattr__(value, "steps", 3)
    found = difference(Engine(3), value)
    assert str(found) == "result: an object Hostile instead of Engine"


def test_a_certain_difference_goes_before_a_doubtful_one() -> None:
    found = difference([Hidden(1), 1], [Hidden(2), 2])
    assert found == Difference("result[1]", "2 instead of 1", True)


def test_tolerance_follows_the_precision_of_the_reference() -> None:
    exact = np.linspace(0.1, 1, 9)
    assert difference(exact, exact.astype(np.float16)) is not None
    assert difference(exact.astype(np.float16), exact) is None


def test_large_arrays_are_compared_by_a_sample_that_nobody_foresees() -> None:
    reference = np.arange(100_000)
    wrong = reference.copy()
    wrong[70_000:] = 0
    slightly = reference.copy()
    slightly[5] = 0
    described = [structure(each, limit=1000, seed=7) for each in (reference, wrong, slightly, reference.copy())]
    assert all(len(each) < 600_000 for each in described)
    assert compare(described[0], described[3]) is None
    for each in described[1:3]:
        found = compare(described[0], each)
        assert found is not None
        assert found.certain
    floats = structure(reference.astype(float), limit=1000, seed=7)
    assert compare(floats, structure(reference * (1 + 1e-12), limit=1000, seed=7)) is None


def test_what_is_too_large_or_too_deep_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value, limit in ((deep, 10**6), (["x" * 2000], 1000), (list(range(1000)), 1000), ({"a": {1: 2}}, 5)):
        writer = StructureWriter(limit=limit)
        StructureReader(writer.take(value)).read()
        assert not writer.whole


def test_a_broken_structure_is_an_error_and_no_more() -> None:
    good = structure({"a": [1, 2.5, "x", np.arange(3)], "b": Point(1.0)})
    for size in range(len(good)):
        with pytest.raises(ValueError):
            StructureReader(good[:size]).read()
    for bad in (b"?", b"R5;", b"L7fffffffffffffff;", b"M-1;" + b"N", b"s-5;", b"L1;" * 500 + b"N", good + b"N"):
        with pytest.raises(ValueError):
            StructureReader(bad).read()


@pytest.mark.parametrize(("value", "nothing"), [(None, True), (len, True), (iter([]), True), ([], False), (0, False)])
def test_what_says_nothing(value: Any, nothing: bool) -> None:
    assert says_nothing(structure(value)) is nothing


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert difference(base, base.clone().requires_grad_()) is None
    assert difference(base, base.numpy()) is None
    assert difference(base, base.T.contiguous().T) is None
    assert difference(base.bfloat16(), base.bfloat16() * 1.01) is None
    assert str(difference(base, base + torch.eye(2, 3))).startswith("result[0, 0]: 1 instead of 0")

    class Liar(torch.Tensor):  # type: ignore[misc,name-defined]
        @classmethod
        def __torch_function__(cls, *ignored: Any, **more: Any) -> Any:
            return torch.zeros(1)

    found = difference(base, base.as_subclass(Liar))
    assert found is not None
    assert not found.certain
    for tensor in (base.to_sparse(), base.to("meta")):
        assert not StructureReader(structure(tensor)).read().value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_equals_itself_and_is_rebuilt_from_its_structure(value: Any) -> None:
    described = structure(value)
    rebuilder = Rebuilder()
    again = rebuilder.make(StructureReader(described).read())
    assert rebuilder.faithful
    assert repr(again) == repr(value)
    assert structure(again) == described
    assert compare(described, structure([value])) is not None
    assert compare(structure([value, 1]), structure([again, 1.0])) is None


@given(VALUES, VALUES)
def test_comparison_is_symmetric_about_what_is_equal(one: Any, other: Any) -> None:
    there, back = difference(one, other), difference(other, one)
    assert (there is not None and there.certain) <= (back is not None)


@pytest.mark.parametrize(
    "value",
    [Point(1.0), SlottedPoint(2.0), Colour.RED, Pair(1, 2), OrderedDict(a=1), deque([1]), np.float32(2), np.arange(4),
     {frozenset([1])}, ValueError("x")],
)  # fmt: skip
def test_objects_are_rebuilt_with_the_classes_that_are_loaded(value: Any) -> None:
    rebuilder = Rebuilder()
    again = rebuilder.make(StructureReader(structure(value)).read())
    assert rebuilder.faithful
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_what_cannot_be_rebuilt_says_so() -> None:
    for value in (len, [iter([])], date(2020, 1, 1)):
        rebuilder = Rebuilder()
        rebuilder.make(StructureReader(structure(value)).read())
        assert not rebuilder.faithful
    there = structure(Point(1.0)).replace(b"Point", b"Pinot")
    rebuilder = Rebuilder()
    assert rebuilder.make(StructureReader(there).read()).x == 1.0
    assert not rebuilder.faithful


def test_a_key_that_holds_itself_many_times_over_is_looked_into_once() -> None:
    keys = []
    for leaf in (1, 2):
        key: Any = frozenset([leaf])
        for _ in range(12):
            key = frozenset([key, *((number, key) for number in range(16))])
        keys.append(key)
    one, other = keys
    assert difference({one: 1}, {one: 2}) is not None
    assert difference({one: 1}, {other: 1}) is not None


def test_an_integer_that_no_float_can_hold_differs_from_a_float() -> None:
    found = difference(1.5, 10**400)
    assert found is not None
    assert found.certain
