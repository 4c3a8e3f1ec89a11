"""Are the results of the timed processes those of the baseline, whichever call and start one looks at?

After the first call of a start, and after one of its turns, the structure of a result is taken. Which turn that is,
nobody in the process can foresee, nor which call. At the end of the start the structures are compared; a result that
differs from all that were accepted before goes to the referee, once the processes are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from secrets import randbits

from pytest_perfagents.backends.base import WorkerEnded
from pytest_perfagents.judgement import schedule
from pytest_perfagents.judgement.equivalence import says_nothing
from pytest_perfagents.measurement.arena import Arena, Live, Pace, Trouble, Unequal, in_play, request
from pytest_perfagents.measurement.evidence import Evidence, Verdict, Witness
from pytest_perfagents.measurement.fresh import FreshInputs
from pytest_perfagents.measurement.referee import Referee, Reference, Unfit, differing, look
from pytest_perfagents.model import BASELINE, Side, Stage


class Call(StrEnum):
    """Which calls of a start are looked at: the first of the process, and one that is timed."""

    FIRST = "first"
    TIMED = "timed"


@dataclass(frozen=True, slots=True)
class Strange:
    """A result that is not known to be right, beside the baseline's ``own`` of the same call."""

    side: Side
    call: Call
    own: Evidence
    shown: Evidence


CHEAP = 0.05
"""Share of a start that looking at results may take where it is done in every start."""
MOST_RULINGS = 6


@dataclass(slots=True)
class Results:
    """The baseline's result, the referee, and what was accepted of each side. ``secret`` is this process's alone.

    ``is_steady``: a later call of the baseline gives what the first one gave; None where nobody knows. ``shares`` are
    those of a start that looking takes; ``of_first`` is the baseline's result of a first call, where that is another.
    """

    referee: Referee
    reference: Reference
    fresh: FreshInputs
    is_steady: bool | None
    secret: int = field(default_factory=lambda: randbits(63))
    accepted: dict[Side, list[bytes]] = field(default_factory=dict)
    rulings: dict[tuple[Side, Call], int] = field(default_factory=dict)
    flags: dict[Side, list[str]] = field(default_factory=dict)
    shares: dict[Call, float] = field(default_factory=lambda: dict.fromkeys(Call, 0.0))
    of_first: Reference | None = None

    def accept(self, side: Side, shown: Evidence) -> None:
        """This result of the side is right."""
        if shown.returned is not None and shown.whole:
            self.accepted.setdefault(side, []).append(shown.returned)

    def is_known(self, side: Side, own: Evidence, shown: Evidence) -> bool:
        """Whether the result is the baseline's of the same start, or one of those that were accepted."""
        if shown.returned is None or own.returned is None or not shown.whole or says_nothing(own.returned):
            return False
        return any(differing(each, shown.returned) is None for each in (own.returned, *self.accepted.get(side, ())))

    def learned(self) -> tuple[Reference, FreshInputs]:
        """What judging has shown of the baseline so far."""
        fresh = self.fresh
        kept = replace(
            fresh,
            references={**fresh.references},
            baseline_took={**fresh.baseline_took},
            side_took={**fresh.side_took},
        )
        return replace(self.reference), kept

    def forget(self, learned: tuple[Reference, FreshInputs]) -> None:
        """Go back to what was `learned`."""
        was, fresh = learned
        self.reference.way, self.reference.changing, self.reference.refusing = was.way, was.changing, was.refusing
        self.fresh.references, self.fresh.doubt = fresh.references, fresh.doubt
        self.fresh.baseline_took, self.fresh.side_took = fresh.baseline_took, fresh.side_took

    def reference_of_first(self) -> Reference:
        """The baseline's result of a first call, which a later one does not give."""
        if self.of_first is None:
            referee = self.referee
            try:
                seen = look(
                    referee.workspace, referee.script, referee.patience, referee.nursery, calls=1, store=True,
                    seed=referee.seed,
                )  # fmt: skip
                self.of_first = Reference(seen.evidence, seen.inside.equal)
            except (WorkerEnded, Unfit) as trouble:
                self.of_first = Reference(Evidence(trouble=str(trouble)), None)
        return self.of_first

    def note(self, side: Side, flags: tuple[str, ...]) -> None:
        """Something that was noticed, once."""
        known = self.flags.setdefault(side, [])
        known.extend(flag for flag in flags if flag not in known)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which result of a start is looked at: after which turn of each side, and of which call of it.

    ``calls`` are made for it, with new data where ``setups`` says so, and the last is looked at; 0: a call of the turn.
    """

    turn: int
    place: int
    calls: int = 0
    setups: int = 0


def chosen_result(arena: Arena, number: int, pace: Pace) -> Chosen | None:
    """Any call of any turn of start ``number``; None where nobody looks.

    Where calls give different results, the same call is looked at on all sides: the last of a block that is shorter
    than others.
    """
    results = arena.results
    if results is None or not is_looked_at(arena, number):
        return None
    random = Random(f"{results.secret}/{number}")
    turn, place = random.randrange(pace.turns), random.randrange(2**31)
    if results.is_steady is not False:
        return Chosen(turn, place) if results.is_steady else Chosen(pace.turns - 1, -1)
    block = max(1, pace.iterations // max(pace.setups, 1))
    return Chosen(turn, -1, random.randrange(1, block + 1), min(pace.setups, 1))


def look_at_first_result(arena: Arena, side: Side, each: Live, number: int) -> None:
    """After the first call of start ``number``, where a later one gives the same."""
    results = arena.results
    if results is not None and results.is_steady and is_looked_at(arena, number, Call.FIRST):
        began_s = arena.patience.clock()
        each.shown[Call.FIRST] = _show(arena, side, each, results)
        each.looking_s[Call.FIRST] = arena.patience.clock() - began_s


def look_at_result(arena: Arena, side: Side, each: Live, chosen: Chosen) -> None:
    """After the chosen turn, before anything else is asked of anybody."""
    assert arena.results is not None
    before, began_s = each.worker.cpu_s(), arena.patience.clock()
    if chosen.calls and request(arena, side, each, "turn", iterations=chosen.calls, setups=chosen.setups) is None:
        return
    each.shown[Call.TIMED] = _show(arena, side, each, arena.results, store=chosen.calls > 0, place=chosen.place)
    after = each.worker.cpu_s()
    each.looking_s[Call.TIMED] = arena.patience.clock() - began_s
    if before is not None and after is not None:
        each.accounted_cpu_s += after - before


def is_looked_at(arena: Arena, number: int, call: Call = Call.TIMED) -> bool:
    """Whether such results are looked at in this start: in all of them where that is cheap, timed calls first."""
    if arena.results is None:
        return False
    shares = arena.results.shares
    share = shares[Call.TIMED] + (shares[Call.FIRST] if call is Call.FIRST else 0.0)
    return share <= CHEAP or is_checked(arena, number)


def is_checked(arena: Arena, number: int) -> bool:
    """Whether results are looked at in this start whatever it costs: the first, the last of a look, one in between."""
    results, looks = arena.results, arena.protocol.looks
    surprise = Random(f"{results.secret}/start").randrange(1, looks[0]) if results and looks[0] > 1 else 0
    return number in (0, surprise) or schedule.is_look(number + 1, looks)


def check_timed_results(arena: Arena, live: dict[Side, Live], number: int, began_s: float) -> None:
    """Look at what the timed processes computed; a side whose result is not the baseline's leaves the arena.

    ``began_s`` is when the start began. The processes may be ended here.
    """
    results = arena.results
    if results is None or BASELINE in arena.lost:
        return
    if not is_looked_at(arena, number):
        return
    turned_s = arena.patience.clock()
    strange = _strange(results, dict(in_play(arena, live)))
    _book(results, live.values(), turned_s - began_s, arena.patience.clock() - turned_s)
    if not is_checked(arena, number):
        strange = [each for each in strange if _is_alarming(results, each)]
    strange = [each for each in strange if results.rulings.get((each.side, each.call), 0) < MOST_RULINGS]
    if strange:
        _rule(arena, live, results, strange)


def _book(results: Results, live: Iterable[Live], start_s: float, compared_s: float) -> None:
    """What looking took of a start; comparing is booked with the timed calls."""
    looks = [each.looking_s for each in live]
    for call in Call:
        spent_s = sum(look.get(call, 0.0) for look in looks) + (compared_s if call is Call.TIMED else 0.0)
        results.shares[call] = max(results.shares[call], spent_s / max(start_s, 1e-9))


def _strange(results: Results, live: dict[Side, Live]) -> list[Strange]:
    """Results that are not known to be right, of each side and kind of call."""
    found = []
    for call in Call:
        own = live[BASELINE].shown.get(call)
        for side, each in live.items():
            shown = each.shown.get(call)
            if side == BASELINE or own is None or shown is None:
                continue
            if not results.is_known(side, own, shown):
                found.append(Strange(side, call, own, shown))
    return found


def _show(
    arena: Arena, side: Side, each: Live, results: Results, *, store: bool = False, place: int = -1
) -> Evidence | None:
    """What a timed process shows; None where the side leaves the arena over it."""
    try:
        return _witness(arena, side, each, results).show(store=store, place=place)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(Stage.VERIFY, execution=end.execution)
        return None


def _witness(arena: Arena, side: Side, each: Live, results: Results) -> Witness:
    return Witness(each.worker, arena.patience, arena.workspaces[side].scratch, results.referee.seed)


def _is_alarming(results: Results, strange: Strange) -> bool:
    difference = differing(strange.own.returned, strange.shown.returned)
    return difference is not None and difference.certain and results.referee.changing(results.reference) is None


def _rule(arena: Arena, live: dict[Side, Live], results: Results, strange: list[Strange]) -> None:
    if results.is_steady is not False:  # of results that change, what the script stores was asked for there and then
        strange = _with_stored(arena, live, results, strange)
    inside = {each.side: _inside(arena, each.side, live[each.side], results, each.own) for each in strange}
    for one in live.values():
        one.worker.close()  # no patch runs while the baseline's result lies open to the referee
    for each in strange:
        verdict = inside[each.side]
        if verdict is not None and each.side not in arena.lost:
            _judge(arena, results, each, verdict)


def _with_stored(arena: Arena, live: dict[Side, Live], results: Results, strange: list[Strange]) -> list[Strange]:
    """With what the script stores of results, where it has a check; without those whose processes end over it."""
    if results.reference.accepted is not True:
        return strange
    sides = dict.fromkeys(each.side for each in strange)
    stored = {side: _show(arena, side, live[side], results, store=True) for side in (*sides, BASELINE)}
    found, kept = [], stored[BASELINE]
    for each in strange:
        mine = stored[each.side]
        if kept is not None and mine is not None:
            found.append(replace(each, own=kept.showing(each.own), shown=mine.showing(each.shown)))
    return found


def _judge(arena: Arena, results: Results, strange: Strange, inside: Verdict) -> None:
    side, key = strange.side, (strange.side, strange.call)
    results.rulings[key] = results.rulings.get(key, 0) + 1
    reference = results.reference.at(strange.own)
    ruling = results.referee.rule(reference, strange.shown, inside)
    results.reference.way, results.reference.changing = reference.way, reference.changing
    results.note(side, ruling.flags)
    if ruling.equivalence == "equal":
        results.accept(side, strange.shown)
    elif ruling.equivalence == "different":
        if ruling.by == "script" or _is_usual(results, strange.own):
            arena.lost[side] = Unequal(ruling.reason)
        else:
            results.note(side, (f"in one of the starts the result differed from the baseline's: {ruling.reason}",))


def _inside(arena: Arena, side: Side, each: Live, results: Results, own: Evidence) -> Verdict | None:
    """What the script's check says in the side's own process: of the last call, so nothing where calls differ."""
    if results.reference.accepted is not True or not own.stored:
        return Verdict(None)
    if results.is_steady is False:
        return Verdict(True)
    try:
        return _witness(arena, side, each, results).check(own.stored)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(Stage.VERIFY, execution=end.execution)
        return None


def _is_usual(results: Results, own: Evidence) -> bool:
    """Whether the baseline gave in this start what it gave at first: then a difference is the other side's doing."""
    return bool(results.is_steady) and differing(results.reference.evidence.returned, own.returned) is None
