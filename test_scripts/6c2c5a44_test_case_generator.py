#!/usr/bin/env python3
"""
Performance test for commit 6c2c5a44a376edf03e283d7d3981f91ff5cdb44b
[Perf] Prefix caching: hash a block by its parent's hash

Long prompts that share a system prompt are given their blocks.
"""

import json
import os
import statistics
import time

from minivllm.config import CacheConfig
from minivllm.core.block_manager import BlockSpaceManager
from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup

COMMIT_HASH = os.getenv("COMMIT_HASH", "6c2c5a44a376edf03e283d7d3981f91ff5cdb44b")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Six prompts of 1280 tokens, the first 1024 of them shared."""
    shared = [(i * 31) % 1009 for i in range(1024)]
    return {"prompts": [shared + [(i * 17 + n) % 1009 for i in range(256)] for n in range(6)]}


def experiment(data):
    """Allocate all prompts; returns block tables and the number of cache hits."""
    manager = BlockSpaceManager(CacheConfig(block_size=16, num_blocks=512))
    tables = []
    for number, prompt in enumerate(data["prompts"]):
        seq = Sequence(number, prompt, block_size=16)
        manager.allocate(SequenceGroup(str(number), [seq], SamplingParams(), arrival_time=float(number)))
        tables.append(manager.get_block_table(seq))
    return {"tables": tables, "hits": manager.allocator.hits}


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
