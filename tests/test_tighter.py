"""What ``docs/measurement.md`` says of a tighter interval, on scripted sides: what stops a run, what narrows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_harness import House

from pytest_perfagents.backends.scripted import ScriptedSide
from pytest_perfagents.judgement.power import smallest_effect
from pytest_perfagents.model import Category, Outcome


def measure(folder: Path, *, call_s: float = 0.007, **protocol: object) -> Outcome:
    """A patch on a baseline of 10 ms, where starts differ by a few percent."""
    folder.mkdir()
    house = House(folder)
    case = house.agent(ScriptedSide(call_s=call_s, start_noise=0.05))
    return house.evaluate(**protocol)[case.id]


def width(outcome: Outcome) -> float:
    assert outcome.comparison is not None
    return outcome.comparison.high - outcome.comparison.low


def test_a_large_effect_is_decided_at_the_first_look_with_a_wide_interval(tmp_path: Path) -> None:
    outcome = measure(tmp_path / "a", measure_s=1000.0)
    assert outcome.comparison is not None and outcome.comparison.detectable is not None
    assert (outcome.comparison.starts, outcome.category) == (10, Category.SUCCESS_IMPROVEMENT)
    assert outcome.comparison.detectable > 0.02
    assert outcome.protocol["measured_s"] < outcome.protocol["budget_s"] / 10


def test_a_later_first_look_narrows_it_and_a_larger_budget_does_not(tmp_path: Path) -> None:
    usual, later = measure(tmp_path / "a", measure_s=1000.0), measure(tmp_path / "b", measure_s=1000.0, looks=(40, 80))
    richer = measure(tmp_path / "c", measure_s=4000.0)
    assert usual.comparison is not None and later.comparison is not None and richer.comparison is not None
    assert later.comparison.starts == 40
    assert width(later) < 0.7 * width(usual)
    assert (later.comparison.detectable or 1) < 0.7 * (usual.comparison.detectable or 0)
    assert richer.comparison.starts == usual.comparison.starts


def test_no_budget_leads_beyond_the_last_look(tmp_path: Path) -> None:
    outcome = measure(tmp_path / "a", call_s=0.00955, measure_s=1e5, looks=(4, 8))
    assert outcome.comparison is not None
    assert (outcome.comparison.starts, outcome.category) == (8, Category.SUCCESS_INCONCLUSIVE)
    further = measure(tmp_path / "b", call_s=0.00955, measure_s=1e5, looks=(4, 8, 16))
    assert further.comparison is not None and further.comparison.starts == 16


def test_what_the_budget_cuts_off_is_judged_where_it_stands(tmp_path: Path) -> None:
    outcome = measure(tmp_path / "a", measure_s=2.5, looks=(40, 80))
    assert outcome.comparison is not None
    assert 1 < outcome.comparison.starts < 40
    assert outcome.protocol["measured_s"] <= outcome.protocol["budget_s"]


def test_alpha_is_what_a_claim_costs_and_confidence_what_is_stated(tmp_path: Path) -> None:
    usual = measure(tmp_path / "a")
    bolder, surer = measure(tmp_path / "b", alpha=0.1), measure(tmp_path / "c", confidence=0.99)
    assert usual.comparison is not None and bolder.comparison is not None and surer.comparison is not None
    assert (bolder.comparison.detectable or 1) < (usual.comparison.detectable or 0)
    assert width(bolder) == pytest.approx(width(usual))
    assert width(surer) > width(usual)
    assert surer.comparison.detectable == usual.comparison.detectable


def test_four_times_the_starts_halve_what_can_be_detected() -> None:
    few = [(-1) ** n * (1 + n // 2) / 1000 for n in range(20)]
    some, many = (smallest_effect(few * times, error=0.0025, least=0.0) for times in (1, 4))
    assert some is not None and many is not None
    assert many == pytest.approx(some / 2, rel=0.15)
