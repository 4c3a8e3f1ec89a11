"""An evaluator whose outcomes stand in ``canned.json``, for tests of the shell around it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_perfagents.calibrations import Calibration
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    Blame,
    Case,
    Category,
    Change,
    Commit,
    Comparison,
    Failure,
    Integrity,
    Outcome,
    Role,
    Side,
    SideSamples,
    Stage,
)

SPEEDUPS = {
    "SUCCESS_IMPROVEMENT": (1.5, Change.FASTER),
    "SUCCESS_REGRESSION": (0.5, Change.SLOWER),
    "SUCCESS_NEUTRAL": (1.0, Change.SAME),
    "SUCCESS_INCONCLUSIVE": (1.02, Change.UNCLEAR),
}


def comparison_of(category: str, candidate: Side, point: float | None = None) -> Comparison:
    """A comparison with a narrow interval."""
    speedup, change = SPEEDUPS[category]
    speedup = point or speedup
    needed = 90 if category == "SUCCESS_INCONCLUSIVE" else None
    return Comparison(
        BASELINE,
        candidate,
        2,
        speedup,
        speedup * 0.98,
        speedup * 1.03,
        0.95,
        0.004,
        "cpu",
        change,
        Category(category),
        needed,
    )


def samples_of(side: Side, seconds: float) -> SideSamples:
    """Two starts of two turns."""
    cpu = ((seconds, seconds * 1.25), (seconds * 1.5, seconds))
    wall, ready = (tuple(tuple(s * share for s in turns) for turns in cpu) for share in (1.125, 0.0625))
    return SideSamples(side, 4, wall, cpu, ready)


def measured(case: Case, category: str, *, baseline_s: float = 0.012, flags: tuple[str, ...] = ()) -> Outcome:
    """An outcome with three sides."""
    patched = Side(Role.PATCHED, case.id)
    speedup = SPEEDUPS[category][0]
    return Outcome(
        case,
        comparison_of(category, patched),
        None,
        human=comparison_of("SUCCESS_IMPROVEMENT", HUMAN, 2.0),
        sides={
            "baseline": samples_of(BASELINE, baseline_s),
            "human": samples_of(HUMAN, baseline_s / 2),
            "patched": samples_of(patched, baseline_s / speedup),
        },
        integrity=Integrity(True, 12, 9, "equal", clock_ratio=1.0, first_call_speedup=1.49, flags=flags),
        environment={"python": "3.11.2"},
        protocol={"seed": 0},
        fingerprint="canned",
        started_at="2026-01-01T00:00:00Z",
        duration_s=3.2,
    )


def failed(case: Case, category: str, **fields: Any) -> Outcome:
    """An outcome without one."""
    values = {
        "stage": Stage.IMPORT,
        "reason": "baseline needs module 'decord'",
        "side": Role.BASELINE,
        "blame": Blame.ENVIRONMENT,
        "hint": "pip install decord",
        "evidence": {"traceback": "Traceback\n  ModuleNotFoundError", "code": 1},
        **fields,
    }
    return Outcome(case, None, Failure(Category(category), **values), fingerprint="canned")


class CannedEvaluator:
    """``plan``: item to a category, or ``raise``, ``bad-neighbour``, ``interrupt``, ``usage``, ``die``."""

    def __init__(self, folder: Path, progress: Any = None) -> None:
        self.folder = folder
        self.plan: dict[str, str] = json.loads((folder / "canned.json").read_text())
        self.backend = CannedBackend(folder)
        self.progress = progress

    def fingerprint(self, case: Case) -> str:
        return str(self.plan.get("fingerprint", "canned"))

    def evaluate(self, cases: Sequence[Case], deadline: float) -> dict[str, Outcome]:
        note = {
            "cases": [case.run.item for case in cases],
            "left_s": deadline - time.monotonic(),
            "pid": os.getpid(),
        }
        with (self.folder / "calls.jsonl").open("a") as calls:
            calls.write(json.dumps(note) + "\n")
        return {case.id: self._outcome(case, len(cases)) for case in cases}

    def calibrate(self, case: Case, deadline: float) -> Calibration:
        """What `evaluate` would say of the case, as an A/A comparison."""
        with (self.folder / "calls.jsonl").open("a") as calls:
            calls.write(json.dumps({"calibrated": case.run.item, "left_s": deadline - time.monotonic()}) + "\n")
        outcome, commit = self._outcome(case, 1), case.run.commit
        known = Calibration(commit.arena, commit.name, "digest", "a machine", outcome.comparison, outcome.failure)
        if outcome.comparison is None:
            return known
        return replace(
            known, noise_floor=0.004, detectable=0.012, starts=80, protocol={"budget_s": 20.0, "waited_s": 1.6}
        )

    def _outcome(self, case: Case, together: int) -> Outcome:
        what = self.plan[case.run.item]
        if what == "raise" or (what == "bad-neighbour" and together > 1):
            raise ZeroDivisionError("a bug of ours")
        if what == "interrupt":
            raise KeyboardInterrupt
        if what == "usage":
            from pytest_perfagents.model import BackendError

            raise BackendError("there is no git on PATH; install git")
        if what == "die":
            os._exit(9)
        what = "SUCCESS_NEUTRAL" if what == "bad-neighbour" else what
        if what.startswith("SUCCESS_"):
            return measured(case, what)
        return failed(case, what)


class CannedBackend:
    """Workspaces that are empty folders; ``workspaces.log`` says when each came and went."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> Iterator[Any]:
        from pytest_perfagents.backends.base import WorkspaceFailure

        if commit.short == "deadbeef":
            raise WorkspaceFailure(
                Failure(
                    Category.GIT_WORKTREE_FAILED,
                    Stage.PREPARE,
                    "deadbeef is not in the clone",
                    hint="git fetch it",
                )
            )
        root = self.folder / f"{commit.name}-{side.role}"
        root.mkdir(exist_ok=True)
        self._log(f"+ {root.name}")
        yield SimpleNamespace(root=root, side=side, flags=(), patch=patch)
        self._log(f"- {root.name}")

    def _log(self, line: str) -> None:
        with (self.folder / "workspaces.log").open("a") as log:
            log.write(line + "\n")
