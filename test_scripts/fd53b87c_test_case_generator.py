#!/usr/bin/env python3
"""
Performance test for commit fd53b87c8ff71da1447a2a4a0eb9d2b602355dfa
[Perf] Sampler: count for the rank, select for the top

Greedy and top-k requests that want the log probabilities of their tokens.
"""

import argparse
import json
import os
import random
import statistics
import time

from minivllm.sampler import sample
from minivllm.sampling_params import SamplingParams

COMMIT_HASH = os.getenv("COMMIT_HASH", "fd53b87c8ff71da1447a2a4a0eb9d2b602355dfa")
WARMUP = 2
ITERATIONS = 20
VOCAB_SIZE = 2000


def setup():
    """Logits of a batch of six, and how each row is sampled."""
    rng = random.Random(0)
    rows = [[rng.gauss(0.0, 2.0) for _ in range(VOCAB_SIZE)] for _ in range(6)]
    greedy = SamplingParams(temperature=0.0, logprobs=5)
    top_k = SamplingParams(temperature=0.8, top_k=20, logprobs=5)
    return {"rows": rows, "params": [greedy, top_k] * 3}


def experiment(data):
    """Sample the batch; returns tokens, ranks and log probabilities."""
    results = []
    for number, (row, params) in enumerate(zip(data["rows"], data["params"])):
        output = sample(row, params, random.Random(number))
        top = {str(token_id): round(logprob, 9) for token_id, logprob in output.top_logprobs.items()}
        results.append([output.token_id, output.rank, round(output.logprob, 9), top])
    return results


def store_result(result, filepath):
    """Save the result as JSON."""
    with open(filepath, "w") as file:
        json.dump(result, file)


def load_result(filepath):
    """Load a result that store_result() saved."""
    with open(filepath) as file:
        return json.load(file)


def check_equivalence(current_result, reference_result):
    """Raise AssertionError unless both results are the same."""
    current = json.loads(json.dumps(current_result))
    assert current == reference_result, f"results differ: {str(current)[:200]} != {str(reference_result)[:200]}"


def run_test(eqcheck=False, reference=False, prefix=""):
    """Run the experiment; returns average milliseconds."""
    data = setup()
    for _ in range(WARMUP):
        result = experiment(data)
    times = []
    for _ in range(ITERATIONS):
        start = time.perf_counter()
        result = experiment(data)
        times.append((time.perf_counter() - start) * 1000)
    filename = f"{prefix}_reference.json" if prefix else "reference.json"
    if reference:
        store_result(result, filename)
    if eqcheck:
        check_equivalence(result, load_result(filename))
    return statistics.mean(times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eqcheck", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--prefix", default="")
    args = parser.parse_args()
    average = run_test(args.eqcheck, args.reference, args.prefix)
    print(
        json.dumps(
            {
                "impl_tag": os.getenv("IMPL_TAG", "child"),
                "commit_hash": COMMIT_HASH,
                "device": "cpu",
                "iters": ITERATIONS,
                "warmup": WARMUP,
                "avg_ms": average,
                "eq_level": "exact",
                "opt_path_hit": True,
            }
        )
    )
