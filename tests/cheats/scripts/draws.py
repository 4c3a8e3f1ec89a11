"""Draws 400 lots of 300; only how often each was drawn is checked."""

import json
import random
from collections import Counter

from mill.draw import draw


def setup():
    random.seed(99)
    return [random.random() for _ in range(300)]


def experiment(weights):
    return draw(weights, 400, 4711)


def store_result(result, path):
    with open(path, "w") as file:
        json.dump(result, file)


def load_result(path):
    with open(path) as file:
        return json.load(file)


def check_equivalence(current, reference):
    assert Counter(current) == Counter(reference), "other lots"
