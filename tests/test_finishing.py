"""Did a script's process come to its end as the baseline's did?"""

from __future__ import annotations

import pytest

from pytest_perfagents.backends.base import ProgramRun
from pytest_perfagents.measurement.finishing import difference, finish_of
from pytest_perfagents.measurement.programs import report_of
from pytest_perfagents.model import Ending, Execution

REPORT = '{"avg_ms": 2.0, "iters": 15}\n'


def run_of(stdout=REPORT, **how):
    execution = Execution(("script",), Ending.EXITED, 0, stdout, "", 1.0)
    return ProgramRun(execution, **{"confined": True, "late": "", **how})


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"confined": None, "reports": 0}, "left before the script"),
        ({"left": (7,)}, "left before the script"),
        ({"reports": 2}, "second report"),
        ({"late": REPORT}, "prints a time after the script"),
        ({"late": None}, "the end of the script's own output was removed"),
    ],
)
def test_an_end_that_is_not_the_baselines_is_named(how, says):
    found = difference(finish_of(run_of()), finish_of(run_of(**how)))
    assert found is not None
    assert says in found
    assert difference(finish_of(run_of(**how)), finish_of(run_of(**how))) is None  # a script's own way


def test_other_words_after_the_end_are_no_report():
    assert difference(finish_of(run_of()), finish_of(run_of(REPORT + "bye\n", late="bye\n"))) is None


def test_what_comes_after_the_end_counts_only_where_nothing_came_before():
    later = '{"avg_ms": 1.0, "iters": 30}\n'
    assert report_of(run_of(REPORT + later, late=later)).seconds == 0.002
    assert report_of(run_of(later, late=later)).seconds == 0.001
    assert report_of(run_of(REPORT + later, late=None)).seconds == 0.001
