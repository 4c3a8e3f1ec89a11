"""Driven measurement: live workers of all sides, short paired process starts, interleaved turns, planned looks.

The protocol is explained in ``docs/measurement.md``. What is random comes from seeds; what is decided, from
``schedule.py`` and ``judge.py``; here it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from pytest_perfagents.backends.base import Reply, Worker, WorkerEnded, Workspace
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement import schedule
from pytest_perfagents.model import BASELINE, Ending, Execution, Side, SideSamples, Stage

Lease = Callable[[], AbstractContextManager[object]]
Progress = Callable[[str], None]
Clock = Callable[[], float]


class Trouble(Exception):  # noqa: N818 - becomes a Failure
    """A side did not do what it was asked; ``diagnosis`` makes a failure of it."""

    def __init__(
        self, stage: Stage, *, error: Mapping[str, Any] | None = None, execution: Execution | None = None
    ) -> None:
        super().__init__(f"{stage}: {error or execution}")
        self.stage = stage
        self.error = error
        self.execution = execution


class Unequal(Exception):  # noqa: N818
    """The result that a side gave after timing is not the baseline's."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one start does: calls a turn, turns a side, whether data are made anew each turn."""

    iterations: int
    turns: int
    fresh_setup: bool
    warmups: int


@dataclass(slots=True)
class Track:
    """What one side has shown so far, start by start. Seconds per call in ``wall_s`` and ``cpu_s``."""

    wall_s: list[tuple[float, ...]] = field(default_factory=list)
    cpu_s: list[tuple[float, ...]] = field(default_factory=list)
    first_call_s: list[float] = field(default_factory=list)
    import_s: list[float] = field(default_factory=list)
    setup_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    hidden_cpu_s: list[float] = field(default_factory=list)
    inside_s: float = 0.0
    outside_s: float = 0.0
    cuda_s: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def uses_gpu(self) -> bool:
        """Whether every turn was timed by CUDA events too."""
        return (
            bool(self.cuda_s)
            and all(map(len, self.cuda_s))
            and list(map(len, self.cuda_s)) == list(map(len, self.wall_s))
        )

    def samples(self, side: Side, iterations: int, starts: int, *, by_gpu: bool = False) -> SideSamples:
        """The first ``starts`` starts as a value; ``by_gpu`` puts the time of CUDA events where wall time stands."""
        wall_s = self.cuda_s if by_gpu else self.wall_s
        return SideSamples(side, iterations, tuple(wall_s[:starts]), tuple(self.cpu_s[:starts]))


@dataclass(slots=True)
class Live:
    """A worker in one start, with what it has done in it."""

    worker: Worker
    track: Track
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    cudas: list[float] = field(default_factory=list)
    cpu_at_start: float | None = None
    accounted_cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take: ``timeout_s`` each, and no later than ``deadline`` on ``clock``."""

    timeout_s: float
    deadline: float
    clock: Clock

    @property
    def left_s(self) -> float:
        """For the next request; never nothing, so that it is the request that times out."""
        return max(0.05, min(self.timeout_s, self.deadline - self.clock(), 1e6))

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.clock() >= self.deadline


@dataclass(slots=True)
class Arena:
    """The sides of one commit that are measured together. ``lost`` says why a side left."""

    workspaces: dict[Side, Workspace]
    script: Path
    protocol: ProtocolConfig
    patience: Patience
    lease: Lease
    check_results: bool = True
    waited_s: float = 0.0
    tracks: dict[Side, Track] = field(default_factory=dict)
    lost: dict[Side, Trouble | Unequal] = field(default_factory=dict)

    def forgive_deadline(self) -> None:
        """Forget the timeouts of a start that the deadline cut off: what was measured before it stands."""
        for side, trouble in list(self.lost.items()):
            ended = trouble.execution if isinstance(trouble, Trouble) else None
            if ended is not None and ended.ending is Ending.TIMED_OUT:
                del self.lost[side]


Start = Callable[[list[Side], schedule.StartPlan], None]


def measure(
    arena: Arena, budget_s: float, start: Start, is_settled: Callable[[Side], bool], progress: Progress
) -> float:
    """Start after start until every candidate is settled, the budget is spent or the last look is over.

    A side that fails leaves the arena; a candidate that is settled at a look is measured no further. Without the
    baseline there is nothing to compare with, so its failure ends the arena. Returns seconds spent.
    """
    arena.tracks = {side: Track() for side in arena.workspaces}
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

    Only a start in which the baseline and the side itself came to the end counts for the side.
    """
    live: dict[Side, Live] = {}
    try:
        _launch(arena, sides, plan, live)
        _warm_up(arena, live, pace)
        _take_turns(arena, live, pace, Random(f"{arena.protocol.seed}/{plan.number}/turns"))
        if plan.number == 0 and arena.check_results:
            _check_timed_results(arena, live)
    finally:
        for each in live.values():
            each.worker.close()
    if BASELINE not in arena.lost:
        for side, each in live.items():
            if side not in arena.lost:
                each.track.wall_s.append(tuple(each.walls))
                each.track.cpu_s.append(tuple(each.cpus))
                each.track.cuda_s.append(tuple(each.cudas))


def _launch(arena: Arena, sides: list[Side], plan: schedule.StartPlan, live: dict[Side, Live]) -> None:
    for index in plan.launch_order:
        side = sides[index]
        try:
            worker = arena.workspaces[side].start_worker(seed=plan.hash_seed, padding=plan.padding[index])
        except WorkerEnded as end:
            arena.lost[side] = Trouble(Stage.IMPORT, execution=end.execution)
            continue
        live[side] = Live(worker, arena.tracks[side])
        worker.send("load", script=str(arena.script))
    for side, each in _in_play(arena, live):
        reply = _wait(arena, side, each, Stage.IMPORT)
        if reply is not None:
            each.track.import_s.append(float(reply.value["import_s"]))


def _warm_up(arena: Arena, live: dict[Side, Live], pace: Pace) -> None:
    for number in range(pace.warmups):
        for side, each in _in_play(arena, live):
            reply = _request(arena, side, each, "turn", iterations=1, setup=number == 0)
            if reply is not None and number == 0:
                each.track.first_call_s.append(reply.value["cpu_ns"] / 1e9)
                each.track.setup_s.append(reply.value["setup_ns"] / 1e9)
    for _, each in _in_play(arena, live):
        each.cpu_at_start = each.worker.cpu_s()


def _take_turns(arena: Arena, live: dict[Side, Live], pace: Pace, random: Random) -> None:
    for side in schedule.turn_order(list(live), pace.turns, random):
        if side in arena.lost or BASELINE in arena.lost:
            continue
        each = live[side]
        fresh = pace.fresh_setup or (pace.warmups == 0 and not each.walls)
        reply = _request(arena, side, each, "turn", iterations=pace.iterations, setup=fresh)
        if reply is not None:
            _note(each, reply, pace.iterations)
    for _, each in _in_play(arena, live):
        now = each.worker.cpu_s()
        if now is not None and each.cpu_at_start is not None:
            each.track.hidden_cpu_s.append((now - each.cpu_at_start - each.accounted_cpu_s) / pace.turns)


def _note(each: Live, reply: Reply, iterations: int) -> None:
    """Book a turn: times per call, and what the clocks outside say to the clocks inside."""
    value, track = reply.value, each.track
    inside_s = (value["wall_ns"] + value["setup_ns"]) / 1e9
    track.inside_s += inside_s
    track.outside_s += reply.wall_s
    track.gaps_s.append(reply.wall_s - inside_s)
    each.accounted_cpu_s += value["cpu_ns"] / 1e9 + value["setup_ns"] / 1e9
    if value.get("cuda_ms") is not None:
        each.cudas.append(value["cuda_ms"] / 1e3 / iterations)
    each.walls.append(value["wall_ns"] / 1e9 / iterations)
    each.cpus.append(value["cpu_ns"] / 1e9 / iterations)


def _check_timed_results(arena: Arena, live: dict[Side, Live]) -> None:
    """Compare what the timed processes computed: the baseline stores, the others check."""
    if BASELINE in arena.lost:
        return
    reference = str(arena.workspaces[BASELINE].scratch / "timed_reference")
    stored = _request(arena, BASELINE, live[BASELINE], "store", path=reference)
    if stored is None or not stored.value.get("stored", True):
        return
    for side, each in _in_play(arena, live):
        if side == BASELINE:
            continue
        reply = _request(arena, side, each, "check", path=reference)
        if reply is not None and reply.value.get("equal") is False:
            arena.lost[side] = Unequal(str(reply.value.get("message") or "the results differ"))


def _in_play(arena: Arena, live: dict[Side, Live]) -> list[tuple[Side, Live]]:
    return [(side, each) for side, each in live.items() if side not in arena.lost]


def _wait(arena: Arena, side: Side, each: Live, stage: Stage) -> Reply | None:
    try:
        reply = each.worker.wait(arena.patience.left_s)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(stage, execution=end.execution)
        return None
    return _accepted(arena, side, each, reply, stage)


def _request(arena: Arena, side: Side, each: Live, op: str, **arguments: Any) -> Reply | None:
    stage = Stage.RUN if op == "turn" else Stage.VERIFY
    try:
        reply = each.worker.request(op, arena.patience.left_s, **arguments)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(stage, execution=end.execution)
        return None
    return _accepted(arena, side, each, reply, stage)


def _accepted(arena: Arena, side: Side, each: Live, reply: Reply, stage: Stage) -> Reply | None:
    error = error_in(reply)
    if error is None:
        return reply
    arena.lost[side] = Trouble(stage, error=error, execution=each.worker.close())
    return None


def error_in(reply: Reply) -> Mapping[str, Any] | None:
    """What went wrong by the worker's own word, or that its word cannot be the worker's."""
    if not reply.ok:
        return reply.error or {"type": "ValueError", "message": "the worker refused without a reason"}
    if all(_is_time(reply.value.get(name, 0)) for name in ("wall_ns", "cpu_ns", "setup_ns")):
        return None
    return {"type": "ValueError", "message": "the worker's answer holds no times: something else answered"}


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
