"""Script mode: a whole process a round; the time that the script itself reports is the sample.

For scripts that the harness cannot drive. The same arena, order and looks as in ``measuring.py``; a round is a start
with one turn. The script keeps its own clock, so the record says ``clock: script``; what the whole process took by
clocks outside of it is booked beside, so that a gain which only the script's clock has shows (``honesty/claims.py``).
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_perfagents.backends.base import ProgramRun, Workspace
from pytest_perfagents.judgement import schedule
from pytest_perfagents.judgement.honesty import claims
from pytest_perfagents.measurement.arena import Arena, Trouble, Unequal
from pytest_perfagents.model import BASELINE, Ending, Side, Stage
from pytest_perfagents.parsers.script_output import ScriptReport, parse_output

if TYPE_CHECKING:
    from pytest_perfagents.measurement.keeping import Kept, ProgramResults

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
    look: str = "",
) -> tuple[float, ProgramRun]:
    """Seconds that one run of the script reports. Raises ProgramTrouble where it reports none.

    ``must_end``: raises LeftEarly where the process left before the script came to its end. ``look`` as
    `Workspace.run_program` has it.
    ``arguments`` are the usual ones of these scripts: ``eqcheck``, ``reference``, ``prefix``. What ``run_test`` returns
    has no unit; a number larger than the seconds that the call took is read as milliseconds.
    """
    wanted = arguments or {}
    env = {"IMPL_TAG": "perfagents", "PROB_IMPL_TAG": "perfagents"}
    if style == RUN_TEST:
        run = workspace.call_run_test(script, wanted, timeout_s, env, seed=seed, padding=padding, look=look)
        if run.returned is not None and run.error is None:
            return _returned_seconds(run), run
        raise ProgramTrouble(Stage.RUN, run, parse_output(run.execution.stdout))
    flags: list[str] = []
    for name, value in wanted.items():
        flags += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    run = workspace.run_program(script, flags, timeout_s, env, seed=seed, padding=padding, look=look)
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


def said(trouble: ProgramTrouble) -> str:
    """What a run said of its failure, on one line."""
    if trouble.report and trouble.report.error:
        return trouble.report.error
    if trouble.error:
        return f"{trouble.error.get('type')}: {trouble.error.get('message')}"
    lines = (trouble.execution.stderr if trouble.execution else "").strip().splitlines()
    return lines[-1] if lines else "the script's check failed"


def program_start(
    arena: Arena, style: str, results: ProgramResults | None, sides: list[Side], plan: schedule.StartPlan
) -> None:
    """One round: every side runs the script once, in the order of the plan.

    With ``results`` each run stores what it gave, and that is looked at after the last one.
    """
    seconds: dict[Side, float] = {}
    runs: dict[Side, ProgramRun] = {}
    kept: dict[Side, Kept] = {}
    for index in plan.launch_order:
        side = sides[index]
        try:
            if results is not None:
                kept[side] = results.run(side, arena.workspaces[side], plan, plan.padding[index])
                seconds[side], runs[side] = kept[side].seconds, kept[side].run
                continue
            seconds[side], runs[side] = run_once(
                arena.workspaces[side], arena.script, style, timeout_s=arena.patience.left_s,
                seed=plan.hash_seed, padding=plan.padding[index],
            )  # fmt: skip
        except ProgramTrouble as trouble:
            exited = trouble.execution is not None and trouble.execution.ending is Ending.EXITED
            is_check = results is not None and results.checks_itself(side) and side != BASELINE
            arena.lost[side] = Unequal(said(trouble)) if is_check and exited else trouble
    if results is not None and BASELINE in seconds:
        results.look(arena, kept, plan)
    if BASELINE in seconds:
        for side, value in seconds.items():
            if side in arena.lost:
                continue
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
        after_s = run.after_s, run.after_cpu_s
        return claims.Took(claimed_s, run.execution.duration_s, run.execution.cpu_s, ready_s, *after_s)
    return claims.Took(claimed_s, run.returned["wall_ns"] / 1e9, run.returned["cpu_ns"] / 1e9, ready_s)


def claimed_cpu_s(run: ProgramRun, seconds: float) -> float:
    """What the script claims for all its calls, as far as the run was CPU time: a busy machine does not lengthen it."""
    return _took(run, seconds * _claimed_calls(run)).by(cpu=True)[0]


def _claimed_calls(run: ProgramRun) -> int:
    """How many timed calls the script says that it made; at least one."""
    report = parse_output(run.execution.stdout) if run.returned is None else None
    calls = report.raw.get("iters") if report is not None else None
    return calls if isinstance(calls, int) and not isinstance(calls, bool) and calls > 0 else 1
