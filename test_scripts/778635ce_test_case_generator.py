#!/usr/bin/env python3
"""
Performance test for commit 778635ceb9a6d7d71d3cfa04516a3ce67c84ba79
[Perf] Penalties: count all sequences in one bincount

Penalties for a batch of 24 sequences with up to 400 tokens each.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np

from minivllm.model_executor.penalties import apply_penalties

COMMIT_HASH = os.getenv("COMMIT_HASH", "778635ceb9a6d7d71d3cfa04516a3ce67c84ba79")
WARMUP = 2
ITERATIONS = 20
VOCAB_SIZE = 2048


def setup():
    """Logits, tokens so far, and a penalty of each kind for every sequence."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(24, VOCAB_SIZE)).astype(np.float32)
    tokens = [rng.integers(0, VOCAB_SIZE, size=int(rng.integers(100, 400))).tolist() for _ in range(24)]
    return {"logits": logits, "tokens": tokens, "presence": [0.5] * 24, "frequency": [0.25] * 24}


def experiment(data):
    """Returns the penalised logits."""
    return apply_penalties(data["logits"], data["tokens"], data["presence"], data["frequency"])


def store_result(result, filepath):
    """Save the array; the name need not end in .npy."""
    with open(filepath, "wb") as file:
        np.save(file, result)


def load_result(filepath):
    """Load what store_result() saved."""
    with open(filepath, "rb") as file:
        return np.load(file)


def check_equivalence(current_result, reference_result):
    """Close, in the precision of the logits."""
    np.testing.assert_allclose(current_result, reference_result, rtol=1e-5, atol=1e-5)


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
    filename = f"{prefix}_reference.npy"
    if reference:
        store_result(result, filename)
    if eqcheck:
        check_equivalence(result, load_result(filename))
    return statistics.mean(times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eqcheck", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--prefix", default="")
    args = parser.parse_args()
    average = run_test(args.eqcheck, args.reference, args.prefix)
    print(
        json.dumps(
            {
                "impl_tag": os.getenv("IMPL_TAG", "child"),
                "commit_hash": COMMIT_HASH,
                "device": "cpu",
                "iters": ITERATIONS,
                "warmup": WARMUP,
                "avg_ms": average,
                "eq_level": "exact",
                "opt_path_hit": True,
            }
        )
    )
