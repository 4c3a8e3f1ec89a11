"""Flags that honest code gets: what the rules about moved work and memory say of recorded starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from calibrating.replaying import CANDIDATE, PairedStart, samples
from calibrating.shares import Share, share_of
from pytest_perfagents.judgement import clocks
from pytest_perfagents.judgement.honesty import integrity, shifts
from pytest_perfagents.judgement.stats import top_trimmed_mean
from pytest_perfagents.model import BASELINE

STARTS = 10
"""Of one comparison: the first look, where most of them end."""


def reversed_pairs(starts: Sequence[PairedStart]) -> list[PairedStart]:
    """The slower side as the baseline: an honest gain."""
    return [PairedStart(each.candidate, each.baseline, each.iterations, each.equal_paths) for each in starts]


def flagged(starts: Sequence[PairedStart]) -> Share:
    """In how many comparisons of ten starts, none of them used twice, something is said of honest code."""
    known = [each for each in starts if "beside" in each.baseline and "beside" in each.candidate]
    groups = [known[begin : begin + STARTS] for begin in range(0, len(known) - STARTS + 1, STARTS)]
    return share_of(any(_flags(group)) for group in groups)


def _flags(starts: Sequence[PairedStart]) -> Iterator[str]:
    calls = starts[0].iterations
    sides = [each.baseline for each in starts], [each.candidate for each in starts]
    pair = samples(BASELINE, sides[0], calls), samples(CANDIDATE, sides[1], calls)
    clock = clocks.clock_for(pair)
    before, after = (_costs(side, clock, calls) for side in sides)
    yield from shifts.shift_flags(before, after)
    yield from filter(None, [shifts.hidden_work(before, after)])
    yield from filter(None, [integrity.first_call_flag(_calls(sides[0]), _calls(sides[1]))])
    if clock == "cpu":
        yield from filter(None, [clocks.disagreement(*pair, clocks.FLAGGED, clocks.LEAST_FLAGGED)])
    times = ((each.cpu_s if clock == "cpu" else each.wall_s) for each in pair)
    yield from filter(None, [clocks.standing_out(*times)])


def _costs(side: Sequence[Any], clock: str, calls: int) -> shifts.Costs:
    beside = [start["beside"] for start in side]
    calls_s = [top_trimmed_mean(start[clock]) for start in side]
    names = ("import_s", "first_setup_s", "setup_s")
    return shifts.Costs(
        *([each[name] for each in beside] for name in names),
        calls_s,
        [call_s * calls for call_s in calls_s],
        [each["hidden_cpu_s"] for each in beside],
        [each["gap_s"] for each in beside] if clock == "wall" else (),
        setups=max(1, beside[0]["setups"]),
    )


def _calls(side: Sequence[Any]) -> integrity.Calls:
    return integrity.Calls(
        [start["beside"]["first_call_s"] for start in side], [top_trimmed_mean(start["cpu"]) for start in side]
    )
