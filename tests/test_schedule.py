"""Orders and batches: balanced, mirrored, reproducible."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.judgement.schedule import (
    LONGEST_TURN_S,
    PADDING_BYTES,
    batch,
    look_confidence,
    plan_start,
    turn_order,
    turns_per_start,
)


@given(st.integers(1, 7), st.integers(1, 12), st.integers())
def test_every_side_takes_every_round_once(sides, turns, seed):
    order = turn_order(range(sides), turns, Random(seed))
    rounds = [order[i : i + sides] for i in range(0, len(order), sides)]
    assert len(rounds) == turns
    assert all(sorted(r) == list(range(sides)) for r in rounds)


@given(st.integers(2, 7), st.integers())
def test_every_second_round_is_the_mirror_of_the_one_before(sides, seed):
    order = turn_order(range(sides), 6, Random(seed))
    for i in range(0, len(order), 2 * sides):
        pair = order[i : i + 2 * sides]
        assert pair == pair[::-1]


def test_both_orders_of_a_pair_occur():
    firsts = {turn_order("AB", 2, Random(seed))[0] for seed in range(20)}
    assert firsts == {"A", "B"}


def test_a_plan_repeats_with_its_seed_and_differs_between_starts():
    assert plan_start(3, 4, seed=7) == plan_start(3, 4, seed=7)
    assert plan_start(3, 4, seed=7) != plan_start(4, 4, seed=7)
    plan = plan_start(0, 5, seed=1)
    assert sorted(plan.launch_order) == [0, 1, 2, 3, 4]
    assert all(0 <= padding < PADDING_BYTES for padding in plan.padding)
    assert len(set(plan.padding)) > 1


@pytest.mark.parametrize(
    ("baseline_s", "slowest_s", "calls"),
    [
        (0.001, 0.001, 20),
        (0.018, 0.018, 1),
        (0.017, 0.017, 2),
        (0.5, 0.5, 1),
        (30.0, 30.0, 1),
        (0.001, 0.5, 2),
        (1e-7, 1e-7, 200_000),
        (0.0, 0.0, 1_000_000),
    ],
)
def test_a_batch_fills_a_turn_but_no_side_takes_over_a_second(baseline_s, slowest_s, calls):
    assert batch(baseline_s, slowest_s, 0.02) == calls
    assert calls == 1 or calls * slowest_s <= LONGEST_TURN_S


def test_a_start_is_as_long_as_its_start_up_between_bounds():
    assert turns_per_start(0.01, 0.04, 6) == 6
    assert turns_per_start(0.8, 0.04, 6) == 20
    assert turns_per_start(30.0, 0.04, 6) == 26  # 1 s, made even
    assert turns_per_start(0.1, 50.0, 6) == 6


def test_looks_share_the_error():
    assert look_confidence(0.95, (10, 20, 40, 80)) == pytest.approx(1 - 0.0125)
