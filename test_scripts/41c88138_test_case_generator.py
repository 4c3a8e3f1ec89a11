#!/usr/bin/env python3
"""
Performance test for commit 41c88138d54c090db270a3848131a9c1e9671f6f
[Fix] Tokenizer: an empty text has no tokens

Encodes conversations with empty turns, which the commit before refuses.
"""

import argparse
import json
import os
import statistics
import time

from minivllm.tokenizer import Tokenizer

COMMIT_HASH = os.getenv("COMMIT_HASH", "41c88138d54c090db270a3848131a9c1e9671f6f")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Turns of a conversation; the system turn is empty."""
    turns = ["", "what is a token", "a piece of a word", "", "thank you"] * 20
    return {"tokenizer": Tokenizer.train(" ".join(turns), num_merges=20), "turns": turns}


def experiment(data):
    """Returns the tokens of each turn."""
    return [data["tokenizer"].encode(turn) for turn in data["turns"]]


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
