"""The same comparison with other random data: does the patch compute, or does it know the script's input?

Only where the baseline's result depends on the random data of the script, and is the same in two processes for the same
data. A difference must be certain, and must show with two different sets of data, before it counts. Where the baseline
gives the same after a call with the script's own data, that call comes first: an answer that is kept for the next input
is wrong then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from pytest_perfagents.backends.base import WorkerEnded, Workspace
from pytest_perfagents.figures import times
from pytest_perfagents.measurement.evidence import Evidence
from pytest_perfagents.measurement.referee import (
    HASH_SEED,
    OTHER_HASH_SEED,
    CallTime,
    Referee,
    Reference,
    Ruling,
    Seen,
    Unfit,
    differing,
    look,
)
from pytest_perfagents.model import Side

TIMED_S, MOST_CALLS = 0.05, 1000
CHEAP_S = 5.0
"""Where one call takes longer, none comes before the one whose result is looked at."""
GAIN, SHARE = 1.3, 1 / 3
"""Who is so much faster with the script's data, and with others has no more than this of it, knows the script's."""

_RANDOM = re.compile(r"\b(random|seed|manual_seed|default_rng|rand|randn|randint|randperm|RandomState|PRNGKey)\b")


@dataclass(slots=True)
class FreshInputs:
    """Other random data for the sides of one commit. ``shifts`` are two numbers that nobody could foresee.

    ``usual`` is the baseline's result for the script's own data, ``usual_call_s`` the time of a call. ``doubt`` says
    why no difference counts. ``side_took`` and ``baseline_took`` are of calls with the first of them.
    """

    referee: Referee
    usual: Reference
    usual_call_s: float
    shifts: tuple[int, int]
    doubt: str = ""
    references: dict[int, Reference | None] = field(default_factory=dict)
    baseline_took: dict[int, CallTime] = field(default_factory=dict)
    side_took: dict[Side, CallTime] = field(default_factory=dict)

    def rule(self, workspace: Workspace) -> Ruling:
        """Whether a side's result is right with them; ``different`` where both sets show it."""
        first, self.side_took[workspace.side] = self._rule(workspace, self.shifts[0])
        if first.equivalence != "different":
            return first
        second, _ = self._rule(workspace, self.shifts[1])
        if second.equivalence == "equal":
            return _doubtful(f"with other random data the result differs sometimes: {first.reason}")
        if second.equivalence == "different" and self.doubt:
            return _doubtful(f"with other random data the result differs, {self.doubt}: {first.reason}")
        return self._plainly(workspace, first) if second.equivalence == "different" else second

    def _plainly(self, workspace: Workspace, ruling: Ruling) -> Ruling:
        """``by`` is ``memory`` where only a call before spoils the result, and ``inputs`` where the script's own data
        still give the right one in a process like these.
        """
        try:
            if self._is_right_alone(workspace):
                return replace(ruling, by="memory")
            seen = self._look(workspace, None, reference=self.usual)
        except (WorkerEnded, Unfit):
            return ruling
        own = self.referee.rule(self.usual, seen.evidence, seen.inside)
        return own if own.equivalence == "different" else replace(ruling, by="inputs")

    def _is_right_alone(self, workspace: Workspace) -> bool:
        """Whether the result is right where no call came before."""
        reference = self._reference(self.shifts[0])
        if reference is None or not reference.after_own:
            return False
        seen = self._look(workspace, reference.shift, reference=reference, after_own=False)
        return self.referee.rule(reference, seen.evidence, seen.inside).equivalence == "equal"

    def _rule(self, workspace: Workspace, shift: int) -> tuple[Ruling, CallTime]:
        """The ruling for one set of data, and what a call took."""
        reference = self._reference(shift)
        if reference is None:
            return Ruling("unchecked"), CallTime()
        try:
            seen = self._look(workspace, shift, reference=reference, after_own=reference.after_own)
        except WorkerEnded:
            return _doubtful("its process ended on other random data"), CallTime()
        except Unfit as error:
            return Ruling("different", "script", f"it ends with {error}"), CallTime()
        ruling = self.referee.rule(reference, seen.evidence, seen.inside)
        if ruling.equivalence == "unchecked":
            return Ruling("unchecked"), seen.took
        is_certain = ruling.difference is not None and ruling.difference.certain
        if ruling.equivalence == "different" and not is_certain:
            ruling = _doubtful(f"with other random data the check refuses what may be rounding: {ruling.reason}")
        return ruling, seen.took

    def _reference(self, shift: int) -> Reference | None:
        """The baseline's result with these data; None where that proves nothing."""
        if shift not in self.references:
            self.references[shift] = self._found(shift)
        return self.references[shift]

    def _found(self, shift: int) -> Reference | None:
        if not draws_numbers(self.referee.script) or self.usual.evidence.returned is None:
            return None
        try:
            seen = self._look(self.referee.workspace, shift)
            evidence, accepted = seen.evidence, seen.inside.equal
            is_random = differing(self.usual.evidence.returned, evidence.returned) is not None
            if not (is_random and accepted in (self.usual.accepted, None)):
                return None
            after_own = self.usual_call_s <= CHEAP_S and self._comes_again(shift, evidence, after_own=True)
            if not after_own and not self._comes_again(shift, evidence, after_own=False):
                return None
        except (WorkerEnded, Unfit):
            return None
        self.baseline_took[shift] = seen.took
        return Reference(evidence, accepted, calls=1, shift=shift, changing="", after_own=after_own)

    def _comes_again(self, shift: int, evidence: Evidence, *, after_own: bool) -> bool:
        """Whether another process of the baseline gives the same; what only a call before spoils proves nothing."""
        try:
            again = self._look(self.referee.workspace, shift, hash_seed=OTHER_HASH_SEED, after_own=after_own)
        except (WorkerEnded, Unfit):
            return False
        return differing(evidence.returned, again.evidence.returned) is None

    def _look(
        self,
        workspace: Workspace,
        shift: int | None,
        *,
        hash_seed: int = HASH_SEED,
        reference: Reference | None = None,
        store: bool = True,
        after_own: bool = False,
    ) -> Seen:
        referee, calls = self.referee, min(MOST_CALLS, ceil(TIMED_S / max(self.usual_call_s, 1e-9)))
        return look(
            workspace, referee.script, referee.patience, referee.nursery, calls=1, store=store, shift=shift,
            hash_seed=hash_seed, seed=referee.seed, reference=reference, timed_calls=calls,
            after_own=after_own,
        )  # fmt: skip

    def gain_elsewhere(self, workspace: Workspace, own: float, clock: str) -> str | None:
        """A flag for a side that is at least ``own`` times as fast with the script's data, where with both other sets
        it is not. ``clock`` is that of the verdict.
        """
        first, took = self.shifts[0], self.side_took.get(workspace.side, CallTime()).by(clock)
        if own < GAIN or took <= 0 or not 0 < self.baseline_took.get(first, CallTime()).by(clock) < own**SHARE * took:
            return None
        if self._reference(self.shifts[1]) is None:
            return None
        try:
            other = max(self._gain(workspace, shift, clock) for shift in self.shifts)
        except (WorkerEnded, Unfit, ZeroDivisionError):
            return None
        if other >= own**SHARE:
            return None
        return f"on other inputs it is {times(other)} as fast as the baseline, on the script's own {times(own)} or more"

    def _gain(self, workspace: Workspace, shift: int, clock: str) -> float:
        """How much faster with these data, by processes that follow each other."""
        before, after = (self._look(each, shift, store=False) for each in (self.referee.workspace, workspace))
        return before.took.by(clock) / after.took.by(clock)


def _doubtful(flag: str) -> Ruling:
    return Ruling("unchecked", flags=(flag,))


def draws_numbers(script: Path) -> bool:
    """Whether a script mentions random numbers at all."""
    return _RANDOM.search(script.read_text(encoding="utf-8", errors="replace")) is not None
