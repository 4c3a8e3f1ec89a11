"""Script mode: is the result of a timed run right? Each run stores its own, and the baseline's code looks at it later.

No patched process sees the baseline's result before its own is stored: that is kept in memory here. Every run gets the
same arguments, ``--reference --prefix OWN``, so that none can tell whether it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from pytest_perfagents.backends.base import ProgramRun, Workspace
from pytest_perfagents.measurement.arena import Arena, Patience, Trouble, Unequal
from pytest_perfagents.measurement.evidence import Files, Verdict, place_for_new, placed, read_all
from pytest_perfagents.measurement.finishing import Finish
from pytest_perfagents.measurement.pickled import named_by
from pytest_perfagents.measurement.programs import LeftEarly, ProgramTrouble, run_once, said
from pytest_perfagents.model import BASELINE, Ending, Side

if TYPE_CHECKING:
    from pytest_perfagents.judgement.schedule import StartPlan

CHECKED_BY_CHANCE = 0.2
"""Of results that are not byte for byte known ones, this part is given to the script's check, which takes a run."""
COULD_READ = "the patched process could read the baseline's result: {why}"


@dataclass(frozen=True, slots=True)
class Kept:
    """One run: seconds by the script's clock, what the process said, what it stored (None: it was not asked to)."""

    seconds: float
    run: ProgramRun
    files: Files | None


@dataclass(slots=True)
class ProgramResults:
    """What the baseline's ``workspace`` stored (``own``), and which other results its script accepts. ``like`` is
    how its process ended.

    ``inside`` says of sides why they check themselves instead, with the baseline's result before them; BASELINE: all
    do. ``doubt`` says how the check refuses what another process of the baseline gives: then nobody is accused.
    ``unchecked`` says why the check could not tell of a side's timed result. ``chance`` decides what no side must
    foresee.
    """

    workspace: Workspace
    script: Path
    style: str
    patience: Patience
    own: Files
    like: Finish
    inside: dict[Side, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    doubt: str | None = None
    chance: Random = field(default_factory=SystemRandom)
    asked: set[Side] = field(default_factory=set)
    unchecked: dict[Side, str] = field(default_factory=dict)
    waiting: dict[Side, tuple[Files, int]] = field(default_factory=dict)

    def run(self, side: Side, workspace: Workspace, plan: StartPlan | None = None, padding: int = 0) -> Kept:
        """One run of a side. Raises ProgramTrouble, LeftEarly."""
        seed = plan.hash_seed if plan is not None else 1
        like = self.like if plan is None and side != BASELINE else None
        if self.checks_itself(side):
            with placed(workspace.scratch, self.own) as path:
                seconds, run = run_once(
                    workspace, self.script, self.style, timeout_s=self.patience.left_s, arguments=checking(path),
                    seed=seed, padding=padding, like=like,
                )  # fmt: skip
            return Kept(seconds, run, None)
        with place_for_new(workspace.scratch) as path:
            seconds, run = run_once(
                workspace, self.script, self.style, timeout_s=self.patience.left_s, arguments=storing(path),
                seed=seed, padding=padding, like=like,
            )  # fmt: skip
            return Kept(seconds, run, read_all(path.parent) or {})

    def checks_itself(self, side: Side) -> bool:
        """Whether the side's own process runs the check."""
        return BASELINE in self.inside or side in self.inside

    def flag(self, side: Side) -> str | None:
        """That the side could have read what it had to give."""
        why = self.inside.get(BASELINE) or self.inside.get(side)
        return COULD_READ.format(why=why) if why else None

    def look(self, arena: Arena, kept: Mapping[Side, Kept], plan: StartPlan) -> None:
        """Results of one round: what is not known to be right is given to the script's check, now or never.

        The first one of a side always, later ones by chance, the last one in `finish`.
        """
        baseline = kept.get(BASELINE)
        if baseline is not None and baseline.files:
            self.known.add(_digest(baseline.files))
        for side, each in kept.items():
            if side == BASELINE or each.files is None or _digest(each.files) in self.known:
                continue
            if side in self.asked and self.chance.random() >= CHECKED_BY_CHANCE:
                self.waiting[side] = each.files, plan.hash_seed
                continue
            self._judge(arena, side, each.files, plan.hash_seed)

    def finish(self, arena: Arena) -> None:
        """The last result of each side that was not looked at."""
        for side, (files, seed) in list(self.waiting.items()):
            if side not in arena.lost and not arena.patience.is_over:
                self._judge(arena, side, files, seed)
        self.waiting.clear()

    def _judge(self, arena: Arena, side: Side, files: Files, seed: int) -> None:
        self.asked.add(side)
        self.waiting.pop(side, None)
        verdict = self.rule(files, seed)
        if verdict.equal is False:
            arena.lost[side] = Unequal(verdict.message)
        elif verdict.equal is None:
            self.unchecked.setdefault(side, verdict.message)

    def rule(self, files: Files, seed: int = 1) -> Verdict:
        """What the script's check says of a stored result, in a process of the baseline; byte for byte equal is equal.

        None where the check cannot tell: it did not come to its end, or refuses the baseline's own result too.
        """
        digest = _digest(files)
        if digest in self.known:
            return Verdict(True)
        if not files:
            return Verdict(False, "it stored no result")
        strange = sorted(named_by(files) - named_by(self.own))
        if strange:
            return Verdict(None, f"what it stored was not read: it is a pickle and calls {strange[0]}")
        verdict = self._asked(files, seed)
        if verdict.equal:
            self.known.add(digest)
        if verdict.equal is False:
            if self.doubt is None:
                again = self._asked(self.own, seed + 1)
                self.doubt = again.message or "it gives no reason" if again.equal is not True else ""
            if self.doubt:
                refuses = "the script's check refuses the result of another process of the baseline, too"
                return Verdict(None, f"{refuses}: {self.doubt}")
        return verdict

    def _asked(self, files: Files, seed: int) -> Verdict:
        with placed(self.workspace.scratch, files) as path:
            try:
                run_once(
                    self.workspace, self.script, self.style, timeout_s=self.patience.left_s, arguments=checking(path),
                    seed=seed, like=self.like,
                )  # fmt: skip
            except LeftEarly:
                return Verdict(False, "the check of what it stored did not come to its end")
            except ProgramTrouble as trouble:
                return Verdict(False if _has_exited(trouble) else None, said(trouble))
        return Verdict(True)


def results_of(
    workspace: Workspace, script: Path, style: str, patience: Patience, finish: Finish
) -> tuple[ProgramResults | None, Verdict]:
    """What the baseline stores, and whether the script's check accepts it. None where the script has no such check."""
    text = script.read_text(encoding="utf-8", errors="replace")
    if "eqcheck" not in text or "reference" not in text:
        return None, Verdict(None, "the script has no equivalence check")
    results = ProgramResults(workspace, script, style, patience, {}, finish.in_any_mode)
    with place_for_new(workspace.scratch) as path:
        try:
            run_once(workspace, script, style, timeout_s=patience.left_s, arguments=storing(path))
        except ProgramTrouble as trouble:
            if not _has_exited(trouble) or trouble.execution is None or trouble.execution.code:
                return None, Verdict(False, said(trouble))
            results.inside[BASELINE] = "where the script stores its result, it gives no time"
        results.own = read_all(path.parent) or {}
    if not results.own:
        return None, Verdict(None, "the script stored no reference")
    verdict = results._asked(results.own, 1)
    results.known.add(_digest(results.own))
    return results, verdict


def first_run(results: ProgramResults, side: Side, workspace: Workspace) -> Kept:
    """The first run of a patched side. Where only storing fails, the side checks itself from here on."""
    if not results.checks_itself(side):
        try:
            return results.run(side, workspace)
        except LeftEarly:
            raise
        except ProgramTrouble as trouble:
            if not _has_exited(trouble):
                raise
            why = f"it gives none that the script could store ({said(trouble)})"
    seconds, run = run_once(
        workspace, results.script, results.style, timeout_s=results.patience.left_s, like=results.like
    )
    if not results.checks_itself(side):
        results.inside[side] = why
    return Kept(seconds, run, None)


def rule_first(results: ProgramResults, side: Side, workspace: Workspace, kept: Kept) -> Verdict:
    """Whether the result of the side's first run is the baseline's."""
    if kept.files is not None:
        return results.rule(kept.files)
    try:
        results.run(side, workspace)
    except LeftEarly:
        raise
    except ProgramTrouble as trouble:
        return Verdict(False, said(trouble))
    return Verdict(True)


def checking(path: Path) -> dict[str, str | bool]:
    """The arguments with which a script compares its result with a stored one."""
    return {"eqcheck": True, "prefix": str(path)}


def storing(path: Path) -> dict[str, str | bool]:
    """The arguments with which a script stores its result."""
    return {"reference": True, "prefix": str(path)}


def _has_exited(trouble: Trouble) -> bool:
    return trouble.execution is not None and trouble.execution.ending is Ending.EXITED


def _digest(files: Files) -> str:
    """Of names and contents."""
    found = sha256()
    for name, data in sorted(files.items()):
        found.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return found.hexdigest()
