"""What a result is made of, written as plain data that say nothing but what is there."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

from pytest_perfagents.worker.base_types import (
    address_of,
    answers_for_torch,
    attributes_of,
    class_name,
    digest_of,
    is_immutable,
    is_record,
    mro_of,
    pack_array,
    pack_floats,
    place_of,
    vars_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STRUCTURE_LIMIT = 64 << 20  # bytes of one structure; of an array that is larger, a sample is taken
LEAF_LIMIT, DEPTH_LIMIT, SAMPLE_COUNT, COPY_LIMIT, FEW = 1000000, 100, 65536, 1 << 30, 16
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
        except RuntimeError:  # NotImplementedError, of a layout that is not to be read, is one
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
