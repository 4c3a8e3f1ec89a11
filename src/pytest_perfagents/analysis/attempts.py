"""Which runs go into which score: attempts at tasks, and runs beside the human."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import exp, log

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.model import Category
from pytest_perfagents.scores.near_human import comes_near

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One run beside the human: ``part`` is its speedup divided by the human's."""

    entry: Entry
    part: float


@dataclass(frozen=True, slots=True)
class Tasks:
    """``(attempts, successes)`` of each task, and the commit that it is of."""

    counted: tuple[tuple[int, int], ...]
    commits: tuple[Place, ...]

    @property
    def most(self) -> int:
        """The attempts of the task that has most."""
        return max((attempts for attempts, _ in self.counted), default=0)


def says_something(entry: Entry) -> bool:
    """Whether the run says something of its agent: it was measured, or failed by the agent's own fault."""
    return entry.measured or entry.is_agents


def human_speedups(entries: Iterable[Entry]) -> dict[Place, float]:
    """Of each commit the geometric mean of the human's speedups, where the human's gain is proven.

    A commit whose human change shows no gain on its script has nothing to come up to, and is left out.
    """
    logs: dict[Place, list[float]] = {}
    for entry in entries:
        human = entry.human_speedup
        if human is not None and human.category is Category.SUCCESS_IMPROVEMENT and human.point > 1:
            logs.setdefault(entry.place, []).append(log(human.point))
    return {place: exp(sum(each) / len(each)) for place, each in logs.items()}


def parts_of_human(entries: Iterable[Entry], humans: Mapping[Place, float]) -> list[Part]:
    """The runs that count beside the human; a failed one counts as if nothing had been changed."""
    parts = []
    for entry in entries:
        human = humans.get(entry.place)
        if human is None or not says_something(entry):
            continue
        own = entry.human_speedup.point if entry.human_speedup is not None else human
        parts.append(Part(entry, entry.speedup.point / own if entry.speedup is not None else 1 / human))
    return parts


def passing_tasks(entries: Iterable[Entry]) -> Tasks:
    """Attempts that were measured are successes: the patch applied, ran and kept the result."""
    return _tasks((entry, entry.measured) for entry in entries if says_something(entry))


def near_human_tasks(parts: Sequence[Part]) -> Tasks:
    """Attempts that come up to 95 % of the human's speedup are successes."""
    return _tasks((each.entry, each.entry.measured and comes_near(each.part)) for each in parts)


def joined(several: Iterable[Tasks]) -> Tasks:
    """The tasks of several agents."""
    each = list(several)
    return Tasks(
        tuple(chain.from_iterable(tasks.counted for tasks in each)),
        tuple(chain.from_iterable(tasks.commits for tasks in each)),
    )


def _tasks(attempts: Iterable[tuple[Entry, bool]]) -> Tasks:
    tasks: dict[tuple[str, str, str], list[bool]] = {}
    for entry, success in attempts:
        tasks.setdefault(entry.task, []).append(success)
    return Tasks(tuple((len(each), sum(each)) for each in tasks.values()), tuple(task[:2] for task in tasks))
