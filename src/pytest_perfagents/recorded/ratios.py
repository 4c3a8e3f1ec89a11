"""By which of their metrics served benchmarks are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_perfagents.figures import times
from pytest_perfagents.metrics import by_metric, deciding
from pytest_perfagents.recorded.comparing import THRESHOLD

Numbers = Mapping[str, Mapping[str, float]]
"""The numbers of each side: ``baseline``, ``human``, ``agent``."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """The speedups of agent and human by one ``metric``, as the agent's numbers call it. ``human`` is None where the
    human's side has no such number; ``flags`` say what is doubtful about the comparison.
    """

    metric: str
    agent: float
    human: float | None
    flags: tuple[str, ...] = ()


def ratios(numbers: Numbers) -> Ratios | None:
    """By the weightiest metric that all sides have, else by the agent's and the baseline's; None where these two have
    none in common.
    """
    own, humans = _speedups(numbers, "agent"), _speedups(numbers, "human")
    if not own:
        return None
    title, (metric, agent) = next((item for item in own.items() if item[0] in humans), next(iter(own.items())))
    human = humans[title][1] if title in humans else None
    return Ratios(metric, agent, human, (*_unshared(numbers, human), *_contradiction(own, title)))


def _speedups(numbers: Numbers, side: str) -> dict[str, tuple[str, float]]:
    """The name and the speedup against the baseline of each metric that can decide, the weightiest first."""
    baseline, found = by_metric(numbers.get("baseline", {})), dict[str, tuple[str, float]]()
    for metric, name, value in deciding(numbers.get(side, {})):
        speedup = metric.speedup(value, baseline[metric][1]) if metric in baseline else None
        if speedup is not None:
            found[metric.title] = name, speedup
    return found


def _unshared(numbers: Numbers, human: float | None) -> list[str]:
    if human is not None or not numbers.get("human"):
        return []
    return ["the human's side has no metric in common with baseline and agent: it has no speedup"]


def _contradiction(own: Mapping[str, tuple[str, float]], title: str) -> list[str]:
    """One metric is better and another one worse, each by more than the threshold; the one that decides comes first."""
    ordered = [own[title], *(item for name, item in own.items() if name != title)]
    better = next((item for item in ordered if item[1] > 1 + THRESHOLD), None)
    worse = next((item for item in ordered if item[1] < 1 - THRESHOLD), None)
    if better is None or worse is None:
        return []
    both = sorted((better, worse), key=ordered.index)
    told = " and ".join(f"{times(speedup)} by {name}" for name, speedup in both)
    return [f"its metrics contradict each other: {told}; judged by {own[title][0]}"]
