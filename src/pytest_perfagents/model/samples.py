"""What was measured: the times of a side, and one side against another."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from pytest_perfagents.model.runs import Side
from pytest_perfagents.model.vocabulary import Category, Change


@dataclass(frozen=True, slots=True)
class StatedTimes:
    """What a recorded evaluation states of a side, in seconds per call, where nobody kept the samples."""

    mean_s: float | None = None
    median_s: float | None = None


@dataclass(frozen=True, slots=True)
class SideSamples:
    """Times of one side: for each process start its turns, in seconds per call of the experiment.

    ``cpu_s`` and ``wall_s`` have the same shape: starts x turns. So has ``ready_s``, the time for which the process
    could have run and another one had the core, where the machine tells it; it is empty elsewhere. ``memory_bytes`` is
    what a process had in use at most, ``gpu_memory_bytes`` what torch held on the GPU in a turn. A recorded side has
    no starts, and ``stated`` in their place.
    """

    side: Side
    iterations: int
    wall_s: tuple[tuple[float, ...], ...]
    cpu_s: tuple[tuple[float, ...], ...]
    ready_s: tuple[tuple[float, ...], ...] = ()
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    stated: StatedTimes | None = None

    def __post_init__(self) -> None:
        shapes = [[len(turns) for turns in times] for times in (self.wall_s, self.cpu_s, self.ready_s or self.wall_s)]
        if not shapes[0] == shapes[1] == shapes[2]:
            raise ValueError(f"{self.side}: wall and CPU times differ in shape")
        for turns in (*self.wall_s, *self.cpu_s, *self.ready_s):
            for seconds in turns:
                if not (isfinite(seconds) and seconds >= 0):
                    raise ValueError(f"{self.side}: a sample must be finite and not negative, got {seconds}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One side against the baseline. ``point``, ``low``, ``high`` are speedups: 1.2 is a fifth more per second.

    ``confidence`` is that of ``low``..``high`` (a claim asks for more, see ``judge.Rule``), which are 0 and infinity
    where there were too few starts for it; ``p_value`` is two-sided against "no change"; ``clock`` is ``cpu``,
    ``wall``, ``cuda`` or ``script``; ``change`` says whether it changed at all, ``category`` what that is called;
    ``needed_starts`` estimates the starts that would decide an inconclusive comparison; ``detectable`` is the smallest
    effect (0.01: 1 %) that nine of ten such measurements would find; ``decided_by`` says whether ``change`` rests on
    ``time`` or, as a tie-break, on counted ``instructions``. ``recorded``: read from a record, by the old rule that a
    change beyond the threshold counts; it has no interval (0 to infinity), no confidence and no p-value, and
    ``median`` is what the sides' medians say where the record holds them.
    """

    baseline: Side
    candidate: Side
    starts: int
    point: float
    low: float
    high: float
    confidence: float
    p_value: float
    clock: str
    change: Change
    category: Category
    needed_starts: int | None = None
    detectable: float | None = None
    decided_by: str = "time"
    recorded: bool = False
    median: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.point <= self.high:
            raise ValueError(f"an interval must hold its point, got {self.low} {self.point} {self.high}")
