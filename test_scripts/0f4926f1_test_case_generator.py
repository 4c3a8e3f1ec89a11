#!/usr/bin/env python3
"""
Performance test for commit 0f4926f1ae0f937ee64f7d29264dfb96a1f73fa8
[Device] Split launches that are too wide

Runs on the simulated device: the CUDA error that the commit before raises is simulated as well, no GPU is involved.
"""

import json
import os
import statistics
import time

from minivllm.model_executor.device import SimulatedDevice, copy_blocks

COMMIT_HASH = os.getenv("COMMIT_HASH", "0f4926f1ae0f937ee64f7d29264dfb96a1f73fa8")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Sizes of blocks in elements, some wider than a thread block."""
    return [256 * (1 + i % 12) for i in range(500)]


def experiment(sizes):
    """Copy all blocks; returns the number of launches."""
    device = SimulatedDevice()
    return sum(copy_blocks(device, size) for size in sizes)


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
