#!/usr/bin/env python3
"""
Performance test for commit 801f7504a4f20ec3e7a018ff8723f5965194829f
[Perf] Detokenizer: decode the last few tokens only

An answer of 400 tokens streams out, characters of several bytes among them.
"""

import importlib
import json
import os
import statistics
import sys
import time

COMMIT_HASH = os.getenv("COMMIT_HASH", "801f7504a4f20ec3e7a018ff8723f5965194829f")
WARMUP = 2
ITERATIONS = 20
TEXT = "the answer streams out one token at a time, na\u00efve caf\u00e9 \u20ac 42 and so on \U0001f600 "


MODULE = os.getenv("PROB_MODULE", "minivllm.detokenizer")
SYMBOL = os.getenv("PROB_SYMBOL", "IncrementalDetokenizer")


def resolve_target():
    """Find the class to be measured, or report why not."""
    try:
        return getattr(importlib.import_module(MODULE), SYMBOL)
    except (ImportError, AttributeError) as error:
        print(
            json.dumps(
                {
                    "target_resolved": False,
                    "error": str(error),
                    "attempted_module": MODULE,
                    "attempted_symbol": SYMBOL,
                }
            )
        )
        sys.exit(1)


def setup():
    """Tokens of the answer; half of it is bytes that no merge covers."""
    from minivllm.tokenizer import Tokenizer

    target = resolve_target()
    tokenizer = Tokenizer.train("the answer streams out one token at a time and so on", num_merges=24)
    token_ids = tokenizer.encode(TEXT * 12)
    return {"target": target, "tokenizer": tokenizer, "token_ids": token_ids[:400]}


def experiment(data):
    """Stream the tokens; returns the pieces of text as they come."""
    detokenizer = data["target"](data["tokenizer"])
    return [detokenizer.append(token_id) for token_id in data["token_ids"]]


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
