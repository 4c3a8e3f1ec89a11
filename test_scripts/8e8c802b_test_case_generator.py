#!/usr/bin/env python3
"""
Performance test for commit 8e8c802b558efc16ee5408f92a14792763b4072d
[Perf] Evictor: a heap instead of a scan over all free blocks

A full cache: every new block evicts one, while others are touched and taken back.
"""

import argparse
import json
import os
import random
import statistics
import time

from minivllm.core.block import PhysicalTokenBlock
from minivllm.core.evictor import LRUEvictor

COMMIT_HASH = os.getenv("COMMIT_HASH", "8e8c802b558efc16ee5408f92a14792763b4072d")
WARMUP = 2
ITERATIONS = 20
NUM_BLOCKS = 500


def setup():
    """A trace of cache operations: (operation, block, time)."""
    rng = random.Random(0)
    blocks = [(number, rng.randrange(1, 64) * 16, float(rng.randrange(200))) for number in range(NUM_BLOCKS)]
    touched = [(rng.randrange(NUM_BLOCKS), 200.0 + step) for step in range(NUM_BLOCKS // 2)]
    reused = sorted(rng.sample(range(NUM_BLOCKS), NUM_BLOCKS // 10))
    return {"blocks": blocks, "touched": touched, "reused": reused}


def experiment(data):
    """Play the trace; returns the order in which blocks leave."""
    evictor = LRUEvictor()
    for number, depth, age in data["blocks"]:
        block = PhysicalTokenBlock(number, 16, block_hash=1000 + number, num_hashed_tokens=depth)
        block.last_accessed = age
        evictor.add(block)
    for number, now in data["touched"]:
        evictor.update(1000 + number, now)
    for number in data["reused"]:
        evictor.remove(1000 + number)
    return [evictor.evict().block_number for _ in range(evictor.num_blocks)]


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
