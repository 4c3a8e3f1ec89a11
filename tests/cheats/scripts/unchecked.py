"""The same plan, and no check at all."""

import random

from mill.shop import Shop


def setup():
    random.seed(11)
    return Shop(240), [random.uniform(1.0, 9.0) for _ in range(800)]


def experiment(shop, jobs):
    return shop.run(jobs)
