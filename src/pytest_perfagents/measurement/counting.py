"""Instructions per call of the experiment, side by side, after the timing: ``--perf-counter instructions``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_perfagents.backends.base import Worker, WorkerEnded, Workspace
from pytest_perfagents.judgement.counting import calls_to_count, per_call, tie_broken
from pytest_perfagents.measurement.arena import Arena, Patience, Progress, error_in
from pytest_perfagents.measurement.probing import DRIVEN_STYLES, Probe
from pytest_perfagents.model import BASELINE, Ending, Outcome, Role, Side
from pytest_perfagents.processes.counters import Counter

LONGEST_S = 120.0
"""What one request may take under the counter."""


class NoCount(Exception):  # noqa: N818 - becomes a note
    """Why a side's instructions could not be counted."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Instructions per call by side; ``notes`` say why a side has none."""

    counter: str
    per_call: Mapping[Side, float] = field(default_factory=dict)
    notes: Mapping[Side, str] = field(default_factory=dict)

    def of(self, side: Side) -> Mapping[str, Any]:
        """For the record: the baseline's, the side's, the human's where it was counted, and the side's ``ratio``."""
        for one in (BASELINE, side):
            if one not in self.per_call:
                return {"counter": self.counter, "note": self.notes.get(one, f"{one.role} was not counted")}
        by_role = {each.role.value: count for each, count in self.per_call.items() if each.role is not Role.PATCHED}
        mine = self.per_call[side]
        ratio = self.per_call[BASELINE] / mine
        return {"counter": self.counter, **by_role, side.role.value: mine, "ratio": ratio}


def with_counts(outcome: Outcome, counts: Counts, side: Side, *, error: float) -> Outcome:
    """The outcome with the counts in it, and its change decided by them where time leaves that open."""
    if outcome.comparison is None:
        return outcome
    told = counts.of(side)
    comparison = tie_broken(outcome.comparison, told["ratio"], error=error) if "ratio" in told else outcome.comparison
    return replace(outcome, comparison=comparison, counts=told)


def count_arena(counter: Counter, arena: Arena, probes: Mapping[Side, Probe], progress: Progress) -> Counts:
    """Two processes for each side, one after the other: all that is alike in both drops out of the difference.

    What cannot be counted (instructions that valgrind does not know, a timeout, child processes) is a note. Without
    the baseline's count the others are left out.
    """
    counts: dict[Side, float] = {}
    notes: dict[Side, str] = {}
    if probes[BASELINE].style not in DRIVEN_STYLES:
        return Counts(counter.name, {}, {BASELINE: "script mode has no single calls to count"})
    if arena.tracks[BASELINE].uses_gpu:
        return Counts(counter.name, {}, {BASELINE: "the script uses a GPU, whose work is not counted"})
    there = [side for side in arena.workspaces if side not in arena.lost]
    for side in sorted(there, key=lambda side: side != BASELINE):
        progress(f"counting instructions of {side.role}")
        calls = calls_to_count(probes[side].call_s, counter.slowdown)
        try:
            counts[side] = count_calls(counter, arena.workspaces[side], arena.script, calls, arena.patience)
        except NoCount as reason:
            notes[side] = f"{side.role}: {reason}"
        if BASELINE not in counts:
            break
    return Counts(counter.name, counts, notes)


def count_calls(
    counter: Counter, workspace: Workspace, script: Path, calls: tuple[int, int], patience: Patience
) -> float:
    """Instructions of one call on one side, by two processes. Raises NoCount."""
    first, second = (_instructions(counter, workspace, script, number, patience) for number in calls)
    counted = per_call(first, second, calls)
    if counted is None:
        raise NoCount(f"{calls[1]} calls took no more instructions than {calls[0]}: they are not spent in the call")
    return counted


def _instructions(counter: Counter, workspace: Workspace, script: Path, calls: int, patience: Patience) -> int:
    """Of a whole process with one set-up, whose place in memory nobody draws, and so many calls."""
    try:
        worker = workspace.start_counted(counter.command)
    except WorkerEnded as end:
        raise NoCount(_ended(counter, end)) from None
    try:
        _ask(worker, counter, patience, "load", script=str(script))
        turn = _ask(worker, counter, patience, "turn", iterations=calls, setups=0)
    finally:
        ended = worker.close()
    if turn.get("children"):
        raise NoCount("it computes in child processes, which are not counted")
    count = counter.read(ended.stderr)
    if count is None:
        raise NoCount(f"{counter.name} gave no count")
    return count


def _ask(worker: Worker, counter: Counter, patience: Patience, op: str, **arguments: Any) -> Mapping[str, Any]:
    try:
        reply = worker.request(op, min(LONGEST_S, patience.left_s), **arguments)
    except WorkerEnded as end:
        raise NoCount(_ended(counter, end)) from None
    error = error_in(reply)
    if error is not None:
        raise NoCount(f"{error.get('type')} under {counter.name}: {error.get('message')}")
    return reply.value


def _ended(counter: Counter, end: WorkerEnded) -> str:
    execution = end.execution
    if execution.ending is Ending.TIMED_OUT:
        return f"too slow under {counter.name}: no answer to {end.op} in {execution.duration_s:.0f} s"
    how = f"signal {execution.code}" if execution.ending is Ending.SIGNALED else f"status {execution.code}"
    known = " (an instruction that it does not know)" if execution.code in (4, 132) else ""
    said = execution.stderr.strip().splitlines()
    last = f": {said[-1][:200]}" if said else ""
    return f"the process ended under {counter.name} with {how}{known} during {end.op}{last}"
