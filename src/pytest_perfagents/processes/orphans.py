"""Find and end processes by a marker in their environment, which outlives a double fork and setsid."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

SESSION_MARKER = "PERFAGENTS_SESSION"
CHILD_MARKER = "PERFAGENTS_CHILD"
GONE_S = 5.0
EXEC_S = 1.0
_PF_KTHREAD = 0x00200000
_PROC = Path("/proc/self/environ")


def find_marked(name: str, value: str) -> list[psutil.Process]:
    """Living processes that were started with ``name=value`` in their environment; never ourselves."""
    return [process for pid in psutil.pids() if (process := _marked(pid, name, value)) is not None]


def kill_all(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """KILL each and wait until it is gone; returns those that are not."""
    doomed = list(processes)
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()
    return await_gone(doomed, time.monotonic() + GONE_S)


def await_gone(processes: Iterable[psutil.Process], deadline: float) -> list[psutil.Process]:
    """Wait for them to end, until the deadline (of ``time.monotonic``); returns those that have not."""
    alive = list(processes)
    while (alive := [process for process in alive if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.005)
    return alive


def kill_marked(name: str, value: str) -> int:
    """KILL every process with the marker, also those started meanwhile. Returns how many there were."""
    killed = 0
    while found := find_marked(name, value):
        killed += len(found)
        if kill_all(found):
            break  # stuck in the kernel: nobody can do more
    return killed


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    """Children, grandchildren and so on, as they are now."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _marked(pid: int, name: str, value: str) -> psutil.Process | None:
    if pid == os.getpid():
        return None
    try:
        if _PROC.exists():  # reading it ourselves is many times faster than through psutil
            found = f"{name}={value}".encode() in _environment(pid).split(b"\0")
        else:
            found = psutil.Process(pid).environ().get(name) == value
        process = psutil.Process(pid) if found else None
    except (OSError, psutil.Error):
        return None
    return process if process is not None and is_alive(process) else None


def _environment(pid: int) -> bytes:
    """The environment as Linux shows it; a process in the midst of exec has none for a moment, so wait for it."""
    file = Path(f"/proc/{pid}/environ")
    deadline = time.monotonic() + EXEC_S
    while not (environment := file.read_bytes()) and _is_in_exec(pid) and time.monotonic() < deadline:
        time.sleep(0.001)
    return environment


def _is_in_exec(pid: int) -> bool:
    """proc(5): alive, no kernel thread, and the end of its environment (field 51) is not set yet."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    is_kernel_thread = int(fields[9 - 3]) & _PF_KTHREAD
    return fields[0] not in (b"Z", b"X") and not is_kernel_thread and fields[51 - 3] == b"0"
