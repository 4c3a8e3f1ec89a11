"""vLLM 660470e5 (#7193): the LRU evictor of block manager v2 keeps its blocks in the order of their last use and ends
its search at the first that was used later.

Workload: the steady state of prefix caching under memory pressure. Of 2000 freed blocks four times 20 are evicted,
and each time come back as the blocks of the sequence that was freed last.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from vllm.core.evictor_v2 import LRUEvictor

COMMIT = "660470e5"
BLOCKS, PER_SEQUENCE, ROUNDS = 2000, 20, 4


def setup():
    """Freed blocks in the order they were freed: a sequence's blocks share one timestamp."""
    rng = random.Random(20240807)
    return [(i, rng.getrandbits(61), 16 * (i % PER_SEQUENCE + 1), float(i // PER_SEQUENCE)) for i in range(BLOCKS)]


def experiment(data):
    evictor = LRUEvictor()
    for block_id, content_hash, tokens, accessed in data:
        evictor.add(block_id, content_hash, tokens, accessed)
    now, evicted = float(BLOCKS), []
    for _ in range(ROUNDS):
        now += 1.0
        taken = [evictor.evict() for _ in range(PER_SEQUENCE)]
        evicted.extend(taken)
        for place, (block_id, content_hash) in enumerate(taken):
            evictor.add(block_id, content_hash, 16 * (place + 1), now)
    return {"evicted": evicted, "left": evictor.num_blocks}


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
