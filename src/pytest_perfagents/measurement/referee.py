"""Is a side's result the baseline's? Decided outside the side's own processes, from what they show of it.

A side's process shows the structure of its result (``describe``), which no class of the patch has a say in. The
script's check then runs in a process of the baseline's workspace, on the result as it is made again from the structure:
no code of the patch takes part. Where that cannot be done, a note says so. See ``docs/measurement.md``, "Is the result
right?".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_perfagents.backends.base import WorkerEnded, Workspace
from pytest_perfagents.judgement.equivalence import Difference, compare, says_nothing
from pytest_perfagents.measurement.arena import Patience, error_in
from pytest_perfagents.measurement.evidence import Evidence, Verdict, Witness, words
from pytest_perfagents.measurement.templates import Nursery

HASH_SEED, OTHER_HASH_SEED = 1, 2
RETURNED, LOADED, INSIDE = "returned", "loaded", "inside"


@dataclass(frozen=True, slots=True)
class Ruling:
    """``equivalence`` as in `Integrity`, what decided it (``by``), why not (``reason``), and what else was noticed."""

    equivalence: str
    by: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    difference: Difference | None = None


@dataclass(slots=True)
class Reference:
    """The baseline's result. ``accepted``: the script's check accepts it in the process that made it, None: no check.

    ``calls`` were made for it, ``shift`` is that of its random data. ``way``, ``changing`` and ``refusing`` are found
    out once, the last one of the ``origin``: the result whose calls are known. ``after_own``: it is the same where a
    call with the script's own data came before.
    """

    evidence: Evidence
    accepted: bool | None
    calls: int = 1
    shift: int | None = None
    way: str | None = None
    changing: Difference | str | None = None
    refusing: str | None = None
    origin: Reference | None = None
    after_own: bool = False

    def at(self, evidence: Evidence) -> Reference:
        """The same, with what another process of the baseline shows."""
        return replace(self, evidence=evidence, origin=self.origin or self)


@dataclass(frozen=True, slots=True)
class CallTime:
    """Seconds of a call by two clocks; none where it was not timed."""

    cpu_s: float = 0.0
    wall_s: float = 0.0

    def by(self, clock: str) -> float:
        """CPU time for ``cpu``, wall time for any other."""
        return self.cpu_s if clock == "cpu" else self.wall_s


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process showed, what the script's check said inside of it, and seconds of a call that was timed."""

    evidence: Evidence
    inside: Verdict
    took: CallTime = field(default_factory=CallTime)


def look(
    workspace: Workspace,
    script: Path,
    patience: Patience,
    nursery: Nursery,
    *,
    calls: int,
    store: bool,
    shift: int | None = None,
    hash_seed: int = HASH_SEED,
    seed: int = 0,
    reference: Reference | None = None,
    timed_calls: int = 0,
    after_own: bool = False,
) -> Seen:
    """What a process of its own shows after ``calls`` calls; its result is checked against ``reference``, or itself.

    ``timed_calls`` more are timed at the end. ``after_own``: a call with the script's own data comes first. Raises
    WorkerEnded, and Unfit where the script does not run.
    """
    worker = nursery.start(workspace, hash_seed, patience.left_s)
    try:
        requests: list[tuple[str, dict[str, Any]]] = [("load", {"script": str(script), "shift": shift})]
        if after_own:
            requests.append(("turn", {"iterations": 1, "setups": 1, "own": True}))
        requests += [("turn", {"iterations": 1, "setups": int(number == 0)}) for number in range(calls)]
        for op, arguments in requests:
            reply = worker.request(op, patience.left_s, **arguments)
            if not reply.ok:
                raise Unfit(words(reply.error))
        witness = Witness(worker, patience, workspace.scratch, seed)
        shown = witness.show(store=store)
        stored = reference.evidence.stored if reference is not None else shown.stored
        inside = witness.check(stored) if stored else Verdict(None, "nothing was stored")
        took = CallTime()
        if timed_calls:
            turn = worker.request("turn", patience.left_s, iterations=timed_calls, setups=1)
            if error_in(turn) is None:
                took = CallTime(*(turn.value[name] / 1e9 / timed_calls for name in ("cpu_ns", "wall_ns")))
        return Seen(shown, inside, took)
    finally:
        worker.close()


class Unfit(Exception):  # noqa: N818
    """The script ended with an error."""


@dataclass(slots=True)
class Referee:
    """Rules on results of one commit; ``workspace`` is the baseline's. ``seed`` is for samples of large arrays."""

    workspace: Workspace
    script: Path
    patience: Patience
    seed: int
    nursery: Nursery

    def rule(self, reference: Reference, shown: Evidence, inside: Verdict) -> Ruling:
        """Whether ``shown`` is the baseline's result; ``inside`` is what the check says in the side's own process."""
        difference = differing(reference.evidence.returned, shown.returned)
        if reference.accepted is not True or inside.equal is None:
            return self._by_structure(reference, shown, difference)
        if is_proof(reference.evidence, shown) and inside.equal:
            return Ruling("equal", "script")  # of the very same structure the check cannot say anything else
        ruling = self._by_script(reference, shown, inside, difference)
        refusing = self.refusing(reference) if ruling.equivalence == "different" else None
        if refusing is not None:
            note = f"the script's check refuses the baseline's own result of another process: {refusing}"
            return Ruling("unchecked", flags=(note,), difference=difference)
        return Ruling(ruling.equivalence, ruling.by, ruling.reason, ruling.flags, difference)

    def _by_script(
        self, reference: Reference, shown: Evidence, inside: Verdict, difference: Difference | None
    ) -> Ruling:
        way = self._way(reference)
        candidate = shown.returned if way == RETURNED else shown.loaded
        if way == INSIDE:
            why = "outside of it, it does not accept even the baseline's result"
            return self._trusted(reference, shown, inside, why)
        if candidate is None:
            return self._trusted(reference, shown, inside, shown.trouble or "the result is too large")
        verdict = self.judge(reference, candidate)
        if verdict.equal is None:
            return self._trusted(reference, shown, inside, verdict.message)
        if verdict.equal:
            return self._accepted(reference, inside, difference)
        if way == RETURNED and not verdict.faithful and not self._is_other(reference, shown, difference):
            return self._by_what_was_stored(reference, shown, inside)
        return _refused(verdict, inside)

    def _is_other(self, reference: Reference, shown: Evidence, difference: Difference | None) -> bool:
        """Whether the result differs by more than its classes: in its contents, or as some cannot be read."""
        if reference.evidence.whole and not shown.whole:
            return True
        return difference is not None and difference.certain and self.changing(reference) is None

    def _trusted(self, reference: Reference, shown: Evidence, inside: Verdict, why: str) -> Ruling:
        """The word of the side's own process where nothing outside can decide; no proof if the results differ."""
        if inside.equal is False:
            return Ruling("different", "script", inside.message)
        difference = differing(reference.evidence.returned, shown.returned)
        if difference is None and not says_nothing(shown.returned or b"N"):
            return Ruling("equal", "structure")
        note = f"the script's check could only be run inside the patched process: {why}"
        is_blind = shown.returned is None and reference.evidence.returned is not None
        if is_blind or (difference is not None and difference.certain and self.changing(reference) is None):
            return Ruling("unchecked", flags=(note, f"by structure, {difference}"))
        return Ruling("equal", "script", flags=(note,))

    def _accepted(self, reference: Reference, inside: Verdict, difference: Difference | None) -> Ruling:
        flags = []
        if inside.equal is False:
            flags.append(f"the script's check accepts the result, but not inside the patched process: {inside.message}")
        if difference is not None and difference.certain and self.changing(reference) is None:
            flags.append(f"the script's check accepts a result that differs: {difference}")
        return Ruling("equal", "script", flags=tuple(flags))

    def _by_what_was_stored(self, reference: Reference, shown: Evidence, inside: Verdict) -> Ruling:
        """A result of classes that the baseline does not have: as the side itself stored it."""
        if shown.loaded is None or not self._accepts_own(reference, LOADED):
            return self._trusted(reference, shown, inside, "its classes are not those of the baseline")
        verdict = self.judge(reference, shown.loaded)
        if verdict.equal is False:
            return _refused(verdict, inside)
        note = "the result is of classes that the baseline does not have: it was compared as the patched side stored it"
        return Ruling("equal", "script", flags=(note,))

    def _by_structure(self, reference: Reference, shown: Evidence, difference: Difference | None) -> Ruling:
        returned = reference.evidence.returned
        if returned is None or says_nothing(returned):
            return Ruling("unchecked", flags=("the experiment returns nothing to compare, so any result would do",))
        if difference is None and not (reference.evidence.whole and shown.whole):
            return Ruling("unchecked", flags=("the result is too large to be compared as a whole: any rest would do",))
        if difference is None:
            return Ruling("equal", "structure")
        if shown.returned is None:
            return Ruling("unchecked", flags=(f"the result could not be looked at: {shown.trouble}",))
        if not difference.certain:
            return Ruling("unchecked", flags=(f"the results differ, which proves nothing: {difference}",))
        if reference.accepted is False:  # the script has a check that does not work: what it would allow is not known
            return Ruling("unchecked", flags=(f"by structure the results differ: {difference}",))
        changing = self.changing(reference)
        if changing is not None:
            note = f"the baseline's own result changes from process to process: {changing}"
            return Ruling("unchecked", flags=(note,), difference=difference)
        return Ruling("different", "structure", str(difference), difference=difference)

    def judge(self, reference: Reference, candidate: bytes) -> Verdict:
        """What the script's check says in a process of the baseline that no patch has ever touched."""
        stored = reference.evidence.stored
        if stored is None:
            return Verdict(None, "the baseline's result could not be stored")
        try:
            worker = self.nursery.start(self.workspace, HASH_SEED, self.patience.left_s)
        except WorkerEnded as end:
            return Verdict(None, str(end))
        try:
            loaded = worker.request("load", self.patience.left_s, script=str(self.script), shift=reference.shift)
            if not loaded.ok:
                return Verdict(None, words(loaded.error))
            return Witness(worker, self.patience, self.workspace.scratch, self.seed).judge(candidate, stored)
        except WorkerEnded as end:
            return Verdict(None, str(end))
        finally:
            worker.close()

    def changing(self, reference: Reference) -> Difference | str | None:
        """How the baseline's result differs in another process with other hashes; None where it does not."""
        if reference.changing is None:
            reference.changing = self._changing(reference) or ""
        return reference.changing or None

    def _changing(self, reference: Reference) -> Difference | str | None:
        try:
            again = look(
                self.workspace, self.script, self.patience, self.nursery, calls=reference.calls, store=False,
                shift=reference.shift, hash_seed=OTHER_HASH_SEED, seed=self.seed,
            )  # fmt: skip
        except (WorkerEnded, Unfit) as trouble:
            return str(trouble)
        return differing(reference.evidence.returned, again.evidence.returned)

    def refusing(self, reference: Reference) -> str | None:
        """Why the script's check refuses what another process of the baseline gives; None where it accepts that."""
        origin = reference.origin or reference
        if origin.refusing is None:
            origin.refusing = self._refusing(origin)
        return origin.refusing or None

    def _refusing(self, reference: Reference) -> str:
        try:
            again = look(
                self.workspace, self.script, self.patience, self.nursery, calls=reference.calls, store=False,
                shift=reference.shift, hash_seed=OTHER_HASH_SEED, seed=self.seed, reference=reference,
            )  # fmt: skip
        except (WorkerEnded, Unfit) as trouble:
            return str(trouble)
        return (again.inside.message or "it gives no reason") if again.inside.equal is False else ""

    def _way(self, reference: Reference) -> str:
        """In which form the judge accepts the baseline's own result; INSIDE: in none."""
        if reference.way is None:
            accepted = (way for way in (RETURNED, LOADED) if self._accepts_own(reference, way))
            reference.way = next(accepted, INSIDE)
        return reference.way

    def _accepts_own(self, reference: Reference, way: str) -> bool:
        own = reference.evidence.returned if way == RETURNED else reference.evidence.loaded
        return own is not None and self.judge(reference, own).equal is True


def differing(reference: bytes | None, candidate: bytes | None) -> Difference | None:
    """How two structures differ; one that is missing or broken differs for no certain reason."""
    if reference is None or candidate is None:
        return Difference("result", "it could not be looked at", False)
    try:
        return compare(reference, candidate)
    except ValueError as error:
        return Difference("result", str(error), False)


def is_proof(reference: Evidence, shown: Evidence) -> bool:
    """Whether both structures are the same byte for byte, with all of the result in them."""
    returned = reference.returned
    is_whole = reference.whole and shown.whole
    return returned is not None and returned == shown.returned and is_whole and not says_nothing(returned)


def _refused(verdict: Verdict, inside: Verdict) -> Ruling:
    if inside.equal is False:
        return Ruling("different", "script", inside.message or verdict.message)
    said = "the script's check, in a process of the baseline, refuses it"
    return Ruling("different", "script", f"{said}: {verdict.message}")
