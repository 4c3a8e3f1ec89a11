#!/usr/bin/env python3
"""
Performance test for commit ad27453e1a00f7d9d1747ab4ebbfe98ccb10b9ef
[Perf] Tokenizer: remember words, compile the pattern once

Chat-like prompts: a long shared instruction, and words that come back.
"""

import argparse
import json
import os
import random
import statistics
import time

from minivllm.tokenizer import Tokenizer

COMMIT_HASH = os.getenv("COMMIT_HASH", "ad27453e1a00f7d9d1747ab4ebbfe98ccb10b9ef")
WARMUP = 1
ITERATIONS = 20
CORPUS = (
    "you are a helpful assistant and you answer every question in short and simple words "
    "the scheduler gives each request a slot in the batch and the cache keeps its blocks "
)


def setup():
    """Merges from a small corpus, and prompts made of its words."""
    rng = random.Random(0)
    words = sorted(set(CORPUS.split())) + ["batching", "caches", "latency", "throughput"]
    merges = Tokenizer.train(CORPUS, num_merges=60).merges
    prompts = [CORPUS + " ".join(rng.choice(words) for _ in range(60)) for _ in range(4)]
    return {"merges": merges, "prompts": prompts}


def experiment(data):
    """A new tokenizer encodes all prompts; returns their tokens."""
    tokenizer = Tokenizer(data["merges"])
    return [tokenizer.encode(prompt) for prompt in data["prompts"]]


def store_result(result, filepath):
    """Save the result as JSON."""
    with open(filepath, "w") as file:
        json.dump(result, file)


def load_result(filepath):
    """Load a result that store_result() saved."""
    with open(filepath) as file:
        return json.load(file)


def check_equivalence(current_result, reference_result):
    """Raise AssertionError unless both results are the same."""
    current = json.loads(json.dumps(current_result))
    assert current == reference_result, f"results differ: {str(current)[:200]} != {str(reference_result)[:200]}"


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
    filename = f"{prefix}_reference.json" if prefix else "reference.json"
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
