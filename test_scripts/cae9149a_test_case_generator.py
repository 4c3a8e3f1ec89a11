#!/usr/bin/env python3
"""
Performance test for commit cae9149af281c25a7886ac98b5d906f2a40177f2
[Core] Host KV cache: allocate a block when it is written

A cache of two petabytes, of which little is used: the commit before allocates all of it and gets no memory.
"""

import argparse
import json
import os
import statistics
import time

from minivllm.config import CacheConfig
from minivllm.model_executor.kv_cache import HostKVCache

COMMIT_HASH = os.getenv("COMMIT_HASH", "cae9149af281c25a7886ac98b5d906f2a40177f2")
WARMUP = 2
ITERATIONS = 20


def setup():
    """The shape of the cache."""
    return CacheConfig(block_size=16, num_blocks=1 << 38)


def experiment(config):
    """Swap a few blocks out and in again."""
    cache = HostKVCache(config, num_layers=2, bytes_per_token=256)
    for block_number in range(64):
        cache.write(0, block_number, b"kv" * 1024)
    return sum(len(cache.read(0, block_number, 2048)) for block_number in range(64))


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
