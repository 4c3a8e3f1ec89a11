"""vLLM ad8d696a (#4270): the scheduler no longer formats a whole sequence group for a debug message in every step.

Workload: two steps of Scheduler.schedule() in the decode phase, with 128 running requests whose prompts have 100
tokens.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.config import CacheConfig, SchedulerConfig
from vllm.core.scheduler import Scheduler
from vllm.sequence import Logprob, Sequence, SequenceGroup

COMMIT = "ad8d696a"
GROUPS, PROMPT, STEPS = 128, 100, 2


def setup():
    rng = random.Random(20240423)
    cache = CacheConfig(16, 0.9, 1, "auto")
    cache.num_gpu_blocks, cache.num_cpu_blocks = 4096, 64
    scheduler = Scheduler(SchedulerConfig(GROUPS * PROMPT, GROUPS, 2048), cache, None)
    for i in range(GROUPS):
        sequence = Sequence(i, "", [rng.randrange(32000) for _ in range(PROMPT)], 16)
        scheduler.add_seq_group(SequenceGroup(str(i), [sequence], SamplingParams(temperature=0.8, max_tokens=256), 0.0))
    metadata, _ = scheduler.schedule()
    assert len(metadata) == GROUPS
    for group in scheduler.running:
        group.update_num_computed_tokens(PROMPT)
        group.get_seqs()[0].append_token_id(7, {7: Logprob(0.0)})
    return scheduler


def experiment(data):
    for _ in range(STEPS):
        metadata, outputs = data.schedule()
    return {
        "groups": [[m.request_id, m.is_prompt, {str(k): v for k, v in m.block_tables.items()}] for m in metadata],
        "tokens": outputs.num_batched_tokens,
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
