"""Verdicts from samples whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from math import exp, isclose, log
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_perfagents.judgement.clocks import clock_for, disagreement, log_speedups, standing_out
from pytest_perfagents.judgement.judge import Rule, compare, is_decided
from pytest_perfagents.judgement.stats import hodges_lehmann
from pytest_perfagents.model import BASELINE, Category, Change, Role, Side, SideSamples

PATCHED = Side(Role.PATCHED, "r")
RULE = Rule()


def samples(side, true_s, *, starts=40, turns=8, noise=0.005, seed=0, busy=1.0):
    random = np.random.default_rng(seed)
    wall = true_s * np.exp(random.normal(0, noise, (starts, turns)))
    as_tuples = tuple(tuple(row) for row in wall.tolist())
    return SideSamples(side, 1, as_tuples, tuple(tuple(s * busy for s in row) for row in as_tuples))


def verdict(ratio, **how):
    baseline = samples(BASELINE, 0.010, seed=1, **how)
    return compare(baseline, samples(PATCHED, 0.010 / ratio, seed=2, **how), clock="cpu", rule=RULE)


@pytest.mark.parametrize(
    ("ratio", "category", "change"),
    [
        (1.5, Category.SUCCESS_IMPROVEMENT, Change.FASTER),
        (0.5, Category.SUCCESS_REGRESSION, Change.SLOWER),
        (1.0, Category.SUCCESS_NEUTRAL, Change.SAME),
        (1.03, Category.SUCCESS_NEUTRAL, Change.FASTER),
        (0.97, Category.SUCCESS_NEUTRAL, Change.SLOWER),
    ],
)
def test_a_known_ratio_gets_its_name(ratio, category, change):
    comparison = verdict(ratio)
    assert (comparison.category, comparison.change) == (category, change)
    assert comparison.low <= ratio <= comparison.high or isclose(comparison.point, ratio, rel_tol=0.01)
    assert is_decided(comparison)


def test_noise_without_enough_starts_is_inconclusive_and_says_what_would_decide():
    comparison = verdict(1.0, starts=10, noise=0.3)
    assert comparison.category is Category.SUCCESS_INCONCLUSIVE
    assert comparison.needed_starts > 10
    assert not is_decided(comparison)


def test_one_start_decides_nothing_however_large_the_difference():
    comparison = verdict(100.0, starts=1)
    assert comparison.category is Category.SUCCESS_INCONCLUSIVE
    assert comparison.needed_starts == 10
    assert isclose(comparison.point, 100, rel_tol=0.02)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 3.0), st.integers(0, 1000))
def test_swapping_the_sides_gives_the_reciprocal(ratio, seed):
    a = samples(BASELINE, 0.01, starts=12, seed=seed)
    b = samples(PATCHED, 0.01 * ratio, starts=12, seed=seed + 1)
    there, back = (compare(x, y, clock="wall", rule=RULE) for x, y in ((a, b), (b, a)))
    assert isclose(there.point, 1 / back.point)
    assert isclose(there.low, 1 / back.high)
    opposite = {Change.FASTER: Change.SLOWER, Change.SLOWER: Change.FASTER}
    assert back.change is opposite.get(there.change, there.change)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-6, 1e3))
def test_the_unit_of_time_does_not_matter(scale):
    a, b = samples(BASELINE, 0.01, starts=12, seed=3), samples(PATCHED, 0.012, starts=12, seed=4)
    scaled = [
        SideSamples(s.side, 1, *(tuple(tuple(t * scale for t in row) for row in s.wall_s) for _ in range(2)))
        for s in (a, b)
    ]
    assert isclose(
        compare(a, b, clock="wall", rule=RULE).point, compare(*scaled, clock="wall", rule=RULE).point, rel_tol=1e-6
    )


def test_the_cpu_clock_counts_only_for_code_that_computes_all_the_time_on_one_thread():
    busy, idle, parallel = (samples(BASELINE, 0.01, busy=share) for share in (1.0, 0.5, 1.9))
    assert clock_for([busy, busy]) == "cpu"
    assert clock_for([busy, idle]) == "wall"
    assert clock_for([busy, parallel]) == "wall"


def test_time_without_a_core_is_no_waiting():
    busy, idle = (samples(BASELINE, 0.01, busy=share) for share in (0.6, 0.6))
    crowded = replace(busy, ready_s=tuple(tuple(s * 0.4 for s in turns) for turns in busy.wall_s))
    assert clock_for([crowded, crowded]) == "cpu"
    assert clock_for([crowded, idle]) == "wall"


def test_a_claim_needs_more_than_the_stated_interval():
    """Ten starts whose 95 % interval excludes 1 while one of them points the other way."""
    ratios = [0.02, 0.021, 0.022, 0.023, 0.024, 0.025, 0.026, 0.027, 0.028, -0.012]
    baseline, candidate = (
        SideSamples(side, 1, *(tuple((exp(r * sign),) for r in ratios) for _ in range(2)))
        for side, sign in ((BASELINE, 1), (PATCHED, 0))
    )
    comparison = compare(baseline, candidate, clock="wall", rule=RULE)
    assert comparison.low > 1
    assert comparison.change is Change.UNCLEAR
    assert compare(baseline, candidate, clock="wall", rule=replace(RULE, alpha=0.1)).change is Change.FASTER


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=10, max_size=40), st.floats(0.0, 0.5))
def test_more_gain_never_makes_a_verdict_worse(ratios, more):
    order = [Change.SLOWER, Change.FASTER]
    before, after = (
        compare(
            SideSamples(BASELINE, 1, *(tuple((exp(r + gain),) for r in ratios) for _ in range(2))),
            SideSamples(PATCHED, 1, *(tuple((1.0,) for _ in ratios) for _ in range(2))),
            clock="wall",
            rule=RULE,
        )
        for gain in (0.0, more)
    )
    assert after.point >= before.point * (1 - 1e-12)
    assert after.low >= before.low * (1 - 1e-12)
    assert not (before.change is Change.FASTER and after.change in (Change.SLOWER, Change.SAME))
    if {before.change, after.change} <= set(order):
        assert order.index(after.change) >= order.index(before.change)


def test_cpu_time_that_falls_while_wall_time_stays_decides_nothing_and_is_named():
    baseline = samples(BASELINE, 0.010, seed=1)
    hires = samples(PATCHED, 0.010, seed=2)
    hires = replace(hires, cpu_s=tuple(tuple(s / 2 for s in turns) for turns in hires.cpu_s))
    comparison = compare(baseline, hires, clock="cpu", rule=RULE)
    assert (comparison.change, comparison.category) == (Change.UNCLEAR, Category.SUCCESS_INCONCLUSIVE)
    says = disagreement(baseline, hires, 0.99)
    assert says is not None
    assert says.startswith("by CPU time it is 2.00x as fast")
    assert disagreement(hires, baseline, 0.99) is not None


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 5.0), st.floats(0.0, 0.5), st.integers(0, 2**31))
def test_a_busy_machine_makes_no_disagreement_of_an_honest_change(ratio, noise, seed):
    random = np.random.default_rng(seed)
    sides = []
    for side, true_s in ((BASELINE, 0.01 * ratio), (PATCHED, 0.01)):
        cpu = true_s * np.exp(random.normal(0, 0.005, (20, 8)))
        wall = cpu * (1 + random.exponential(noise, (20, 8)))
        sides.append(SideSamples(side, 1, *(tuple(map(tuple, each.tolist())) for each in (wall, cpu))))
    assert abs(ratio - 1) < 0.1 or disagreement(*sides, 0.9975) is None


def test_clocks_that_contradict_each_other_decide_nothing():
    baseline = samples(BASELINE, 0.010, seed=1)
    waits = samples(PATCHED, 0.020, seed=2, busy=0.25)  # half the CPU time, twice the wall time
    comparison = compare(baseline, waits, clock="cpu", rule=RULE)
    assert comparison.change is Change.UNCLEAR
    assert comparison.category is Category.SUCCESS_INCONCLUSIVE


def test_an_interruption_of_single_turns_does_not_move_the_verdict():
    sides = [[list(row) for row in samples(BASELINE, 0.010, seed=seed, turns=10).wall_s] for seed in (1, 2)]
    for number, rows in enumerate(zip(*sides, strict=True)):
        rows[number % 2][3] *= 50  # a neighbour hits now the one side, now the other
    quiet, disturbed = (
        SideSamples(side, 1, *(tuple(map(tuple, walls)) for _ in range(2)))
        for side, walls in zip((BASELINE, PATCHED), sides, strict=True)
    )
    assert compare(quiet, disturbed, clock="wall", rule=RULE).category is Category.SUCCESS_NEUTRAL


def test_what_slows_down_both_turns_of_a_round_drops_out():
    rounds = [(0.010, 0.005), (0.020, 0.010), (0.040, 0.020), (0.010, 0.005)]
    before, after = zip(*rounds, strict=True)
    assert log_speedups([before], [after]) == pytest.approx([log(2)])


def test_a_cost_that_falls_on_a_few_turns_counts():
    usual, dear = 0.010, 0.022
    ratios = log_speedups([[usual] * 10], [[usual] * 7 + [dear] * 3])
    assert exp(-ratios[0]) > 1.15  # the median of the turns would see nothing


def test_turns_answered_from_memory_gain_no_more_than_the_others_lose():
    turns = [0.015, 0.015, 0.00001] * 2
    assert log_speedups([[0.010] * 6], [turns])[0] < 0


# --- turns and starts that stand out ---------------------------------------------------------------


def noisy(starts, turns, seed, usual=1.0, share=0.0, times=1.0):
    """Starts x turns with 2 % of noise; of each turn's time a ``share`` of them is so many ``times`` as long."""
    random = Random(seed)
    return [
        [usual * random.gauss(1, 0.02) * (times if random.random() < share else 1) for _ in range(turns)]
        for _ in range(starts)
    ]


def in_turn(times, turn, factor):
    return [[s * (factor if place == turn else 1) for place, s in enumerate(start)] for start in times]


def test_one_slow_turn_of_each_start_is_the_candidates_own():
    baseline, quick = noisy(10, 8, 1), noisy(10, 8, 2, 0.5)
    slow = in_turn(quick, 3, 12)  # 7 turns of 0.5 and one of 6: more than the baseline's 8
    assert hodges_lehmann(log_speedups(baseline, quick), 0.95)[0] == pytest.approx(log(2), abs=0.02)
    assert hodges_lehmann(log_speedups(baseline, slow), 0.95)[0] == pytest.approx(log(8 / 9.5), abs=0.03)
    said = standing_out(baseline, slow)
    assert said.startswith("some of the turns stand out in every start: without them it is 2.0")
    assert said.endswith(("with them 0.84x", "with them 0.85x"))
    assert standing_out(baseline, quick) is None


def test_a_pause_that_a_patch_removes_from_one_turn_is_its_gain():
    candidate = noisy(12, 6, 3)
    baseline = in_turn(noisy(12, 6, 4), 2, 4)
    assert hodges_lehmann(log_speedups(baseline, candidate), 0.95)[0] == pytest.approx(log(1.5), abs=0.03)


@pytest.mark.parametrize("slow", [1, 2])
def test_few_slow_starts_are_added_up_with_the_others(slow):
    baseline, candidate = noisy(20, 6, 5), noisy(20, 6, 6, 0.1)
    candidate[:slow] = [[s * 250 for s in start] for start in candidate[:slow]]
    said = standing_out(baseline, candidate)
    assert said.startswith(f"{slow} of the 20 starts stand out: the usual one is ")
    assert "all of them together 0.7" in said or "all of them together 0.3" in said


def test_turns_that_are_slow_by_chance_in_some_starts_are_added_up_too():
    baseline, candidate = noisy(20, 8, 7), noisy(20, 8, 8, 0.5)
    candidate[::3] = in_turn(candidate[::3], 1, 30)
    assert standing_out(baseline, candidate) is not None


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("gain", [1.0, 1.03, 1.2])
def test_noise_that_both_sides_have_says_nothing(share, gain):
    said = [
        standing_out(noisy(20, 8, seed, 1.0, share, 3), noisy(20, 8, seed + 999, 1 / gain, share, 3))
        for seed in range(60)
    ]
    assert sum(each is not None for each in said) <= 1


@given(st.lists(st.tuples(*[st.floats(1e-6, 1.0)] * 12), min_size=1, max_size=12))
def test_swapped_sides_swap_every_start(starts):
    before, after = [list(start[:6]) for start in starts], [list(start[6:]) for start in starts]
    for pair in zip(before, after, strict=True):  # of rounds that stand out alike, either may go
        assume(len({one / other for one, other in zip(*pair, strict=True)}) == len(pair[0]))
    assert log_speedups(before, after) == pytest.approx([-ratio for ratio in log_speedups(after, before)])
