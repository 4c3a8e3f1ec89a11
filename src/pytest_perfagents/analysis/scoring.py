"""The field's scores of each agent and of all, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pytest_perfagents.analysis.attempts import (
    Part,
    Place,
    Tasks,
    human_speedups,
    joined,
    near_human_tasks,
    parts_of_human,
    passing_tasks,
    says_something,
)
from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, Table, table
from pytest_perfagents.scores.at_k import at_k
from pytest_perfagents.scores.bootstrap import Score
from pytest_perfagents.scores.geometric import geometric_mean
from pytest_perfagents.scores.harmonic import harmonic_mean
from pytest_perfagents.scores.near_human import share_near_human

KS = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Scored:
    """The runs of one agent, or of all, as the scores want them; ``left_out`` tell nothing of their agent."""

    names: Row
    runs: int
    left_out: int
    speedups: tuple[float, ...]
    commits: tuple[Place, ...]
    parts: tuple[Part, ...]
    passing: Tasks
    near_human: Tasks


def score_section(entries: Sequence[Entry], *, seed: int) -> Section | None:
    """Scores per agent and of all; None where nothing was measured."""
    if not any(entry.measured for entry in entries):
        return None
    humans = human_speedups(entries)
    agents = most_first(grouped(entries, lambda entry: (entry.agent, entry.model)))
    groups = [_scored(names, members, humans) for names, members in agents]
    if len(groups) > 1:
        groups.append(_together(groups))
    lines = [
        "Intervals are bootstrapped over commits, 95 %. Runs that the script or the environment stopped are left out.",
        "pass@K and Opt@K are of the tasks (a commit, an agent with a model) that have K attempts or more.",
    ]
    lines.append(
        "Beside the human only commits with a proven human gain count; a run that its agent made fail gained nothing."
        if humans
        else "No score beside the human: no record has a proven speedup of the human's commit."
    )
    tables = [_speedups(groups, seed), _beside_the_human(groups, seed) if humans else None, _attempts(groups, seed)]
    return Section("Scores", tuple(lines), tuple(each for each in tables if each is not None))


def _scored(names: Row, members: Sequence[Entry], humans: Mapping[Place, float]) -> Scored:
    measured = [(entry.speedup.point, entry.place) for entry in members if entry.speedup is not None]
    parts = parts_of_human(members, humans)
    return Scored(
        names=names,
        runs=len(members),
        left_out=sum(not says_something(entry) for entry in members),
        speedups=tuple(point for point, _ in measured),
        commits=tuple(place for _, place in measured),
        parts=tuple(parts),
        passing=passing_tasks(members),
        near_human=near_human_tasks(parts),
    )


def _together(groups: Sequence[Scored]) -> Scored:
    """All agents as one; every run and every task is some agent's."""
    return Scored(
        names=("all", None),
        runs=sum(group.runs for group in groups),
        left_out=sum(group.left_out for group in groups),
        speedups=tuple(chain.from_iterable(group.speedups for group in groups)),
        commits=tuple(chain.from_iterable(group.commits for group in groups)),
        parts=tuple(chain.from_iterable(group.parts for group in groups)),
        passing=joined(group.passing for group in groups),
        near_human=joined(group.near_human for group in groups),
    )


def _speedups(groups: Sequence[Scored], seed: int) -> Table:
    means = [(group, geometric_mean(group.speedups, group.commits, seed=seed)) for group in groups]
    rows: list[Row] = [(*group.names, *_cells(mean), len(group.speedups)) for group, mean in means]
    columns = {
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "geometric mean": Kind.SPEEDUP,
        "its interval": Kind.SPEEDUPS,
        "measured": Kind.COUNT,
    }
    return table("Speedups", columns, rows, what="agents", most=0)


def _beside_the_human(groups: Sequence[Scored], seed: int) -> Table:
    rows: list[Row] = []
    for group in groups:
        parts, commits = [each.part for each in group.parts], [each.entry.place for each in group.parts]
        reached = [each.part if each.entry.measured else 0.0 for each in group.parts]
        near = share_near_human(reached, commits, seed=seed)
        harmonic = harmonic_mean(parts, commits, seed=seed)
        rows.append((*group.names, len(parts), *_cells(near), *_cells(harmonic)))
    columns = {
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "runs": Kind.COUNT,
        ">= 95 % of human": Kind.SHARE,
        "its interval": Kind.SHARES,
        "harmonic mean of human": Kind.SHARE,
        "harmonic interval": Kind.SHARES,
    }
    return table("Beside the human", columns, rows, what="agents", most=0)


def _attempts(groups: Sequence[Scored], seed: int) -> Table:
    rows: list[Row] = []
    for group in groups:
        for k in (k for k in KS if k <= group.passing.most):
            passing = at_k(group.passing.counted, group.passing.commits, k, seed=seed)
            near = at_k(group.near_human.counted, group.near_human.commits, k, seed=seed)
            counts = passing.count if passing else None, near.count if near else None
            of_runs = (group.left_out, group.runs)
            rows.append((*group.names, k, *_cells(passing), counts[0], *_cells(near), counts[1], *of_runs))
    columns = {
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "K": Kind.COUNT,
        "pass@K": Kind.SHARE,
        "pass@K interval": Kind.SHARES,
        "tasks": Kind.COUNT,
        "Opt@K": Kind.SHARE,
        "Opt@K interval": Kind.SHARES,
        "tasks with a human speedup": Kind.COUNT,
        "runs left out": Kind.COUNT,
        "of runs": Kind.COUNT,
    }
    left_out, runs = groups[-1].left_out, groups[-1].runs
    note = (
        f"Not the success rate: {left_out} of {runs} runs, which the script or the environment stopped, are left out; "
        "the success rate has them as failures."
        if left_out
        else ""
    )
    return table("Attempts", columns, rows, what="rows", most=0, note=note)


def _cells(score: Score | None) -> tuple[Cell, Cell]:
    return (None, None) if score is None else (score.value, score.interval)
