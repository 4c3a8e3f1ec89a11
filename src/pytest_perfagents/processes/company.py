"""The threads of a process and the processes below it, with the CPU time of each: read from outside (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOST = 10_000


def threads_of(pid: int) -> list[int]:
    """Its threads by number; none where it is gone or there is no /proc."""
    with suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208 - twice a turn
    return []


def cpu_of(pid: int) -> float | None:
    """Seconds of CPU of all its threads, by the kernel's clock of it; also after its end, until it is reaped."""
    with suppress(OSError, OverflowError):
        return time.clock_gettime((~pid << 3) | 2)
    return None


def reaped_of(pid: int) -> float:
    """Seconds of CPU of the children that it has waited for (proc_pid_stat(5): cutime and cstime, by the tick)."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[16 - 3]) + int(fields[17 - 3])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def open_run_delay(pid: int) -> int | None:
    """A descriptor for `read_run_delay`, which whoever opens it closes."""
    with suppress(OSError):
        return os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    return None


def read_run_delay(descriptor: int | None) -> float | None:
    """Seconds for which its main thread could run and had no core (proc_pid_schedstat(5)); as long as `cpu_of`."""
    if descriptor is None:
        return None
    with suppress(OSError, ValueError, IndexError):
        return int(os.pread(descriptor, 100, 0).split()[1]) / 1e9
    return None


def cpu_below(pid: int, threads: list[int]) -> dict[int, float]:
    """Seconds of CPU of every process below ``pid``, by its number; also of those that ended and were not waited for.

    What a double fork leaves behind counts too, since a worker adopts it.
    """
    found: dict[int, float] = {}
    waiting = list(_children(pid, threads))
    while waiting and len(found) < MOST:
        child = waiting.pop()
        if child not in found and (seconds := cpu_of(child)) is not None:
            found[child] = seconds
            waiting.extend(_children(child, threads_of(child)))
    return found


def _children(pid: int, threads: list[int]) -> Iterator[int]:
    for thread in threads:
        with suppress(OSError):
            yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
