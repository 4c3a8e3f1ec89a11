"""vLLM e441bad6 (#5584): logical blocks take their lists of tokens from a pool; a finalizer brings them back. With
blocks of 16 tokens the finalizer costs more than the list: the human's side is slower here.

Workload: requests come and go: 64 sequences of 512 tokens are made with their logical blocks, and dropped.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm.sequence import Sequence

COMMIT = "e441bad6"
REQUESTS, PROMPT = 64, 512


def setup():
    rng = random.Random(20240617)
    return [[rng.randrange(32000) for _ in range(PROMPT)] for _ in range(REQUESTS)]


def experiment(data):
    sizes = []
    for i, prompt in enumerate(data):
        sequence = Sequence(i, {"prompt_token_ids": prompt, "prompt": ""}, 16)
        sizes.append([len(sequence.logical_token_blocks), sequence.logical_token_blocks[-1].get_token_ids()])
    return {"sizes": sizes}


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
