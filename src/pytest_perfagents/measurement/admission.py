"""Who may be measured: a side that imports, runs the workspace's code, gives the right result and runs its patch.

Everything that can fail is tried once here, in order, before a minute is spent on timing; most runs end here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from secrets import randbits
from typing import Any

from pytest_perfagents import diagnosis
from pytest_perfagents.backends.base import Backend, Workspace, WorkspaceFailure
from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.judgement.honesty import executed, provenance
from pytest_perfagents.measurement import keeping, probing, programs, scanning
from pytest_perfagents.measurement.arena import Patience, Trouble
from pytest_perfagents.measurement.evidence import Verdict
from pytest_perfagents.measurement.finishing import finish_of
from pytest_perfagents.measurement.fresh import FreshInputs
from pytest_perfagents.measurement.referee import Referee, Reference, Ruling, differing
from pytest_perfagents.measurement.templates import Nursery
from pytest_perfagents.measurement.verifying import Results
from pytest_perfagents.model import Case, Failure, Integrity, Role, Side, Stage

DEAR_S = 60.0
"""A side whose start-up and first call take longer is not run again with other random data."""


@dataclass(slots=True)
class Admitted:
    """A side that may be measured, and what was seen of it; the baseline with the ``results`` that others must give."""

    workspace: Workspace
    probe: probing.Probe
    record: Integrity = field(default_factory=Integrity)
    flags: list[str] = field(default_factory=list)
    results: Results | None = None


class Rejected(Exception):  # noqa: N818
    """A side may not be measured; ``record`` holds what was proven until then, ``flags`` what was noticed."""

    def __init__(self, failure: Failure, record: Integrity | None = None, flags: Sequence[str] = ()) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.record = record or Integrity()
        self.flags = flags


@dataclass(frozen=True, slots=True)
class Gate:
    """Admits the sides of one commit, the baseline first. ``workspaces`` owns what is prepared.

    ``seed`` decides what no side must foresee: which elements of large arrays are looked at, which other random data
    are made.
    """

    config: Config
    backend: Backend
    case: Case
    script: Path
    patience: Patience
    workspaces: ExitStack
    nursery: Nursery = field(default_factory=Nursery)
    seed: int = field(default_factory=lambda: randbits(63))

    def admit(self, side: Side, baseline: Admitted | None, case: Case | None = None) -> Admitted:
        """Prepare, probe and (a patched side, ``case``) trace. Raises Rejected."""
        patch = case.run.patch if case is not None else None
        try:
            workspace = self.workspaces.enter_context(self.backend.workspace(self.case.run.commit, side, patch))
        except WorkspaceFailure as failure:
            raise Rejected(failure.failure) from None
        suspicions = scanning.scan_patch(workspace, self.script, self._repo)  # before it can change its own files
        flags = [*workspace.flags, *suspicions]
        if not self.nursery.is_open or baseline is None or baseline.results is None:
            return self._admit(workspace, baseline, case, flags)
        noticed, learned, doubts = [*flags], baseline.results.learned(), []
        try:
            admitted = self._admit(workspace, baseline, case, noticed)
        except Rejected as rejection:
            if self.patience.is_over:
                raise
            doubts.append(f"in a forked process it was rejected: {rejection.failure.reason}")
        else:
            if noticed == flags and admitted.probe.settings == baseline.probe.settings:
                return admitted
        baseline.results.forget(learned)
        with self.nursery.closed():  # what went wrong may be the template's fault
            admitted = self._admit(workspace, baseline, case, flags)
        admitted.flags.extend(doubts)
        return admitted

    def _admit(self, workspace: Workspace, baseline: Admitted | None, case: Case | None, flags: list[str]) -> Admitted:
        side = workspace.side
        try:
            probe = self._probe(side, workspace, baseline)
            admitted = Admitted(workspace, probe, Integrity(confined=probe.confined), flags)
            self._check_target(admitted)
            self._check_result(admitted, baseline)
            if case is not None:
                self._check_path(admitted)
            if baseline is not None:
                self._check_fresh_inputs(admitted, baseline.results)
        except Trouble as trouble:
            raise Rejected(self.diagnose(trouble, side.role), flags=flags) from None
        except Rejected as rejection:
            rejection.flags = flags
            raise
        return admitted

    @property
    def _repo(self) -> RepoConfig:
        return self.config.repos[self.case.run.commit.repo]

    def diagnose(self, trouble: Trouble, role: Role) -> Failure:
        """Name what a side did instead of what it was asked."""
        if isinstance(trouble, programs.LeftEarly):
            return failures.left_early(trouble.why, role)
        repo = self._repo
        report = trouble.report if isinstance(trouble, programs.ProgramTrouble) else None
        evidence = diagnosis.Evidence(
            execution=trouble.execution, error=trouble.error, report=report, stage=trouble.stage
        )
        return diagnosis.diagnose(evidence, role, packages=repo.packages, repo=repo.name)

    def _probe(self, side: Side, workspace: Workspace, baseline: Admitted | None) -> probing.Probe:
        style = baseline.probe.style if baseline is not None else self._forced_style()
        if style in (None, *probing.DRIVEN_STYLES):
            own = baseline.probe if baseline is not None else None
            probe = probing.probe(
                workspace, self.script, reference=own, patience=self.patience, seed=self.seed, nursery=self.nursery
            )
            if probe.style in probing.DRIVEN_STYLES:
                return probe
            style = probe.style
        if self.config.protocol.mode == "driven":
            raise Rejected(failures.not_drivable(self.script.name, style))
        return self._program_probe(side, workspace, style, baseline)

    def _forced_style(self) -> str | None:
        if self.config.protocol.mode != "script":
            return None
        text = self.script.read_text(encoding="utf-8", errors="replace")
        return programs.RUN_TEST if "__main__" not in text and "def run_test" in text else "program"

    def _program_probe(self, side: Side, workspace: Workspace, style: str, baseline: Admitted | None) -> probing.Probe:
        like = baseline.probe.finish if baseline is not None else None
        results = baseline.probe.results if baseline is not None and baseline.probe.equal else None
        verdict = Verdict(None)
        if results is None:
            seconds, run = programs.run_once(workspace, self.script, style, timeout_s=self.patience.left_s, like=like)
        else:
            kept = keeping.first_run(results, side, workspace)
            seconds, run = kept.seconds, kept.run
            verdict = keeping.rule_first(results, side, workspace, kept)
        if baseline is None:
            results, verdict = keeping.results_of(workspace, self.script, style, self.patience, finish_of(run))
        return probing.Probe(
            style, run.execution.duration_s, seconds, seconds, modules=run.modules, targets=run.targets,
            equal=verdict.equal, message=verdict.message, confined=run.confined, results=results,
            finish=finish_of(run),
            first_cpu_s=programs.claimed_cpu_s(self.script, run, seconds),
        )  # fmt: skip

    def _check_target(self, admitted: Admitted) -> None:
        workspace, probe = admitted.workspace, admitted.probe
        packages = self._repo.packages
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
        is_driven = probe.style in probing.DRIVEN_STYLES
        if baseline is None:
            if probe.equal is False:
                admitted.flags.append(f"the script's check refuses the baseline's own result: {probe.message}")
            admitted.results = self._results(admitted) if is_driven else None
            return
        if baseline.results is None:
            ruling = _of_a_program(baseline.probe, probe, admitted.workspace.side)
        else:
            ruling = baseline.results.referee.rule(
                baseline.results.reference, probe.evidence, Verdict(probe.equal, probe.message)
            )
        admitted.flags.extend(ruling.flags)
        admitted.record = replace(admitted.record, equivalence=ruling.equivalence, equivalence_by=ruling.by)
        if ruling.equivalence == "different":
            raise Rejected(failures.unequal(ruling.reason, role, by=ruling.by), admitted.record)
        if ruling.equivalence == "equal" and baseline.results is not None:
            baseline.results.accept(admitted.workspace.side, probe.evidence)
        self._check_first_call(admitted, baseline)

    def _check_first_call(self, admitted: Admitted, baseline: Admitted) -> None:
        """Who answers rubbish at first and remembers afterwards has a fast first call to show for it."""
        probe, results = admitted.probe, baseline.results
        if results is None or probe.first is None or baseline.probe.first is None:
            return
        if differing(baseline.probe.first.returned, probe.first.returned) is None:
            return
        shown, inside = probe.first, Verdict(None if probe.equal is None else True)  # it was asked about the last call
        if results.is_steady:
            reference, shown = results.reference, probe.evidence.showing(probe.first)
        else:
            reference = results.reference_of_first()
        ruling = results.referee.rule(reference, shown, inside)
        if ruling.equivalence == "different":
            record = replace(admitted.record, equivalence="different")
            reason = f"at the first call of a process, {ruling.reason}"
            raise Rejected(failures.unequal(reason, admitted.workspace.side.role, by=ruling.by), record)

    def _results(self, baseline: Admitted) -> Results:
        referee = Referee(baseline.workspace, self.script, self.patience, self.seed, self.nursery)
        probe = baseline.probe
        reference = Reference(probe.evidence, probe.equal, probe.calls)
        random = Random(self.seed)
        shifts = random.randrange(1, 2**31), random.randrange(1, 2**31)
        return Results(referee, reference, FreshInputs(referee, reference, probe.call_s, shifts), probe.is_steady)

    def _check_fresh_inputs(self, admitted: Admitted, results: Results | None) -> None:
        """Whether the result is right for other random data too, where the script has any."""
        probe, side = admitted.probe, admitted.workspace.side
        is_dear = probe.startup_s + probe.first_setup_s + probe.first_s > DEAR_S
        if results is None or is_dear or admitted.record.equivalence != "equal":
            return
        ruling = results.fresh.rule(admitted.workspace)
        admitted.flags.extend(ruling.flags)
        admitted.record = replace(admitted.record, fresh_inputs=ruling.equivalence)
        if ruling.equivalence != "different":
            return
        if side.role is Role.HUMAN:
            results.fresh.doubt = "as the human's does"
            admitted.flags.append(f"with other random data the human's result differs: {ruling.reason}")
        elif ruling.by == "memory":
            raise Rejected(failures.remembers_other_input(ruling.reason, side.role), admitted.record)
        elif ruling.by == "inputs":
            raise Rejected(failures.right_for_one_input(ruling.reason, side.role), admitted.record)
        else:  # not even for the script's own data, in another process
            record = replace(admitted.record, equivalence="different", fresh_inputs="unchecked")
            raise Rejected(failures.unequal(ruling.reason, side.role, by=ruling.by), record)

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
            traced = probing.trace(workspace, self.script, wanted, self.patience, self.nursery)
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


def _of_a_program(baseline: probing.Probe, probe: probing.Probe, side: Side) -> Ruling:
    """Of a script that runs as a program only its own check can tell: in the baseline's process, as far as it can."""
    results = baseline.results
    if baseline.equal is not True or results is None:
        return Ruling("unchecked")
    flag = results.flag(side)
    flags = (flag,) if flag else ()
    if probe.equal is None:
        return Ruling("unchecked", flags=(*flags, probe.message) if probe.message else flags)
    return Ruling("equal" if probe.equal else "different", "script", "" if probe.equal else probe.message, flags)
