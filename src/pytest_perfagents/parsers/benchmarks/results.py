"""Result files: JSON objects, or lines of them of which the last one counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any

from pytest_perfagents.metrics import metric_named
from pytest_perfagents.parsers.benchmarks.types import Benchmark, judged

# SGLang's names of what vLLM calls otherwise.
_SAME = {"total_throughput": "total_token_throughput", "successful_requests": "completed", "total_latency": "duration"}


def of_result(content: bytes) -> Benchmark | None:
    """What a result file says; None where it is none of a benchmark's."""
    result = _last_object(content)
    if result is None:
        return None
    fields = {_SAME.get(name, name).replace("_e2e_latency_ms", "_e2el_ms"): value for name, value in result.items()}
    numbers = dict(_numbers(fields))
    if not any(metric_named(name) for name in numbers):
        return None
    completed, failed, why = _requests(fields)
    return judged(numbers, completed, failed, why)


def _last_object(content: bytes) -> Mapping[str, Any] | None:
    """Read as Python reads JSON: SGLang writes ``Infinity`` for a request rate."""
    for text in (content, content.rstrip().rpartition(b"\n")[2]):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None


def _numbers(fields: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in fields.items():
        if metric_named(name) is not None and (number := _number(value)) is not None:
            yield name, number
    percentiles = fields.get("percentiles")  # vLLM's latency, in seconds
    if isinstance(percentiles, dict):
        for percent, value in percentiles.items():
            if percent.isdecimal() and (number := _number(value)) is not None:
                yield f"p{percent}_latency_s", number


def _requests(fields: Mapping[str, Any]) -> tuple[int | None, int | None, str]:
    """How many were completed, how many failed, and what the first of those said: old versions list errors only."""
    completed, failed, asked = (_count(fields.get(name)) for name in ("completed", "failed", "num_prompts"))
    errors = fields.get("errors")
    said = [error for error in errors if isinstance(error, str) and error] if isinstance(errors, list) else []
    if failed is None and said:
        failed = len(said)
    if failed is None and completed is not None and asked is not None:
        failed = max(asked - completed, 0)
    return completed, failed, said[0].strip().splitlines()[-1] if said and said[0].strip() else ""


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and isfinite(number) else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return inf
