#!/usr/bin/env python3
"""
Performance test for commit 36b4963254067c69b8feb4a918f885813d176655
[Perf] Routes: count each node once

Milliseconds after this commit, hours before it: sixty layers, and the number of routes doubles with each.
"""

import json
import os
import statistics
import time

from ministuck.routes import count_routes

COMMIT_HASH = os.getenv("COMMIT_HASH", "36b4963254067c69b8feb4a918f885813d176655")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Two engines a layer, each connected to both of the next."""
    return {(layer, side): [(layer + 1, 0), (layer + 1, 1)] for layer in range(60) for side in (0, 1)}


def experiment(children):
    """Returns the number of routes."""
    return count_routes(children, (0, 0), (60, 0))


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
