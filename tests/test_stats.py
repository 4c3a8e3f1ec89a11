"""The statistics against definitions, SciPy and their own symmetries."""

from __future__ import annotations

from itertools import combinations
from math import inf, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from pytest_perfagents.judgement.stats import (
    false_discovery_adjusted,
    hodges_lehmann,
    signed_rank_cdf,
    signed_rank_p,
    top_trimmed_mean,
    trimmed_ratio,
    walsh_averages,
)

values = st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=1, max_size=40)


def test_top_trimmed_mean_drops_the_largest_tenth_and_nothing_else():
    assert top_trimmed_mean([*range(9), 1000.0]) == 4.0
    assert top_trimmed_mean([1.0, 2.0]) == 1.5
    assert top_trimmed_mean([5.0, 1.0, 3.0]) == 2.0


def test_trimmed_ratio_adds_up_what_does_not_stand_out():
    assert trimmed_ratio([1.0, 9.0, 4.0, 2.0], [1.0, 1.0, 2.0, 8.0]) == 5.0 / 3.0
    assert trimmed_ratio([1.0, 2.0], [4.0, 2.0]) == 0.5
    assert trimmed_ratio([7.0], [2.0]) == 3.5
    with pytest.raises(ValueError, match="no values"):
        trimmed_ratio([], [])


@given(st.lists(st.tuples(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3)), min_size=1, max_size=20))
def test_trimmed_ratio_of_swapped_sides_is_the_reciprocal(pairs):
    before, after = zip(*pairs, strict=True)
    assert trimmed_ratio(before, after) * trimmed_ratio(after, before) == pytest.approx(1)


def test_walsh_averages_are_all_pairs_and_each_value_itself():
    assert list(walsh_averages([1.0, 3.0, 8.0])) == [1.0, 2.0, 3.0, 4.5, 5.5, 8.0]


@pytest.mark.parametrize("n", [1, 4, 7])
def test_signed_rank_cdf_counts_the_subsets_of_the_ranks(n):
    ranks = range(1, n + 1)
    sums = [sum(subset) for size in range(n + 1) for subset in combinations(ranks, size)]
    expected = [sum(s <= t for s in sums) / 2**n for t in range(n * (n + 1) // 2 + 1)]
    assert np.allclose(signed_rank_cdf(n), expected)


def test_the_interval_is_the_published_one():
    # Hollander, Wolfe & Chicken, example 3.1 to 3.5 (Hamilton depression scale): n = 9, 96 % interval.
    x = [-0.952, 0.147, -1.022, -0.430, -0.620, -0.590, -0.490, 0.080, -0.010]
    point, low, high = hodges_lehmann(x, 0.96)
    assert isclose(point, -0.46)
    assert (round(low, 3), round(high, 3)) == (-0.786, -0.010)


def test_the_interval_excludes_zero_exactly_when_the_test_rejects():
    random = np.random.default_rng(5)
    for _ in range(200):
        x = random.normal(0.5, 1, 12)
        _, low, high = hodges_lehmann(x, 0.9)
        assert (low > 0 or high < 0) == (wilcoxon(x, method="exact").pvalue <= 0.1)


def test_too_few_values_give_an_infinite_interval():
    assert hodges_lehmann([1.0] * 5, 0.95)[1:] == (-inf, inf)


@given(values)
def test_swapping_the_sides_mirrors_the_interval(x):
    point, low, high = hodges_lehmann(x, 0.9)
    mirrored = hodges_lehmann([-v for v in x], 0.9)
    assert np.allclose(mirrored, (-point, -high, -low))


@given(values, st.floats(-10, 10))
def test_a_shift_of_all_values_shifts_the_interval(x, shift):
    plain = np.asarray(hodges_lehmann(x, 0.9))
    assert np.allclose(hodges_lehmann([v + shift for v in x], 0.9), plain + shift, atol=1e-6)


@given(values)
def test_more_confidence_never_narrows(x):
    _, low, high = hodges_lehmann(x, 0.8)
    _, wider_low, wider_high = hodges_lehmann(x, 0.99)
    assert wider_low <= low <= high <= wider_high


def test_p_value_of_no_difference_is_one():
    assert signed_rank_p([0.0, 0.0, 0.0]) == 1.0


def test_false_discovery_adjustment_is_benjamini_hochberg():
    assert np.allclose(false_discovery_adjusted([0.01, 0.04, 0.03, 0.5]), [0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery_adjusted([]) == []
