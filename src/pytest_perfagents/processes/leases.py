"""What a session holds, and gives back whatever happens: folders, processes, its turn on the machine."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from math import inf
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

import psutil
from filelock import FileLock, Timeout

from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.processes.orphans import SESSION_MARKER, kill_marked

TURN_POLL_S = 0.005
_GUARD = ".sessions.lock"
_TMP_NOTE = "tmp-folder"
_PREFIX = "perfagents-"

Prune = Callable[[Path], object]


class Session:
    """One process's stay in a cache: ``with Session(cache, prune=prune_all) as session``.

    Entering sweeps what killed sessions left. ``folder`` (``<cache>/sessions/<id>``) is for worktrees and
    private folders, ``tmp`` for those that need a short path (sockets). Leaving ends every process that
    carries the session's mark and removes both. A lock tells others that the session lives; the kernel
    drops it when the process is gone. ``prune`` is called with the cache after folders were removed, to
    forget their worktrees.
    """

    def __init__(self, cache: Path, *, prune: Prune | None = None) -> None:
        self.id = token_hex(6)
        self.cache = cache
        self.folder = cache / "sessions" / self.id
        self.tmp = Path(tempfile.gettempdir()) / f"{_PREFIX}{self.id}"
        self._prune = prune
        self._lock = _lock_of(self.folder)

    def __enter__(self) -> Self:
        sweep(self.cache, prune=self._prune)
        with _guard(self.cache):  # nobody sweeps between the folder and its lock
            self._lock.acquire()
            self.folder.mkdir(parents=True)
            (self.folder / _TMP_NOTE).write_text(str(self.tmp), encoding="utf-8")
        self.tmp.mkdir(mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _clear(self.folder)
        finally:
            self._lock.release()
            Path(self._lock.lock_file).unlink(missing_ok=True)


def sweep(cache: Path, *, prune: Prune | None = None) -> list[str]:
    """Remove what sessions left whose process is gone: processes, folders, worktrees. Returns their ids."""
    sessions = cache / "sessions"
    if not sessions.is_dir():
        return []
    with ExitStack() as held:
        dead: list[Path] = []
        with _guard(cache):
            for folder in sorted(each for each in sessions.iterdir() if each.is_dir()):
                lock = _lock_of(folder)
                with suppress(Timeout):
                    lock.acquire(timeout=0)
                    held.callback(_drop, lock)
                    dead.append(folder)
        for folder in dead:
            _clear(folder)
    if dead and prune is not None:
        prune(cache)
    return [folder.name for folder in dead]


class MeasureLease:
    """A turn on the machine: one holder at a time over all processes, and a dead one holds nothing.

    ``with MeasureLease(path): ...``, for each timed round. Whoever waits comes before whoever held it last:
    to queue one has to hold the gate, and the holder of the lock gives it up before its round. One lease for
    the machine and none for each GPU: what starts a GPU's work is the CPU, and there a neighbour is felt.
    ``tell`` hears every ``tell_every_s`` of waiting who has it.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        timeout_s: float = -1,
        tell: Callable[[str], object] | None = None,
        tell_every_s: float = 2.0,
    ) -> None:
        self.path = path or Path(tempfile.gettempdir()) / f"{_PREFIX}measure-{os.getuid()}.lock"
        self._timeout_s = timeout_s
        self._tell, self._tell_every_s = tell, tell_every_s
        self._lock = FileLock(self.path)
        self._gate = FileLock(self.path.with_name(f"{self.path.name}.gate"))
        self._note = self.path.with_name(f"{self.path.name}.holder")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self._timeout_s if self._timeout_s >= 0 else inf
        self._take(self._gate, deadline)
        try:
            self._take(self._lock, deadline)
        finally:
            self._gate.release()
        with suppress(OSError):  # on a full disk nobody learns our name
            self._note.write_text(f"{os.getpid()} {time.time():.3f}\n", encoding="ascii")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._note.unlink()
        self._lock.release()

    def _take(self, lock: FileLock, deadline: float) -> None:
        while True:
            left_s = max(deadline - time.monotonic(), 0.0)
            try:
                lock.acquire(timeout=min(self._tell_every_s, left_s), poll_interval=TURN_POLL_S)
            except Timeout:
                if left_s <= self._tell_every_s:
                    raise
                if self._tell is not None:
                    self._tell(f"waiting for its turn on this machine: {holder(self._note)}")
            else:
                return


def holder(note: Path) -> str:
    """Who has the machine, for how long, and what to do where that process is stopped (Ctrl-Z)."""
    try:
        number, since = note.read_text(encoding="ascii").split()
        pid, held_s = int(number), time.time() - float(since)
    except (OSError, ValueError):
        return "another session measures"
    try:
        process = psutil.Process(pid)
        who, is_stopped = f"process {pid} ({process.name()})", process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        who, is_stopped = f"process {pid}", False  # just gone, or of another container
    if is_stopped:
        return f"{who} has had it for {held_s:.0f} s and is stopped; continue it (fg, or kill -CONT {pid}) or end it"
    return f"{who} has had it for {held_s:.0f} s"


def _guard(cache: Path) -> FileLock:
    (cache / "sessions").mkdir(parents=True, exist_ok=True)
    return FileLock(cache / "sessions" / _GUARD)


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f"{folder.name}.lock"))


def _drop(lock: FileLock) -> None:
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    """End a session's processes and remove its folders; more may be written until the last is gone."""
    kill_marked(SESSION_MARKER, folder.name)
    with suppress(OSError):
        tmp = Path((folder / _TMP_NOTE).read_text(encoding="utf-8"))
        if tmp.name == f"{_PREFIX}{folder.name}":  # measured code may have written the note over
            delete_folder(tmp)
    delete_folder(folder)
