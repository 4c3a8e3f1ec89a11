"""The table of a serving benchmark, vLLM's and SGLang's; SGLang's offline benchmark prints the same."""

from __future__ import annotations

import re

from pytest_perfagents.parsers.benchmarks.types import Benchmark, judged

_HEAD = re.compile(r"^=+ (?:Serving|Offline Throughput) Benchmark Result =+\s*$", re.MULTILINE)
_END = re.compile(r"^={40,}\s*$", re.MULTILINE)
_LINE = re.compile(r"^(?P<label>[A-Z][^\n:]{1,60}):\s+(?P<number>-?(?:\d[\d.]*|nan|inf))\s*$", re.MULTILINE)
_STATED = re.compile(r"(?P<stat>Mean|Median|P\d+(?:\.\d+)?) (?P<of>TTFT|TPOT|ITL|E2EL|E2E Latency) \(ms\)")
_NAMES = {
    "request throughput (req/s)": "request_throughput",
    "input token throughput (tok/s)": "input_throughput",
    "output token throughput (tok/s)": "output_throughput",
    "total token throughput (tok/s)": "total_token_throughput",
    "total throughput (tok/s)": "total_token_throughput",
}


def of_serving_table(text: str) -> Benchmark | None:
    """What the last table says; None where there is none."""
    heads = list(_HEAD.finditer(text))
    if not heads:
        return None
    table = text[heads[-1].end() :]
    end = _END.search(table)
    if end is None:
        return Benchmark(trouble="its table of results breaks off")
    numbers: dict[str, float] = {}
    counts: dict[str, int] = {}
    for found in _LINE.finditer(table, 0, end.start()):
        label, number = found["label"], float(found["number"])
        stated = _STATED.fullmatch(label)
        if stated is not None:
            of = stated["of"].replace("E2E Latency", "E2EL")
            numbers[f"{stated['stat']}_{of}_ms".lower()] = number
        elif label.lower() in _NAMES:
            numbers[_NAMES[label.lower()]] = number
        elif label in ("Successful requests", "Failed requests"):
            counts[label] = int(number)
    return judged(numbers, counts.get("Successful requests"), counts.get("Failed requests"))
