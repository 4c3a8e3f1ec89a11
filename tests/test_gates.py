from __future__ import annotations

import pytest
from canned import failed, measured
from cases import case_of

from pytest_perfagents.gates import parse_gates, shown_as
from pytest_perfagents.model import UsageError


@pytest.mark.parametrize(
    ("gates", "category", "shown"),
    [
        ("regression", "SUCCESS_REGRESSION", "failed"),
        ("regression", "SUCCESS_IMPROVEMENT", "passed"),
        ("slower", "SUCCESS_REGRESSION", "failed"),
        ("faster, slower", "SUCCESS_NEUTRAL", "passed"),
        ("improvement,neutral", "SUCCESS_NEUTRAL", "failed"),
        ("different", "EQUIVALENCE_FAILED", "failed"),
        ("failed", "BASELINE_OOM", "failed"),
        ("failed", "AGENT_NO_PATCH", "skipped"),
        ("skipped", "AGENT_NO_PATCH", "failed"),
        ("unmeasured", "AGENT_NO_PATCH", "failed"),
        ("unmeasured", "SUCCESS_REGRESSION", "passed"),
        ("BASELINE_*", "BASELINE_OOM", "failed"),
        ("baseline_oom", "BASELINE_OOM", "failed"),
        ("BASELINE_*", "PATCHED_OOM", "xfailed"),
        ("", "HARNESS_ERROR", "failed"),
    ],
)
def test_a_gate_fails_what_it_names(gates, category, shown):
    make = measured if category.startswith("SUCCESS") else failed
    assert shown_as(make(case_of(), category), {}, parse_gates([gates])) == shown


def test_a_gate_wins_over_the_configuration():
    outcome = failed(case_of(), "EQUIVALENCE_FAILED")
    assert shown_as(outcome, {"EQUIVALENCE_FAILED": "passed"}, ()) == "passed"
    assert shown_as(outcome, {"EQUIVALENCE_FAILED": "passed"}, {"different"}) == "failed"


def test_an_unknown_word_is_an_error_with_the_nearest_and_all_there_are():
    with pytest.raises(
        UsageError, match=r"'regresion' is no outcome; did you mean regression\?.*different.*NO_METRICS"
    ):
        parse_gates(["regresion"])
