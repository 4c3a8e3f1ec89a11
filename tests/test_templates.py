"""When a template is made anew, and when there is none."""

from __future__ import annotations

from pytest_perfagents.judgement.schedule import plan_start
from pytest_perfagents.measurement.templates import STARTS, Templates


class Made:
    """A template that remembers whether it was closed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Place:
    """A workspace as far as templates go; ``can`` is whether it has any."""

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.made: list[Made] = []

    def start_template(self, modules, *, seed, timeout_s):
        assert modules == ("torch",)
        if not self.can:
            return None
        self.made.append(Made(seed))
        return self.made[-1]


def starts(templates: Templates, place: Place, count: int) -> list[object]:
    return [templates.for_start(plan_start(number, 2, seed=1), place, 1.0) for number in range(count)]


def test_none_before_the_baseline_has_said_what_it_loads():
    templates, place = Templates(is_wanted=True), Place()
    assert templates.asks
    assert starts(templates, place, 2) == [None, None]
    templates.learn(["torch"])
    assert not templates.asks
    assert starts(templates, place, 1) == place.made


def test_a_template_serves_a_few_starts_and_the_next_has_another_hash_seed():
    templates, place = Templates(is_wanted=True, modules=("torch",)), Place()
    assert starts(templates, place, 2 * STARTS) == [place.made[0]] * STARTS + [place.made[1]] * STARTS
    assert place.made[0].seed != place.made[1].seed
    assert [each.closed for each in place.made] == [1, 0]
    templates.close()
    templates.close()
    assert [each.closed for each in place.made] == [1, 1]
    assert templates.forked_starts == 2 * STARTS


def test_no_more_of_it_where_it_cannot_be_had_or_was_given_up():
    templates, place = Templates(is_wanted=True, modules=("torch",)), Place(can=False)
    assert starts(templates, place, 2) == [None, None]
    assert templates.forked_starts == 0
    templates, place = Templates(is_wanted=True, modules=("torch",)), Place()
    starts(templates, place, 1)
    templates.give_up()
    assert place.made[0].closed == 1
    assert starts(templates, place, 1) == [None]


def test_a_baseline_that_loads_nothing_from_outside_needs_none():
    templates = Templates(is_wanted=True)
    templates.learn([])
    assert not templates.asks
    assert starts(templates, Place(), 1) == [None]
