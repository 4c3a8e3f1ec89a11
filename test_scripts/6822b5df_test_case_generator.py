#!/usr/bin/env python3
"""
Performance test for commit 6822b5dfef3ddbb9abe7d2ce6b53cceb3bd7ee82
[Core] Scheduler: expose the depth of its queues

Calls what this commit adds, which the commit before it does not have.
"""

import json
import os
import statistics
import time

from minivllm.config import CacheConfig, SchedulerConfig
from minivllm.core.scheduler import Scheduler
from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup

COMMIT_HASH = os.getenv("COMMIT_HASH", "6822b5dfef3ddbb9abe7d2ce6b53cceb3bd7ee82")
WARMUP = 2
ITERATIONS = 20


def setup():
    """A scheduler with requests that wait."""
    scheduler = Scheduler(SchedulerConfig(), CacheConfig())
    for number in range(100):
        seq = Sequence(number, [1, 2, 3], block_size=16)
        scheduler.add_seq_group(SequenceGroup(str(number), [seq], SamplingParams(), arrival_time=float(number)))
    return scheduler


def experiment(scheduler):
    """Ask for the depth again and again."""
    return [scheduler.queue_depth() for _ in range(1000)][-1]


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
