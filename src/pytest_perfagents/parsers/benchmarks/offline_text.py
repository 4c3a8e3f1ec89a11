"""What vLLM's throughput, latency and prefix caching benchmarks print."""

from __future__ import annotations

import re

from pytest_perfagents.parsers.benchmarks.types import Benchmark, judged

_NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
_THROUGHPUT = re.compile(
    rf"^Throughput: {_NUMBER} requests/s(?:, {_NUMBER} (?:total )?tokens/s(?:, {_NUMBER} output tokens/s)?)?\s*$",
    re.MULTILINE,
)
_LATENCY = re.compile(rf"^Avg latency: {_NUMBER} seconds\s*$", re.MULTILINE)
_PERCENTILE = re.compile(rf"^(\d+)% percentile latency: {_NUMBER} seconds\s*$", re.MULTILINE)
_GENERATING = re.compile(r"^------start generating------\s*$", re.MULTILINE)
_COST = re.compile(rf"^cost time {_NUMBER}\s*$", re.MULTILINE)


def of_throughput(text: str) -> Benchmark | None:
    """``Throughput: 10.39 requests/s, 4566.62 total tokens/s, 2283.31 output tokens/s``: the last such line."""
    found = _last(_THROUGHPUT, text)
    if found is None:
        return None
    names = ("requests_per_second", "tokens_per_second", "output_throughput")
    return judged({name: float(told) for name, told in zip(names, found.groups(), strict=True) if told})


def of_latency(text: str) -> Benchmark | None:
    """``Avg latency: 1.23 seconds`` and the percentiles after it; the last ones."""
    found = _last(_LATENCY, text)
    if found is None:
        return None
    percentiles = {f"p{percent}_latency_s": float(told) for percent, told in _PERCENTILE.findall(text, found.end())}
    return judged({"avg_latency": float(found[1])} | percentiles)


def of_prefix_caching(text: str) -> Benchmark | None:
    """The last ``cost time`` after ``start generating``; the one before it is the warm-up's."""
    begins = _last(_GENERATING, text)
    if begins is None:
        return None
    found = _last(_COST, text[begins.end() :])
    if found is None:
        return Benchmark(trouble="it began to generate, and came to no end")
    return judged({"elapsed_time": float(found[1])})


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(text))), None)
