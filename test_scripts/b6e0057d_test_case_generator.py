#!/usr/bin/env python3
"""
Performance test for commit b6e0057dfe78e9e0f2bc6cc1ce31112dfe30592d
[Fix] Detokenizer: unknown tokens become replacement characters

Streams tokens of a padded vocabulary, which the commit before refuses.
"""

import json
import os
import statistics
import time

from minivllm.detokenizer import IncrementalDetokenizer
from minivllm.tokenizer import Tokenizer

COMMIT_HASH = os.getenv("COMMIT_HASH", "b6e0057dfe78e9e0f2bc6cc1ce31112dfe30592d")
WARMUP = 2
ITERATIONS = 20


def setup():
    """A tokenizer and tokens, every tenth of them above its vocabulary."""
    tokenizer = Tokenizer.train("some text to learn from", num_merges=8)
    return {"tokenizer": tokenizer, "token_ids": [i % 90 + 32 if i % 10 else 50_000 for i in range(100)]}


def experiment(data):
    """Returns the text."""
    detokenizer = IncrementalDetokenizer(data["tokenizer"])
    return "".join(detokenizer.append(token_id) for token_id in data["token_ids"])


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


# Note: command line parsing is appended by the harness.
