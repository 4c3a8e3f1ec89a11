"""Did a patch buy its speed with memory? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

GROWTH = 1.2
LEAST_BYTES = 16 << 20
"""Below this no growth is worth a word: an allocator's arena, a module more."""


def usual_bytes(peaks: Sequence[int]) -> int | None:
    """The high-water mark of one side, from those of its starts."""
    return int(median(peaks)) if peaks else None


def memory_flag(what: str, baseline: int | None, candidate: int | None) -> str | None:
    """Says where a side takes over a fifth more memory than the baseline; ``what``: ``memory``, ``GPU memory``."""
    if baseline is None or candidate is None:
        return None
    if candidate <= GROWTH * baseline or candidate - baseline < LEAST_BYTES:
        return None
    return f"it takes {_megabytes(candidate)} of {what} instead of {_megabytes(baseline)}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
