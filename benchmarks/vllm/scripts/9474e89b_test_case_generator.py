"""vLLM 9474e89b (#3357): without prefix caching the block manager has an allocator of its own, a list of free blocks,
and does without evictor and hashes.

Workload: the life of a batch of 64 requests of 512 tokens without prefix caching: allocate, four decode steps,
free.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.core.block_manager import BlockSpaceManager
from vllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT = "9474e89b"
GROUPS, PROMPT, STEPS = 64, 512, 4


def setup():
    rng = random.Random(20240320)
    manager = BlockSpaceManager(block_size=16, num_gpu_blocks=4096, num_cpu_blocks=16)
    groups = []
    for i in range(GROUPS):
        sequence = Sequence(i, "", [rng.randrange(32000) for _ in range(PROMPT)], 16)
        groups.append(SequenceGroup(str(i), [sequence], SamplingParams(), 0.0))
    return manager, groups


def experiment(data):
    manager, groups = data
    for group in groups:
        group.get_seqs()[0].status = SequenceStatus.WAITING
        manager.allocate(group)
        group.get_seqs()[0].status = SequenceStatus.RUNNING
    for _ in range(STEPS):
        for group in groups:
            assert manager.can_append_slot(group)
            manager.append_slot(group.get_seqs()[0])
    tables = [manager.get_block_table(group.get_seqs()[0]) for group in groups]
    for group in groups:
        manager.free(group.get_seqs()[0])
    return {
        "sizes": [len(table) for table in tables],
        "distinct": len({number for table in tables for number in table}),
        "free": manager.get_num_free_gpu_blocks(),
    }


def store_result(result, path):
    Path(path).write_text(json.dumps(result), encoding="utf-8")


def load_result(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def check_equivalence(current, reference):
    current = json.loads(json.dumps(current))
    assert current == reference, f"results differ: {str(current)[:200]} != {str(reference)[:200]}"


def run_test(eqcheck=False, reference=False, prefix=""):
    """Average seconds of one experiment; keeps or checks the reference."""
    data = setup()
    for _ in range(3):
        result = experiment(data)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        result = experiment(data)
        times.append(time.perf_counter() - begin)
    path = f"{prefix}_{os.environ.get('IMPL_TAG', 'impl')}_{os.environ.get('COMMIT_HASH', COMMIT)}_reference.json"
    if reference:
        store_result(result, path)
    if eqcheck:
        check_equivalence(result, load_result(path))
    return sum(times) / len(times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eqcheck", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--prefix", default="")
    options = parser.parse_args()
    average = run_test(options.eqcheck, options.reference, options.prefix)
    print(
        json.dumps(
            {
                "impl_tag": os.environ.get("IMPL_TAG", "impl"),
                "commit_hash": COMMIT,
                "device": "cpu",
                "iters": 20,
                "warmup": 3,
                "avg_ms": average * 1e3,
                "target_resolved": True,
            }
        )
    )
