"""All formats in one table: result files first, text where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pytest_perfagents.parsers.benchmarks.offline_text import of_latency, of_prefix_caching, of_throughput
from pytest_perfagents.parsers.benchmarks.results import of_result
from pytest_perfagents.parsers.benchmarks.serving_text import of_serving_table
from pytest_perfagents.parsers.benchmarks.types import Benchmark

Parser = Callable[[str], Benchmark | None]

# Each finds its own lines, and None where there are none; the first that finds some is believed.
PARSERS: tuple[Parser, ...] = (of_serving_table, of_throughput, of_latency, of_prefix_caching)
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read_benchmark(output: str, files: Iterable[bytes] = ()) -> Benchmark | None:
    """What a benchmark says of itself; None where neither its ``files`` nor its ``output`` are of a known form.

    Of several files the last one that is a result counts. Progress bars go back to the line's begin: what follows
    them stands on a line of its own.
    """
    results = [result for file in files if (result := of_result(file)) is not None]
    if results:
        return results[-1]
    text = _COLOUR.sub("", output).replace("\r\n", "\n").replace("\r", "\n")
    return next((found for parser in PARSERS if (found := parser(text)) is not None), None)
