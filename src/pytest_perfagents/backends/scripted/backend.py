"""Workspaces and templates of scripted sides, and the backend that has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends.base import ProgramRun, WorkspaceFailure
from pytest_perfagents.backends.scripted.sides import Clock, ScriptedSide
from pytest_perfagents.backends.scripted.workers import ScriptedWorker
from pytest_perfagents.model import Commit, Ending, Execution, Side

if TYPE_CHECKING:
    from pytest_perfagents.gitrepo.patches import Patch


class ScriptedTemplate:
    """A process that can be forked."""

    def close(self) -> Execution:
        """It ends."""
        return Execution(("template",), Ending.EXITED, 0, "", "", 0.0)


@dataclass(frozen=True, slots=True)
class ScriptedWorkspace:
    """A side as described; only ``scratch`` is real."""

    root: Path
    side: Side
    flags: tuple[str, ...]
    patch: Patch | None
    scratch: Path
    behaviour: ScriptedSide
    clock: Clock
    pids: Iterator[int]
    live: list[ScriptedWorker]

    @property
    def harness_files(self) -> tuple[Path, ...]:
        """None."""
        return ()

    def describe(self) -> Mapping[str, Any]:
        """A made-up machine."""
        return {"python": "3.11.0", "platform": "scripted", "backend": "scripted"}

    def start_template(self, modules: Sequence[str], *, seed: int, timeout_s: float) -> ScriptedTemplate:
        """A template that needs nothing."""
        return ScriptedTemplate()

    def start_worker(self, *, seed: int, padding: int, template: object = None) -> ScriptedWorker:
        """A worker whose noise comes from the seed and the side."""
        random = Random(f"{seed}/{padding}/{self.side}")
        behaviour = self.behaviour
        if template is not None:
            behaviour = replace(behaviour, mishaps={**behaviour.mishaps, **behaviour.fork_mishaps})
        worker = ScriptedWorker(behaviour, self.clock, next(self.pids), random, seed)
        self.live.append(worker)
        return worker

    def start_counted(self, command: Sequence[str]) -> ScriptedWorker:
        """A worker that says at its end how many instructions it took, where that was described."""
        return self.start_worker(seed=1, padding=0)

    def run_program(
        self,
        script: Path,
        arguments: Sequence[str],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
        look: str = "",
    ) -> ProgramRun:
        """The execution that was described."""
        ended = self.behaviour.program or Execution((str(script),), Ending.EXITED, 0, "", "", 0.0)
        if ended.duration_s > timeout_s:
            ended = Execution(ended.command, Ending.TIMED_OUT, None, ended.stdout, ended.stderr, timeout_s)
        self.clock.advance(ended.duration_s)
        modules, targets = dict(self.behaviour.modules), dict(self.behaviour.targets)
        return ProgramRun(ended, modules, targets, intact=self.behaviour.intact)

    def call_run_test(
        self,
        script: Path,
        arguments: Mapping[str, Any],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
        look: str = "",
    ) -> ProgramRun:
        """The same, with what ``run_test`` was described to return (milliseconds), in a second and that."""
        run = self.run_program(script, (), timeout_s, env, seed=seed, padding=padding)
        if self.behaviour.returned is None:
            return run
        taken_ns = 10**9 + round(self.behaviour.returned * 1e6)
        returned = {"value": self.behaviour.returned, "wall_ns": taken_ns, "cpu_ns": taken_ns}
        execution = replace(run.execution, duration_s=run.execution.duration_s + taken_ns / 1e9)
        return ProgramRun(execution, run.modules, run.targets, None, returned, intact=self.behaviour.intact)


class ScriptedBackend:
    """Sides by their `Side`; ``live`` lists every worker that was started, ``entered`` every workspace."""

    def __init__(self, sides: Mapping[Side, ScriptedSide], folder: Path, clock: Clock | None = None) -> None:
        """``folder`` is where ``scratch`` folders are made."""
        self.sides = sides
        self.clock = clock or Clock()
        self.live: list[ScriptedWorker] = []
        self.entered: list[Side] = []
        self._folder = folder
        self._pids, self._numbers = count(1), count(1)

    @contextmanager
    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> Iterator[ScriptedWorkspace]:
        """A side as described; raises WorkspaceFailure where that says so."""
        behaviour = self.sides[side]
        self.entered.append(side)
        if behaviour.failure is not None:
            raise WorkspaceFailure(behaviour.failure)
        root = self._folder / f"{next(self._numbers):06d}"
        scratch = self._folder / "scratch" / root.name
        scratch.mkdir(parents=True)
        yield ScriptedWorkspace(
            root,
            side,
            behaviour.flags,
            behaviour.patch,
            scratch,
            behaviour,
            self.clock,
            self._pids,
            self.live,
        )

    def renew(self) -> None:
        """Nothing is shared."""
