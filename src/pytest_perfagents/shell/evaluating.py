"""Outcomes on demand: one evaluator per process, one arena per commit, every outcome written as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents.calibrations import CalibrationWriter, calibration_to_json
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.discovery.trajectories import with_tokens
from pytest_perfagents.model import (
    Blame,
    Case,
    Category,
    Commit,
    Failure,
    Outcome,
    Role,
    Side,
    Stage,
    UsageError,
)
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.session.hookspecs import ArenaEvaluator
from pytest_perfagents.session.naming import named_cases
from pytest_perfagents.session.plan import Plan
from pytest_perfagents.session.settings import Settings
from pytest_perfagents.shell.progress import ProgressLine
from pytest_perfagents.shell.repeating import command_for, with_command
from pytest_perfagents.shell.replaying import Replay
from pytest_perfagents.store import ResultsWriter, is_done, load_results


class Evaluation:
    """The outcomes of one process's cases. Close it: worktrees and workers live until then."""

    def __init__(self, plan: Plan, arenas: Iterable[Case]) -> None:
        self.plan = plan
        self.resumed: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._arenas: dict[str, list[Case]] = {}
        for case in arenas:
            self._arenas.setdefault(case.run.commit.arena, []).append(case)
        self._stack = ExitStack()
        self._writer = ResultsWriter(self.settings.folder, _process(plan.config))
        stores = not (plan.config.option.perf_calibrate or plan.replayed)
        self._stack.enter_context(self._writer if stores else nullcontext())
        self._stack.callback(self._writer.close)
        self._line = ProgressLine(plan.config, sum(map(len, self._arenas.values())))
        self._evaluator: ArenaEvaluator | None = None
        self._calibrated = 0
        self._kept: dict[str, Outcome] | None = None
        self._workspaces: dict[Commit, tuple[ExitStack, dict[Side, Any]]] = {}

    @property
    def settings(self) -> Settings:
        """The session's."""
        return self.plan.settings

    def close(self) -> None:
        """Remove what was made; may be called again."""
        for stack, _ in self._workspaces.values():
            self._stack.push(stack)
        self._workspaces.clear()
        self._stack.close()

    def record(self, outcome: Outcome) -> dict[str, Any]:
        """The outcome as it is stored and reported; where something was tried, with the command that tries it again."""
        record = outcome_to_json(outcome, self.settings.config.outcomes, self.settings.gates)
        if self.plan.replayed:
            return record
        node = self._nodes.get(outcome.case.id)
        was_tried = outcome.failure is None or outcome.failure.stage is not Stage.DISCOVER
        if was_tried and node is not None:
            command = command_for(self.plan.config, self.settings.config.file, node)
            record["evidence"] = with_command(record["evidence"], command)
        return record

    @cached_property
    def _nodes(self) -> dict[str, str]:
        """The node ids of the session's cases, without the file."""
        return {case.id: f"{commit}::{name}" for commit, name, case in named_cases(self.plan.cases)}

    def outcome(self, case: Case, timeout_s: float | None = None) -> Outcome:
        """The case's outcome, evaluated together with what is not done of its commit.

        ``timeout_s`` is one item's; an arena has as many times that as it has cases.

        Raises:
            UsageError: the user or the machine is at fault.
        """
        if case.id not in self._outcomes:
            arena = self._arenas.get(case.run.commit.arena, [])
            self._keep_done(arena if case in arena else [*arena, case])
        if case.id not in self._outcomes:
            self._evaluate(case, timeout_s)
        return self._outcomes[case.id]

    # Evaluation

    def _evaluate(self, case: Case, timeout_s: float | None) -> None:
        arena = [other for other in self._arenas.get(case.run.commit.arena, ()) if other.id not in self._outcomes]
        if case not in arena:
            arena.append(case)
        if timeout_s is None:
            protocol = self.settings.config.protocol
            timeout_s = self.settings.config.timeout_s * len(protocol.sides) + protocol.heavy_measure_s
        evaluator = self.evaluator
        began = time.monotonic()
        try:
            with self._line.shown(len(self._outcomes) + 1):
                found = evaluator.evaluate(arena, began + timeout_s * len(arena))
            found = {other.id: found[other.id] for other in arena}
        except UsageError:
            raise
        except Exception as error:
            if len(arena) > 1:  # one case's trouble must not become its neighbours'
                self._arenas[case.run.commit.arena] = []
                self._evaluate(case, timeout_s)
                return
            found = {case.id: _harness_error(case, error, time.monotonic() - began)}
        if not self.plan.replayed:
            found = {name: with_tokens(outcome) for name, outcome in found.items()}
            self._store(found)
        self._outcomes.update(found)

    def _store(self, found: Mapping[str, Outcome]) -> None:
        try:
            for outcome in found.values():
                self._writer.append(self.record(outcome))
        except OSError as error:
            raise UsageError(
                f"results {self.settings.folder}: {error.strerror}; make room there and go on with --perf-resume"
            ) from error

    def calibrate(self, case: Case, timeout_s: float | None = None) -> dict[str, Any]:
        """The record of the A/A comparison of the case's commit, which now stands in the results folder.

        Raises UsageError where the user or the machine is at fault.
        """
        judge = getattr(self.evaluator, "calibrate", None)
        if judge is None:
            raise UsageError(f"{type(self.evaluator).__name__} cannot calibrate; leave out --perf-calibrate")
        config = self.settings.config
        limit_s = timeout_s or 2 * config.timeout_s + config.protocol.heavy_measure_s
        self._calibrated += 1
        with self._line.shown(self._calibrated):
            record = calibration_to_json(judge(case, time.monotonic() + limit_s))
        try:
            with CalibrationWriter(config.results) as writer:
                writer.append(record)
        except OSError as error:
            raise UsageError(f"results {config.results}: {error.strerror}; make room there") from error
        return record

    @property
    def evaluator(self) -> ArenaEvaluator:
        """Made at first use."""
        if self._evaluator is None and self.plan.replayed:
            self._evaluator = Replay(self.plan.recordings)
        if self._evaluator is None:
            hook = self.plan.config.hook
            hook.pytest_perfagents_prepare(config=self.plan.config, settings=self.settings)
            made = hook.pytest_perfagents_evaluator(
                config=self.plan.config, settings=self.settings, progress=self._line.show
            )
            self._evaluator = made or _worktree_evaluator(self.settings, self._stack, self._line.show)
        return self._evaluator

    # Resuming

    def _keep_done(self, arena: Sequence[Case]) -> None:
        """Take over what an earlier run has done of these cases and what has not changed since."""
        if self.settings.resumed is None:
            return
        if self._kept is None:
            self._kept = _done_outcomes(self.settings.config.results / self.settings.resumed)
        for case in arena:
            outcome = self._kept.get(case.id)
            if outcome is None or case.id in self._outcomes or outcome.fingerprint != self._fingerprint(case):
                continue
            counted = self._outcomes[case.id] = with_tokens(outcome)  # an older version did not count
            self.resumed.add(case.id)
            if self.settings.run != self.settings.resumed or counted is not outcome:
                self._writer.append(self.record(counted))

    def _fingerprint(self, case: Case) -> str:
        own = getattr(self.evaluator, "fingerprint", None)
        if own is not None:
            return str(own(case))
        from pytest_perfagents.harness import fingerprint

        return fingerprint(case, self.settings.config)

    # Workspaces for hand-written tests

    def workspace(self, case: Case, role: Role) -> Any:
        """A ready workspace of one side, shared by tests about its commit until one about another asks.

        Raises:
            WorkspaceFailure: the side cannot be prepared.
        """
        commit = case.run.commit
        for other in [other for other in self._workspaces if other != commit]:
            self._workspaces.pop(other)[0].close()
        stack, ready = self._workspaces.setdefault(commit, (ExitStack(), {}))
        side = Side(role, case.id if role is Role.PATCHED else "")
        if side not in ready:
            backend = getattr(self.evaluator, "backend", None)
            if backend is None:
                raise UsageError(f"{type(self.evaluator).__name__} has no backend, so there are no worktrees")
            patch = case.run.patch if role is Role.PATCHED else None
            entered: AbstractContextManager[Any] = backend.workspace(commit, side, patch)
            ready[side] = stack.enter_context(entered)
        return ready[side]

    def refusal(self, case: Case) -> Failure | None:
        """Why the case's patch cannot be looked at, where that is known before anything runs."""
        if not case.run.has_patch:
            judge = getattr(self.evaluator, "verdict_of_record", None)
            known: Failure | None = judge(case) if judge is not None else None
            return known or Failure(
                Category.AGENT_NO_PATCH, Stage.DISCOVER, f"{case.run.folder} has no patch", blame=Blame.AGENT
            )
        return None


def _process(config: pytest.Config) -> str:
    return str(getattr(config, "workerinput", {}).get("workerid", ""))


def _done_outcomes(folder: Path) -> dict[str, Outcome]:
    """What needs no evaluation; a record that cannot be read does."""
    return {case: outcome for case, outcome in load_results(folder).outcomes().items() if is_done(outcome)}


def _harness_error(case: Case, error: Exception, took_s: float) -> Outcome:
    started = datetime.fromtimestamp(time.time() - took_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Outcome(case, None, failures.harness_error(error), started_at=started, duration_s=round(took_s, 3))


def _worktree_evaluator(settings: Settings, stack: ExitStack, progress: Any) -> ArenaEvaluator:
    from pytest_perfagents.backends.worktree import WorktreeBackend
    from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
    from pytest_perfagents.harness import Evaluator
    from pytest_perfagents.processes.counters import find_counter
    from pytest_perfagents.processes.leases import MeasureLease, Session

    config = settings.config
    counter = find_counter() if config.protocol.counter == "instructions" else None
    session = stack.enter_context(Session(config.cache, prune=prune_all))
    worktrees = stack.enter_context(Worktrees(config.cache, config.disk_gb, session))
    backend = WorktreeBackend(config, session, worktrees)
    lease = partial(MeasureLease, tell=progress)
    return Evaluator(config, backend, lease=lease, progress=progress, counter=counter)


EVALUATION = pytest.StashKey[Evaluation]()
