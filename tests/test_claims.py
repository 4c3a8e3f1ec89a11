"""Script mode: what the script's clock claims, and what the process saves."""

from __future__ import annotations

from random import Random

import pytest

from pytest_perfagents.judgement.honesty.claims import (
    Took,
    compute_alone,
    doubt,
    doubt_of,
    miscounted,
    repeats_by_clock,
    savings,
)


def around(seconds, spread=0.0, seed=1):
    random = Random(f"{seed}/{seconds}")
    return [random.gauss(seconds, spread) for _ in range(10)]


def test_a_process_that_saves_what_is_claimed_raises_no_doubt():
    assert doubt_of(around(0.1), around(0.1)) is None
    assert doubt_of(around(0.1), around(0.07)) is None  # the import became 30 ms longer
    assert doubt_of(around(0.1), around(5.0)) is None  # it does not say how many calls it makes


def test_a_gain_that_only_the_scripts_clock_has_is_tampering():
    found = doubt_of(around(0.1), around(0.0))
    assert found.is_tampering
    assert found.says.startswith("by the script's clock its calls take 100 ms less")
    assert "the whole process takes" in found.says


def test_a_process_that_takes_longer_by_as_much_may_compile_first():
    found = doubt_of(around(0.1), around(-2.0))
    assert not found.is_tampering
    assert "2e+03 ms more" in found.says


def test_rounds_are_judged_in_pairs():
    slow = [0.02, 0.2, 0.04, 0.3, 0.06, 0.1, 0.08, 0.4]  # a noisy machine lengthens both
    assert doubt_of(slow, [each * 0.9 for each in slow]) is None
    assert doubt_of(slow, [each * 0.1 for each in slow]).is_tampering


def test_what_the_process_does_not_prove_is_no_contradiction():
    assert doubt_of(around(0.001, 0.0001), around(0.0, 0.5)) is None
    assert doubt_of(around(-0.1), around(0.0)) is None  # it claims to be slower
    assert doubt_of(around(0.0, 0.1), around(0.0)) is None
    mixed = [0.05, -0.05] * 5
    assert doubt_of(mixed, [each - 0.2 for each in mixed]) is None  # it claims nothing, and takes longer
    assert doubt_of([0.1] * 3, [0.0] * 3) is None
    assert doubt_of([], []) is None


@pytest.mark.parametrize(
    "loop",
    [
        "while time.perf_counter() < end: f()",
        "while True:\n    f()\n    if time.time() > end: break",
        "for _ in range(10**9):\n    f()\n    if perf_counter() > end: break",
        "timeit.Timer(f).autorange()",
        "triton.testing.do_bench(f)",
        "Timer('f()').blocked_autorange(min_run_time=1)",
    ],
)
def test_a_script_that_repeats_for_a_given_time_is_recognised(loop):
    assert repeats_by_clock(f"import time\n{loop}\n")


@pytest.mark.parametrize(
    "loop",
    [
        "for _ in range(100):\n    t = time.perf_counter()\n    f()",
        "while n < 100:\n    f()",
        "timeit.timeit(f, number=15)",
        "for x in y:\n    if x: break\nt = time.time()",
        "while (",
    ],
)
def test_one_that_repeats_a_given_number_of_times_is_not(loop):
    assert not repeats_by_clock(f"import time\n{loop}\n")


def runs(*took):
    return [Took(wall_s / 2, wall_s, *more) for wall_s, *more in took]


BUSY = runs((1.0, 0.98), (1.6, 0.98))


@pytest.mark.parametrize(
    ("candidate", "saved_s"),
    [
        ([(0.9, 0.88), (1.7, 0.88)], [0.1, 0.1]),
        ([(2.9, 0.88, 2.0), (2.8, 0.88, 1.9)], [0.1, 0.1]),  # it had no core
        ([(0.5, 0.1), (0.6, 0.1)], [0.5, 1.0]),  # it waits for others
        ([(0.5, 1.9), (0.6, 1.9)], [0.5, 1.0]),  # threads compute
        ([(0.5,), (0.6,)], [0.5, 1.0]),  # nobody can tell
    ],
)
def test_cpu_time_tells_where_both_compute_alone_and_wall_time_elsewhere(candidate, saved_s):
    by_cpu = compute_alone(BUSY, runs(*candidate))
    assert savings(BUSY, runs(*candidate), by_cpu=by_cpu)[1] == pytest.approx(saved_s)


def test_a_busy_machine_lengthens_neither_what_is_claimed_nor_what_is_saved():
    quiet = savings([Took(0.8, 1.0, 1.0)] * 10, [Took(0.4, 0.6, 0.6)] * 10, by_cpu=True)
    crowded = savings([Took(2.4, 3.0, 1.0, 2.0)] * 10, [Took(0.8, 1.2, 0.6, 0.6)] * 10, by_cpu=True)
    assert quiet[0] == pytest.approx(crowded[0])
    assert quiet[1] == pytest.approx(crowded[1])
    assert savings([], [], by_cpu=True) == ([], [])


def test_children_save_cpu_time_and_no_wall_time():
    before, after = [Took(0.8, 1.0, 0.99)] * 10, [Took(0.6, 1.0, 0.8)] * 10
    assert compute_alone(before, after)
    assert doubt_of(*savings(before, after, by_cpu=True)) is None
    assert doubt(before, after).is_tampering


def test_a_busy_machine_that_hides_a_gain_does_not_excuse_it():
    random = Random(5)
    before = [Took(0.8 * load, 1.0 * load, 1.0, load - 1) for load in (random.uniform(1, 3) for _ in range(10))]
    after = [Took(0.4 * load, 1.0 * load, 1.0, load - 1) for load in (random.uniform(1, 3) for _ in range(10))]
    assert doubt(before, after).is_tampering


def counted(*calls):
    return [Took(0.1, 0.2, calls=each) for each in calls]


def test_reports_that_tell_of_other_calls_than_the_baselines():
    assert miscounted(counted(15, 15), counted(15, 15)) is None
    assert miscounted(counted(None, None), counted(None)) is None
    assert miscounted(counted(15, 15), counted(15, 30)) == (
        "its report tells of 30 timed calls, the baseline's of 15 timed calls"
    )
    assert miscounted(counted(1, 1), counted(None)) == (
        "its report tells of no number of calls, the baseline's of 1 timed call"
    )
    assert miscounted(counted(None), counted(15)) is not None


def test_where_the_baseline_itself_varies_no_number_is_wrong():
    assert miscounted(counted(15, 16), counted(30)) is None
    assert miscounted([], counted(30)) is None


def test_what_is_spent_once_at_import_or_at_the_end_is_no_accusation():
    before = [Took(0.1, 0.2, 0.2)] * 10
    at_import, at_end = [Took(0.02, 0.19, 0.19)] * 10, [Took(0.02, 0.19, 0.19, 0.0, 0.07, 0.07)] * 10
    assert doubt(before, at_import).is_tampering
    assert doubt(before, at_import, (0.005, 0.005)).is_tampering
    for found in (doubt(before, at_import, (0.07, 0.07)), doubt(before, at_end)):
        assert not found.is_tampering
        assert found.says.endswith("its imports and the program's end take 70 ms more")
