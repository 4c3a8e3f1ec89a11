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
from pytest_perfagents.judgement.honesty import claims, repeating
from pytest_perfagents.measurement.arena import Arena, Trouble, Unequal
from pytest_perfagents.measurement.finishing import Finish, difference, finish_of
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
    """A process that gave a time did not come to its end as the baseline's did; ``why`` in one line."""

    def __init__(self, stage: Stage, run: ProgramRun, why: str) -> None:
        super().__init__(stage, execution=run.execution)
        self.why = why


def run_once(
    workspace: Workspace,
    script: Path,
    style: str,
    *,
    timeout_s: float,
    arguments: dict[str, str | bool] | None = None,
    seed: int = 1,
    padding: int = 0,
    like: Finish | None = None,
    look: str = "",
) -> tuple[float, ProgramRun]:
    """Seconds that one run of the script reports. Raises ProgramTrouble where it reports none.

    ``like``: raises LeftEarly where the process did not end as this one of the baseline. ``look`` as
    `Workspace.run_program` has it.
    ``arguments`` are the usual ones of these scripts: ``eqcheck``, ``reference``, ``prefix``. What ``run_test`` returns
    has no unit; a number larger than the seconds that the call took is read as milliseconds.
    """
    wanted = arguments or {}
    env = {"IMPL_TAG": "perfagents", "PROB_IMPL_TAG": "perfagents"}
    if style == RUN_TEST:
        run = workspace.call_run_test(script, wanted, timeout_s, env, seed=seed, padding=padding, look=look)
        if run.returned is not None and run.error is None:
            seconds = _returned_seconds(run)
            _must_end(run, like)
            return seconds, run
        raise ProgramTrouble(Stage.RUN, run, parse_output(run.execution.stdout))
    flags: list[str] = []
    for name, value in wanted.items():
        flags += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    run = workspace.run_program(script, flags, timeout_s, env, seed=seed, padding=padding, look=look)
    report = report_of(run)
    clean = run.execution.ending is Ending.EXITED and run.execution.code == 0
    if not clean or report is None or not report.seconds or report.blames or report.opt_path_hit is False:
        raise ProgramTrouble(Stage.RUN, run, report)
    _must_end(run, like)
    return report.seconds, run


def _must_end(run: ProgramRun, like: Finish | None) -> None:
    why = None if like is None else difference(like, finish_of(run))
    if why is not None:
        raise LeftEarly(Stage.RUN, run, why)


def report_of(run: ProgramRun) -> ScriptReport | None:
    """What the script printed until its end; where it came to none or printed nothing of the kind, what came later."""
    stdout, late = run.execution.stdout, run.late
    until_end = None if late is None else parse_output(stdout[: len(stdout) - len(late)])
    return until_end or parse_output(stdout)


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
        calls = _calls_in(arena.script, seconds[BASELINE], runs[BASELINE])
        for side, value in seconds.items():
            if side in arena.lost:
                continue
            why = difference(finish_of(runs[BASELINE]), finish_of(runs[side]))
            if why is not None:
                arena.lost[side] = LeftEarly(Stage.RUN, runs[side], why)
                continue
            track, run = arena.tracks[side], runs[side]
            track.wall_s.append((value,))
            track.cpu_s.append((value,))
            track.processes_took.append(_took(run, value, calls))
            track.left_behind.append(run.left_behind)
            track.intact.note(run.intact, str(arena.workspaces[side].root))


def _took(run: ProgramRun, value_s: float, calls: int) -> claims.Took:
    """What the script says of all its timed calls, and what the process took by clocks that are not the script's.

    ``calls``: how many there are as far as the script's text tells; where the report says it, that counts.
    """
    stated, execution = _stated_calls(run), run.execution
    claimed_s = value_s * (stated or calls)
    after_s, ready_s = (run.after_s, run.after_cpu_s), execution.ready_s or 0.0
    return claims.Took(claimed_s, execution.duration_s, execution.cpu_s, ready_s, *after_s, stated)


def claimed_cpu_s(script: Path, run: ProgramRun, seconds: float) -> float:
    """What the script claims for all its calls, as far as the run was CPU time: a busy machine does not lengthen it."""
    return _took(run, seconds, _calls_in(script, seconds, run)).by(cpu=True)[0]


def _calls_in(script: Path, value_s: float, run: ProgramRun) -> int:
    """How many timed calls the script's text shows; one where the baseline's run was too short for so many."""
    calls = repeating.calls_in(script.read_text(encoding="utf-8", errors="replace"))
    whole_s = run.execution.duration_s if run.returned is None else run.returned["wall_ns"] / 1e9
    return calls if calls * value_s <= whole_s else 1


def _stated_calls(run: ProgramRun) -> int | None:
    """How many timed calls the script says that it made; None where it does not."""
    report = report_of(run) if run.returned is None else None
    calls = report.raw.get("iters") if report is not None else None
    return calls if isinstance(calls, int) and not isinstance(calls, bool) and calls > 0 else None
