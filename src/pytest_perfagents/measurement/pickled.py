"""What a stored result would run where it is read: a pickle calls whatever it names. Nothing of it is run here."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

from pytest_perfagents.measurement.evidence import Files


def named_by(files: Files) -> set[str]:
    """Dotted names of the functions and classes that pickles among these files (in archives, too) call for."""
    return {name for data in files.values() for each in _pickles(data) for name in _names(each)}


def _pickles(data: bytes) -> Iterator[bytes]:
    """Files that begin as pickles of protocol 2 and later do, or may be an older one; members of a zip archive."""
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [archive.read(each) for each in archive.namelist() if each.endswith((".pkl", ".npy"))]
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
            return
        for member in members:
            yield from _pickles(member)
    elif data[:6] == b"\x93NUMPY":
        start = data.find(b"\n") + 1  # the header's end
        yield data[start:]
    else:
        yield data


class _Anything:
    """Stands for what a pickle names; takes whatever is done with it."""

    def __new__(cls, *_: Any, **__: Any) -> _Anything:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None:
        """Nothing."""

    def extend(self, _: Any) -> None:
        """Nothing."""

    add = append


class _Reader(pickle.Unpickler):
    """Notes names and loads none of them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}.{name}")
        return type("_Named", (_Anything,), {})

    def persistent_load(self, _: Any) -> Any:
        return _Anything()


def _names(data: bytes) -> set[str]:
    reader = _Reader(data)
    try:
        reader.load()
    except Exception:
        return reader.names
    return reader.names
