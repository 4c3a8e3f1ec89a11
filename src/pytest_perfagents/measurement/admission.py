"""Who may be measured: a side that imports, runs the workspace's code, gives the right result and runs its patch.

Everything that can fail is tried once here, in order, before a minute is spent on timing; most runs end here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_perfagents import diagnosis
from pytest_perfagents.backends.base import Backend, Workspace, WorkspaceFailure
from pytest_perfagents.config import Config
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.judgement import executed, provenance
from pytest_perfagents.measurement import probing, programs
from pytest_perfagents.measurement.arena import Patience, Trouble
from pytest_perfagents.model import BASELINE, Case, Failure, Integrity, Role, Side, Stage


@dataclass(slots=True)
class Admitted:
    """A side that may be measured, and what was seen of it."""

    workspace: Workspace
    probe: probing.Probe
    record: Integrity = field(default_factory=Integrity)
    flags: list[str] = field(default_factory=list)


class Rejected(Exception):  # noqa: N818
    """A side may not be measured; ``record`` holds what was proven until then."""

    def __init__(self, failure: Failure, record: Integrity | None = None) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.record = record or Integrity()


@dataclass(frozen=True, slots=True)
class Gate:
    """Admits the sides of one commit, the baseline first. ``workspaces`` owns what is prepared."""

    config: Config
    backend: Backend
    case: Case
    script: Path
    patience: Patience
    workspaces: ExitStack

    def admit(self, side: Side, baseline: Admitted | None, case: Case | None = None) -> Admitted:
        """Prepare, probe and (a patched side, ``case``) trace. Raises Rejected."""
        patch = case.run.patch if case is not None else None
        try:
            workspace = self.workspaces.enter_context(self.backend.workspace(self.case.run.commit, side, patch))
        except WorkspaceFailure as failure:
            raise Rejected(failure.failure) from None
        try:
            admitted = Admitted(workspace, self._probe(side, workspace, baseline), flags=list(workspace.flags))
            self._check_target(admitted)
            self._check_result(admitted, baseline)
            if case is not None:
                self._check_path(admitted)
        except Trouble as trouble:
            raise Rejected(self.diagnose(trouble, side.role)) from None
        return admitted

    def diagnose(self, trouble: Trouble, role: Role) -> Failure:
        """Name what a side did instead of what it was asked."""
        repo = self.config.repos[self.case.run.commit.repo]
        report = trouble.report if isinstance(trouble, programs.ProgramTrouble) else None
        evidence = diagnosis.Evidence(
            execution=trouble.execution, error=trouble.error, report=report, stage=trouble.stage
        )
        return diagnosis.diagnose(evidence, role, packages=repo.packages, repo=repo.name)

    def _probe(self, side: Side, workspace: Workspace, baseline: Admitted | None) -> probing.Probe:
        style = baseline.probe.style if baseline is not None else self._forced_style()
        reference = (baseline.workspace if baseline is not None else workspace).scratch / "reference"
        if style in (None, *probing.DRIVEN_STYLES):
            probe = probing.probe(
                workspace, self.script, reference=reference, is_reference=baseline is None, patience=self.patience
            )  # fmt: skip
            if probe.style in probing.DRIVEN_STYLES:
                return probe
            style = probe.style
        if self.config.protocol.mode == "driven":
            raise Rejected(failures.not_drivable(self.script.name, style))
        return self._program_probe(side, workspace, style, reference)

    def _forced_style(self) -> str | None:
        if self.config.protocol.mode != "script":
            return None
        text = self.script.read_text(encoding="utf-8", errors="replace")
        return programs.RUN_TEST if "__main__" not in text and "def run_test" in text else "program"

    def _program_probe(self, side: Side, workspace: Workspace, style: str, reference: Path) -> probing.Probe:
        patience_s = self.patience.left_s
        seconds, run = programs.run_once(workspace, self.script, style, timeout_s=patience_s)
        equal, message = programs.check_results(
            workspace, self.script, style, reference, is_reference=side == BASELINE, timeout_s=patience_s
        )
        return probing.Probe(
            style, run.execution.duration_s, seconds, seconds, 0.0, run.modules, run.targets, equal, message
        )

    def _check_target(self, admitted: Admitted) -> None:
        workspace, probe = admitted.workspace, admitted.probe
        packages = self.config.repos[self.case.run.commit.repo].packages
        seen = provenance.look(probe.modules or {}, probe.targets or {}, str(workspace.root), packages)
        admitted.flags.extend(seen.flags)
        admitted.record = replace(admitted.record, loaded_from_workspace=seen.problem is None)
        if seen.problem is not None:
            hint = self._hint(seen.cause, workspace.side.role) if seen.cause else None
            raise Rejected(failures.wrong_target(seen.problem, seen.cause, workspace.side.role, hint), admitted.record)

    def _hint(self, error: Mapping[str, Any], role: Role) -> str | None:
        return self.diagnose(Trouble(Stage.IMPORT, error=error), role).hint

    def _check_result(self, admitted: Admitted, baseline: Admitted | None) -> None:
        probe, role = admitted.probe, admitted.workspace.side.role
        if baseline is None:
            if probe.equal is False:
                admitted.flags.append(f"the script's check refuses the baseline's own result: {probe.message}")
            return
        if baseline.probe.equal is not True or probe.equal is None:
            return
        verdict = "equal" if probe.equal else "different"
        admitted.record = replace(admitted.record, equivalence=verdict)
        if not probe.equal:
            raise Rejected(failures.unequal(probe.message, role), admitted.record)

    def _check_path(self, admitted: Admitted) -> None:
        """Whether the timed call comes past what the patch adds, or past the places where it only deletes."""
        workspace, patch = admitted.workspace, admitted.workspace.patch
        if patch is None or admitted.probe.style not in probing.DRIVEN_STYLES:
            return
        added, beside = patch.added_lines, patch.lines_beside
        wanted = {path: (*added.get(path, ()), *beside.get(path, ())) for path in {**added, **beside}}
        if not wanted:
            return
        try:
            traced = probing.trace(workspace, self.script, wanted, self.patience)
        except Trouble as trouble:
            admitted.flags.append(f"the patched lines could not be traced: {trouble}")
            return
        sources = {path: (workspace.root / path).read_text(encoding="utf-8", errors="replace") for path in added}
        ran = executed.count_executed(sources, added, traced)
        passed = any(set(lines) & set(traced["call"].get(path, ())) for path, lines in beside.items())
        admitted.record = replace(admitted.record, patched_lines=ran.lines, patched_lines_executed=ran.executed)
        if ran.lines > ran.passive and not (ran.executed or passed or patch.has_data_files):
            raise Rejected(failures.path_not_hit(ran.lines), admitted.record)
        if ran.lines and not (ran.in_call or passed):
            admitted.flags.append("no patched line ran inside the timed call, only at import or in setup")
