from __future__ import annotations

from itertools import combinations
from math import exp, isclose, log
from statistics import geometric_mean as exact_geometric_mean
from statistics import harmonic_mean as exact_harmonic_mean
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.scores.at_k import at_k, chance_at_k
from pytest_perfagents.scores.bootstrap import ratio_score
from pytest_perfagents.scores.discordant import fisher_p, mcnemar_p
from pytest_perfagents.scores.geometric import geometric_mean
from pytest_perfagents.scores.harmonic import harmonic_mean
from pytest_perfagents.scores.near_human import share_near_human

SPEEDUPS = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)
SCORES = (geometric_mean, harmonic_mean, share_near_human)


def commits(values):
    """Every second run is of the same commit as the one before."""
    return [number // 2 for number in range(len(values))]


@given(SPEEDUPS)
def test_the_means_are_those_of_the_textbook_and_lie_in_order(values):
    geometric = geometric_mean(values, commits(values), seed=0).value
    harmonic = harmonic_mean(values, commits(values), seed=0).value
    assert isclose(geometric, exact_geometric_mean(values), rel_tol=1e-9)
    assert isclose(harmonic, exact_harmonic_mean(values), rel_tol=1e-9)
    slack = 1 + 1e-9
    assert min(values) / slack <= harmonic <= geometric * slack
    assert geometric <= mean(values) * slack


@given(SPEEDUPS)
def test_a_baseline_and_a_patch_that_change_places_turn_the_geometric_mean_over(values):
    there = geometric_mean(values, commits(values), seed=0).value
    back = geometric_mean([1 / value for value in values], commits(values), seed=0).value
    assert isclose(there * back, 1, rel_tol=1e-9)


@given(SPEEDUPS)
def test_the_share_counts_from_95_percent_of_the_human(values):
    share = share_near_human(values, commits(values), seed=0)
    assert share.value == pytest.approx(sum(value >= 0.95 for value in values) / len(values))
    assert share.count == len(values)
    assert [share_near_human([part], [0], seed=0).value for part in (0.9499, 0.95)] == [0, 1]


@given(SPEEDUPS, st.integers(0, 5))
def test_an_interval_holds_its_value_and_is_the_seeds_alone(values, seed):
    for score in SCORES:
        found = score(values, commits(values), seed=seed)
        assert found == score(values, commits(values), seed=seed)
        if len(values) <= 2:
            assert found.interval is None  # one commit says nothing of others
        else:
            assert found.low <= found.value <= found.high


@given(SPEEDUPS, st.randoms())
def test_the_order_of_runs_is_nothing_to_a_score(values, random):
    shuffled = list(zip(values, commits(values), strict=True))
    random.shuffle(shuffled)
    for score in SCORES:
        assert score(*map(list, zip(*shuffled, strict=True)), seed=0) == score(values, commits(values), seed=0)


@pytest.mark.parametrize("score", SCORES)
def test_of_nothing_there_is_no_score(score):
    assert score([], [], seed=0) is None


def test_nine_of_ten_bootstrap_intervals_hold_the_truth():
    import numpy as np

    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        logs = random.normal(log(1.2), 0.3, 40)
        low, high = geometric_mean(list(np.exp(logs)), list(range(40)), seed=0, confidence=0.9).interval
        held += low <= 1.2 <= high
    assert 165 <= held <= 195


def test_runs_of_one_commit_are_drawn_together():
    values = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    together = geometric_mean(values, [0] * 4 + [1] * 4, seed=0)
    apart = geometric_mean(values, list(range(8)), seed=0)
    assert together.interval == (1.0, 2.0)
    assert 1.0 < apart.low < apart.high < 2.0


def test_many_clusters_are_resampled_as_well():
    values = [exp(0.1 * (number % 7)) for number in range(30_000)]
    score = geometric_mean(values, list(range(30_000)), seed=0)
    assert score.low < score.value < score.high
    assert score.high - score.low < 0.01


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_chance_at_k_is_that_of_drawing_k_attempts(attempts):
    n, c, k = attempts
    drawn = list(combinations([True] * c + [False] * (n - c), k))
    assert chance_at_k(n, c, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))
    if k < n:
        assert chance_at_k(n, c, k + 1) >= chance_at_k(n, c, k)


@pytest.mark.parametrize(("n", "c", "k"), [(2, 1, 3), (2, 3, 1), (2, 0, 0)])
def test_a_chance_that_no_attempts_tell_is_refused(n, c, k):
    with pytest.raises(ValueError, match="say nothing"):
        chance_at_k(n, c, k)


def test_at_k_is_the_mean_over_the_tasks_with_k_attempts():
    tasks, places = [(2, 1), (3, 0), (1, 1)], ["a", "b", "c"]
    assert at_k(tasks, places, 1, seed=0).value == pytest.approx((1 / 2 + 0 + 1) / 3)
    second = at_k(tasks, places, 2, seed=0)
    assert (second.value, second.count) == (pytest.approx((1 + 0) / 2), 2)
    assert at_k(tasks, places, 4, seed=0) is None


def test_a_single_cluster_has_no_interval():
    assert ratio_score([1.0, 2.0], [1.0, 1.0], ["a", "a"], seed=0).interval is None


def test_discordant_tasks_decide():
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(10, 0) == pytest.approx(2 / 2**10)
    assert mcnemar_p(3, 7) == mcnemar_p(7, 3)
    assert fisher_p((72, 8), (54, 45)) < 0.001 < fisher_p((5, 5), (6, 4))
