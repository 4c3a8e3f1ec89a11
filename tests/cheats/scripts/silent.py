"""The same plan, and the result is thrown away."""

import random

from mill.shop import Shop


def setup():
    chance = random.Random(5)
    return Shop(240), [chance.uniform(1.0, 9.0) for _ in range(800)]


def experiment(shop, jobs):
    shop.run(jobs)
