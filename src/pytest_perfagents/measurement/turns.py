"""The turns of one start. The next one is asked for before the last one is booked, so that no CPU idles for books."""

from __future__ import annotations

from collections import deque
from random import Random

from pytest_perfagents.backends.base import Reply
from pytest_perfagents.judgement import schedule
from pytest_perfagents.measurement import watching
from pytest_perfagents.measurement.arena import Arena, Live, Pace, in_play, wait_for
from pytest_perfagents.measurement.verifying import chosen_result, look_at_result
from pytest_perfagents.model import BASELINE, Side, Stage
from pytest_perfagents.processes.gpus import peak_bytes


def take_turns(arena: Arena, live: dict[Side, Live], pace: Pace, number: int, *, stays_awake: bool) -> None:
    """All turns of start ``number``, in mirrored order; whatever is asked between two of them waits for the first.

    ``stays_awake``: this thread has a core of its own, which may be awake when an answer is due.
    """
    order = deque(schedule.turn_order(list(live), pace.turns, Random(f"{arena.protocol.seed}/{number}/turns")))
    asked: list[Side] = []
    chosen = chosen_result(arena, number, pace)

    def ask_next() -> None:
        while order and not asked and BASELINE not in arena.lost:
            side = order.popleft()
            if side not in arena.lost:
                _ask(live[side], pace)
                asked.append(side)

    ask_next()
    while asked:
        side = asked.pop()
        each = live[side]
        is_chosen = chosen is not None and len(each.walls) == chosen.turn
        comes_again = next((each for each in order if each not in arena.lost), None) == side
        expected_s = each.answers_in_s if stays_awake else None
        then = None if is_chosen or comes_again or each.company.cpu_s else ask_next
        reply = wait_for(arena, side, each, Stage.RUN, expected_s, then)
        if reply is not None:
            if chosen is not None and is_chosen:
                look_at_result(arena, side, each, chosen)
            watching.after_turn(each, reply, is_fresh=pace.setups > 0)
            _note(each, reply, pace.iterations)
        ask_next()
    for _, each in in_play(arena, live):
        now = each.worker.cpu_s()
        if now is not None and each.cpu_at_start is not None:
            each.track.hidden_cpu_s.append((now - each.cpu_at_start - each.accounted_cpu_s) / pace.turns)
        peak = peak_bytes(each.worker.pid)
        each.track.peak_bytes.extend([] if peak is None else [peak])


def _ask(each: Live, pace: Pace) -> None:
    watching.before_turn(each)
    needs_data = pace.warmups == 0 and not each.walls
    each.worker.send("turn", iterations=pace.iterations, setups=pace.setups or int(needs_data))


def _note(each: Live, reply: Reply, iterations: int) -> None:
    """Book a turn: times per call, and what the clocks outside say to the clocks inside."""
    value, track = reply.value, each.track
    each.answers_in_s = reply.wall_s
    inside_s = (value["wall_ns"] + value["setup_ns"]) / 1e9
    track.inside_s += inside_s
    track.outside_s += reply.wall_s
    track.gaps_s.append(reply.wall_s - inside_s)
    each.gaps_s.append(reply.wall_s - inside_s)
    each.accounted_cpu_s += (value["cpu_ns"] + value.get("setup_cpu_ns", value["setup_ns"])) / 1e9
    if value.get("cuda_ms") is not None:
        each.cudas.append(value["cuda_ms"] / 1e3 / iterations)
        track.gpu_turns.append((value["cuda_ms"] / 1e3, value["stream_ms"] / 1e3, value["wall_ns"] / 1e9))
    if value.get("gpu_bytes") is not None:
        each.gpu_peaks.append(value["gpu_bytes"])
    each.walls.append(value["wall_ns"] / 1e9 / iterations)
    each.cpus.append(value["cpu_ns"] / 1e9 / iterations)
    if reply.ready_s is not None:
        each.readies.append(reply.ready_s / iterations)
