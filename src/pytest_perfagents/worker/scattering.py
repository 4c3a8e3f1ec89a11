"""Where data lie in memory is drawn by chance: blocks of random sizes are taken before each set-up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLOCKS, LARGEST = 16, 114_687
"""Of bytes; from 128 K on, glibc's malloc takes memory elsewhere."""


def make_scatter() -> Callable[[], None]:
    """``scatter()``: take other blocks of memory, so that the next data do not lie where the last ones did.

    How data are aligned can make a fifth of the time of what works on them, and stays the same otherwise. Small blocks
    vanish in the holes of a heap, so there are many and large ones; malloc's do not cost the caches that filling does.
    After Curtsinger and Berger, Stabilizer: statistically sound performance evaluation, ASPLOS 2013.
    """
    take, give_back = allocator()
    urandom, number_of = os.urandom, int.from_bytes
    blocks: list[Any] = []

    def scatter() -> None:
        for block in blocks:
            give_back(block)
        noise = urandom(3 * BLOCKS)
        blocks[:] = [
            take((LARGEST * (65536 + number_of(noise[at : at + 2], "little")) >> 17) >> noise[at + 2] % 3)
            for at in range(0, len(noise), 3)
        ]

    return scatter


def allocator() -> tuple[Callable[[int], Any], Callable[[Any], object]]:
    """``take(bytes)`` and ``give_back(block)``: the C library's, or filled with zeros in a Python without ctypes."""
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        malloc, free = libc.malloc, libc.free
    except (ImportError, OSError, AttributeError):
        return bytes, id
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    return malloc, free
