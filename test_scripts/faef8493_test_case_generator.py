#!/usr/bin/env python3
"""
Performance test for commit faef8493ea7cade0d561c32d065e729864aebfa5
[Core] Policies have names

The function to be measured was given its name by this very commit.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time

COMMIT_HASH = os.getenv("COMMIT_HASH", "faef8493ea7cade0d561c32d065e729864aebfa5")
MODULE = os.getenv("PROB_MODULE", "minivllm.core.policy")
SYMBOL = os.getenv("PROB_SYMBOL", "get_policy")
WARMUP = 2
ITERATIONS = 20


def resolve_target():
    """Find the function to be measured, or report why not."""
    try:
        return getattr(importlib.import_module(MODULE), SYMBOL)
    except (ImportError, AttributeError) as error:
        print(
            json.dumps(
                {
                    "target_resolved": False,
                    "error": str(error),
                    "attempted_module": MODULE,
                    "attempted_symbol": SYMBOL,
                }
            )
        )
        sys.exit(1)


def setup():
    """The function and the names to look up."""
    return {"target": resolve_target(), "names": ["fcfs"] * 2000}


def experiment(data):
    """Look policies up."""
    return [type(data["target"](name)).__name__ for name in data["names"]][-1]


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
