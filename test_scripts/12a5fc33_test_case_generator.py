#!/usr/bin/env python3
"""
Performance test for commit 12a5fc3373c260cd1e502254e97033a1d225fcbb
[Perf] Radix cache: compare slices, walk with an offset

Offers run_test() and nothing else: it keeps its own clock.
"""

import json
import time

from minisglang.srt.managers.schedule_policy import Req, SchedulePolicy
from minisglang.srt.mem_cache.radix_cache import RadixCache

COMMIT_HASH = "12a5fc3373c260cd1e502254e97033a1d225fcbb"


def make_requests():
    """Forty requests that share a conversation of 1500 tokens to different depths."""
    conversation = [(i * 37) % 5003 for i in range(1500)]
    tree = RadixCache()
    tree.insert(conversation, list(range(1500)))
    requests = []
    for number in range(40):
        shared = conversation[: 300 + number * 29]
        requests.append(Req(f"req-{number}", shared + [6000 + number, 6001 + number]))
    return tree, requests


def run_test(eqcheck=False, reference=False, prefix=""):
    """Order the waiting queue by what is cached; returns average milliseconds."""
    times, order = [], []
    for _ in range(10):
        tree, requests = make_requests()
        policy = SchedulePolicy("lpm", tree)
        start = time.perf_counter()
        for _ in range(5):
            policy.calc_priority(requests)
        times.append((time.perf_counter() - start) * 1000)
        order = [[req.rid, len(req.prefix_indices)] for req in requests]
    filename = f"{prefix}_reference.json"
    if reference:
        with open(filename, "w") as file:
            json.dump(order, file)
    if eqcheck:
        with open(filename) as file:
            assert order == json.load(file), "the queue is in another order"
    return sum(times) / len(times)
