#!/usr/bin/env python3
"""
Performance test for commit 98dd3da4c0fe556ee6ac1ff10e0cb08309763308
[Perf] Rotary embedding: compute the angles once

Decoding: few positions, a long context that the model could use.
"""

import statistics
import time

import torch

from minivllm.model_executor.rotary_embedding import RotaryEmbedding

COMMIT_HASH = "98dd3da4c0fe556ee6ac1ff10e0cb08309763308"


def setup():
    """A batch of 16 tokens, 8 heads of 64 channels."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rotary = RotaryEmbedding(head_size=64, max_position=4096).to(device)
    positions = torch.randint(0, 4096, (16,), device=device)
    query = torch.randn(8, 16, 64, device=device)
    return {"rotary": rotary, "positions": positions, "query": query}


def experiment(data):
    """Four layers rotate their queries."""
    with torch.no_grad():
        query = data["query"]
        for _ in range(4):
            query = data["rotary"](data["positions"], query)
        return query


def store_result(result, filepath):
    """Save the tensor."""
    torch.save(result.cpu(), filepath)


def load_result(filepath):
    """Load what store_result() saved."""
    return torch.load(filepath)


def check_equivalence(current_result, reference_result):
    """Close, in single precision."""
    torch.testing.assert_close(current_result.cpu(), reference_result.cpu(), rtol=1e-5, atol=1e-5)


def run_test(eqcheck=False, reference=False, prefix=""):
    """Run the experiment; returns average seconds."""
    data = setup()
    experiment(data)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        result = experiment(data)
        times.append(time.perf_counter() - start)
    if reference:
        store_result(result, f"{prefix}_reference.pt")
    if eqcheck:
        check_equivalence(result, load_result(f"{prefix}_reference.pt"))
    return statistics.mean(times)


# Note: command line parsing is appended by the harness.
