"""Instruction counts: which calls, what they decide, what becomes of those that cannot be had."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest
from canned import measured
from cases import case_of
from hypothesis import given
from hypothesis import strategies as st
from test_harness import COMMIT, House

from pytest_perfagents.backends.scripted import Dies, Hangs, Raises, ScriptedBackend, ScriptedSide
from pytest_perfagents.judgement.counting import calls_to_count, per_call, tie_broken
from pytest_perfagents.measurement.arena import Patience
from pytest_perfagents.measurement.counting import NoCount, count_calls
from pytest_perfagents.model import BASELINE, HUMAN, Category, Change, Comparison, Ending, Role, Side, UsageError
from pytest_perfagents.processes.counters import Counter, find_counter
from pytest_perfagents.processes.process import Command, run
from pytest_perfagents.records import outcome_from_json, outcome_to_json
from pytest_perfagents.report.counts import count_line
from pytest_perfagents.report.terminal import Screen, render

VALGRIND = Counter("valgrind", ("valgrind",), 60.0)
PATCHED = Side(Role.PATCHED, "run")


def comparison(point=1.02, low=0.99, high=1.05, change=Change.UNCLEAR, p=0.2, clock="cpu") -> Comparison:
    return Comparison(
        BASELINE, PATCHED, 20, point, low, high, 0.95, p, clock, change, Category.SUCCESS_NEUTRAL
    )  # fmt: skip


# What they decide


def test_counts_decide_what_time_leaves_open():
    decided = tie_broken(comparison(), 1.03, error=0.01)
    assert (decided.change, decided.decided_by) == (Change.FASTER, "instructions")
    assert decided.category is Category.SUCCESS_NEUTRAL
    slower = tie_broken(comparison(point=0.98, low=0.95, high=1.01), 0.97, error=0.01)
    assert slower.change is Change.SLOWER


@pytest.mark.parametrize(
    ("open_question", "ratio"),
    [
        (comparison(change=Change.FASTER), 0.97),
        (comparison(change=Change.SAME), 1.03),
        (comparison(p=0.001), 1.03),
        (comparison(clock="cuda"), 1.03),
        (comparison(clock="script"), 1.03),
        (comparison(low=0.96), 0.98),
        (comparison(), 1.08),
        (comparison(), 1.005),
    ],
    ids=["time says faster", "time says same", "time is clear", "gpu", "script", "leans away", "outside", "tiny"],
)
def test_counts_never_overrule_time(open_question, ratio):
    assert tie_broken(open_question, ratio, error=0.01) == open_question


@given(st.floats(-0.04, 0.04), st.floats(-0.1, 0.1))
def test_swapped_sides_are_decided_alike(lean, counted):
    mine = comparison(exp(lean), exp(lean - 0.05), exp(lean + 0.05))
    theirs = comparison(exp(-lean), exp(-lean - 0.05), exp(-lean + 0.05))
    swapped = {Change.FASTER: Change.SLOWER, Change.SLOWER: Change.FASTER, Change.UNCLEAR: Change.UNCLEAR}
    one, other = tie_broken(mine, exp(counted), error=0.01), tie_broken(theirs, exp(-counted), error=0.01)
    assert other.change is swapped[one.change]


def test_longer_calls_are_counted_less_often():
    short, long = calls_to_count(1e-5, 60), calls_to_count(1.0, 60)
    assert short == (50, 250)
    assert long == (2, 3)


def test_a_run_that_took_less_though_it_did_more_gives_no_count():
    assert per_call(1000, 3000, (2, 12)) == 200
    assert per_call(3000, 1000, (2, 12)) is None


# In the arena, on scripted sides


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def judged(house, mine: ScriptedSide, base: ScriptedSide | None = None, **protocol):
    house.sides[BASELINE] = base or ScriptedSide(start_noise=0.03, instructions=1e6)
    house.sides[HUMAN] = replace(house.sides[HUMAN], instructions=5e5)
    case = house.agent(mine)
    evaluator = house.evaluator(**protocol)
    evaluator.counter = VALGRIND
    return evaluator.evaluate(house.cases, house.backend.clock() + 1e6)[case.id]


def test_the_record_has_instructions_per_call_of_all_sides(house):
    outcome = judged(house, ScriptedSide(call_s=0.005, instructions=4e5), ScriptedSide(instructions=1e6))
    assert outcome.comparison.decided_by == "time"
    assert outcome.counts["baseline"] == pytest.approx(1e6)
    assert outcome.counts["human"] == pytest.approx(5e5)
    assert outcome.counts["patched"] == pytest.approx(4e5)
    assert outcome.counts["ratio"] == pytest.approx(2.5)


def test_an_unclear_change_is_decided_and_stays_in_its_category(house):
    house.sides[BASELINE] = ScriptedSide(start_noise=0.05, instructions=1e6)
    mine = ScriptedSide(call_s=0.0098, start_noise=0.05, instructions=0.98e6)
    outcome = judged(house, mine, house.sides[BASELINE], measure_s=3.0)
    assert outcome.comparison.change is Change.FASTER
    assert outcome.comparison.decided_by == "instructions"
    assert outcome.category in (Category.SUCCESS_INCONCLUSIVE, Category.SUCCESS_NEUTRAL)


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        (ScriptedSide(instructions=1e6, children=2), "child processes"),
        (ScriptedSide(), "gave no count"),
        (ScriptedSide(instructions=-1.0), "no more instructions"),
        (ScriptedSide(style="program"), ""),
    ],
)
def test_what_cannot_be_counted_is_said_and_leaves_the_outcome_as_it_is(house, mine, words):
    outcome = judged(house, mine)
    if mine.style == "program":
        assert outcome.failure is not None and outcome.counts == {}
        return
    assert outcome.comparison.decided_by == "time"
    assert words in outcome.counts["note"]
    assert "no instruction count: patched: " in count_line(outcome.counts)


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        (Dies(Ending.SIGNALED, 4), "signal 4 (an instruction that it does not know) during turn"),
        (Hangs(), "too slow under valgrind"),
        (Raises("MemoryError", "no room"), "MemoryError under valgrind: no room"),
    ],
)
def test_trouble_under_the_counter_is_no_count(house, mishap, words):
    side = Side(Role.PATCHED, "run")
    backend = ScriptedBackend({side: ScriptedSide(mishaps={"turn": mishap})}, house.folder)
    with backend.workspace(COMMIT, side, None) as workspace, pytest.raises(NoCount) as caught:
        count_calls(VALGRIND, workspace, house.script, (2, 12), Patience(60, 1e9, backend.clock))
    assert words in str(caught.value)


def test_without_the_option_nothing_is_counted(house):
    case = house.agent(ScriptedSide(instructions=1.0))
    assert house.evaluate()[case.id].counts == {}


# The real counter


@pytest.fixture(scope="session")
def counter():
    if not shutil.which("valgrind") and not shutil.which("perf"):
        pytest.skip("neither valgrind nor perf is installed")
    try:
        return find_counter()
    except UsageError as error:
        pytest.skip(str(error))


PROGRAM = "import sys\nfor _ in range(int(sys.argv[1])):\n    sum(i * i for i in range({}))\n"


def instructions(counter, program: Path, calls: int) -> int:
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "1"}
    ended = run(Command((*counter.command, sys.executable, str(program), str(calls)), program.parent, env, 60))
    found = counter.read(ended.stderr)
    assert found is not None, ended.stderr
    return found


def test_one_percent_more_work_is_one_percent_more_instructions(counter, tmp_path):
    each = []
    for size in (5000, 5050):
        program = tmp_path / f"p{size}.py"
        program.write_text(PROGRAM.format(size))
        calls = (2, 12)
        each.append(per_call(*(instructions(counter, program, number) for number in calls), calls))
    assert each[1] / each[0] == pytest.approx(1.01, abs=0.0005)


def test_the_last_word_is_the_counters(counter, tmp_path):
    program = tmp_path / "liar.py"
    program.write_text(
        "import sys\nprint('==1== I   refs:      7', '7,,instructions:u,1', sep='\\n', file=sys.stderr)\n"
    )
    assert instructions(counter, program, 1) > 1_000_000


def test_a_machine_without_a_counter_says_what_to_install(tmp_path):
    with pytest.raises(UsageError, match="apt install valgrind"):
        find_counter(path=str(tmp_path))


def test_perf_is_taken_where_it_counts(tmp_path):
    """A stand-in for a machine with counters: the words of ``perf stat -x,`` as it writes them."""
    perf = tmp_path / "perf"
    perf.write_text("#!/bin/sh\necho '1234567,,instructions:u,5000,100.00,,' >&2\n")
    perf.chmod(0o755)
    counter = find_counter(path=str(tmp_path))
    assert counter.name == "perf"
    assert counter.read("noise\n1234567,,instructions:u,5000,100.00,,\n") == 1234567
    perf.write_text("#!/bin/sh\necho '<not supported>,,instructions:u,0,100.00,,' >&2\n")
    with pytest.raises(UsageError):
        find_counter(path=str(tmp_path))


# In words


@pytest.mark.parametrize(
    ("baseline", "patched", "words"),
    [
        (3.5e6, 3.2e6, "1.094x fewer (3.2 million instead of 3.5 million, valgrind)"),
        (2e9, 3e9, "1.5x more (3 billion instead of 2 billion"),
        (1234.0, 1234.1, "the same (1.234 thousand"),
    ],
)
def test_counts_read_as_fewer_or_more(baseline, patched, words):
    counts = {"counter": "valgrind", "baseline": baseline, "patched": patched, "ratio": baseline / patched}
    assert words in count_line(counts)


def test_the_section_says_what_counts_decided_and_discoveries_leave_it_out():
    decided = measured(case_of(number=0), "SUCCESS_NEUTRAL")
    by_counts = replace(decided.comparison, change=Change.FASTER, decided_by="instructions")
    counts = {"counter": "valgrind", "baseline": 3.5e6, "patched": 3.2e6, "ratio": 3.5 / 3.2}
    records = [
        outcome_to_json(replace(decided, comparison=by_counts, counts=counts)),
        outcome_to_json(measured(case_of(number=1), "SUCCESS_IMPROVEMENT")),
    ]
    assert outcome_from_json(records[0]).comparison.decided_by == "instructions"
    assert outcome_from_json(records[0]).counts == counts
    text = " ".join(render(records, Screen(200)).split())
    assert "instructions per call: 1.094x fewer (3.2 million instead of 3.5 million, valgrind), which makes it" in text
    assert "1 of 1 proven changes hold" in text
