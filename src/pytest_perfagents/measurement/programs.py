"""Script mode: a whole process a round; the time that the script itself reports is the sample.

For scripts that the harness cannot drive. The same arena, order and looks as in ``measuring.py``; a round is a start
with one turn. The script keeps its own clock, so the record says ``clock: script``; what the whole process took by
clocks outside of it is booked beside, so that a gain which only the script's clock has shows (``honesty/claims.py``).
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from pytest_perfagents.backends.base import ProgramRun, Workspace
from pytest_perfagents.judgement import schedule
from pytest_perfagents.judgement.honesty import claims
from pytest_perfagents.measurement.arena import Arena, Trouble, Unequal
from pytest_perfagents.model import BASELINE, Ending, Side, Stage
from pytest_perfagents.parsers.script_output import ScriptReport, parse_output

RUN_TEST = "run_test"


class ProgramTrouble(Trouble):
    """A script that ran as a program gave no time; ``report`` is what it said of itself, if anything."""

    def __init__(self, stage: Stage, run: ProgramRun, report: ScriptReport | None) -> None:
        super().__init__(stage, error=run.error, execution=run.execution)
        self.report = report


class LeftEarly(Trouble):
    """A process that gave a time did not come to its end."""


def run_once(
    workspace: Workspace,
    script: Path,
    style: str,
    *,
    timeout_s: float,
    arguments: dict[str, str | bool] | None = None,
    seed: int = 1,
    padding: int = 0,
    must_end: bool = False,
) -> tuple[float, ProgramRun]:
    """Seconds that one run of the script reports. Raises ProgramTrouble where it reports none.

    ``must_end``: raises LeftEarly where the process left before the script came to its end.
    ``arguments`` are the usual ones of these scripts: ``eqcheck``, ``reference``, ``prefix``. What ``run_test`` returns
    has no unit; a number larger than the seconds that the call took is read as milliseconds.
    """
    wanted = arguments or {}
    env = {"IMPL_TAG": "perfagents", "PROB_IMPL_TAG": "perfagents"}
    if style == RUN_TEST:
        run = workspace.call_run_test(script, wanted, timeout_s, env, seed=seed, padding=padding)
        if run.returned is not None and run.error is None:
            return _returned_seconds(run), run
        raise ProgramTrouble(Stage.RUN, run, parse_output(run.execution.stdout))
    flags: list[str] = []
    for name, value in wanted.items():
        flags += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    run = workspace.run_program(script, flags, timeout_s, env, seed=seed, padding=padding)
    report = parse_output(run.execution.stdout)
    clean = run.execution.ending is Ending.EXITED and run.execution.code == 0
    if not clean or report is None or not report.seconds or report.blames or report.opt_path_hit is False:
        raise ProgramTrouble(Stage.RUN, run, report)
    if must_end and not run.is_reported:
        raise LeftEarly(Stage.RUN, execution=run.execution)
    return report.seconds, run


def _returned_seconds(run: ProgramRun) -> float:
    assert run.returned is not None
    value, wall_s = run.returned.get("value"), run.returned["wall_ns"] / 1e9
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise ProgramTrouble(Stage.RUN, run, None)
    return float(value) if value <= wall_s else float(value) / 1000


def check_results(
    workspace: Workspace, script: Path, style: str, reference: Path, *, is_reference: bool, timeout_s: float
) -> tuple[bool | None, str]:
    """Whether the script's own ``--eqcheck`` accepts the side's result against the baseline's stored one.

    On the baseline the reference is written, then checked against itself. None where the script has no such check.
    """
    text = script.read_text(encoding="utf-8", errors="replace")
    if "eqcheck" not in text or "reference" not in text:
        return None, "the script has no equivalence check"
    try:
        if is_reference:
            store: dict[str, str | bool] = {"reference": True, "prefix": str(reference)}
            run_once(workspace, script, style, timeout_s=timeout_s, arguments=store)
        if not list(reference.parent.glob(f"{reference.name}*")):
            return None, "the script stored no reference"
        run_once(workspace, script, style, timeout_s=timeout_s, arguments=checking(reference))
    except ProgramTrouble as trouble:
        return False, _said(trouble)
    return True, ""


def checking(reference: Path) -> dict[str, str | bool]:
    """The arguments with which a script compares its result with the baseline's."""
    return {"eqcheck": True, "prefix": str(reference)}


def _said(trouble: ProgramTrouble) -> str:
    if trouble.report and trouble.report.error:
        return trouble.report.error
    if trouble.error:
        return f"{trouble.error.get('type')}: {trouble.error.get('message')}"
    lines = (trouble.execution.stderr if trouble.execution else "").strip().splitlines()
    return lines[-1] if lines else "the script's check failed"


def program_start(
    arena: Arena, style: str, reference: Path | None, sides: list[Side], plan: schedule.StartPlan
) -> None:
    """One round: every side runs the script once, in the order of the plan.

    With a ``reference`` each timed run checks its result: one that is right only where it is checked gains nothing.
    """
    arguments = checking(reference) if reference is not None else None
    seconds: dict[Side, float] = {}
    runs: dict[Side, ProgramRun] = {}
    for index in plan.launch_order:
        side = sides[index]
        try:
            seconds[side], runs[side] = run_once(
                arena.workspaces[side], arena.script, style, timeout_s=arena.patience.left_s, arguments=arguments,
                seed=plan.hash_seed, padding=plan.padding[index],
            )  # fmt: skip
        except ProgramTrouble as trouble:
            exited = trouble.execution is not None and trouble.execution.ending is Ending.EXITED
            arena.lost[side] = Unequal(_said(trouble)) if reference and exited and side != BASELINE else trouble
    if BASELINE in seconds:
        for side, value in seconds.items():
            if runs[BASELINE].is_reported and not runs[side].is_reported:
                arena.lost[side] = LeftEarly(Stage.RUN, execution=runs[side].execution)
                continue
            track, run = arena.tracks[side], runs[side]
            track.wall_s.append((value,))
            track.cpu_s.append((value,))
            track.processes_took.append(_took(run, value * _claimed_calls(run)))
            track.intact.note(run.intact, str(arena.workspaces[side].root))


def _took(run: ProgramRun, claimed_s: float) -> claims.Took:
    """What the whole of it took by clocks that are not the script's: the call of ``run_test``, or the process."""
    ready_s = run.execution.ready_s or 0.0
    if run.returned is None:
        return claims.Took(claimed_s, run.execution.duration_s, run.execution.cpu_s, ready_s)
    return claims.Took(claimed_s, run.returned["wall_ns"] / 1e9, run.returned["cpu_ns"] / 1e9, ready_s)


def _claimed_calls(run: ProgramRun) -> int:
    """How many timed calls the script says that it made; at least one."""
    report = parse_output(run.execution.stdout) if run.returned is None else None
    calls = report.raw.get("iters") if report is not None else None
    return calls if isinstance(calls, int) and not isinstance(calls, bool) and calls > 0 else 1
