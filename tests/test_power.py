"""The smallest effect that a measurement finds: against the rule that it speaks of, by simulation."""

from __future__ import annotations

from math import exp, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_perfagents.judgement.judge import Rule, compare, stated
from pytest_perfagents.judgement.power import noise_floor, smallest_effect, standard_error
from pytest_perfagents.model import BASELINE, Change, Role, Side, SideSamples

PATCHED = Side(Role.PATCHED, "run")
RULE = Rule()


def judged(ratios):
    baseline, candidate = (
        SideSamples(side, 1, *(tuple((seconds,) for seconds in times) for _ in range(2)))
        for side, times in ((BASELINE, [exp(ratio) for ratio in ratios]), (PATCHED, [1.0] * len(ratios)))
    )
    return compare(baseline, candidate, clock="cpu", rule=RULE)


@pytest.mark.parametrize(
    ("spread", "starts", "least"), [(0.02, 20, 0.84), (0.05, 40, 0.84), (0.004, 80, 0.84), (0.03, 10, 0.75)]
)
def test_nine_of_ten_measurements_find_the_effect_that_is_called_detectable(spread, starts, least):
    """The figure differs from one measurement to the next; its median over many is what is held to its word.

    Ten starts call a change only where all of them agree: there the figure is a little low.
    """
    random = np.random.default_rng(7)
    figures = [judged(random.normal(0, spread, starts)).detectable for _ in range(80)]
    effect = log1p(float(np.median(figures)))
    found = [judged(random.normal(effect, spread, starts)).change is Change.FASTER for _ in range(250)]
    assert least <= np.mean(found) <= 0.96


def test_below_the_least_change_nothing_is_detectable_however_quiet_the_machine():
    assert smallest_effect([1e-6 * n for n in range(20)], error=0.01, least=0.01) == pytest.approx(0.01, rel=0.02)


def test_too_few_starts_for_a_claim_are_said_to_see_nothing():
    assert judged([0.01, 0.02, 0.03]).detectable is None
    assert smallest_effect([0.01] * 9, error=0.0025, least=0.01) is None
    assert standard_error([]) is None
    assert noise_floor([0.1] * 3, 0.95) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.1, 0.1), min_size=12, max_size=30), st.floats(-0.3, 0.3))
def test_what_is_detectable_depends_on_the_spread_and_not_on_the_effect(ratios, shift):
    moved = [ratio + shift for ratio in ratios]
    swapped = [-ratio for ratio in ratios]
    before = smallest_effect(ratios, error=0.0025, least=0.01)
    assert smallest_effect(moved, error=0.0025, least=0.01) == pytest.approx(before, abs=1e-9)
    assert smallest_effect(swapped, error=0.0025, least=0.01) == pytest.approx(before, abs=1e-9)
    wider = smallest_effect([2 * ratio for ratio in ratios], error=0.0025, least=0.01)
    assert wider >= before - 1e-12


def test_the_noise_floor_is_half_the_interval():
    ratios = list(np.random.default_rng(1).normal(0, 0.01, 40))
    comparison = judged(ratios)
    half = (comparison.high / comparison.low) ** 0.5 - 1
    assert noise_floor(ratios, stated(0.95)) == pytest.approx(half)
