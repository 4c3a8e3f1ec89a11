"""``[perfagents.protocol]``: how to measure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pytest_perfagents.model import Role
from pytest_perfagents.tables import Table, many, number, one_of, whole, yes_or_no

MODES = ("auto", "driven", "script")


COUNTERS = ("off", "instructions")


PINS = ("off", "auto")


Pin = str | tuple[int, ...]
"""One of `PINS`, or the numbers of CPUs."""


@dataclass(frozen=True, slots=True)
class ProtocolConfig:
    """How to measure: ``[perfagents.protocol]``. ``measure_s`` is a whole commit's, ``turn_s`` one turn's.

    ``seed`` None: drawn anew for each commit, so that no patch can know which start it is in.
    ``gpu_warmup_s`` is for each process that uses a GPU; ``l2_flush`` empties the GPU's cache before each block.
    """

    threshold: float = 0.05
    confidence: float = 0.95
    alpha: float = 0.01
    sides: tuple[Role, ...] = (Role.BASELINE, Role.HUMAN, Role.PATCHED)
    mode: str = "auto"
    warmups: int = 2
    turns: int = 6
    turn_s: float = 0.02
    measure_s: float = 20.0
    heavy_measure_s: float = 60.0
    looks: tuple[int, ...] = (10, 20, 40, 80)
    seed: int | None = None
    threads: int = 1
    memory_gb: float | None = None
    max_sides: int = 8
    counter: str = "off"
    pin: Pin = "auto"
    nice: int = 0
    template: bool = True
    gpu_warmup_s: float = 0.2
    l2_flush: bool = False


def take_protocol(table: Table) -> ProtocolConfig:
    """The table's values; what is wrong with them goes to its problems."""
    default, positive = ProtocolConfig(), number(0, open_low=True)
    protocol = ProtocolConfig(
        threshold=table.take("threshold", number(0, 1, open_low=True, open_high=True), default.threshold),
        confidence=table.take("confidence", number(0.5, 1, open_low=True, open_high=True), default.confidence),
        alpha=table.take("alpha", number(0, 0.5, open_low=True, open_high=True), default.alpha),
        sides=table.take("sides", _sides, default.sides),
        mode=table.take("mode", one_of(MODES), default.mode),
        warmups=table.take("warmups", whole(0), default.warmups),
        turns=table.take("turns", whole(1), default.turns),
        turn_s=table.take("turn_s", positive, default.turn_s),
        measure_s=table.take("measure_s", positive, default.measure_s),
        heavy_measure_s=table.take("heavy_measure_s", positive, default.heavy_measure_s),
        looks=table.take("looks", _looks, default.looks),
        seed=table.take("seed", whole(0), default.seed),
        threads=table.take("threads", whole(1), default.threads),
        memory_gb=table.take("memory_gb", positive, default.memory_gb),
        max_sides=table.take("max_sides", whole(2), default.max_sides),
        counter=table.take("counter", one_of(COUNTERS), default.counter),
        pin=table.take("pin", _pin, default.pin),
        nice=table.take("nice", _nice, default.nice),
        template=table.take("template", yes_or_no, default.template),
        gpu_warmup_s=table.take("gpu_warmup_s", number(0), default.gpu_warmup_s),
        l2_flush=table.take("l2_flush", yes_or_no, default.l2_flush),
    )
    table.close()
    return protocol


def _sides(value: Any) -> tuple[Role, ...]:
    sides = tuple(Role(word) for word in many(one_of(list(Role)), '["baseline", "human", "patched"]')(value))
    if not {Role.BASELINE, Role.PATCHED} <= set(sides) or len(set(sides)) != len(sides):
        raise ValueError("must hold 'baseline' and 'patched', and may hold 'human', each once")
    return sides


def _pin(value: Any) -> Pin:
    if isinstance(value, list):
        return many(whole(0), "[2, 3]", least=1)(value)
    return one_of(PINS)(value)


def _nice(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -20 <= value <= 19:
        raise ValueError(f"must be a whole number from -20 to 19, not {value!r}")
    return value


def _looks(value: Any) -> tuple[int, ...]:
    looks = many(whole(2), "[10, 20, 40, 80]", least=1)(value)
    if any(later <= sooner for sooner, later in pairwise(looks)):
        raise ValueError(f"must increase, not {list(looks)}")
    return looks
