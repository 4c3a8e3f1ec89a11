"""The same plan in the style of pytest-benchmark."""

import random

from mill.shop import Shop


def test_plan(benchmark):
    chance = random.Random(8)
    jobs = [chance.uniform(1.0, 9.0) for _ in range(800)]
    planned = benchmark(Shop(240).run, jobs)
    assert len(planned["rows"]) == 800
