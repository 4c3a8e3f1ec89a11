"""Figures as people read them: one formatting wherever they stand."""

from dataclasses import replace

import pytest
from canned import measured
from cases import case_of

from pytest_perfagents.figures import interval, share, times
from pytest_perfagents.records import outcome_to_json, reason_of
from pytest_perfagents.report.consoles import Screen, console_for, text_of
from pytest_perfagents.report.explanation.verdict import verdict_part
from pytest_perfagents.report.terminal import render

INF = float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.9, "190 %"),
        (1.0, "100 %"),
        (0.994, "99 %"),
        (0.996, "100 %"),
        (12.34, "1200 %"),
        (0.0161, "1.6 %"),
        (None, "-"),
    ],
)
def test_a_share_has_two_figures_and_no_power_of_ten(value, text):
    assert share(value) == text


def test_near_one_a_speedup_has_three_places_and_a_large_one_no_power_of_ten():
    assert [times(each) for each in (1.00123, 1.625, 294.3, 12345.6)] == ["1.001x", "1.62x", "294x", "12346x"]
    assert interval(0.99716, 1.00602) == "[0.997, 1.006]"
    assert interval(0.0, INF) == "-"


def compared(outcome, **fields):
    return replace(outcome, comparison=replace(outcome.comparison, **fields))


def test_the_reason_has_the_figures_of_the_section():
    same = compared(measured(case_of(), "SUCCESS_NEUTRAL"), point=1.00123, low=0.99716, high=1.00602, detectable=1.9)
    assert reason_of(same).startswith("1.001x [0.997, 1.006] of the baseline's speed, the same, 2 starts, cpu clock")
    row = render([outcome_to_json(same)], Screen(160)).splitlines()[1]
    for text in (reason_of(same), row):
        assert "1.001x" in text and "[0.997, 1.006]" in text and "190 %" in text


def test_too_few_starts_for_an_interval_are_no_interval():
    few = compared(measured(case_of(), "SUCCESS_INCONCLUSIVE"), low=0.0, high=INF)
    record = outcome_to_json(few)
    for width in (60, 160):
        assert "inf" not in render([record], Screen(width)).split()
        assert "[0" not in render([record], Screen(width))
    assert reason_of(few).startswith("1.020x without an interval of the baseline's speed")
    assert (record["speedup"]["low"], record["speedup"]["high"]) == (0.0, None)


def test_an_explanation_says_that_there_is_no_interval():
    few = compared(measured(case_of(), "SUCCESS_INCONCLUSIVE"), low=0.0, high=INF)
    console = console_for(Screen(160))
    for part in verdict_part(few):
        console.print(part)
    text = text_of(console, Screen(160))
    assert "1.020x the baseline's speed, 2 starts, too few for an interval, cpu clock" in text


def test_an_inconclusive_run_far_from_one_says_that_its_starts_are_too_few():
    far = compared(measured(case_of(), "SUCCESS_INCONCLUSIVE"), point=1.62, low=1.60, high=1.64, starts=6)
    at_a_look = compared(far, starts=10)
    torn = compared(far, needed_starts=None)
    said = "6 starts (too few for a claim: the first look is after 10)"
    told = [replace(each, protocol={"looks": [10, 20]}) for each in (far, at_a_look, torn)]
    assert said in reason_of(told[0])
    assert all("too few" not in reason_of(each) for each in told[1:])


@pytest.mark.parametrize("category", ["SUCCESS_NEUTRAL", "SUCCESS_INCONCLUSIVE"])
def test_a_first_look_that_was_not_reached_is_noted_with_the_starts_of_the_commit(category):
    outcomes = [compared(measured(case_of(number=n), category), starts=20 + n) for n in range(2)]
    looks = [[40, 80], [10, 20]]
    told, untold = (
        render([outcome_to_json(replace(each, protocol={"looks": look})) for each in outcomes], Screen(120))
        for look in looks
    )
    assert told.count("20 starts fitted the budget of minivllm-1a2b3c4d; the first look is after 40") == 1
    assert "fitted" not in untold
