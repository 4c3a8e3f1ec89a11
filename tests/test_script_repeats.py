"""How often a script calls what it times, as its text tells."""

from __future__ import annotations

import pytest

from pytest_perfagents.judgement.honesty.repeating import calls_in, counts_by_clock

LOOP = """
times = []
for _ in range({n}):
    began = time.perf_counter()
    f()
    times.append(time.perf_counter() - began)
"""
ONCE = """
def once():
    began = perf_counter()
    f()
    return perf_counter() - began
"""


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("timeit.timeit(f, number=300) / 300", 300),
        ("timeit.timeit('f()', 'pass', clock, 40) / 40", 40),
        ("min(timeit.repeat(f, number=20, repeat=5)) / 20", 20),
        ("N = 50\nbegan = clock()\nfor _ in range(N):\n    f()\nreturned = (clock() - began) / N", 50),
        ("def run_test(eqcheck=False, iters=8):\n    return timeit.timeit(f, number=iters) / iters", 8),
        ("def run_test(*, iters=8):\n    return timeit.timeit(f, number=iters) / iters", 8),
        (LOOP.format(n=12) + "statistics.median(times)", 12),
        (LOOP.format(n=12) + "sum(times) / len(times)", 12),
    ],
)
def test_calls_that_a_time_is_divided_by(source, calls):
    assert calls_in(source) == calls


@pytest.mark.parametrize(
    "source",
    [
        "timeit.timeit(f, number=300)",  # what it returns is the time of all
        "timeit.timeit(f, number=n) / n",
        "n = 5\nn = 6\ntimeit.timeit(f, number=n) / n",
        "n = 5\nfor n in sizes: pass\ntimeit.timeit(f, number=n) / n",
        "data = [0 for _ in range(100)]\nreturned = took / 100",
        "for _ in range(7): warm_up()\nreturned = took / 1000",
        LOOP.format(n=12) + "sum(times)",
        "for _ in range(9):\n    for each in sizes:\n        times.append(clock.time())\nmean(times)",
        "timeit.timeit(f, number=True) / True",
        "not python",
        "",
    ],
)
def test_where_nothing_is_divided_it_is_one_call(source):
    assert calls_in(source) == 1


@pytest.mark.parametrize(
    "source",
    [
        "began = time.time()\nf()\nonce = time.time() - began\nfor _ in range(int(1 / once)): f()",
        ONCE + "n = max(5, int(0.2 / once()))\ntimeit.timeit(f, number=n)",
        "took = clock.perf_counter()\niters: int = int(took)\ntimes = [f() for _ in range(iters)]",
        "n = 1\nn += int(time.time())\nbenchmark(f, iterations=n)",
    ],
)
def test_numbers_that_come_from_a_clock(source):
    assert counts_by_clock(source)


@pytest.mark.parametrize(
    "source",
    [
        LOOP.format(n=12) + "for i in range(len(times)): print(times[i])",
        "n = args.iters\nbegan = time.time()\nfor _ in range(n): f()\nprint((time.time() - began) / n)",
        "not python",
    ],
)
def test_numbers_that_do_not(source):
    assert not counts_by_clock(source)
