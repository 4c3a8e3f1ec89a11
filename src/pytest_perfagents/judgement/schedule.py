"""Which side runs when, how often, and when to look. Pure: seeds are arguments, nothing here knows a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

PADDING_BYTES = 4096
LONGEST_TURN_S, NEARLY = 1.0, 7 / 8
SHORTEST_START_S, LONGEST_START_S = 0.2, 1.0
LONGEST_SETUP, CHEAP_SETUPS, MOST_SETUPS = 5.0, 0.1, 4
"""In turns: the longest set-up that is repeated each turn, and what several set-ups may take of a turn together."""


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What is randomised in one start: the order of launching, the hash seed, the environment padding of each side."""

    number: int
    launch_order: tuple[int, ...]
    hash_seed: int
    padding: tuple[int, ...]


def plan_start(number: int, sides: int, *, seed: int | None) -> StartPlan:
    """The plan of start ``number``. All sides of a start share a hash seed, so that sets iterate alike in a pair."""
    random = Random(f"{seed}/{number}")
    order = list(range(sides))
    random.shuffle(order)
    padding = tuple(random.randrange(PADDING_BYTES) for _ in range(sides))
    return StartPlan(number, tuple(order), random.randrange(1, 2**32), padding)


def turn_order(sides: Sequence[Item], turns: int, random: Random) -> list[Item]:
    """``turns`` turns for every side: a shuffled round, then the same round mirrored (A B B A or B A A B), and again.

    The mirror cancels a linear drift inside each pair of rounds.
    """
    if turns < 1:
        raise ValueError(f"a start has at least one turn a side, got {turns}")
    order: list[Item] = []
    for number in range(turns):
        if number % 2 == 0:
            current = list(sides)
            random.shuffle(current)
        else:
            current.reverse()
        order.extend(current)
    return order


def batch(baseline_s: float, slowest_s: float, turn_s: float) -> int:
    """Calls of the experiment in one turn, the same for every side so that all do the same work.

    Enough that the baseline takes ``turn_s``, or an eighth less: one call too many may double a turn. Fewer where the
    slowest side would then take over a second.
    """
    if min(baseline_s, slowest_s) < 0:
        raise ValueError(f"times are not negative, got {baseline_s} and {slowest_s}")
    wanted = int(turn_s / max(baseline_s, 1e-9))
    if wanted * baseline_s < NEARLY * turn_s:
        wanted += 1
    allowed = int(LONGEST_TURN_S / max(slowest_s, 1e-9))
    return max(1, min(wanted, allowed, 1_000_000))


def setups_per_turn(iterations: int, setup_s: float, turn_s: float) -> int:
    """How often a turn of so many calls makes new data: where they lie in memory is drawn by chance each time.

    Several times where that is cheap, once where it takes less than five turns, 0 (once in a start) where it is dear.
    """
    if setup_s > LONGEST_SETUP * turn_s:
        return 0
    cheap = int(CHEAP_SETUPS * turn_s / max(setup_s, 1e-9))
    return max(1, min(MOST_SETUPS, iterations, cheap))


def turns_per_start(startup_s: float, round_s: float, least: int) -> int:
    """Turns a side in one start: as many as fill clamp(start-up, 0.2 s, 1 s), at least ``least``, always even.

    ``round_s`` is what one turn of every side takes together.
    """
    length_s = min(max(startup_s, SHORTEST_START_S), LONGEST_START_S)
    turns = max(least, int(length_s / max(round_s, 1e-6)))
    return min(turns + turns % 2, 200)


def is_look(starts: int, looks: Sequence[int]) -> bool:
    """Whether the data are to be judged after this many starts."""
    return starts in looks


def look_confidence(confidence: float, looks: Sequence[int]) -> float:
    """Confidence of the interval at each planned look, so that all looks together keep ``confidence``.

    Bonferroni over the looks: alpha .05 and four looks give .0125 each.
    """
    return 1 - (1 - confidence) / len(looks)
