"""One run of a benchmark, as it tells of itself; numbers are believed only where every request was served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from pytest_perfagents.metrics import metric_named


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``numbers`` by the names of vLLM's JSON result, in their units; none where there is ``trouble``: why not."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    completed: int | None = None
    failed: int | None = None
    trouble: str = ""


def judged(
    numbers: Mapping[str, float], completed: int | None = None, failed: int | None = None, why: str = ""
) -> Benchmark:
    """The benchmark with these numbers, or with what forbids to believe them; ``why`` is what a failed request said."""
    trouble = _trouble(numbers, completed, failed)
    if trouble:
        return Benchmark({}, completed, failed, f"{trouble}: {why}" if why and failed else trouble)
    return Benchmark(dict(numbers), completed, failed)


def _trouble(numbers: Mapping[str, float], completed: int | None, failed: int | None) -> str:
    if completed is not None and completed <= 0:
        return "no request was completed"
    if failed:
        return f"{failed} of {(completed or 0) + failed} requests failed"
    speeds = {name: value for name, value in numbers.items() if metric_named(name) is not None}
    for name, value in speeds.items():
        if not isfinite(value) or value < 0:
            return f"{name} is {value:g}, which is no measurement"
    return "" if any(speeds.values()) else "it states no speed" if not speeds else "all its numbers are zero"
