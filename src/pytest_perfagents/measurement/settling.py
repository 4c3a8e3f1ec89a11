"""Timed processes on their CPU, and the harness off it, for the turns of one start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement.placing import Place, place_for
from pytest_perfagents.measurement.arena import Arena, Live, Track, in_play
from pytest_perfagents.model import Side
from pytest_perfagents.processes.machine import busy_cpus, read_machine
from pytest_perfagents.processes.placing import keeping_off

PARALLEL = 1.05
"""CPU time over wall time from which on more than one thread computes."""


def chosen_place(protocol: ProtocolConfig) -> Place:
    """Looks at this machine where the configuration wants a place."""
    if protocol.pin == "off" and not protocol.nice:
        return Place()
    busy = busy_cpus() if protocol.pin == "auto" else {}
    return place_for(protocol.pin, protocol.nice, protocol.threads, read_machine(), busy)


@contextmanager
def settled(arena: Arena, live: dict[Side, Live]) -> Iterator[bool]:
    """Moves the workers, which have loaded their scripts side by side, to the place where they take turns.

    Gives whether the harness has a core of its own.
    With ``pin = "auto"`` the first start runs free and shows whether every side computes on one thread.
    """
    place = arena.place
    if place.for_one_thread and not all(_is_alone(arena.tracks[side]) for side, _ in in_play(arena, live)):
        place = replace(place, cpus=(), elsewhere=(), is_apart=False)
    if place.cpus or place.nice:
        for _, each in in_play(arena, live):
            arena.placed.update(each.worker.put(place))
    with keeping_off(place):
        yield place.is_apart


def _is_alone(track: Track) -> bool:
    """No GPU, no child processes, no parallel threads, as far as its starts have shown."""
    turns = [
        pair for walls, cpus in zip(track.wall_s, track.cpu_s, strict=True) for pair in zip(walls, cpus, strict=True)
    ]
    wall_s, cpu_s = sum(wall for wall, _ in turns), sum(cpu for _, cpu in turns)
    return bool(turns) and not track.uses_gpu and not any(track.processes) and cpu_s <= PARALLEL * wall_s
