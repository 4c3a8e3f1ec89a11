#!/usr/bin/env python3
"""
Performance test for commit e7c134606eeb231e8718b104964de3c39d9f0ab5
[Feature] SamplingParams: min_p

Passes an argument that the commit before this one does not know.
"""

import argparse
import json
import os
import random
import statistics
import time

from minivllm.sampler import sample
from minivllm.sampling_params import SamplingParams

COMMIT_HASH = os.getenv("COMMIT_HASH", "e7c134606eeb231e8718b104964de3c39d9f0ab5")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Logits of a small batch."""
    rng = random.Random(0)
    return [[rng.gauss(0.0, 1.0) for _ in range(1000)] for _ in range(8)]


def experiment(rows):
    """Sample with min_p."""
    params = SamplingParams(temperature=0.7, min_p=0.05)
    return [sample(row, params, random.Random(0)).token_id for row in rows]


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
