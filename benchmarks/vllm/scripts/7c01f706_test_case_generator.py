"""vLLM 7c01f706 (#5974): the status of a sequence is an IntEnum; whether it means finished is one comparison, no
longer a search in a list.

Workload: what the engine asks after each of four decode steps: which sequences of 256 groups are finished. One
group in 16 is.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm import SamplingParams
from vllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT = "7c01f706"
GROUPS, STEPS = 256, 4


def setup():
    rng = random.Random(20240629)
    groups = []
    for i in range(GROUPS):
        sequence = Sequence(i, {"prompt_token_ids": [rng.randrange(32000) for _ in range(64)], "prompt": ""}, 16)
        sequence.status = SequenceStatus.RUNNING
        if i % 16 == 0:
            sequence.status = SequenceStatus.FINISHED_STOPPED
        groups.append(
            SequenceGroup(request_id=str(i), seqs=[sequence], arrival_time=0.0, sampling_params=SamplingParams())
        )
    return groups


def experiment(data):
    finished = unfinished = running = 0
    for _ in range(STEPS):
        running = len([group for group in data if not group.is_finished()])
        for group in data:
            unfinished += len(group.get_unfinished_seqs())
            finished += len(group.get_finished_seqs())
    return {"finished": finished, "unfinished": unfinished, "running": running}


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
