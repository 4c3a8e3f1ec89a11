"""Which CPUs timed processes get, and which are left to the harness. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_perfagents.judgement.machine import Machine


@dataclass(frozen=True, slots=True)
class Place:
    """``cpus`` for timed processes, ``elsewhere`` for the harness; empty: as it is. ``nice`` is added to theirs.

    ``is_apart``: they share no core. ``for_one_thread``: only where every side computes on one thread, or a patch that
    uses more would lose its gain.
    """

    cpus: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()
    nice: int = 0
    for_one_thread: bool = False
    is_apart: bool = False


def place_for(
    pin: str | tuple[int, ...], nice: int, threads: int, machine: Machine, busy: Mapping[int, float] | None = None
) -> Place:
    """``auto``: all sides take turns on one CPU and the harness keeps off its core.

    It is the idlest by ``busy`` (a share for each CPU), the last of several. Nothing is pinned where there is a single
    CPU, or where ``threads`` want several. CPUs that were named are taken as they are, as far as this process may use
    them; the harness then keeps to the others, if there are any.
    """
    allowed = set(machine.allowed)
    if isinstance(pin, tuple):
        cpus = allowed & set(pin)
    elif pin == "auto" and threads == 1 and len(allowed) > 1:
        cpus = {min(allowed, key=lambda cpu: (round((busy or {}).get(cpu, 0.0), 1), -cpu))}
    else:
        return Place(nice=nice)
    core = {cpu for group in machine.siblings if cpus & set(group) for cpu in group}
    apart = allowed - cpus - core
    others = apart or (allowed - cpus)
    elsewhere = tuple(sorted(others)) if cpus else ()
    return Place(tuple(sorted(cpus)), elsewhere, nice, pin == "auto", bool(cpus and apart))
