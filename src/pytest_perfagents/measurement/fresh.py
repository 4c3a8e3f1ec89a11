"""The same comparison with other random data: does the patch compute, or does it know the script's input?

Only where the baseline's result depends on the random data of the script, and is the same in two processes for the same
data. A difference must be certain, and must show with two different sets of data, before it counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from pytest_perfagents.backends.base import WorkerEnded, Workspace
from pytest_perfagents.measurement.referee import (
    HASH_SEED,
    OTHER_HASH_SEED,
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
GAIN, SHARE = 1.3, 1 / 3
"""Who is so much faster with the script's data, and with others has no more than this of it, knows the script's."""

_RANDOM = re.compile(r"\b(random|seed|manual_seed|default_rng|rand|randn|randint|randperm|RandomState|PRNGKey)\b")


@dataclass(slots=True)
class FreshInputs:
    """Other random data for the sides of one commit. ``shifts`` are two numbers that nobody could foresee.

    ``usual`` is the baseline's result for the script's own data, ``usual_call_s`` the time of a call. ``doubt`` says
    why no difference counts. ``side_s`` and ``baseline_s`` are CPU seconds of a call with them.
    """

    referee: Referee
    usual: Reference
    usual_call_s: float
    shifts: tuple[int, int]
    doubt: str = ""
    references: dict[int, Reference | None] = field(default_factory=dict)
    baseline_s: dict[int, float] = field(default_factory=dict)
    side_s: dict[Side, float] = field(default_factory=dict)

    def rule(self, workspace: Workspace) -> Ruling:
        """Whether a side's result is right with them; ``different`` where both sets show it."""
        first, self.side_s[workspace.side] = self._rule(workspace, self.shifts[0])
        if first.equivalence != "different":
            return first
        second, _ = self._rule(workspace, self.shifts[1])
        if second.equivalence == "equal":
            return _doubtful(f"with other random data the result differs sometimes: {first.reason}")
        if second.equivalence == "different" and self.doubt:
            return _doubtful(f"with other random data the result differs, {self.doubt}: {first.reason}")
        return self._plainly(workspace, first) if second.equivalence == "different" else second

    def _plainly(self, workspace: Workspace, ruling: Ruling) -> Ruling:
        """``by`` is ``inputs`` where the script's own data still give the right result in a process like these."""
        try:
            seen = self._look(workspace, None, reference=self.usual)
        except (WorkerEnded, Unfit):
            return ruling
        own = self.referee.rule(self.usual, seen.evidence, seen.inside)
        return own if own.equivalence == "different" else replace(ruling, by="inputs")

    def _rule(self, workspace: Workspace, shift: int) -> tuple[Ruling, float]:
        """The ruling for one set of data, and the seconds of a call."""
        reference = self._reference(shift)
        if reference is None:
            return Ruling("unchecked"), 0.0
        try:
            seen = self._look(workspace, shift, reference=reference)
        except WorkerEnded:
            return _doubtful("its process ended on other random data"), 0.0
        except Unfit as error:
            return Ruling("different", "script", f"it ends with {error}"), 0.0
        ruling = self.referee.rule(reference, seen.evidence, seen.inside)
        if ruling.equivalence == "unchecked":
            return Ruling("unchecked"), seen.call_s
        is_certain = ruling.difference is not None and ruling.difference.certain
        if ruling.equivalence == "different" and not is_certain:
            ruling = _doubtful(f"with other random data the check refuses what may be rounding: {ruling.reason}")
        return ruling, seen.call_s

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
            again = self._look(self.referee.workspace, shift, hash_seed=OTHER_HASH_SEED).evidence
        except (WorkerEnded, Unfit):
            return None
        evidence, accepted = seen.evidence, seen.inside.equal
        is_random = differing(self.usual.evidence.returned, evidence.returned) is not None
        is_stable = differing(evidence.returned, again.returned) is None
        if not (is_random and is_stable and accepted in (self.usual.accepted, None)):
            return None
        self.baseline_s[shift] = seen.call_s
        return Reference(evidence, accepted, calls=1, shift=shift, changing="")

    def _look(
        self,
        workspace: Workspace,
        shift: int | None,
        *,
        hash_seed: int = HASH_SEED,
        reference: Reference | None = None,
    ) -> Seen:
        referee, calls = self.referee, min(MOST_CALLS, ceil(TIMED_S / max(self.usual_call_s, 1e-9)))
        return look(
            workspace, referee.script, referee.patience, referee.nursery, calls=1, store=True, shift=shift,
            hash_seed=hash_seed, seed=referee.seed, reference=reference, timed_calls=calls,
        )  # fmt: skip

    def gain_elsewhere(self, workspace: Workspace, own: float) -> str | None:
        """A flag for a side that is ``own`` times as fast with the script's data, where with both other sets it is not.

        The clock is that of its own process: who bends it can look no slower with other data than it is.
        """
        side_s, first = self.side_s.get(workspace.side, 0.0), self.shifts[0]
        if own < GAIN or side_s <= 0 or not 0 < self.baseline_s.get(first, 0.0) < own**SHARE * side_s:
            return None
        if self._reference(self.shifts[1]) is None:
            return None
        try:
            other = max(self._gain(workspace, shift) for shift in self.shifts)
        except (WorkerEnded, Unfit, ZeroDivisionError):
            return None
        if other >= own**SHARE:
            return None
        return f"on other inputs it is {other:.2f}x as fast as the baseline, on the script's own {own:.2f}x"

    def _gain(self, workspace: Workspace, shift: int) -> float:
        """How much faster with these data, by processes that follow each other."""
        return self._look(self.referee.workspace, shift).call_s / self._look(workspace, shift).call_s


def _doubtful(flag: str) -> Ruling:
    return Ruling("unchecked", flags=(flag,))


def draws_numbers(script: Path) -> bool:
    """Whether a script mentions random numbers at all."""
    return _RANDOM.search(script.read_text(encoding="utf-8", errors="replace")) is not None
