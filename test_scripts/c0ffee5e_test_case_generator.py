#!/usr/bin/env python3
"""
Performance test for commit c0ffee5eba5eba11feedface0ddba115deadbeef
[Perf] Speculative decoding: reuse the draft's blocks

The commit lies on a branch that the clone does not have.
"""

import json
import os
import statistics
import time

from minivllm.core.block_manager import BlockSpaceManager
from minivllm.config import CacheConfig

COMMIT_HASH = os.getenv("COMMIT_HASH", "c0ffee5eba5eba11feedface0ddba115deadbeef")
WARMUP = 2
ITERATIONS = 20


def setup():
    """The shape of the cache."""
    return CacheConfig(num_blocks=2048)


def experiment(config):
    """Make a block manager."""
    return BlockSpaceManager(config).get_num_free_blocks()


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
