"""Driven measurement: live workers of all sides, short paired process starts, interleaved turns, planned looks.

The protocol is explained in ``docs/measurement.md``. What is random comes from seeds; what is decided, from
``schedule.py`` and ``judge.py``; here it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from pytest_perfagents.backends.base import Template, WorkerEnded
from pytest_perfagents.judgement import schedule
from pytest_perfagents.measurement import watching
from pytest_perfagents.measurement.arena import Arena, Live, Pace, Progress, Track, Trouble, in_play, request, wait_for
from pytest_perfagents.measurement.settling import settled
from pytest_perfagents.measurement.turns import take_turns
from pytest_perfagents.measurement.verifying import check_timed_results, look_at_first_result
from pytest_perfagents.model import BASELINE, Side, Stage

Start = Callable[[list[Side], schedule.StartPlan], None]


def measure(
    arena: Arena, budget_s: float, start: Start, is_settled: Callable[[Side], bool], progress: Progress
) -> float:
    """Start after start until every candidate is settled, the budget is spent or the last look is over.

    A side that fails leaves the arena; a candidate that is settled at a look is measured no further. Without the
    baseline there is nothing to compare with, so its failure ends the arena. Returns seconds spent.
    """
    arena.tracks = {side: Track() for side in arena.workspaces}
    try:
        return _starts(arena, budget_s, start, is_settled, progress)
    finally:
        arena.templates.close()


def _starts(
    arena: Arena, budget_s: float, start: Start, is_settled: Callable[[Side], bool], progress: Progress
) -> float:
    spent_s = 0.0
    active = list(arena.workspaces)
    looks = arena.protocol.looks
    for number in range(looks[-1]):
        if spent_s + spent_s / max(number, 1) > budget_s or arena.patience.is_over:
            break
        asked = arena.patience.clock()
        progress(f"start {number + 1}: waiting for its turn on this machine")
        with arena.lease():
            began = arena.patience.clock()
            arena.waited_s += began - asked
            start(active, schedule.plan_start(number, len(active), seed=arena.protocol.seed))
            spent_s += arena.patience.clock() - began
        if arena.patience.is_over and arena.tracks[BASELINE].wall_s:
            arena.forgive_deadline()
            break
        active = [side for side in active if side not in arena.lost]
        if schedule.is_look(number + 1, looks):
            active = [side for side in active if side == BASELINE or not is_settled(side)]
        progress(f"start {number + 1}, {len(active)} sides, {spent_s:.0f} s")
        if BASELINE in arena.lost or active == [BASELINE]:
            break
    return spent_s


def driven_start(arena: Arena, pace: Pace, sides: list[Side], plan: schedule.StartPlan) -> None:
    """One start: new processes for all sides, warm-ups, turns in random mirrored order, results checked, all ended.

    Only a start in which the baseline and the side itself came to the end counts for the side. Where a side fails in
    a fork of a template, the start is done again without: it may be the template that fails.
    """
    template = arena.templates.for_start(plan, arena.workspaces[BASELINE], arena.patience.left_s)
    lost, tracks = dict(arena.lost), None if template is None else deepcopy(arena.tracks)
    live = _run_start(arena, pace, sides, plan, template)
    if tracks is not None and len(arena.lost) > len(lost):
        arena.templates.give_up()
        arena.lost, arena.tracks = lost, tracks
        live = _run_start(arena, pace, sides, plan, None)
    if BASELINE not in arena.lost:
        for _, each in in_play(arena, live):
            each.track.wall_s.append(tuple(each.walls))
            each.track.cpu_s.append(tuple(each.cpus))
            each.track.ready_s.append(tuple(each.readies))
            each.track.cuda_s.append(tuple(each.cudas))
            each.track.gpu_peak_bytes.extend([max(each.gpu_peaks)] if each.gpu_peaks else [])


def _run_start(
    arena: Arena, pace: Pace, sides: list[Side], plan: schedule.StartPlan, template: Template | None
) -> dict[Side, Live]:
    live: dict[Side, Live] = {}
    began_s = arena.patience.clock()
    try:
        _launch(arena, sides, plan, template, live)
        with settled(arena, live) as is_apart:
            _warm_up(arena, live, pace, plan.number)
            take_turns(arena, live, pace, plan.number, stays_awake=is_apart)
        watching.after_turns(arena, live, pace.turns, plan.number)
        check_timed_results(arena, live, plan.number, began_s)
    finally:
        for each in live.values():
            each.worker.close()
    return live


def _launch(
    arena: Arena, sides: list[Side], plan: schedule.StartPlan, template: Template | None, live: dict[Side, Live]
) -> None:
    for index in plan.launch_order:
        side = sides[index]
        try:
            worker = arena.workspaces[side].start_worker(
                seed=plan.hash_seed, padding=plan.padding[index], template=template
            )
        except WorkerEnded as end:
            arena.lost[side] = Trouble(Stage.IMPORT, execution=end.execution)
            continue
        live[side] = Live(worker, arena.tracks[side])
        worker.send("load", script=str(arena.script))
    for side, each in in_play(arena, live):
        reply = wait_for(arena, side, each, Stage.IMPORT)
        if reply is not None:
            each.track.import_s.append(float(reply.value["import_s"]))
            each.track.libraries = max(each.track.libraries, int(reply.value.get("libraries", 0)))


def _warm_up(arena: Arena, live: dict[Side, Live], pace: Pace, start: int) -> None:
    for number in range(pace.warmups):
        for side, each in in_play(arena, live):
            reply = request(arena, side, each, "turn", iterations=1, setups=int(number == 0))
            if reply is not None and number == 0:
                each.track.first_call_s.append(reply.value["cpu_ns"] / 1e9)
                each.track.setup_s.append(reply.value["setup_ns"] / 1e9)
                look_at_first_result(arena, side, each, start)
    for _, each in in_play(arena, live):
        each.cpu_at_start = each.worker.cpu_s()
        each.reaped_at_start_s = each.worker.company().reaped_s
