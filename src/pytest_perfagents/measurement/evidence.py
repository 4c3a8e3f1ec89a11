"""What a process shows of its result: its structure, and what the script's own function stored of it.

The baseline's result is kept here in memory and lies on disk only while somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from pytest_perfagents.backends.base import Reply, Worker
from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.measurement.arena import Patience

Files = Mapping[str, bytes]

LARGEST_BYTES = 256 << 20
RESULT = "result"


@dataclass(frozen=True, slots=True)
class Evidence:
    """``returned`` is the structure of the result, ``stored`` the files that the script's function made of it, and
    ``loaded`` the structure of what it reads from them. ``trouble`` says why one of them is missing; ``whole``, whether
    nothing of the result was left out.
    """

    returned: bytes | None = None
    stored: Files | None = None
    loaded: bytes | None = None
    trouble: str = ""
    whole: bool = True

    def showing(self, other: Evidence) -> Evidence:
        """With the structure of another result."""
        return replace(self, returned=other.returned, whole=other.whole)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the script's check said: None where it said nothing. ``faithful``: about the result as it was."""

    equal: bool | None
    message: str = ""
    faithful: bool = True


@dataclass(frozen=True, slots=True)
class Witness:
    """A live worker that is asked about its result. ``seed`` chooses what is looked at of large arrays.

    Every method raises WorkerEnded; an error in the worker is no more than an answer that is missing.
    """

    worker: Worker
    patience: Patience
    scratch: Path
    seed: int

    def show(self, *, store: bool, place: int = -1) -> Evidence:
        """The structure of the result, and where wanted (``store``) what the script's functions make of the last one.

        ``place`` chooses among the results that the worker kept of its last turn.
        """
        with _folder(self.scratch) as folder:
            returned, trouble, whole = self._describe(folder / "structure", place=place)
            if not store:
                return Evidence(returned, trouble=trouble, whole=whole)
            reply = self._ask("store", path=str(folder / RESULT))
            if not reply.ok or not reply.value.get("stored", True):
                why = words(reply.error) if not reply.ok else str(reply.value.get("message") or "it stored nothing")
                return Evidence(returned, trouble=trouble or why, whole=whole)
            stored = read_all(folder)
            loaded, why, _ = self._describe(folder / "loaded", stored=str(folder / RESULT))
            return Evidence(returned, stored, loaded, trouble or why, whole)

    def check(self, reference: Files) -> Verdict:
        """What the script's check says inside this process; an exception that comes out of it is a no."""
        with placed(self.scratch, reference) as path:
            reply = self._ask("check", path=str(path))
        return verdict_in(reply)

    def judge(self, candidate: bytes, reference: Files) -> Verdict:
        """What the script's check says in this process about the result of another."""
        with placed(self.scratch, reference) as path:
            structure = path.with_name("candidate")
            structure.write_bytes(candidate)
            reply = self._ask("judge", candidate=str(structure), reference=str(path))
        return verdict_in(reply)

    def _describe(self, path: Path, **arguments: Any) -> tuple[bytes | None, str, bool]:
        """The structure, why there is none, and whether it is whole."""
        reply = self._ask("describe", path=str(path), seed=self.seed, **arguments)
        if not reply.ok:
            return None, words(reply.error), False
        try:
            data = _read(path)
        except OSError as error:
            return None, f"its structure cannot be read: {error.strerror}", False
        path.unlink()
        if sha256(data).hexdigest() != reply.value.get("sha256"):
            return None, "its structure was changed after it was written", False
        return data, "", reply.value.get("whole") is True

    def _ask(self, op: str, **arguments: Any) -> Reply:
        return self.worker.request(op, self.patience.left_s, **arguments)


def verdict_in(reply: Reply) -> Verdict:
    """The verdict in an answer to ``check`` or ``judge``."""
    if not reply.ok:
        return Verdict(False, words(reply.error))
    value = reply.value
    equal = value.get("equal")
    said = equal if isinstance(equal, bool) else None
    return Verdict(said, str(value.get("message") or ""), value.get("faithful") is not False)


def words(error: Mapping[str, Any] | None) -> str:
    """An error of a worker on one line."""
    return f"{(error or {}).get('type')}: {(error or {}).get('message')}"


@contextmanager
def placed(scratch: Path, files: Files) -> Iterator[Path]:
    """The path under which the script finds a stored result for as long as this lasts."""
    with _folder(scratch) as folder:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        yield folder / RESULT


@contextmanager
def place_for_new(scratch: Path) -> Iterator[Path]:
    """A path at which a process may store a result, in a folder that is gone afterwards."""
    with _folder(scratch) as folder:
        yield folder / RESULT


@contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    folder = scratch / token_hex(6)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        delete_folder(folder)


def read_all(folder: Path) -> Files | None:
    """The files of a result by their names; None where there are none, or too many bytes of them."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if sum(path.stat().st_size for path in paths) > LARGEST_BYTES:
        return None
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths} or None


def _read(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > LARGEST_BYTES:
        return b""
    return path.read_bytes()
