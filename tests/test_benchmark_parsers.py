"""Benchmarks of inference engines: the same run as text and as JSON, and no failed run as a number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.parsers.benchmarks import read_benchmark

LABELS = {
    "completed": "Successful requests:",
    "failed": "Failed requests:",
    "duration": "Benchmark duration (s):",
    "total_input_tokens": "Total input tokens:",
    "total_output_tokens": "Total generated tokens:",
    "request_throughput": "Request throughput (req/s):",
    "output_throughput": "Output token throughput (tok/s):",
    "total_token_throughput": "Total token throughput (tok/s):",
} | {
    f"{stat.lower()}_{of.lower()}_ms": f"{stat} {of} (ms):"
    for of in ("TTFT", "TPOT", "ITL")
    for stat in ("Mean", "Median", "P99")
}
COUNTS = ("completed", "failed", "total_input_tokens", "total_output_tokens")
SERVED = {
    "completed": 40, "failed": 0, "duration": 4.05, "total_input_tokens": 2020, "total_output_tokens": 800,
    "request_throughput": 9.87, "output_throughput": 197.41, "total_token_throughput": 695.87,
    "mean_ttft_ms": 9.74, "median_ttft_ms": 9.5, "p99_ttft_ms": 14.02,
    "mean_tpot_ms": 3.11, "median_tpot_ms": 3.1, "p99_tpot_ms": 3.9,
    "mean_itl_ms": 3.2, "median_itl_ms": 3.0, "p99_itl_ms": 6.1,
}  # fmt: skip
SPEEDS = {name: value for name, value in SERVED.items() if name not in (*COUNTS, "duration")}
BACKWARDS = "\rProcessed prompts: 100%|####| 32/32 [00:03<00:00, est. speed input: 1.0 toks/s, output: 2.0 toks/s]"

THROUGHPUT = f"""{BACKWARDS}
Throughput: 10.39 requests/s, 4566.62 total tokens/s, 2283.31 output tokens/s
Total num prompt tokens:  32768
"""
LATENCY = """Warming up...
Avg latency: 1.2345678901234567 seconds
10% percentile latency: 1.2 seconds
99% percentile latency: 1.5 seconds
"""


def table(numbers, labels=LABELS, head="Serving Benchmark Result"):
    """As vLLM prints it."""
    lines = [f"{head:=^50}".replace(head, f" {head} ")]
    for name, value in numbers.items():
        told = f"{value:<10}" if name in COUNTS else f"{value:<10.2f}"
        lines.append(f"{labels[name]:<40} {told}")
    return "\n".join(["INFO some log", *lines, "=" * 50, ""])


def test_the_table_and_the_result_file_of_a_run_say_the_same():
    from_text = read_benchmark(table(SERVED))
    assert from_text.numbers == SPEEDS
    assert (from_text.completed, from_text.failed, from_text.trouble) == (40, 0, "")
    assert read_benchmark("", [json.dumps(SERVED | {"request_rate": "inf", "ttfts": [1.0]}).encode()]) == from_text


def test_an_old_table_has_no_failures_and_a_capital_t():
    labels = LABELS | {"total_token_throughput": "Total Token throughput (tok/s):"}
    old = {name: value for name, value in SERVED.items() if name != "failed"}
    found = read_benchmark(table(old, labels))
    assert (found.numbers, found.completed, found.failed) == (SPEEDS, 40, None)


def test_sglang_has_names_of_its_own():
    sums = {"mean_e2el_ms": "Mean E2E Latency (ms):", "total_token_throughput": "Total throughput (tok/s):"}
    numbers = {"completed": 996, "mean_e2el_ms": 2098.07, "total_token_throughput": 2121.89, "median_tpot_ms": -0.0}
    expected = {name: value for name, value in numbers.items() if name != "completed"}
    assert read_benchmark(table(numbers, LABELS | sums)).numbers == expected
    lines = [{"completed": 1, "mean_e2e_latency_ms": 1.0}, {"completed": 996, "mean_e2e_latency_ms": 2098.07}]
    written = "".join(json.dumps(line | {"total_throughput": 2121.89}) + "\n" for line in lines)
    assert read_benchmark("", [written.encode()]).numbers == {
        "mean_e2el_ms": 2098.07, "total_token_throughput": 2121.89,
    }  # fmt: skip
    offline = {"completed": 10, "request_throughput": 2.5, "total_token_throughput": 100.0}
    assert read_benchmark(table(offline, head="Offline Throughput Benchmark Result")).numbers == {
        "request_throughput": 2.5, "total_token_throughput": 100.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("Throughput: 10.39 requests/s\n", {"requests_per_second": 10.39}),
        (
            "Throughput: 10.39 requests/s, 4566.62 tokens/s\n",
            {"requests_per_second": 10.39, "tokens_per_second": 4566.62},
        ),
        (
            THROUGHPUT,
            {"requests_per_second": 10.39, "tokens_per_second": 4566.62, "output_throughput": 2283.31},
        ),
        (LATENCY, {"avg_latency": 1.2345678901234567, "p10_latency_s": 1.2, "p99_latency_s": 1.5}),
        (
            f"------warm up------\ncost time 3.21\n------start generating------\n{BACKWARDS}\rcost time 1.98\n",
            {"elapsed_time": 1.98},
        ),
    ],
)
def test_offline_benchmarks(said, numbers):
    assert read_benchmark(said).numbers == numbers
    assert read_benchmark(said.replace("\n", "\r\n")).numbers == numbers


@pytest.mark.parametrize(
    ("result", "numbers"),
    [
        (
            {"elapsed_time": 3.1, "num_requests": 32, "requests_per_second": 10.39, "tokens_per_second": 4566.62},
            {"elapsed_time": 3.1, "requests_per_second": 10.39, "tokens_per_second": 4566.62},
        ),
        (
            {"avg_latency": 1.23, "latencies": [1.2, 1.26], "percentiles": {"50": 1.23, "99": 1.26}},
            {"avg_latency": 1.23, "p50_latency_s": 1.23, "p99_latency_s": 1.26},
        ),
    ],
)
def test_result_files_of_offline_benchmarks(result, numbers):
    assert read_benchmark("", [json.dumps(result).encode()]).numbers == numbers


def test_seconds_and_tokens_are_not_taken_for_others():
    with_tokens = read_benchmark("Throughput: 10.39 requests/s, 4566.62 tokens/s\n")
    assert "request_throughput" not in with_tokens.numbers and with_tokens.numbers["tokens_per_second"] == 4566.62
    assert read_benchmark("Throughput: 4566.62 tokens/s per GPU\nAvg latency: 12 ms\n") is None


@pytest.mark.parametrize("text", ["", "Killed\n", "cost time 3.21\n", '{"a": 1}', "Serving Benchmark Result"])
def test_what_is_of_no_known_form_is_none(text):
    assert read_benchmark(text) is None
    assert read_benchmark(text, [text.encode(), b"[1, 2]", b"\xff\xfe", b"{"]) is None


def test_a_server_that_died_while_the_client_exits_0():
    dead = dict.fromkeys(SERVED, 0.0) | {
        "completed": 0,
        "failed": 40,
        "total_input_tokens": 0,
        "total_output_tokens": 0,
    }
    for found in (read_benchmark(table(dead)), read_benchmark("", [json.dumps(dead).encode()])):
        assert (found.numbers, found.trouble) == ({}, "no request was completed")
    old = {name: value for name, value in SERVED.items() if name != "failed"}
    errors = {"completed": 38, "errors": ["", "Traceback\naiohttp.ServerDisconnectedError: gone\n", "x", *[""] * 37]}
    found = read_benchmark("", [json.dumps(old | errors).encode()])
    assert found.trouble == "2 of 40 requests failed: aiohttp.ServerDisconnectedError: gone"
    assert read_benchmark("", [json.dumps(old | {"num_prompts": 50}).encode()]).trouble == "10 of 50 requests failed"


def test_what_began_and_came_to_no_end_is_trouble():
    whole = table(SERVED)
    assert read_benchmark(whole[: whole.index("Mean TPOT")]).trouble == "its table of results breaks off"
    begun = "------warm up------\ncost time 3.21\n------start generating------\n"
    assert read_benchmark(begun).trouble == "it began to generate, and came to no end"


# --- captured of a real engine ---------------------------------------------------------------------

CAPTURED = Path(__file__).parent / "captured"
SERVING = {"request_throughput", "output_throughput", "mean_ttft_ms", "p99_itl_ms"}


@pytest.mark.parametrize(
    ("text", "file", "names", "completed"),
    [
        ("vllm-0.32.0-serve.txt", "vllm-0.32.0-serve.json", SERVING | {"mean_tpot_ms", "total_token_throughput"}, 20),
        ("vllm-0.5.4-serve.txt", "vllm-0.5.4-serve.json", SERVING | {"mean_tpot_ms", "input_throughput"}, 10),
        ("sglang-0.4.6-serve.txt", "sglang-0.4.6-serve.jsonl", SERVING | {"mean_e2el_ms", "input_throughput"}, 10),
        ("vllm-0.32.0-throughput.txt", "vllm-0.32.0-throughput.json", {"tokens_per_second"}, None),
        ("vllm-0.32.0-latency.txt", "vllm-0.32.0-latency.json", {"avg_latency", "p99_latency_s"}, None),
    ],
)  # fmt: skip
def test_a_captured_run_reads_alike_from_its_text_and_its_file(text, file, names, completed):
    told = read_benchmark((CAPTURED / text).read_text())
    written = read_benchmark("", [(CAPTURED / file).read_bytes()])
    assert names <= told.numbers.keys() & written.numbers.keys()
    assert (told.completed, written.completed, told.trouble) == (completed, completed, "")
    for name in told.numbers.keys() & written.numbers.keys():
        assert told.numbers[name] == pytest.approx(written.numbers[name], abs=0.0051), name


def test_a_captured_server_that_died_gives_no_number():
    dead = CAPTURED / "vllm-0.32.0-serve-dead.txt"
    for found in (read_benchmark(dead.read_text()), read_benchmark("", [dead.with_suffix(".json").read_bytes()])):
        assert (found.numbers, found.completed, found.failed) == ({}, 0, 20)
        assert found.trouble == "no request was completed"
    assert read_benchmark((CAPTURED / "vllm-0.32.0-latency-failed.txt").read_text()) is None


def test_a_captured_prefix_caching_run_is_its_second_pass():
    found = read_benchmark((CAPTURED / "vllm-0.32.0-prefix-caching.txt").read_text())
    assert found.numbers == {"elapsed_time": 0.05494952201843262}


positive = st.floats(0.01, 1e6).map(lambda value: round(value, 2))
speeds = st.fixed_dictionaries(dict.fromkeys(SPEEDS, positive))


@given(speeds=speeds, completed=st.integers(0, 100), failed=st.integers(0, 100), cut=st.floats(0, 1))
def test_no_failed_run_becomes_a_number(speeds, completed, failed, cut):
    numbers = {"completed": completed, "failed": failed} | speeds
    text, file = table(numbers), json.dumps(numbers).encode()
    for found in (read_benchmark(text), read_benchmark("", [file])):
        assert found.numbers == (speeds if completed and not failed else {})
        assert bool(found.trouble) == (not completed or bool(failed))
    broken = read_benchmark(text[: int(cut * len(text))])
    assert broken is None or broken.numbers in ({}, speeds)


odd = st.one_of(
    st.sampled_from([float("nan"), float("inf"), 10**400, -(10**400), 5e-324, True, None, "12", [1.0], {"50": "x"}]),
    st.floats(),
)


@given(st.dictionaries(st.sampled_from([*SERVED, "errors", "num_prompts", "percentiles", "avg_latency"]), odd))
def test_no_result_file_is_too_odd(fields):
    found = read_benchmark("", [json.dumps(fields).encode()])
    assert found is None or all(0 <= value < 1e309 for value in found.numbers.values())


@given(speeds=speeds, name=st.sampled_from(sorted(SPEEDS)), value=st.sampled_from([float("nan"), float("inf"), -1.0]))
def test_what_is_no_measurement_is_no_number(speeds, name, value):
    numbers = {"completed": 3, "failed": 0} | speeds | {name: value}
    for found in (read_benchmark(table(numbers)), read_benchmark("", [json.dumps(numbers).encode()])):
        assert found is None or not found.numbers
