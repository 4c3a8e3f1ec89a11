"""vLLM 3476ed08 (#5602): block manager v2 takes block objects from a pool, keeps lists of block ids beside the blocks
and remembers which blocks of a sequence are computed.

Workload: the life of a batch of 8 requests with prefix caching and half a prompt in common: allocate, 20 decode
steps, free. The first call after setup() finds an empty cache, later calls a filled one, on every side.
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

COMMIT = "3476ed08"
GROUPS, PROMPT, STEPS = 8, 256, 20


def setup():
    rng = random.Random(20240701)
    system = [rng.randrange(32000) for _ in range(PROMPT // 2)]
    manager = BlockSpaceManagerV2(
        block_size=16, num_gpu_blocks=512, num_cpu_blocks=16, watermark=0.01, enable_caching=True
    )
    return manager, [[*system, *(rng.randrange(32000) for _ in range(PROMPT // 2))] for _ in range(GROUPS)]


def experiment(data):
    manager, prompts = data
    sequences = []
    for i, prompt in enumerate(prompts):
        sequence = Sequence(i, {"prompt_token_ids": prompt, "prompt": ""}, 16)
        group = SequenceGroup(request_id=str(i), seqs=[sequence], arrival_time=0.0, sampling_params=SamplingParams())
        manager.allocate(group)
        sequence.status = SequenceStatus.RUNNING
        sequences.append((group, sequence))
    for step in range(STEPS):
        for group, sequence in sequences:
            sequence.append_token_id(step, {step: Logprob(0.0)})
            assert manager.can_append_slots(group, 0)
            manager.append_slots(sequence, 0)
            manager.get_block_table(sequence)
            manager.access_all_blocks_in_seq(sequence, 1.0 + step)
            manager.get_common_computed_block_ids([sequence])
            manager.mark_blocks_as_computed(group)
    sizes = [len(manager.get_block_table(sequence)) for _, sequence in sequences]
    distinct = len({number for _, sequence in sequences for number in manager.get_block_table(sequence)})
    for _, sequence in sequences:
        manager.free(sequence)
    return {"sizes": sizes, "distinct": distinct, "free": manager.get_num_free_gpu_blocks()}


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
