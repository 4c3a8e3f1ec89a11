#!/usr/bin/env python3
"""
Performance test for commit 0578ed6dbc211398529f3da79349eacfe31c7e52
[Perf] Scheduler: queues are deques in order of arrival

Many short requests wait in front of an engine that runs a few at a time.
"""

import json
import os
import statistics
import time

from minivllm.config import CacheConfig, SchedulerConfig
from minivllm.core.scheduler import Scheduler
from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT_HASH = os.getenv("COMMIT_HASH", "0578ed6dbc211398529f3da79349eacfe31c7e52")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Prompts in order of arrival."""
    prompts = [[(7 * i + j) % 97 for j in range(4 + i % 5)] for i in range(320)]
    return {"prompts": prompts, "params": SamplingParams(max_tokens=1)}


def experiment(data):
    """Serve every request for one step; returns who was served in which step."""
    scheduler = Scheduler(
        SchedulerConfig(max_num_seqs=4),
        CacheConfig(block_size=16, num_blocks=64, enable_prefix_caching=False),
    )
    for number, prompt in enumerate(data["prompts"]):
        seq = Sequence(number, prompt, block_size=16)
        scheduler.add_seq_group(SequenceGroup(str(number), [seq], data["params"], arrival_time=float(number)))
    served = []
    while scheduler.has_unfinished_seqs():
        outputs = scheduler.schedule()
        served.append([seq_group.request_id for seq_group in outputs.scheduled])
        for seq_group in outputs.scheduled:
            for seq in seq_group.get_seqs():
                seq.status = SequenceStatus.FINISHED_STOPPED
        scheduler.free_finished_seq_groups()
    return served


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
