"""vLLM 6ce01f30 (#7051): a sequence group keeps its sequences in a list as well and hands that out, instead of a new
list of a dict's values.

Workload: what scheduler and engine ask of 256 groups of one sequence, the default, in four decode steps.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT = "6ce01f30"
GROUPS, STEPS = 256, 4


def setup():
    rng = random.Random(20240801)
    groups = []
    for i in range(GROUPS):
        sequence = Sequence(i, {"prompt_token_ids": [rng.randrange(32000) for _ in range(64)], "prompt": ""}, 16)
        sequence.status = SequenceStatus.RUNNING
        groups.append(
            SequenceGroup(request_id=str(i), seqs=[sequence], arrival_time=0.0, sampling_params=SamplingParams())
        )
    return groups


def experiment(data):
    tokens = sequences = prefills = finished = 0
    for _ in range(STEPS):
        for group in data:
            prefills += group.is_prefill()
            tokens += group.get_num_uncomputed_tokens()
            sequences += len(group.get_seqs()) + group.num_seqs() + len(group.get_seqs(status=SequenceStatus.RUNNING))
            finished += group.is_finished() + len(group.get_unfinished_seqs())
    return {"tokens": tokens, "sequences": sequences, "prefills": prefills, "finished": finished}


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
