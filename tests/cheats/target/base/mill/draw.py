"""Lots are drawn."""

import random


def draw(weights, count, seed):
    """``count`` indices, each with a chance in proportion to its weight."""
    chance = random.Random(seed)
    total = sum(weights)
    drawn = []
    for _ in range(count):
        left = chance.random() * total
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                break
        drawn.append(index)
    return drawn
