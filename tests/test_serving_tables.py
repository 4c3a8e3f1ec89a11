"""Three-way results in reports: two earlier reports' numbers from trees like theirs."""

from __future__ import annotations

import json
from hashlib import sha1

import pytest
from recordings import put
from test_report import perfagents, tables

from pytest_perfagents.metrics import metric_named

REQUESTS, TOKENS = "request throughput (req/s)", "output token throughput (tok/s)"
SAMPLES = {
    "codex_gpt5": """
9badee53 Llama-3.2-1B-Instruct 151.31 9683.57
58eee5f2 Llama-3.1-8B-Instruct 55.38 3544.06
8a4e5c5f Llama-3.1-8B-Instruct 54.98 3518.76
30172b49 Llama-3.1-8B-Instruct 53.17 3402.63
6d646d08 Meta-Llama-3-8B 41.35 2646.48
""",
    "trae_gpt5": """
61b8cea3 Llama-3.2-3B-Instruct 76.27 4881.50
25ebed2f Llama-3.1-8B-Instruct 54.22 3470.05
6e36f4fa Llama-3.1-8B-Instruct 40.50 2592.00
660470e5 Llama-3.1-8B-Instruct 37.94 2428.36
296f927f Bamba-9B 17.93 1147.31
""",
    "trae_sonnet45": """
89a84b0b Qwen1.5-0.5B 65.72 4205.76
99abb8b6 Llama-3.1-8B-Instruct 53.65 3433.70
93e5f3c5 Llama-3.1-8B-Instruct 51.35 3286.28
660470e5 Llama-3.1-8B-Instruct 37.90 2425.75
bfdb1ba5 Llama-2-7b-chat-hf 36.02 2305.03
""",
}
"""Seed 003: commit, served model, requests and output tokens per second."""
COUNTS = {"codex_gpt5": (12, 66, 14, 1), "trae_gpt5": (22, 61, 10, 0), "trae_sonnet45": (13, 71, 9, 0)}
"""Its successes, runs without metrics, crashes and timeouts, of 93 commits each."""
FAILURES = (
    {"status": "error", "error": "No metrics in agent output"},
    {"status": "error", "error": "Server crashed after applying patch"},
    {"status": "timeout", "error": "Benchmark timed out after 900s"},
)
JANUARY = """
19d98e0c deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct 1403.91
58eee5f2 meta-llama/Meta-Llama-3-8B-Instruct 2402.97
b690e348 meta-llama/Meta-Llama-3-8B-Instruct 2413.73
bc7c4d20 meta-llama/Meta-Llama-3-8B-Instruct 1857.29
d7740ea4 meta-llama/Meta-Llama-3-8B-Instruct 8088.76
"""
"""Seed 002, of GPT-5; a sixth commit failed."""


def served(**fields):
    facts = {"status": "success", "error": None, "duration_s": 120.0, "metrics": {}, "raw_output": "vllm", **fields}
    return {**facts, "timestamp": "2026-01-13 12:00:00"}


def result(folder, commit, **fields):
    name = commit.ljust(8, "0")[:8]
    return put(folder / f"{name}_agent_result.json", served(human_commit=name, **fields))


def rows_of(text):
    return [line.split() for line in text.strip().splitlines()]


def of_january(root):
    """279 results of three agents, as counted in seed 003; commits that it does not name have names of their own."""
    for agent, (successes, *failures) in COUNTS.items():
        folder = root / f"iso_bench_results_3way_{agent}" / "results"
        samples = rows_of(SAMPLES[agent])
        for commit, model, requests, tokens in samples:
            metrics = {"request_throughput_req_s": float(requests), "output_token_throughput_tok_s": float(tokens)}
            result(folder, commit, model=model, metrics=metrics)
        more = [{"metrics": {"request_throughput_req_s": 1.0}}] * (successes - len(samples))
        more += [failure for count, failure in zip(failures, FAILURES, strict=True) for _ in range(count)]
        for number, fields in enumerate(more):
            result(folder, sha1(f"{agent}{number}".encode()).hexdigest(), **fields)
    return root


def printed(root, tmp_path, *args):
    done = perfagents("import", root, "--perf-json", tmp_path / "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = perfagents("report", tmp_path / "out.json", "--format", "markdown", "--rows", "0", *args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    return tables(done.stdout)


@pytest.fixture(scope="module")
def january(tmp_path_factory):
    folder = tmp_path_factory.mktemp("january")
    return printed(of_january(folder / "results"), folder, "--by", "agent,model,category")


def numbers(found):
    rows = found["Serving and offline benchmarks"]["Baseline, human and agent"]
    return {(row["commit"], row["agent"], row["model"], row["metric"]): row for row in rows}


def test_the_samples_of_an_earlier_report_are_printed_with_their_numbers(january):
    rows = numbers(january)
    for agent, text in SAMPLES.items():
        names = tuple(agent.split("_"))
        for commit, model, requests, tokens in rows_of(text):
            row = rows[commit, *names, REQUESTS]
            assert (row["served model"], row["agent's"]) == (model, requests)
            assert rows[commit, *names, TOKENS]["agent's"] == tokens
            assert row.get("baseline", "-") == "-", "that report has no baseline's numbers"


def test_the_outcomes_of_an_earlier_report_are_counted_by_agent(january):
    rows = {
        (row["agent"], row["model"]): row for row in january["Serving and offline benchmarks"]["Benchmarks by agent"]
    }
    names = ("benchmarks", "with numbers", "share", "timed out", "without numbers")
    assert {agent: tuple(row[name] for name in names) for agent, row in rows.items()} == {
        ("codex", "gpt5"): ("93", "12", "12.9 %", "1", "80"),
        ("trae", "gpt5"): ("93", "22", "23.7 %", "0", "71"),
        ("trae", "sonnet45"): ("93", "13", "14.0 %", "0", "80"),
        ("total", "-"): ("279", "47", "16.8 %", "1", "231"),
    }
    groups = january["Groups"]["By agent, model, category"]
    crashed = {(row["agent"], row["model"]): row["runs"] for row in groups if row["category"] == "SERVER_CRASHED"}
    assert crashed == {("codex", "gpt5"): "14", ("trae", "gpt5"): "10", ("trae", "sonnet45"): "9"}


def test_a_report_of_one_day_is_printed_with_its_throughputs(tmp_path):
    folder = tmp_path / "iso_bench_results_3way_trae_gpt5_0123" / "results"
    for commit, model, tokens in rows_of(JANUARY):
        result(folder, commit, model=model, metrics={"output_token_throughput_tok_s": float(tokens)})
    result(folder, "a3223766", model="facebook/opt-125m", **FAILURES[1])
    found = printed(tmp_path / "iso_bench_results_3way_trae_gpt5_0123", tmp_path)
    told = [(row["commit"], row["served model"], row["agent's"]) for row in numbers(found).values()]
    assert told == [tuple(row) for row in rows_of(JANUARY)]
    (row,) = found["Serving and offline benchmarks"]["Benchmarks by agent"]
    assert (row["benchmarks"], row["with numbers"], row["share"]) == ("6", "5", "83.3 %")


def test_three_sides_are_compared_throughputs_and_times_alike(tmp_path):
    folder = tmp_path / "iso_bench_results_3way_codex_gpt5" / "results"
    agent = {"output_token_throughput_tok_s": 1200.0, "ttft_mean_ms": 9.0, "completed": 100}
    result(folder, "2b2b2b2b", model="m", metrics=agent)
    baseline = {"output_throughput": 1000.0, "mean_ttft_ms": 18.0, "std_ttft_ms": 2.0}
    put(folder / "2b2b2b2b_baseline_result.json", served(metrics=baseline))
    put(folder / "2b2b2b2b_human_result.json", served(metrics={"output_token_throughput_tok_s": 1500.0}))
    found = printed(tmp_path / "iso_bench_results_3way_codex_gpt5", tmp_path)
    names = ("baseline", "human", "agent's", "against baseline", "against human")
    told = [(row["metric"], *(row[name] for name in names)) for row in numbers(found).values()]
    assert told == [
        (TOKENS, "1000.00", "1500.00", "1200.00", "1.200x", "0.800x"),
        ("mean TTFT (ms)", "18.00", "-", "9.00", "2.000x", "-"),
    ]


def test_numbers_without_a_baseline_come_after_the_failures(tmp_path):
    folder = tmp_path / "iso_bench_results_3way_codex_gpt5" / "results"
    result(folder, "2b2b2b2b", metrics={"request_throughput": 12.0}, baseline_metrics={"request_throughput": 10.0})
    result(folder, "3c3c3c3c", metrics={"request_throughput": 13.0})
    found = printed(folder, tmp_path)
    titles = [title.split(" (")[0] for title in found]
    failed = titles.index("Serving benchmark failed")
    assert titles.index("Serving and offline benchmarks") < failed
    assert titles.index("Serving and offline benchmarks without a baseline") > failed
    (row,) = found["Serving and offline benchmarks without a baseline"]["Baseline, human and agent"]
    assert (row["commit"], row["agent's"]) == ("3c3c3c3c", "13.00")
    assert [commit for commit, *_ in numbers(found)] == ["2b2b2b2b"]


def test_zeros_are_no_numbers_and_others_are_named(tmp_path):
    folder = tmp_path / "iso_bench_results_3way_codex_gpt5" / "results"
    zeros = {"completed": 0, "failed": 40, "request_throughput": 0.0, "mean_ttft_ms": 0.0}
    result(folder, "2b2b2b2b", metrics=zeros, baseline_metrics={"request_throughput": 10.0})
    found = printed(folder, tmp_path)
    (row,) = found["Serving and offline benchmarks"]["Benchmarks by agent"]
    assert (row["with numbers"], row["without numbers"]) == ("0", "1")
    rows = numbers(found).values()
    assert {row.get("against baseline", "-") for row in rows} == {"-"}
    text = perfagents("report", tmp_path / "out.json", cwd=tmp_path).stdout
    assert "Also recorded, and not compared: completed, failed." in text


def test_json_has_the_numbers_and_other_reports_no_such_section(tmp_path):
    folder = tmp_path / "iso_bench_results_3way_codex_gpt5" / "results"
    result(folder, "2b2b2b2b", metrics={"request_throughput": 12.0}, baseline_metrics={"request_throughput": 10.0})
    printed(folder, tmp_path)
    report = json.loads(perfagents("report", tmp_path / "out.json", "--format", "json", cwd=tmp_path).stdout)
    (section,) = [part for part in report["sections"] if part["title"] == "Serving and offline benchmarks"]
    (row,) = section["tables"][1]["rows"]
    assert row[-5:] == [10.0, None, 12.0, 1.2, None]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("request_throughput", REQUESTS),
        ("request_throughput_req_s", REQUESTS),
        ("throughput_req_s", REQUESTS),
        ("requests_per_second", REQUESTS),
        ("output_throughput", TOKENS),
        ("output_token_throughput_tok_s", TOKENS),
        ("total_token_throughput", "total token throughput (tok/s)"),
        ("throughput_tok_s", "throughput (tok/s)"),
        ("mean_ttft_ms", "mean TTFT (ms)"),
        ("ttft_mean", "mean TTFT (ms)"),
        ("p99_itl_ms", "p99 ITL (ms)"),
        ("tpot_median_ms", "median TPOT (ms)"),
        ("avg_latency", "mean latency (s)"),
        ("latency_avg", "mean latency"),
    ],
)
def test_metrics_go_by_one_name_in_every_spelling(name, title):
    assert metric_named(name).title == title


@pytest.mark.parametrize("name", ["completed", "duration", "std_ttft_ms", "total_input_tokens", "request_rate", "ttft"])
def test_other_numbers_are_no_metrics(name):
    assert metric_named(name) is None
