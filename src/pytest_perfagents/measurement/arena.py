"""The sides of one commit that are measured together: what they have shown so far, and talking to their workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends.base import Company, Reply, Worker, WorkerEnded, Workspace
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement.honesty.claims import Took
from pytest_perfagents.judgement.honesty.memory import usual_bytes
from pytest_perfagents.judgement.honesty.replaced import Intact
from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.measurement.templates import Templates
from pytest_perfagents.model import Ending, Execution, Side, SideSamples, Stage

if TYPE_CHECKING:
    from pytest_perfagents.measurement.evidence import Evidence
    from pytest_perfagents.measurement.verifying import Call, Results

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
    """How much one start does: calls a turn, turns a side, how often a turn makes new data (0: once in a start)."""

    iterations: int
    turns: int
    setups: int
    warmups: int


@dataclass(slots=True)
class Track:
    """What one side has shown so far, start by start. Seconds per call in ``wall_s`` and ``cpu_s``.

    ``gpu_turns`` holds for every turn on a GPU its seconds by events, until the default stream was done, on the wall;
    ``peak_bytes`` and ``gpu_peak_bytes`` what each process had in use at most. ``turn_setup_s`` is the set-up before a
    turn, ``libraries`` the modules that its imports load from elsewhere. ``helpers_cpu_s`` is the CPU that its child
    processes used between two turns, ``reaped_cpu_s`` that of children which had ended in one and were waited for;
    ``turn_gap_s`` the time of a turn that passed outside and not inside. ``threads`` and ``processes`` are those that
    were there after the turns. ``processes_took`` is of whole processes, in script mode, ``left_behind`` says how many
    outlived each, and ``dearer_imports_s`` what imports take more than the baseline's, wall and CPU, where that was
    asked.
    """

    wall_s: list[tuple[float, ...]] = field(default_factory=list)
    cpu_s: list[tuple[float, ...]] = field(default_factory=list)
    ready_s: list[tuple[float, ...]] = field(default_factory=list)
    first_call_s: list[float] = field(default_factory=list)
    import_s: list[float] = field(default_factory=list)
    setup_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    hidden_cpu_s: list[float] = field(default_factory=list)
    inside_s: float = 0.0
    outside_s: float = 0.0
    cuda_s: list[tuple[float, ...]] = field(default_factory=list)
    gpu_turns: list[tuple[float, float, float]] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    turn_setup_s: list[float] = field(default_factory=list)
    helpers_cpu_s: list[float] = field(default_factory=list)
    reaped_cpu_s: list[float] = field(default_factory=list)
    turn_gap_s: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    intact: Intact = field(default_factory=Intact)
    processes_took: list[Took] = field(default_factory=list)
    left_behind: list[int] = field(default_factory=list)
    dearer_imports_s: tuple[float, float] = (0.0, 0.0)
    libraries: int = 0
    gpu_peak_bytes: list[int] = field(default_factory=list)

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
        is_known = [*map(len, self.ready_s)] == [*map(len, self.cpu_s)]
        ready_s = self.ready_s[:starts] if is_known else ()
        peaks = usual_bytes(self.peak_bytes), usual_bytes(self.gpu_peak_bytes)
        return SideSamples(side, iterations, tuple(wall_s[:starts]), tuple(self.cpu_s[:starts]), tuple(ready_s), *peaks)


@dataclass(slots=True)
class Live:
    """A worker in one start, with what it has done in it."""

    worker: Worker
    track: Track
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    readies: list[float] = field(default_factory=list)
    cudas: list[float] = field(default_factory=list)
    gpu_peaks: list[int] = field(default_factory=list)
    setups_s: list[float] = field(default_factory=list)
    company: Company = field(default_factory=Company)
    helpers_cpu_s: float = 0.0
    reaped_at_start_s: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    shown: dict[Call, Evidence | None] = field(default_factory=dict)
    looking_s: dict[Call, float] = field(default_factory=dict)
    cpu_at_start: float | None = None
    accounted_cpu_s: float = 0.0
    answers_in_s: float | None = None


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
    """The sides of one commit that are measured together. ``lost`` says why a side left; ``results`` checks results.

    ``place`` is where timed processes run, ``placed`` what the last of them got of it.
    """

    workspaces: dict[Side, Workspace]
    script: Path
    protocol: ProtocolConfig
    patience: Patience
    lease: Lease
    results: Results | None = None
    waited_s: float = 0.0
    tracks: dict[Side, Track] = field(default_factory=dict)
    lost: dict[Side, Trouble | Unequal] = field(default_factory=dict)
    templates: Templates = field(default_factory=Templates)
    place: Place = field(default_factory=Place)
    placed: dict[str, Any] = field(default_factory=dict)

    def forgive_deadline(self) -> None:
        """Forget the timeouts of a start that the deadline cut off: what was measured before it stands."""
        for side, trouble in list(self.lost.items()):
            ended = trouble.execution if isinstance(trouble, Trouble) else None
            if ended is not None and ended.ending is Ending.TIMED_OUT:
                del self.lost[side]


def in_play(arena: Arena, live: dict[Side, Live]) -> list[tuple[Side, Live]]:
    """The sides that have not left the arena."""
    return [(side, each) for side, each in live.items() if side not in arena.lost]


def wait_for(
    arena: Arena,
    side: Side,
    each: Live,
    stage: Stage,
    expected_s: float | None = None,
    then: Callable[[], None] | None = None,
) -> Reply | None:
    """The answer to what was posted last; None where the side leaves the arena over it."""
    try:
        reply = each.worker.wait(arena.patience.left_s, expected_s, then)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(stage, execution=end.execution)
        return None
    error = error_in(reply)
    if error is None:
        return reply
    arena.lost[side] = Trouble(stage, error=error, execution=each.worker.close())
    return None


def request(arena: Arena, side: Side, each: Live, op: str, **arguments: Any) -> Reply | None:
    """Ask for one operation; None where the side leaves the arena over it."""
    stage = Stage.RUN if op == "turn" else Stage.VERIFY
    each.worker.send(op, **arguments)
    return wait_for(arena, side, each, stage)


def error_in(reply: Reply) -> Mapping[str, Any] | None:
    """What went wrong by the worker's own word, or that its word cannot be the worker's."""
    if not reply.ok:
        return reply.error or {"type": "ValueError", "message": "the worker refused without a reason"}
    if all(_is_time(reply.value.get(name, 0)) for name in ("wall_ns", "cpu_ns", "setup_ns", "setup_cpu_ns")):
        return None
    return {"type": "ValueError", "message": "the worker's answer holds no times: something else answered"}


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
