"""A noisy neighbour: a process per core that computes and copies memory in bursts of random length, until it is ended.

    with neighbour(cores=2, seed=7): ...

This file is also the program that each of these processes runs. It leaves when its parent is gone, whatever happened.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

BUSY_S, IDLE_S = 0.3, 0.15
"""Means of the lengths of bursts and pauses, both exponential."""
BLOCK_BYTES = 8 << 20
GONE_S = 5.0


@contextmanager
def neighbour(cores: int, seed: int) -> Iterator[list[int]]:
    """The processes' ids; all of them are gone when the block ends, also on Ctrl-C."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for core in range(cores):
            argv = [sys.executable, "-I", "-S", __file__, str(seed + core), str(os.getpid())]
            running.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True))
        yield [process.pid for process in running]
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in running:
            process.wait(GONE_S)


def disturb(seed: int, parent: int) -> None:
    """Bursts of arithmetic and of memory traffic, with pauses, while the parent lives."""
    chance, block = Random(seed), bytearray(BLOCK_BYTES)
    while os.getppid() == parent:
        until = time.monotonic() + min(chance.expovariate(1 / BUSY_S), 4 * BUSY_S)
        copies = chance.random() < 0.5
        while time.monotonic() < until:
            if copies:
                block = bytearray(block)
            else:
                sum(number * number for number in range(20_000))
        time.sleep(min(chance.expovariate(1 / IDLE_S), 4 * IDLE_S))


if __name__ == "__main__":
    disturb(int(sys.argv[1]), int(sys.argv[2]))
