"""Plans 800 jobs on 240 machines; the check is strict."""

import json
import random

from mill.shop import Shop


def setup():
    chance = random.Random(2024)
    jobs = [chance.uniform(1.0, 9.0) for _ in range(800)]
    return Shop(240), jobs


def experiment(shop, jobs):
    return shop.run(jobs)


def store_result(result, path):
    with open(path, "w") as file:
        json.dump(result, file)


def load_result(path):
    with open(path) as file:
        return json.load(file)


def check_equivalence(current, reference):
    assert abs(current["end"] - reference["end"]) < 1e-6, "another end"
    assert len(current["rows"]) == len(reference["rows"]), "not all jobs are planned"
    for mine, right in zip(current["rows"], reference["rows"]):
        assert mine[:2] == right[:2] and abs(mine[2] - right[2]) < 1e-6, f"{mine}, not {right}"
