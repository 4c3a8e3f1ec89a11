#!/usr/bin/env python3
"""
Performance test for commit 65bbeec6a7c4c1a9a0396a9fedb77b1f01652e59
[Perf] Routes: Dijkstra instead of Bellman-Ford

A ring of 400 engines with shortcuts.
"""

import argparse
import json
import os
import random
import statistics
import time

from ministuck.routes import cheapest_paths

COMMIT_HASH = os.getenv("COMMIT_HASH", "65bbeec6a7c4c1a9a0396a9fedb77b1f01652e59")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Edges in random order."""
    rng = random.Random(0)
    edges = [(i, (i + 1) % 400, rng.randrange(1, 20)) for i in range(400)]
    edges += [(rng.randrange(400), rng.randrange(400), rng.randrange(40, 400)) for _ in range(400)]
    rng.shuffle(edges)
    return edges


def experiment(edges):
    """Returns the costs by engine."""
    costs = cheapest_paths(edges, 0)
    return [costs[engine] for engine in sorted(costs)]


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
