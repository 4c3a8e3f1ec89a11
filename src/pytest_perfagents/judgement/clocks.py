"""Which clock decides, the process's CPU time or the wall's, and whether the other one agrees. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isinf, log

from pytest_perfagents.figures import times
from pytest_perfagents.judgement.stats import hodges_lehmann, trimmed_ratio
from pytest_perfagents.model import SideSamples

BUSY_SHARE, LEAST_SHARE = 0.95, 0.75
TICK_S = 1e-9
FEW_STARTS = 5
FLAGGED, LEAST_FLAGGED = 0.99, log(1.05)
"""What a flag about clocks that disagree needs: with less, the noise of a busy machine has its say."""
ONE_SIDED, LEAST_ONE_SIDED = 0.995, log(1.005)
FAR, LIKELY = log(1.5), 0.95

Times = Sequence[Sequence[float]]
"""Starts x turns, in seconds."""


def log_speedups(baseline: Times, candidate: Times) -> list[float]:
    """Per start, the log of the ratio of both sides' turns, trimmed by rounds: positive where the candidate is faster.

    The turns of a round are neighbours in time: what slows down only one of them makes the round stand out, and such
    rounds go, unless they stand out in one side's favour from start to start, for then they are that side's own. What
    remains is added up before it is divided, so that a turn counts by the time that it takes.
    """
    trimmed = _trimmed(baseline, candidate)
    return trimmed if _one_sided(baseline, candidate, trimmed) is None else _whole(baseline, candidate)


def standing_out(baseline: Times, candidate: Times) -> str | None:
    """One line where single turns, or whole starts, take back what the others gain."""
    trimmed = _trimmed(baseline, candidate)
    one_sided = _one_sided(baseline, candidate, trimmed)
    if one_sided is not None and abs(one_sided) >= LEAST_FLAGGED:
        usual = exp(hodges_lehmann(trimmed, FLAGGED)[0])
        return (
            f"some of the turns stand out in every start: without them it is {times(usual)} as fast as the baseline, "
            f"with them {times(usual * exp(one_sided))}"
        )
    return _far_starts(baseline, candidate)


def _far_starts(baseline: Times, candidate: Times) -> str | None:
    """Neither turns that are trimmed nor a few starts are heard by an estimate; all of it together is."""
    point, low, _ = _interval(log_speedups(baseline, candidate), LIKELY)
    ratios = _whole(baseline, candidate)
    slow = sum(point - ratio > FAR for ratio in ratios)
    together = log(max(sum(map(sum, baseline)), TICK_S) / max(sum(map(sum, candidate)), TICK_S))
    if slow == 0 or low <= 0 or point < LEAST_FLAGGED or together > point / 2:
        return None
    return (
        f"{slow} of the {len(ratios)} starts stand out: the usual one is {times(exp(point))} as fast as the baseline, "
        f"all of them together {times(exp(together))}"
    )


def _one_sided(baseline: Times, candidate: Times, trimmed: Sequence[float]) -> float | None:
    """How much the trimmed rounds change a start, in logs; None where they change it to either side, as noise does."""
    changes = [whole - part for whole, part in zip(_whole(baseline, candidate), trimmed, strict=True)]
    point, low, high = hodges_lehmann(changes, ONE_SIDED)
    return point if abs(point) >= LEAST_ONE_SIDED and (low > 0 or high < 0) else None


def _trimmed(baseline: Times, candidate: Times) -> list[float]:
    return [
        log(trimmed_ratio([max(s, TICK_S) for s in before], [max(s, TICK_S) for s in after]))
        for before, after in zip(baseline, candidate, strict=True)
    ]


def _whole(baseline: Times, candidate: Times) -> list[float]:
    return [
        log(max(sum(before), TICK_S) / max(sum(after), TICK_S))
        for before, after in zip(baseline, candidate, strict=True)
    ]


def clock_for(sides: Sequence[SideSamples]) -> str:
    """``cpu`` where every side computes on one thread all the time that it could, ``wall`` otherwise.

    CPU time over wall time, in the fastest quarter of a side's turns (a busy machine disturbs those least), tells:
    below one it waits, above one several threads compute. Time for which it was ready and another process had the core
    (``ready_s``, the kernel's run delay) is no waiting of its own.
    """
    return "cpu" if all(_computes_alone(side) for side in sides) else "wall"


def _computes_alone(side: SideSamples) -> bool:
    walls, cpus = ([s for turns in starts for s in turns] for starts in (side.wall_s, side.cpu_s))
    delays = [s for turns in side.ready_s for s in turns] or [0.0] * len(walls)
    if side.ready_s and sum(cpus) + sum(delays) < LEAST_SHARE * sum(walls):
        return False  # some turns wait, for a child that computes in their place
    turns = sorted(zip(walls, cpus, delays, strict=True))
    wall_s, cpu_s, ready_s = (float(sum(times)) for times in zip(*turns[: max(1, len(turns) // 4)], strict=True))
    wall_s = max(wall_s, TICK_S)
    return cpu_s <= wall_s / BUSY_SHARE and cpu_s + min(ready_s, wall_s) >= BUSY_SHARE * wall_s


def disagreement(baseline: SideSamples, candidate: SideSamples, confidence: float, least: float = 0.0) -> str | None:
    """One line where CPU time changed (by ``least`` in logs), and wall time by less than half of that, both proven.

    Who computes on one thread all the time saves both or none. Else the work is done by somebody else meanwhile.
    """
    cpu, wall = log_speedups(baseline.cpu_s, candidate.cpu_s), log_speedups(baseline.wall_s, candidate.wall_s)
    point, low, high = _interval(cpu, confidence)
    if low <= 0 <= high or abs(point) < least:
        return None
    sign = 1 if point > 0 else -1
    _, _, most = _interval([sign * (one - other / 2) for one, other in zip(wall, cpu, strict=True)], confidence)
    if most >= 0:
        return None
    by_wall = exp(hodges_lehmann(wall, confidence)[0])
    return f"by CPU time it is {times(exp(point))} as fast as the baseline, and by the wall's clock {times(by_wall)}"


def _interval(ratios: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Estimate and interval; of starts that are too few for it, every single one must show it."""
    point, low, high = hodges_lehmann(ratios, confidence)
    if isinf(low) and len(ratios) >= FEW_STARTS:
        return point, min(ratios), max(ratios)
    return point, low, high
