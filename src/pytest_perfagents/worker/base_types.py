"""What an object is, asked of base types that cannot be changed from Python; looked up before foreign code runs."""

from __future__ import annotations

import array
import enum
import struct
import types
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAP_TYPE, IMMUTABLE_TYPE = 1 << 9, 1 << 8


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
