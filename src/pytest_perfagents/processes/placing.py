"""Puts processes on CPUs and priorities, as far as the kernel permits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pytest_perfagents.judgement.placing import Place


def put(pid: int, place: Place) -> Mapping[str, Any]:
    """What the process's main thread got: ``cpus`` and ``nice``; threads that it starts later inherit both."""
    got: dict[str, Any] = {}
    with suppress(AttributeError, OSError):  # another system, no such CPU any more, no privilege, already gone
        if place.cpus:
            os.sched_setaffinity(pid, place.cpus)
            got["cpus"] = sorted(os.sched_getaffinity(pid))
    if place.nice:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid) + place.nice)
        with suppress(OSError):
            got["nice"] = os.getpriority(os.PRIO_PROCESS, pid)
    return got


@contextmanager
def keeping_off(place: Place) -> Iterator[None]:
    """This thread leaves the CPUs to the timed processes meanwhile."""
    before: set[int] | None = None
    if place.elsewhere:
        with suppress(AttributeError, OSError):
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, place.elsewhere)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
