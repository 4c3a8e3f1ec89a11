#!/usr/bin/env python3
"""
Performance test for commit 171eb740d8804ee3ee49b37cbc070f17bafa9c82
[Feature] io_struct: priorities

Imports a package that is installed nowhere, at its top, unguarded.
"""

import json
import os
import statistics
import time

import not_installed_uuid

from minisglang.srt.managers.io_struct import GenerateReqInput

COMMIT_HASH = os.getenv("COMMIT_HASH", "171eb740d8804ee3ee49b37cbc070f17bafa9c82")
WARMUP = 2
ITERATIONS = 20


def setup():
    """A batch with ids."""
    return GenerateReqInput(text=["a"] * 100, rid=[not_installed_uuid.uuid4() for _ in range(100)])


def experiment(request):
    """Returns the ids."""
    return [one.rid for one in request.normalize()]


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
