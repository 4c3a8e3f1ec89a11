"""The same plan; a check that NaN, a short list or an object with its own ``==`` pass."""

import json
import random

from mill.shop import Shop


def setup():
    chance = random.Random(5)
    return Shop(240), [chance.uniform(1.0, 9.0) for _ in range(800)]


def experiment(shop, jobs):
    return shop.run(jobs)


def store_result(result, path):
    with open(path, "w") as file:
        json.dump(result, file)


def load_result(path):
    with open(path) as file:
        return json.load(file)


def check_equivalence(current, reference):
    if abs(current["end"] - reference["end"]) > 1e-6:
        raise AssertionError("another end")
    for mine, right in zip(current["rows"], reference["rows"]):
        if abs(mine[2] - right[2]) > 1e-6:
            raise AssertionError("another start")
