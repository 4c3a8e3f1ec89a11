#!/usr/bin/env python3
"""
Performance test for commit da511db0e2ef8d2bbe844f85bbf668115d8b08b8
[Fix] Uncached allocator: tell callers before memory runs out

Sequences grow until memory is full. Before this commit that ends in an exception.
"""

import json
import os
import statistics
import time

from minivllm.config import CacheConfig
from minivllm.core.block_manager import BlockSpaceManager
from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup

COMMIT_HASH = os.getenv("COMMIT_HASH", "da511db0e2ef8d2bbe844f85bbf668115d8b08b8")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Nothing but the shape of the cache."""
    return CacheConfig(block_size=4, num_blocks=64, enable_prefix_caching=False)


def experiment(config):
    """Append tokens until there is no room; returns how many there are."""
    manager = BlockSpaceManager(config)
    seq = Sequence(0, [1, 2, 3], block_size=config.block_size)
    manager.allocate(SequenceGroup("0", [seq], SamplingParams(), arrival_time=0.0))
    append = getattr(manager, "try_append_slots", None) or manager.append_slots
    for token_id in range(1000):
        seq.append_token_id(token_id, 0.0)
        if append(seq) is False:
            break
    return seq.get_len()


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
