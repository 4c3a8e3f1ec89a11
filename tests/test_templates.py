"""When a template is made anew, and when there is none."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from pytest_perfagents.backends.base import WorkerEnded
from pytest_perfagents.backends.scripted import Clock, ScriptedBackend, ScriptedSide
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement.schedule import plan_start
from pytest_perfagents.measurement.arena import Arena, Pace, Patience, Track
from pytest_perfagents.measurement.measuring import driven_start
from pytest_perfagents.measurement.templates import STARTS, Nursery, Templates
from pytest_perfagents.model import BASELINE, Commit, Ending, Execution, Role, Side

PATCHED = Side(Role.PATCHED, "r")


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


def test_none_where_the_baseline_has_nothing_to_share():
    templates, place = Templates(), Place()
    assert starts(templates, place, 2) == [None, None]
    templates.modules = ("torch",)
    assert starts(templates, place, 1) == place.made


def test_a_template_serves_a_few_starts_and_the_next_has_another_hash_seed():
    templates, place = Templates(("torch",)), Place()
    assert starts(templates, place, 2 * STARTS) == [place.made[0]] * STARTS + [place.made[1]] * STARTS
    assert place.made[0].seed != place.made[1].seed
    assert [each.closed for each in place.made] == [1, 0]
    templates.close()
    templates.close()
    assert [each.closed for each in place.made] == [1, 1]
    assert templates.forked_starts == 2 * STARTS


def test_no_more_of_it_where_it_cannot_be_had_or_was_given_up():
    templates, place = Templates(("torch",)), Place(can=False)
    assert starts(templates, place, 2) == [None, None]
    assert templates.forked_starts == 0
    templates, place = Templates(("torch",)), Place()
    starts(templates, place, 1)
    templates.give_up()
    assert place.made[0].closed == 1
    assert starts(templates, place, 1) == [None]


class Stall:
    """A workspace of any side: remembers what its workers were forked of."""

    def __init__(self) -> None:
        self.forked_of: list[object] = []

    def start_worker(self, *, seed, padding, template=None):
        self.forked_of.append(template)


def test_what_is_looked_at_is_forked_of_one_template_for_each_hash_seed():
    nursery, place, side = Nursery(is_wanted=True), Place(), Stall()
    nursery.start(side, 1, 1.0)
    nursery.open(place, ["torch"])
    for seed in (1, 2, 1):
        nursery.start(side, seed, 1.0)
    with nursery.closed():
        nursery.start(side, 1, 1.0)
    one, two = place.made
    assert side.forked_of == [None, one, two, one, None]
    nursery.close()
    assert (one.closed, two.closed, nursery.is_open) == (1, 1, False)


def test_a_template_that_forks_no_more_is_left(tmp_path):
    nursery, place = Nursery(is_wanted=True), Place()
    nursery.open(place, ["torch"])

    class Broken(Stall):
        def start_worker(self, *, seed, padding, template=None):
            super().start_worker(seed=seed, padding=padding, template=template)
            if template is not None:
                raise WorkerEnded(Execution((), Ending.NOT_STARTED, None, "", "", 0.0), "start")

    side = Broken()
    for _ in range(2):
        nursery.start(side, 1, 1.0)
    assert side.forked_of == [*place.made, None, None]
    assert (place.made[0].closed, nursery.has(1)) == (1, False)


@pytest.mark.parametrize(("is_wanted", "modules"), [(False, ["torch"]), (True, [])])
def test_nothing_is_forked_where_it_is_not_wanted_or_there_is_nothing_to_share(is_wanted, modules):
    nursery = Nursery(is_wanted=is_wanted)
    nursery.open(Place(), modules)
    assert not nursery.is_open


def test_a_template_that_cannot_be_had_is_asked_for_once():
    nursery, place, side = Nursery(is_wanted=True), Place(can=False), Stall()
    nursery.open(place, ["torch"])
    place.can = False
    for _ in range(2):
        nursery.start(side, 1, 1.0)
    assert side.forked_of == [None, None]


class Forking:
    """A scripted workspace with a template; the patched side dies when it is forked."""

    def __init__(self, workspace) -> None:
        self.workspace = workspace

    def __getattr__(self, name):
        return getattr(self.workspace, name)

    def start_template(self, modules, *, seed, timeout_s):
        return Made(seed)

    def start_worker(self, *, seed, padding, template=None):
        if template is not None and self.workspace.side == PATCHED:
            raise WorkerEnded(Execution((), Ending.SIGNALED, 11, "", "", 0.1), "start")
        return self.workspace.start_worker(seed=seed, padding=padding)


def test_a_start_that_fails_in_a_fork_is_done_again_and_counts_once(tmp_path):
    clock = Clock()
    backend = ScriptedBackend(dict.fromkeys((BASELINE, PATCHED), ScriptedSide()), tmp_path, clock)
    commit = Commit("pkg", "b" * 40, "a" * 40)
    with backend.workspace(commit, BASELINE, None) as one, backend.workspace(commit, PATCHED, None) as other:
        sides = {BASELINE: Forking(one), PATCHED: Forking(other)}
        arena = Arena(sides, tmp_path / "script.py", ProtocolConfig(), Patience(60, 1e6, clock), nullcontext)
        arena.tracks = {side: Track() for side in sides}
        arena.templates = Templates(("torch",))
        driven_start(arena, Pace(1, 2, setups=1, warmups=1), list(sides), plan_start(0, 2, seed=1))
    assert not arena.lost
    assert not arena.templates.modules
    for track in arena.tracks.values():
        assert len(track.wall_s) == len(track.import_s) == len(track.first_call_s) == len(track.hidden_cpu_s) == 1
        assert len(track.gaps_s) == 2
