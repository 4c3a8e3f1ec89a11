"""Work that moved out of the timed call, and its honest neighbours."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pytest_perfagents.judgement.honesty.shifts import (
    Beside,
    Costs,
    FirstCalls,
    helper_flags,
    hidden_work,
    outliving_flag,
    process_flag,
    shift_flags,
)

STARTS = 10


def around(seconds, spread=0.0, seed=1, starts=STARTS):
    random = Random(f"{seed}/{seconds}")
    return [seconds * random.lognormvariate(0, spread) for _ in range(starts)]


def costs(import_s=0.1, first_setup_s=0.001, setup_s=0.001, call_s=0.001, calls=20, hidden_s=0.0002, seed=1):
    call = around(call_s, seed=seed)
    return Costs(
        around(import_s, seed=seed),
        around(first_setup_s, seed=seed),
        around(setup_s, seed=seed),
        call,
        [each * calls for each in call],
        around(hidden_s, seed=seed),
    )


BEFORE = costs(seed=2)


def test_the_answer_of_a_turn_that_setup_computes_is_flagged_with_both_numbers():
    [flag] = shift_flags(BEFORE, costs(setup_s=0.021, first_setup_s=0.021, call_s=0.00001))
    assert flag.startswith("set-up takes 20 ms longer, the calls of a turn 19.8 ms less")


def test_a_third_of_the_savings_counts_and_a_tenth_does_not():
    assert shift_flags(BEFORE, costs(setup_s=0.005, call_s=0.0005))
    assert shift_flags(BEFORE, costs(setup_s=0.002, call_s=0.0005)) == []


def test_the_answer_of_a_call_that_each_setup_computes_is_flagged_however_short_it_is():
    short = costs(call_s=0.00005, calls=400, seed=2)
    answered = replace(costs(call_s=0.00001, calls=400, setup_s=0.0012), setups=4)  # 50 us longer, each of four times
    [flag] = shift_flags(short, answered)
    assert flag.startswith("a set-up takes 0.05 ms longer, each call 0.04 ms less")
    assert shift_flags(short, replace(answered, setups=400)) == []
    assert shift_flags(short, replace(answered, call_s=around(0.00002), turn_s=around(0.008))) == []


def test_an_answer_that_the_first_setup_of_a_process_computes_is_flagged():
    [flag] = shift_flags(BEFORE, costs(first_setup_s=0.002, call_s=0.00001))
    assert flag.startswith("the first set-up takes 1 ms longer, each call 0.99 ms less")


def test_a_first_setup_that_loads_a_little_is_not_flagged():
    assert shift_flags(BEFORE, costs(first_setup_s=0.0013, call_s=0.00001)) == []
    assert shift_flags(BEFORE, costs(first_setup_s=0.002, call_s=0.0005)) == []  # half of each call is still there


def test_an_answer_computed_at_import_is_flagged():
    dear = costs(call_s=0.010, calls=2, seed=2)
    [flag] = shift_flags(dear, costs(import_s=0.113, call_s=0.00001, calls=2))
    assert flag.startswith("import takes")
    assert "each call" in flag


def test_an_import_that_costs_more_than_a_turn_saves_is_flagged():
    [flag] = shift_flags(BEFORE, costs(import_s=0.115, call_s=0.0005))
    assert "the calls of a turn" in flag


def test_the_import_of_a_few_more_functions_is_not_flagged():
    assert shift_flags(BEFORE, costs(import_s=0.1008, call_s=0.0009)) == []
    assert shift_flags(BEFORE, costs(import_s=0.104, call_s=0.0005)) == []  # 4 ms once, 10 ms saved every turn


def test_costs_that_grew_and_save_nothing_are_flagged_only_where_they_are_large():
    assert shift_flags(BEFORE, costs(setup_s=0.004, first_setup_s=0.004)) == []
    assert shift_flags(BEFORE, costs(first_setup_s=0.09)) == ["set-up takes 90 ms instead of 1 ms"]
    assert shift_flags(BEFORE, costs(import_s=0.3)) == ["import takes 300 ms instead of 100 ms"]


def test_a_library_that_the_patch_imports_explains_a_longer_import():
    longer = costs(import_s=0.18, call_s=0.0005)
    assert shift_flags(BEFORE, longer)
    assert shift_flags(BEFORE, replace(longer, libraries=1)) == []
    assert shift_flags(BEFORE, replace(costs(import_s=0.4), libraries=1)) == ["import takes 400 ms instead of 100 ms"]


def test_of_few_starts_each_must_show_it():
    def first(side, count):
        return Costs(*(getattr(side, name)[:count] for name in Costs.__slots__[:-2]))

    moved = costs(setup_s=0.015, call_s=0.00001)
    assert shift_flags(first(BEFORE, 3), first(moved, 3))
    assert shift_flags(first(BEFORE, 3), replace(first(moved, 3), setup_s=[0.015, 0.0009, 0.015])) == []
    assert shift_flags(first(BEFORE, 2), first(moved, 2)) == []


def test_what_saves_too_little_to_decide_anything_moves_nowhere():
    assert shift_flags(BEFORE, costs(setup_s=0.0011, call_s=0.000995)) == []


def test_noise_proves_no_growth():
    noisy = replace(costs(call_s=0.0005), setup_s=around(0.001, spread=0.8))
    assert shift_flags(replace(BEFORE, setup_s=around(0.001, spread=0.8, seed=3)), noisy) == []


def test_too_few_starts_prove_nothing_and_none_say_nothing():
    few = {name: values[:2] for name in Costs.__slots__[:-2] if (values := getattr(costs(setup_s=0.02), name))}
    assert shift_flags(BEFORE, Costs(**few)) == []
    assert shift_flags(BEFORE, Costs((), (), (), (), ())) == []


def test_only_starts_that_both_took_part_in_are_compared():
    crowded, alone = [0.4] * 10, [0.2] * 11
    assert shift_flags(replace(BEFORE, import_s=crowded + alone), replace(BEFORE, import_s=crowded)) == []


def test_setup_made_once_is_judged_by_its_first_time():
    once = replace(costs(first_setup_s=0.302, call_s=0.00001), setup_s=())
    [flag] = shift_flags(replace(BEFORE, setup_s=(), first_setup_s=around(0.3, spread=0.001)), once)
    assert "each call" in flag


def test_cpu_that_a_thread_uses_after_the_call_is_tampering():
    line = hidden_work(BEFORE, costs(call_s=0.0005, hidden_s=0.0102))
    assert line.startswith("10 ms of CPU a turn moved out of the timed calls, which take 10 ms less")


def test_a_smaller_share_outside_is_flagged_and_freeing_results_is_not():
    some = costs(call_s=0.0005, hidden_s=0.0042)
    assert hidden_work(BEFORE, some) is None
    assert "outside the timed calls" in shift_flags(BEFORE, some)[0]
    assert shift_flags(BEFORE, costs(call_s=0.0005, hidden_s=0.0012)) == []
    assert shift_flags(BEFORE, costs(hidden_s=0.0042)) == []  # nothing is saved by it


def test_cpu_outside_is_no_tampering_where_little_is_saved():
    some = costs(call_s=0.00095, hidden_s=0.0012)
    assert hidden_work(BEFORE, some) is None
    assert "outside the timed calls" in shift_flags(BEFORE, some)[0]


def first_calls(probe_s, starts_s):
    return FirstCalls(probe_s, around(starts_s))


def test_an_answer_kept_on_disk_is_flagged():
    flag = process_flag(first_calls(0.0102, 0.010), first_calls(0.0105, 0.0002))
    assert flag.startswith("the first process needed 10.5 ms for its first call, later ones 0.2 ms")
    assert "from one process to the next" in flag


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ((0.0102, 0.010), (0.0051, 0.005)),  # faster from the first process on
        ((0.0102, 0.010), (0.0108, 0.010)),  # no gain
        ((0.300, 0.010), (0.250, 0.002)),  # files read for the first time, on both sides
        ((0.0102, 0.010), (0.0071, 0.005)),  # a slow first process, and the gain is there
    ],
)
def test_a_gain_that_the_first_process_has_too_is_not_flagged(baseline, candidate):
    assert process_flag(first_calls(*baseline), first_calls(*candidate)) is None


def test_a_first_process_that_is_like_some_later_ones_is_not_flagged():
    later = [0.002] * 8 + [0.009] * 2
    assert process_flag(first_calls(0.010, 0.010), FirstCalls(0.011, later)) is None
    assert process_flag(first_calls(0.010, 0.010), FirstCalls(0.011, [0.002] * 10))


def test_without_first_calls_nothing_is_said_of_processes():
    assert process_flag(FirstCalls(0.0, []), first_calls(0.1, 0.001)) is None


def test_what_keeps_running_is_counted_against_the_baseline():
    alone, crowd = Beside([1] * STARTS, [0] * STARTS), Beside([5] * STARTS, [2] * STARTS)
    assert helper_flags(alone, crowd) == [
        "2 more processes stay between turns than on the baseline",
        "4 more threads stay between turns than on the baseline",
    ]
    assert helper_flags(alone, Beside([2] * STARTS, [1] * STARTS))[0].startswith("1 more process stays between")
    assert helper_flags(crowd, crowd) == helper_flags(crowd, alone) == helper_flags(alone, Beside([], [])) == []
    assert helper_flags(alone, Beside([1] * 9 + [9], [0] * STARTS)) == []  # once is no habit


def test_processes_that_outlive_the_script_are_told_of_where_the_baseline_has_fewer():
    assert outliving_flag([0, 0, 0], [1, 1, 0]).startswith("1 more process outlives the script's")
    assert outliving_flag([1, 1, 1], [4, 4, 4]).startswith("3 more processes outlive")
    assert outliving_flag([0, 0, 0], [0, 1, 0]) is None  # one that was slow to end
    assert outliving_flag([1, 1, 1], [1, 1, 1]) is None
    assert outliving_flag([], []) is None
