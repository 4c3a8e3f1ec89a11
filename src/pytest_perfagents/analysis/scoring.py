"""The field's scores, of each agent and of all: which runs go into which score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, Table, table
from pytest_perfagents.model import Category
from pytest_perfagents.scores.at_k import at_k
from pytest_perfagents.scores.bootstrap import Score
from pytest_perfagents.scores.geometric import geometric_mean
from pytest_perfagents.scores.harmonic import harmonic_mean
from pytest_perfagents.scores.near_human import comes_near, share_near_human

KS = (1, 2, 3, 5, 10)
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One run beside the human: ``part`` is its speedup divided by the human's."""

    entry: Entry
    part: float


def human_speedups(entries: Sequence[Entry]) -> dict[Place, float]:
    """Of each commit the geometric mean of the human's speedups, where the human's gain is proven.

    A commit whose human change shows no gain on its script has nothing to come up to, and is left out.
    """
    logs: dict[Place, list[float]] = {}
    for entry in entries:
        human = entry.human_speedup
        if human is not None and human.category is Category.SUCCESS_IMPROVEMENT and human.point > 1:
            logs.setdefault(entry.place, []).append(log(human.point))
    return {place: exp(sum(each) / len(each)) for place, each in logs.items()}


def parts_of_human(entries: Sequence[Entry], humans: Mapping[Place, float]) -> list[Part]:
    """The runs that count beside the human: those measured, and those that failed by the agent's fault.

    A failed one counts as if nothing had been changed. What the script or the environment is to blame for says
    nothing of an agent, and is left out.
    """
    parts = []
    for entry in entries:
        human = humans.get(entry.place)
        if human is None or not counts(entry):
            continue
        own = entry.human_speedup.point if entry.human_speedup is not None else human
        mine = entry.speedup.point / own if entry.speedup is not None else 1 / human
        parts.append(Part(entry, mine))
    return parts


def counts(entry: Entry) -> bool:
    """Whether the run says something of its agent."""
    return entry.measured or entry.is_agents


def score_section(entries: Sequence[Entry], *, seed: int) -> Section | None:
    """Scores per agent and of all; None where nothing was measured."""
    if not any(entry.measured for entry in entries):
        return None
    humans = human_speedups(entries)
    groups: list[tuple[Row, Sequence[Entry]]] = [
        (names, members) for names, members in most_first(grouped(entries, lambda entry: (entry.agent, entry.model)))
    ]
    if len(groups) > 1:
        groups.append((("all", None), entries))
    lines = [
        "Intervals are bootstrapped over commits, 95 %. Runs that the script or the environment stopped are left out.",
        "pass@K and Opt@K are of the tasks (a commit, an agent with a model) that have K attempts or more.",
    ]
    if not humans:
        lines.append("No score beside the human: no record has a proven speedup of the human's commit.")
    tables = [_means(groups, humans, seed), *_at_k(groups, humans, seed)]
    return Section("Scores", tuple(lines), tuple(tables))


def _means(groups: Sequence[tuple[Row, Sequence[Entry]]], humans: Mapping[Place, float], seed: int) -> Table:
    rows: list[Row] = []
    for names, members in groups:
        measured = [entry for entry in members if entry.speedup is not None]
        places = [entry.place for entry in measured]
        mean = geometric_mean([entry.speedup.point for entry in measured if entry.speedup], places, seed=seed)
        parts = parts_of_human(members, humans)
        beside, commits = [each.part for each in parts], [each.entry.place for each in parts]
        near = share_near_human(beside, commits, seed=seed)
        harmonic = harmonic_mean(beside, commits, seed=seed)
        rows.append((*names, *_cells(mean), len(measured), *_cells(near), *_cells(harmonic), len(parts) or None))
    columns = {
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "geometric mean": Kind.SPEEDUP,
        "mean's interval": Kind.SPEEDUPS,
        "measured": Kind.COUNT,
        "runs >= 95 % of human": Kind.SHARE,
        "share's interval": Kind.SHARES,
        "harmonic mean of human": Kind.SHARE,
        "harmonic's interval": Kind.SHARES,
        "beside the human": Kind.COUNT,
    }
    return table("Speedups", columns, rows, what="agents", most=0)


def _at_k(groups: Sequence[tuple[Row, Sequence[Entry]]], humans: Mapping[Place, float], seed: int) -> list[Table]:
    rows: list[Row] = []
    for names, members in groups:
        for k in KS:
            passing = pass_at_k(members, k, seed=seed)
            near = opt_at_k(members, humans, k, seed=seed)
            if passing is not None:
                beside = near.count if near else None
                rows.append((*names, k, *_cells(passing), passing.count, *_cells(near), beside))
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
    }
    return [table("Attempts", columns, rows, what="rows", most=0)] if rows else []


def pass_at_k(entries: Sequence[Entry], k: int, *, seed: int) -> Score | None:
    """How often one of ``k`` attempts at a task is measured: it applied, ran and kept the result."""
    return _tasks_at_k([(entry, entry.measured) for entry in entries if counts(entry)], k, seed)


def opt_at_k(entries: Sequence[Entry], humans: Mapping[Place, float], k: int, *, seed: int) -> Score | None:
    """How often one of ``k`` attempts at a task comes up to 95 % of the human's speedup."""
    parts = parts_of_human(entries, humans)
    return _tasks_at_k([(each.entry, each.entry.measured and comes_near(each.part)) for each in parts], k, seed)


def _tasks_at_k(attempts: Sequence[tuple[Entry, bool]], k: int, seed: int) -> Score | None:
    tasks: dict[tuple[str, str, str], list[bool]] = {}
    for entry, success in attempts:
        tasks.setdefault(entry.task, []).append(success)
    counted = [(len(each), sum(each)) for each in tasks.values()]
    return at_k(counted, [task[:2] for task in tasks], k, seed=seed)


def _cells(score: Score | None) -> tuple[Cell, Cell]:
    return (None, None) if score is None else (score.value, score.interval)
