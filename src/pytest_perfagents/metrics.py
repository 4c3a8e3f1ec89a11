"""What benchmarks of inference engines measure: one metric for every spelling of its name, and which way is better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_LATENCIES = ("TTFT", "TPOT", "ITL", "E2EL")
_OF, _STAT = r"(ttft|tpot|itl|e2el)", r"(mean|median|p\d+(?:\.\d+)?)"
_STATED = re.compile(rf"(?:{_STAT}_{_OF}|{_OF}_{_STAT})(?:_ms)?")
_THROUGHPUTS = (
    ("request throughput (req/s)", r"request_throughput(?:_req_s)?|throughput_req_s|requests_per_second"),
    ("output token throughput (tok/s)", r"output(?:_token)?_throughput(?:_tok_s)?"),
    ("total token throughput (tok/s)", r"total_token_throughput(?:_tok_s)?"),
    ("throughput (tok/s)", r"throughput_tok_s|tokens_per_second"),
    ("input token throughput (tok/s)", r"input(?:_token)?_throughput(?:_tok_s)?"),
    ("throughput", r"throughput"),
)
_TIMES = (
    ("mean latency (s)", r"avg_latency(?:_s)?|latency_avg_s"),
    ("mean latency (ms)", r"(?:avg_latency|latency_avg)_ms"),
    ("mean latency", r"latency_avg"),
    ("elapsed time (s)", r"elapsed_time(?:_s)?"),
)
_PERCENTILE = re.compile(r"(p\d+)_latency_s")
# By which of them two benchmarks are compared where one number must say it: throughput before latency.
_DECIDING = (
    "output token throughput (tok/s)",
    "throughput (tok/s)",
    "total token throughput (tok/s)",
    "request throughput (req/s)",
    "throughput",
    "mean TPOT (ms)",
    "mean E2EL (ms)",
    "mean latency (s)",
    "mean latency (ms)",
    "mean latency",
    "mean TTFT (ms)",
    "mean ITL (ms)",
    "elapsed time (s)",
)


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """What a number measures; ordered as a page shows them. Of a ``is_time`` less is better."""

    is_time: bool
    place: tuple[int, int]
    title: str

    def speedup(self, number: float | None, other: float | None) -> float | None:
        """How much better ``number`` is; None where one is missing, or 0 as of a benchmark that served nothing."""
        if not number or not other or number < 0 or other < 0:
            return None
        return other / number if self.is_time else number / other


@lru_cache(maxsize=4096)
def metric_named(name: str) -> Metric | None:
    """The metric of a name that a benchmark gives it, in any spelling of its tools; None of other numbers."""
    for place, (title, pattern) in enumerate(_THROUGHPUTS):
        if re.fullmatch(pattern, name):
            return Metric(False, (place, 0), title)
    if found := _STATED.fullmatch(name):
        of, stat = (found[2] or found[3]).upper(), found[1] or found[4]
        rank = ("mean", "median").index(stat) if stat in ("mean", "median") else 2
        return Metric(True, (_LATENCIES.index(of), rank), f"{stat} {of} (ms)")
    if found := _PERCENTILE.fullmatch(name):
        return Metric(True, (len(_LATENCIES), len(_TIMES)), f"{found[1]} latency (s)")
    for place, (title, pattern) in enumerate(_TIMES):
        if re.fullmatch(pattern, name):
            return Metric(True, (len(_LATENCIES), place), title)
    return None


def by_metric(numbers: Mapping[str, float | None]) -> dict[Metric, tuple[str, float]]:
    """The name and the value of each metric among the numbers; of two spellings of one the first counts."""
    found: dict[Metric, tuple[str, float]] = {}
    for name, value in numbers.items():
        metric = metric_named(name)
        if metric is not None and value is not None:
            found.setdefault(metric, (name, value))
    return found


def deciding(numbers: Mapping[str, float | None]) -> list[tuple[Metric, str, float]]:
    """The metrics that one number may be compared by, the weightiest first, with their names and values."""
    known = {metric.title: (metric, *named) for metric, named in by_metric(numbers).items()}
    return [known[title] for title in _DECIDING if title in known]
