"""Instruction counts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def count_line(counts: Mapping[str, Any]) -> str:
    """``instructions per call: 1.083x fewer (3.2 million instead of 3.5 million, valgrind)``, or why there are none."""
    if counts.get("note"):
        return f"no instruction count: {counts['note']}"
    ratio = counts["ratio"]
    same = 0.9995 < ratio < 1.0005
    said = "the same" if same else f"{ratio:.4g}x fewer" if ratio > 1 else f"{1 / ratio:.4g}x more"
    return (
        f"instructions per call: {said} ({_count(counts['patched'])} instead of {_count(counts['baseline'])}, "
        f"{counts['counter']})"
    )


def _count(instructions: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if instructions >= size:
            return f"{instructions / size:.4g} {unit}"
    return f"{instructions:.4g}"
