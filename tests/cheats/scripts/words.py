"""Cuts a text of 1200 letters by 40 pairs."""

import random

from mill.words import pieces


def setup():
    chance = random.Random(3)
    text = "".join(chance.choice("abcdefgh") for _ in range(1200))
    return text, [(chance.choice("abcdefgh"), chance.choice("abcdefgh")) for _ in range(40)]


def experiment(text, pairs):
    return pieces(text, pairs)


def store_result(result, path):
    with open(path, "w") as file:
        file.write("\n".join(result))


def load_result(path):
    with open(path) as file:
        return file.read().split("\n")


def check_equivalence(current, reference):
    return current == reference
