#!/usr/bin/env python3
"""
Performance test for commit 0f1c031dd07d84ba9c55e391d2fb67344aa77105
[Perf] Constrained decoding: remember what a state allows

Decodes answers of the form [1, 23, 456] over a vocabulary of 3000 tokens. The target is imported where it is used.
"""

import argparse
import json
import os
import random
import statistics
import time

COMMIT_HASH = os.getenv("COMMIT_HASH", "0f1c031dd07d84ba9c55e391d2fb67344aa77105")
WARMUP = 2
ITERATIONS = 20


def setup():
    """Single characters, pieces of numbers, and words that are never allowed."""
    rng = random.Random(0)
    vocab = [chr(32 + i) for i in range(95)]
    vocab += [str(rng.randrange(1000)) + rng.choice(["", ",", ", ", "]"]) for _ in range(900)]
    vocab += ["".join(rng.choice("abcdefgh ") for _ in range(5)) for _ in range(2000)]
    return {"vocab": vocab, "steps": 24}


def experiment(data):
    """Decode greedily by a fixed rule; returns the text and the sizes of the masks."""
    from minisglang.srt.constrained.regex_fsm import CharFSM, TokenFSM

    fsm = TokenFSM(CharFSM.integer_list(), data["vocab"])
    state, text, sizes = fsm.fsm.start, "", []
    for step in range(data["steps"]):
        allowed = fsm.allowed_token_ids(state)
        sizes.append(len(allowed))
        if not allowed:
            break
        token_id = allowed[step * 7 % len(allowed)]
        if fsm.next_state(state, token_id) == 4:
            token_id = allowed[0]
        text += data["vocab"][token_id]
        state = fsm.next_state(state, token_id)
    return {"text": text, "sizes": sizes}


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
