"""vLLM 9ed82e70 (#6520): how many blocks an append touches is calculated; the tokens are no longer cut into blocks to
count them.

Workload: twelve decode steps of block manager v2 with a speculative look-ahead of 5: may each of 64 groups have its
slots?
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.core.block_manager_v2 import BlockSpaceManagerV2
from vllm.sequence import Logprob, Sequence, SequenceGroup, SequenceStatus

COMMIT = "9ed82e70"
GROUPS, PROMPT, LOOKAHEAD, STEPS = 64, 256, 5, 12


def setup():
    rng = random.Random(20240719)
    manager = BlockSpaceManagerV2(block_size=16, num_gpu_blocks=4096, num_cpu_blocks=16, watermark=0.01)
    groups = []
    for i in range(GROUPS):
        sequence = Sequence(
            i, {"prompt_token_ids": [rng.randrange(32000) for _ in range(PROMPT - i)], "prompt": ""}, 16
        )
        group = SequenceGroup(request_id=str(i), seqs=[sequence], arrival_time=0.0, sampling_params=SamplingParams())
        manager.allocate(group)
        sequence.status = SequenceStatus.RUNNING
        sequence.append_token_id(7, {7: Logprob(0.0)})
        groups.append(group)
    return manager, groups


def experiment(data):
    manager, groups = data
    touched = []
    for _ in range(STEPS):
        for group in groups:
            assert manager.can_append_slots(group, LOOKAHEAD)
        touched = [
            manager.block_tables[group.get_seqs()[0].seq_id].get_num_blocks_touched_by_append_slots([7], LOOKAHEAD)
            for group in groups
        ]
    return {"touched": touched, "free": manager.get_num_free_gpu_blocks()}


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
