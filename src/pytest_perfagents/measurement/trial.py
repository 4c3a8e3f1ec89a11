"""One arena from workspaces to outcomes: admit the sides, measure those that may be, judge, and write it up."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import Any

from pytest_perfagents.backends.base import Backend
from pytest_perfagents.config import Config, ProtocolConfig
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.gates import HUMAN_NOT_MEASURED
from pytest_perfagents.judgement import clocks, judge, schedule
from pytest_perfagents.judgement.honesty import claims
from pytest_perfagents.measurement import measuring, probing, programs, proving
from pytest_perfagents.measurement.admission import Admitted, Gate, Rejected
from pytest_perfagents.measurement.arena import Arena, Lease, Pace, Patience, Progress, Track, Unequal
from pytest_perfagents.measurement.counting import Counts, count_arena, with_counts
from pytest_perfagents.measurement.guarding import Guard
from pytest_perfagents.measurement.inspecting import Inspection
from pytest_perfagents.measurement.settling import chosen_place
from pytest_perfagents.measurement.templates import DEAR_S, STARTS, Nursery
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    Case,
    Comparison,
    Failure,
    Integrity,
    Outcome,
    Role,
    Side,
    SideSamples,
)
from pytest_perfagents.processes.counters import Counter
from pytest_perfagents.processes.gpus import gpu_findings


@dataclass(slots=True)
class Trial:
    """The cases of one commit that are measured together. ``run`` gives an outcome for each.

    A case without a patch is the baseline once more. ``stops_early`` False measures for the whole budget.
    """

    config: Config
    backend: Backend
    cases: Sequence[Case]
    patience: Patience
    lease: Lease
    progress: Progress
    stops_early: bool = True
    counter: Counter | None = None
    counts: Counts | None = None
    admitted: dict[Side, Admitted] = field(default_factory=dict)
    rejected: dict[Side, Rejected] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    disturbance: str | None = None

    def __post_init__(self) -> None:
        if self.config.protocol.seed is None:
            self.config = replace(self.config, protocol=replace(self.config.protocol, seed=secrets.randbits(32)))

    def run(self) -> list[Outcome]:
        """Admit the baseline, then the others; measure whoever is sound. Workspaces are gone afterwards."""
        script, name = self.cases[0].script, self.cases[0].run.commit.name
        assert script is not None
        arena = Arena({}, script, self.config.protocol, self.patience, self.lease)
        environment: Mapping[str, Any] = {}
        guard = Guard(self.backend, script)
        with ExitStack() as workspaces:
            nursery = Nursery(self.config.protocol.template)
            gate = Gate(self.config, guard, self.cases[0], script, self.patience, workspaces, nursery)
            workspaces.callback(nursery.close)
            for side, case in self._sides():
                if side != BASELINE and BASELINE not in self.admitted:
                    break
                self.progress(f"{name}: looking at {side.role}")
                try:
                    self.admitted[side] = gate.admit(side, self.admitted.get(BASELINE), case)
                except Rejected as rejection:
                    self.rejected[side] = rejection
                else:
                    if side == BASELINE:
                        nursery.open(self.admitted[side].workspace, self.admitted[side].probe.shared)
                guard.settle(side)
            nursery.close()  # nothing that admission left behind may live on beside the timed starts
            arena.workspaces = {side: entry.workspace for side, entry in self.admitted.items()}
            if BASELINE in self.admitted:
                environment = self._environment()
            if any(side.role is Role.PATCHED for side in self.admitted):
                self._measure(arena, gate, name)
                self._try_elsewhere(arena, name)
                self._inspect(arena, name)
                self._count(arena, name)
            if BASELINE in self.admitted:
                self._look_back(guard)
        if arena.placed:
            environment = {**environment, "placed": arena.placed}
        outcomes = [replace(self._outcome(arena, case), environment=environment) for case in self.cases]
        return [self._with_second_opinion(outcome) for outcome in outcomes]

    def _look_back(self, guard: Guard) -> None:
        """Whether somebody wrote to a tree that is not its own; who wrote to its own is told so."""
        self.disturbance = guard.disturbance(is_confined=self.admitted[BASELINE].record.confined is True)
        for side, entry in self.admitted.items():
            if side.role is Role.PATCHED:
                entry.flags.extend(guard.flags(side))
        if self.disturbance:
            self.backend.renew()

    def _sides(self) -> list[tuple[Side, Case | None]]:
        human = [(HUMAN, None)] if Role.HUMAN in self.config.protocol.sides else []
        return [(BASELINE, None), *human, *((_side(case), case if case.run.has_patch else None) for case in self.cases)]

    def _measure(self, arena: Arena, gate: Gate, name: str) -> None:
        probes = {side: entry.probe for side, entry in self.admitted.items()}
        budget_s = self._budget_s(probes)
        style, kept = probes[BASELINE].style, None
        self.notes |= {"style": style, "budget_s": round(budget_s, 1), **_rules(self.config.protocol)}
        if style in probing.DRIVEN_STYLES:
            pace = pace_for(self.config, probes, budget_s, is_forked=self._may_fork(probes))
            self.notes |= {"iterations": pace.iterations, "turns": pace.turns, "warmups": pace.warmups}
            self.notes |= {"setups": pace.setups}
            if self._may_fork(probes):
                arena.templates.modules = probes[BASELINE].shared
            start: measuring.Start = partial(measuring.driven_start, arena, pace)
        else:
            baseline = self.admitted[BASELINE]
            kept = baseline.probe.results if baseline.probe.equal is True else None
            start = partial(programs.program_start, arena, style, kept)
        arena.results = self.admitted[BASELINE].results
        arena.place = chosen_place(self.config.protocol)
        spent_s = measuring.measure(
            arena,
            budget_s,
            start,
            partial(self._is_settled, arena),
            lambda line: self.progress(f"{name}: {line}"),
        )
        if kept is not None:
            kept.finish(arena)
            for side, why in kept.unchecked.items():
                self.admitted[side].flags.append(f"a timed result is unchecked: {why}")
        starts = len(arena.tracks[BASELINE].wall_s)
        self.notes |= {"measured_s": round(spent_s, 2), "start_s": round(spent_s / max(starts, 1), 3)}
        self.notes |= {"waited_s": round(arena.waited_s, 2)}
        self.notes |= {"forked_starts": arena.templates.forked_starts}
        if arena.tracks[BASELINE].uses_gpu:
            self.notes |= {"gpu": gpu_findings()}
        for side, flags in (arena.results.flags if arena.results is not None else {}).items():
            self.admitted[side].flags.extend(flags)
        for side, trouble in arena.lost.items():
            record = self.admitted[side].record
            if isinstance(trouble, Unequal):
                failure = failures.unequal(str(trouble), side.role)
                self.rejected[side] = Rejected(failure, replace(record, equivalence="different"))
            else:
                self.rejected[side] = Rejected(gate.diagnose(trouble, side.role), record)

    def _may_fork(self, probes: Mapping[Side, probing.Probe]) -> bool:
        """Not where an import sets variables that others do not: what a template has imported did not hear of them."""
        baseline = probes[BASELINE]
        is_wanted = self.config.protocol.template and bool(baseline.shared)
        return is_wanted and all(probe.settings == baseline.settings for probe in probes.values())

    def _try_elsewhere(self, arena: Arena, name: str) -> None:
        """Whether who gained with the script's data gains with other data too."""
        for side, entry in self.admitted.items():
            comparison = self._compare(arena, side) if side.role is Role.PATCHED else None
            if comparison is not None and arena.results is not None and entry.record.fresh_inputs == "equal":
                self.progress(f"{name}: looking at {side.role} with other data")
                flag = arena.results.fresh.gain_elsewhere(entry.workspace, comparison.low, comparison.clock)
                entry.flags.extend([flag] if flag else [])

    def _inspect(self, arena: Arena, name: str) -> None:
        """Script mode: whether a gain comes with repetition, and what the imports of a side take that is in doubt."""
        if self.notes["style"] in probing.DRIVEN_STYLES or BASELINE in arena.lost:
            return
        inspection = Inspection(arena, self.notes["style"], {one: each.probe for one, each in self.admitted.items()})
        for side, entry in self.admitted.items():
            comparison = self._compare(arena, side) if side.role is Role.PATCHED else None
            if comparison is None:
                continue
            self.progress(f"{name}: looking at the calls of {side.role}")
            base, mine = arena.tracks[BASELINE], arena.tracks[side]
            if claims.doubt(base.processes_took, mine.processes_took) is not None:
                mine.dearer_imports_s = inspection.dearer_imports(side)
            flag = inspection.first_calls(side) if comparison.point > 1 + self.config.protocol.threshold else None
            entry.flags.extend([flag] if flag else [])

    def _budget_s(self, probes: Mapping[Side, probing.Probe]) -> float:
        protocol, baseline = self.config.protocol, probes[BASELINE]
        is_heavy = max(baseline.startup_s, baseline.call_s) > DEAR_S
        return (protocol.heavy_measure_s if is_heavy else protocol.measure_s) * _shares(len(probes))

    # Second opinion

    def _count(self, arena: Arena, name: str) -> None:
        if self.counter is not None and BASELINE not in arena.lost:
            probes = {side: entry.probe for side, entry in self.admitted.items()}
            self.counts = count_arena(self.counter, arena, probes, lambda line: self.progress(f"{name}: {line}"))

    def _with_second_opinion(self, outcome: Outcome) -> Outcome:
        if self.counts is None:
            return outcome
        error = 1 - rule_of(self.config.protocol).claim_confidence
        return with_counts(outcome, self.counts, _side(outcome.case), error=error)

    # Judgement

    def _is_settled(self, arena: Arena, side: Side) -> bool:
        if not self.stops_early:
            return False
        comparison = self._compare(arena, side)
        return comparison is not None and judge.is_decided(comparison)

    def _compare(self, arena: Arena, side: Side) -> Comparison | None:
        track = arena.tracks.get(side, Track())
        starts = min(len(track.wall_s), len(arena.tracks.get(BASELINE, Track()).wall_s))
        if side in self.rejected or side in arena.lost or not starts:
            return None
        baseline, candidate = self._pair(arena, side, starts)
        if self.notes["style"] not in probing.DRIVEN_STYLES:
            clock = "script"
        elif track.uses_gpu and arena.tracks[BASELINE].uses_gpu:
            clock = "cuda"
        else:
            clock = clocks.clock_for([baseline, candidate])
        rule = rule_of(self.config.protocol)
        return judge.compare(baseline, candidate, clock=clock, rule=rule)

    def _pair(self, arena: Arena, side: Side, starts: int) -> tuple[SideSamples, SideSamples]:
        """Baseline and candidate on one clock: the GPU's where both have it."""
        by_gpu = arena.tracks[side].uses_gpu and arena.tracks[BASELINE].uses_gpu
        calls = int(self.notes.get("iterations", 1))
        baseline = arena.tracks[BASELINE].samples(BASELINE, calls, starts, by_gpu=by_gpu)
        return baseline, arena.tracks[side].samples(side, calls, starts, by_gpu=by_gpu)

    # Outcomes

    def _outcome(self, arena: Arena, case: Case) -> Outcome:
        side = _side(case)
        comparison = self._compare(arena, side)
        if comparison is None or self.disturbance:
            entry = self.rejected.get(side) or self.admitted.get(side)
            record = replace(entry.record if entry else Integrity(), flags=self._flags(side))
            if self.disturbance:
                return Outcome(case, None, failures.disturbed(self.disturbance), integrity=record, protocol=self.notes)
            return Outcome(case, None, self._why(side), integrity=record, protocol=self.notes)
        is_driven = self.notes["style"] == "driven"  # of a benchmark test, set-up is not told apart by its times
        setups = int(self.notes.get("setups", 0)) if is_driven else 0
        turns = proving.Turns(int(self.notes.get("iterations", 1)), setups, comparison.clock)
        probes = {one: each.probe for one, each in self.admitted.items()}
        known, flags = self.admitted[side].record, self._flags(side)
        record, tampering = proving.prove(arena, side, known, flags, turns, probes)
        if tampering is not None:
            return Outcome(case, None, failures.tampered(tampering), integrity=record, protocol=self.notes)
        human = self._compare(arena, HUMAN)
        sides = dict(zip(("baseline", "patched"), self._pair(arena, side, comparison.starts), strict=True))
        if human is not None:
            sides["human"] = self._pair(arena, HUMAN, human.starts)[1]
        return Outcome(case, comparison, None, human, sides, record, protocol=self._protocol(comparison))

    def _protocol(self, comparison: Comparison) -> Mapping[str, Any]:
        if comparison.needed_starts is None:
            return self.notes
        arena_s = comparison.needed_starts * self.notes["start_s"]
        return self.notes | {"needed_budget_s": ceil(arena_s / _shares(len(self.admitted)))}

    def _why(self, side: Side) -> Failure:
        """The baseline's failure is everybody's; else the side's own; else time was over before a single start."""
        for one in (BASELINE, side):
            if one in self.rejected:
                return self.rejected[one].failure
        return failures.no_start(self.config.timeout_s)

    def _flags(self, side: Side) -> tuple[str, ...]:
        known = [self.admitted.get(one) or self.rejected.get(one) for one in (BASELINE, side)]
        flags = [flag for each in known if each is not None for flag in each.flags]
        flags.extend(self.notes.get("gpu", ()))
        if HUMAN in self.rejected:
            flags.append(f"{HUMAN_NOT_MEASURED}{self.rejected[HUMAN].failure.category}")
        return tuple(dict.fromkeys(flags))

    def _environment(self) -> Mapping[str, Any]:
        baseline = self.admitted[BASELINE]
        facts = {"machine": platform.machine(), "system": platform.platform(), "confined": baseline.record.confined}
        return {**facts, **baseline.workspace.describe()}


def _rules(protocol: ProtocolConfig) -> dict[str, Any]:
    """What a verdict depends on beside the data."""
    names = ("threshold", "alpha", "confidence", "looks", "seed")
    return {name: getattr(protocol, name) for name in names}


def rule_of(protocol: ProtocolConfig) -> judge.Rule:
    """How this protocol judges."""
    return judge.Rule(protocol.threshold, protocol.confidence, protocol.alpha, protocol.looks)


def pace_for(config: Config, probes: Mapping[Side, probing.Probe], budget_s: float, *, is_forked: bool = False) -> Pace:
    """How much one start does; less of everything where a single call is dear."""
    protocol, baseline = config.protocol, probes[BASELINE]
    slowest_s = max(probe.call_s for probe in probes.values())
    iterations = schedule.batch(baseline.call_s, slowest_s, protocol.turn_s)
    setup_s = max(probe.setup_s for probe in probes.values())
    setups = schedule.setups_per_turn(iterations, setup_s, max(protocol.turn_s, iterations * baseline.call_s))
    setups = min(setups, 1) if baseline.style == "benchmark" else setups  # a test sets up in its own body
    round_s = sum(iterations * probe.call_s + setups * probe.setup_s for probe in probes.values())
    affordable = int(budget_s / protocol.looks[0] / max(round_s, 1e-9))
    if affordable < protocol.turns:
        is_dear = baseline.call_s > budget_s / protocol.looks[0]  # warm-ups go only where the baseline itself is dear
        warmups = min(protocol.warmups, max(0, affordable - 1)) if is_dear else protocol.warmups
        return Pace(iterations, max(1, affordable), setups, warmups)
    startup_s = baseline.startup_s / STARTS if is_forked else baseline.startup_s
    turns = schedule.turns_per_start(startup_s, round_s, protocol.turns)
    return Pace(iterations, turns, setups, protocol.warmups)


def _shares(sides: int) -> float:
    """Budgets are for two sides; each further one gets half as much again."""
    return max(1.0, sides / 2)


def _side(case: Case) -> Side:
    return Side(Role.PATCHED, case.id)
