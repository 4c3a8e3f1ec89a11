"""What a worker does beside its calls: set-up, threads, child processes and their CPU, what it has replaced.

Booked apart from the times of the calls, for ``proving.py``. Everything but set-up is read from outside, between turns.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from pytest_perfagents.backends.base import Reply
from pytest_perfagents.judgement.stats import top_trimmed_mean
from pytest_perfagents.measurement.arena import Arena, Live, in_play, request

if TYPE_CHECKING:
    from pytest_perfagents.model import Side

LIBRARIES_EVERY = 5
LOOK_EVERY = 3
"""Turns; whoever has company is looked at after each."""


def before_turn(each: Live) -> None:
    """Add the CPU that the processes below have used since the side's last turn: nobody's clock sees that."""
    if each.company.cpu_s:
        now = each.worker.company()
        each.helpers_cpu_s += sum(
            max(0.0, seconds - each.company.cpu_s.get(pid, 0.0)) for pid, seconds in now.cpu_s.items()
        )


def after_turn(each: Live, reply: Reply, *, is_fresh: bool) -> None:
    """Note the set-up of this turn, if there was any, and who is there now."""
    if is_fresh:
        each.setups_s.append(reply.value["setup_ns"] / 1e9)
    if len(each.walls) % LOOK_EVERY == 0 or has_company(each, reply):
        each.company = each.worker.company()


def has_company(each: Live, reply: Reply) -> bool:
    """Whether there are processes below it, by its own word or by the last look."""
    return bool(each.company.cpu_s or reply.value.get("children"))


def after_turns(arena: Arena, live: dict[Side, Live], turns: int, start: int) -> None:
    """Book a start, and ask every side what was replaced in it; in libraries too, which takes longer, now and then."""
    for side, each in in_play(arena, live):
        track, each.company = each.track, each.worker.company()
        track.turn_setup_s.extend([top_trimmed_mean(each.setups_s)] if each.setups_s else [])
        track.helpers_cpu_s.append(each.helpers_cpu_s / turns)
        track.reaped_cpu_s.append((each.company.reaped_s - each.reaped_at_start_s) / turns)
        track.turn_gap_s.extend([fmean(each.gaps_s)] if each.gaps_s else [])
        track.threads.append(each.company.threads)
        track.processes.append(len(each.company.cpu_s))
        reply = request(arena, side, each, "intact", libraries=start % LIBRARIES_EVERY == 0)
        if reply is not None:
            track.intact.note(reply.value, str(arena.workspaces[side].root))
