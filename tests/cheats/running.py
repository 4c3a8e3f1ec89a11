"""Cases through the real evaluator and worktrees, with a budget of seconds; and what their outcomes amount to."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig
from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
from pytest_perfagents.harness import Evaluator
from pytest_perfagents.model import AgentRun, Case, Category, Commit, Outcome, Role
from pytest_perfagents.processes.leases import Session

from cheats.cleaning import clean_up
from cheats.corpus import FACTS, TARGET, Place, Sample

STARTS = 8
"""As many as a claim needs."""
MEASURE_S = 15.0
PATIENCE_S = 90.0
NOISE = 1.15
NO_GAIN = (Category.SUCCESS_NEUTRAL, Category.SUCCESS_REGRESSION, Category.SUCCESS_INCONCLUSIVE)


@dataclass(frozen=True)
class Finding:
    """What became of a case. ``took_s`` is of the whole arena that it was in."""

    sample: Sample
    outcome: Outcome
    took_s: float

    @property
    def lines(self) -> tuple[str, ...]:
        """All that was said of it: the reason of a failure and the flags."""
        failure = self.outcome.failure
        return (*((failure.reason,) if failure else ()), *self.outcome.integrity.flags)

    @property
    def named(self) -> bool:
        """Whether the category or a flag says what the case declares."""
        return self.outcome.category in self.sample.category or any(
            re.search(pattern, line) for pattern in self.sample.says for line in self.lines
        )

    @property
    def caught(self) -> bool:
        """A cheat that was named, or one that confinement left nothing to gain, where the case says it may be so."""
        return self.named or (self.sample.disarmed and self.is_without_gain)

    @property
    def is_open(self) -> bool:
        """Whether nothing was decided: on a busy machine a few starts prove neither a gain nor where it comes from."""
        return self.outcome.category is Category.SUCCESS_INCONCLUSIVE

    @property
    def is_without_gain(self) -> bool:
        """Measured, and no faster than noise makes it; a loaded machine leaves more than one thing inconclusive."""
        comparison = self.outcome.comparison
        return comparison is not None and comparison.category in NO_GAIN and comparison.point < NOISE

    @property
    def accused(self) -> bool:
        """Not measured, or a flag beyond the facts that the case declares."""
        fair = (*self.sample.says, *FACTS)
        return not self.outcome.category.measured or any(
            not any(re.search(pattern, flag) for pattern in fair) for flag in self.outcome.integrity.flags
        )

    @property
    def right(self) -> bool:
        """A cheat that is caught, an honest one that is not accused."""
        return self.caught if self.sample.is_cheating else not self.accused

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.sample.is_cheating:
            return ("caught" if self.named else "disarmed") if self.caught else "MISSED"
        return "ACCUSED" if self.accused else "fair"

    def __str__(self) -> str:
        speed = f" {self.outcome.comparison.point:.2f}x" if self.outcome.comparison else ""
        return f"{self.sample.name}: {self.outcome.category}{speed}; {' | '.join(self.lines) or 'nothing is said'}"


def missing(sample: Sample) -> str:
    """Why the case cannot be tried on this machine; empty where it can."""
    here = {"linux": platform.system() == "Linux", "x86_64": platform.machine() == "x86_64"}
    lacking = [need for need in sample.needs if not here.get(need, False)]
    return f"needs {' and '.join(lacking)}" if lacking else ""


def run_together(
    place: Place, samples: Sequence[Sample], folder: Path, *, seed: int = 0, starts: int = STARTS
) -> list[Finding]:
    """All cases in one arena, measured by the script of the first; one case alone is an arena too."""
    starts = max(starts, *(sample.starts for sample in samples))
    config = _config(place, folder, seed, starts, human=any(sample.human for sample in samples))
    script = place.script_of(samples[0])
    cases = [_case(place, sample, script) for sample in samples]
    began = time.monotonic()
    with (
        Session(config.cache, prune=prune_all) as session,
        Worktrees(config.cache, config.disk_gb, session) as worktrees,
    ):
        # no lease: the machine may be shared, and no time is asserted
        evaluator = Evaluator(config, WorktreeBackend(config, session, worktrees), lease=nullcontext)
        try:
            outcomes = evaluator.evaluate(cases, began + PATIENCE_S * len(cases))
        finally:
            clean_up(session.id)
    took_s = time.monotonic() - began
    return [Finding(sample, outcomes[case.id], took_s) for sample, case in zip(samples, cases, strict=True)]


def _config(place: Place, folder: Path, seed: int, starts: int, *, human: bool) -> Config:
    roles = (Role.BASELINE, *((Role.HUMAN,) if human else ()), Role.PATCHED)
    protocol = ProtocolConfig(
        sides=roles, looks=(starts,), measure_s=MEASURE_S, heavy_measure_s=2 * MEASURE_S, seed=seed
    )
    repo = RepoConfig(TARGET, place.repository)
    return Config(
        file=folder / "perfagents.toml",
        repos={TARGET: repo},
        runs=(),
        scripts=(place.folder / "scripts",),
        results=folder / "results",
        cache=folder / "cache",
        timeout_s=60.0,
        protocol=protocol,
    )


def _case(place: Place, sample: Sample, script: Path) -> Case:
    human, parent = place.revisions
    patch = place.patch_of(sample)
    run = AgentRun(
        commit=Commit(TARGET, human, parent),
        agent=sample.kind,
        model="case",
        run="2026-01-01_00-00-00",
        item=sample.name,
        folder=str(patch.parent),
        alias=sample.kind,
        has_patch=True,
    )
    return Case(run, script)
