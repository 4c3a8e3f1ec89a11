"""The same plan by a function that measures itself and returns seconds."""

import random
import timeit

from mill.shop import Shop


def run_test(eqcheck=False, reference=False, prefix=""):
    chance = random.Random(34)
    jobs = [chance.uniform(1.0, 9.0) for _ in range(800)]
    shop = Shop(240)
    return timeit.timeit(lambda: shop.run(jobs), number=15) / 15
