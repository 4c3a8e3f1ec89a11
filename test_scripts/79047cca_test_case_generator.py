#!/usr/bin/env python3
"""
Performance test for commit 79047cca57de35b1356685a2bf938ca0893fcd49
[Native] Radix match: vectorise by hand

Goes through the Python interface; the native part must have been built to make a difference.
"""

import json
import os
import statistics
import time

from minisglang.srt.mem_cache.radix_cache import RadixCache

COMMIT_HASH = os.getenv("COMMIT_HASH", "79047cca57de35b1356685a2bf938ca0893fcd49")
WARMUP = 2
ITERATIONS = 20


def setup():
    """A long conversation and its continuations."""
    conversation = [(i * 37) % 5003 for i in range(4000)]
    return [conversation[: 1000 + 300 * i] + [9000 + i] for i in range(10)]


def experiment(keys):
    """Insert, then match; returns the lengths."""
    tree = RadixCache()
    for key in keys:
        tree.insert(key, key)
    return [len(tree.match_prefix(key)[0]) for key in keys]


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


# Note: command line parsing is appended by the harness.
