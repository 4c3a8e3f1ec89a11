"""vLLM 2f192835 (#3890): block manager v1 asks a sequence for its length and no longer builds the list of all its
tokens to count them.

Workload: five decode steps of 32 sequences of 2040 tokens with prefix caching: can_append_slots() and
append_slots() for each.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.core.block_manager_v1 import BlockSpaceManagerV1
from vllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT = "2f192835"
SEQUENCES, PROMPT, STEPS = 32, 2040, 5


def setup():
    rng = random.Random(20240406)
    manager = BlockSpaceManagerV1(
        block_size=16, num_gpu_blocks=8192, num_cpu_blocks=16, watermark=0.01, enable_caching=True
    )
    groups = []
    for i in range(SEQUENCES):
        sequence = Sequence(i, "", [rng.randrange(32000) for _ in range(PROMPT)], 16)
        group = SequenceGroup(str(i), [sequence], SamplingParams(), 0.0)
        manager.allocate(group)
        sequence.status = SequenceStatus.RUNNING
        groups.append(group)
    return manager, groups


def experiment(data):
    manager, groups = data
    copies, possible = 0, 0
    for _ in range(STEPS):
        for group in groups:
            possible += manager.can_append_slots(group)
            for sequence in group.get_seqs(status=SequenceStatus.RUNNING):
                copies += len(manager.append_slots(sequence))
    tables = [manager.get_block_table(group.get_seqs()[0]) for group in groups]
    return {"copies": copies, "possible": possible, "tables": tables}


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
