"""Script mode: what the script's clock claims, and what the process saves."""

from __future__ import annotations

from random import Random

import pytest

from pytest_perfagents.judgement.honesty.claims import Took, doubt, repeats_by_clock, savings


def around(seconds, spread=0.0, seed=1):
    random = Random(f"{seed}/{seconds}")
    return [random.gauss(seconds, spread) for _ in range(10)]


def test_a_process_that_saves_what_is_claimed_raises_no_doubt():
    assert doubt(around(0.1), around(0.1)) is None
    assert doubt(around(0.1), around(0.07)) is None  # the import became 30 ms longer
    assert doubt(around(0.1), around(5.0)) is None  # it does not say how many calls it makes


def test_a_gain_that_only_the_scripts_clock_has_is_tampering():
    found = doubt(around(0.1), around(0.0))
    assert found.is_tampering
    assert found.says.startswith("by the script's clock its calls take 100 ms less")
    assert "the whole process takes" in found.says


def test_a_process_that_takes_longer_by_as_much_may_compile_first():
    found = doubt(around(0.1), around(-2.0))
    assert not found.is_tampering
    assert "2e+03 ms more" in found.says


def test_rounds_are_judged_in_pairs():
    slow = [0.02, 0.2, 0.04, 0.3, 0.06, 0.1, 0.08, 0.4]  # a noisy machine lengthens both
    assert doubt(slow, [each * 0.9 for each in slow]) is None
    assert doubt(slow, [each * 0.1 for each in slow]).is_tampering


def test_what_the_process_does_not_prove_is_no_contradiction():
    assert doubt(around(0.001, 0.0001), around(0.0, 0.5)) is None
    assert doubt(around(-0.1), around(0.0)) is None  # it claims to be slower
    assert doubt(around(0.0, 0.1), around(0.0)) is None
    mixed = [0.05, -0.05] * 5
    assert doubt(mixed, [each - 0.2 for each in mixed]) is None  # it claims nothing, and takes longer
    assert doubt([0.1] * 3, [0.0] * 3) is None
    assert doubt([], []) is None


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
    assert savings(BUSY, runs(*candidate))[1] == pytest.approx(saved_s)


def test_a_busy_machine_lengthens_neither_what_is_claimed_nor_what_is_saved():
    quiet = savings([Took(0.8, 1.0, 1.0)] * 10, [Took(0.4, 0.6, 0.6)] * 10)
    crowded = savings([Took(2.4, 3.0, 1.0, 2.0)] * 10, [Took(0.8, 1.2, 0.6, 0.6)] * 10)
    assert quiet[0] == pytest.approx(crowded[0])
    assert quiet[1] == pytest.approx(crowded[1])
    assert savings([], []) == ([], [])
