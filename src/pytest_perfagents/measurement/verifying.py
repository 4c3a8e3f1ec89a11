"""Are the results of the timed processes those of the baseline, whichever call and start one looks at?

After the first call of a start, and after one of its turns, the structure of a result is taken. Which turn that is,
nobody in the process can foresee, nor which call. At the end of the start the structures are compared; a result that
differs from all that were accepted before goes to the referee, once the processes are gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from secrets import randbits

from pytest_perfagents.backends.base import WorkerEnded
from pytest_perfagents.judgement import schedule
from pytest_perfagents.judgement.equivalence import says_nothing
from pytest_perfagents.measurement.arena import Arena, Live, Pace, Trouble, Unequal, in_play, request
from pytest_perfagents.measurement.evidence import Evidence, Verdict, Witness
from pytest_perfagents.measurement.fresh import FreshInputs
from pytest_perfagents.measurement.referee import Referee, Reference, differing
from pytest_perfagents.model import BASELINE, Side, Stage

Pair = tuple[Evidence, Evidence]
"""The baseline's and a side's, of the same call."""
CHEAP = 0.05
"""Share of a start that looking at results may take where it is done in every start."""
MOST_RULINGS = 6


@dataclass(slots=True)
class Results:
    """The baseline's result, the referee, and what was accepted of each side. ``secret`` is this process's alone.

    ``is_steady``: a later call of the baseline gives what the first one gave; None where nobody knows.
    """

    referee: Referee
    reference: Reference
    fresh: FreshInputs
    is_steady: bool | None
    secret: int = field(default_factory=lambda: randbits(63))
    accepted: dict[Side, list[bytes]] = field(default_factory=dict)
    rulings: dict[Side, int] = field(default_factory=dict)
    flags: dict[Side, list[str]] = field(default_factory=dict)
    share: float = 0.0

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
        kept = replace(fresh, references={**fresh.references}, baseline_s={**fresh.baseline_s}, side_s={**fresh.side_s})
        return replace(self.reference), kept

    def forget(self, learned: tuple[Reference, FreshInputs]) -> None:
        """Go back to what was `learned`."""
        was, fresh = learned
        self.reference.way, self.reference.changing = was.way, was.changing
        self.fresh.references, self.fresh.baseline_s = fresh.references, fresh.baseline_s
        self.fresh.side_s, self.fresh.doubt = fresh.side_s, fresh.doubt

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
    if arena.results is not None and arena.results.is_steady and is_looked_at(arena, number):
        began_s = arena.patience.clock()
        each.shown_first = _show(arena, side, each, arena.results)
        each.looking_s += arena.patience.clock() - began_s


def look_at_result(arena: Arena, side: Side, each: Live, chosen: Chosen) -> None:
    """After the chosen turn, before anything else is asked of anybody."""
    assert arena.results is not None
    before, began_s = each.worker.cpu_s(), arena.patience.clock()
    if chosen.calls and request(arena, side, each, "turn", iterations=chosen.calls, setups=chosen.setups) is None:
        return
    each.shown = _show(arena, side, each, arena.results, store=chosen.calls > 0, place=chosen.place)
    after = each.worker.cpu_s()
    each.looking_s += arena.patience.clock() - began_s
    if before is not None and after is not None:
        each.accounted_cpu_s += after - before


def is_looked_at(arena: Arena, number: int) -> bool:
    """Whether results are looked at in this start: in all of them where that is cheap."""
    return arena.results is not None and (arena.results.share <= CHEAP or is_checked(arena, number))


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
    must = is_checked(arena, number)
    turned_s = arena.patience.clock()
    strange = _strange(results, dict(in_play(arena, live)))
    looking_s = sum(each.looking_s for each in live.values()) + arena.patience.clock() - turned_s
    results.share = max(results.share, looking_s / max(turned_s - began_s, 1e-9))
    if not must:
        strange = {side: pair for side, pair in strange.items() if _is_alarming(results, *pair)}
    strange = {side: each for side, each in strange.items() if results.rulings.get(side, 0) < MOST_RULINGS}
    if strange:
        _rule(arena, live, results, strange)


def _strange(results: Results, live: dict[Side, Live]) -> dict[Side, Pair]:
    """Of each side the first result that is not known to be right, after the baseline's of the same call."""
    found: dict[Side, Pair] = {}
    for side, each in live.items():
        pairs = ((live[BASELINE].shown_first, each.shown_first), (live[BASELINE].shown, each.shown))
        for own, shown in pairs:
            if side != BASELINE and own is not None and shown is not None and not results.is_known(side, own, shown):
                found.setdefault(side, (own, shown))
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


def _is_alarming(results: Results, own: Evidence, shown: Evidence) -> bool:
    difference = differing(own.returned, shown.returned)
    return difference is not None and difference.certain and results.referee.changing(results.reference) is None


def _rule(arena: Arena, live: dict[Side, Live], results: Results, strange: dict[Side, Pair]) -> None:
    if results.reference.accepted is True and results.is_steady is not False:  # who changes was asked there and then
        stored = {side: _show(arena, side, live[side], results, store=True) for side in (*strange, BASELINE)}
        kept = stored.pop(BASELINE)
        if kept is None:
            return
        strange = {
            side: (kept.showing(strange[side][0]), mine.showing(strange[side][1]))
            for side, mine in stored.items()
            if mine is not None
        }
    inside = {side: _inside(arena, side, live[side], results, own) for side, (own, _) in strange.items()}
    for each in live.values():
        each.worker.close()  # no patch runs while the baseline's result lies open to the referee
    for side, (own, shown) in strange.items():
        verdict = inside[side]
        if verdict is None:
            continue
        reference = results.reference.at(own)
        results.rulings[side] = results.rulings.get(side, 0) + 1
        ruling = results.referee.rule(reference, shown, verdict)
        results.reference.way, results.reference.changing = reference.way, reference.changing
        results.note(side, ruling.flags)
        if ruling.equivalence == "equal":
            results.accept(side, shown)
        elif ruling.equivalence == "different":
            if ruling.by == "script" or _is_usual(results, own):
                arena.lost[side] = Unequal(ruling.reason)
            else:
                results.note(side, (f"in one of the starts the result differed from the baseline's: {ruling.reason}",))


def _inside(arena: Arena, side: Side, each: Live, results: Results, own: Evidence) -> Verdict | None:
    if results.reference.accepted is not True or not own.stored:
        return Verdict(None)
    try:
        return _witness(arena, side, each, results).check(own.stored)
    except WorkerEnded as end:
        arena.lost[side] = Trouble(Stage.VERIFY, execution=end.execution)
        return None


def _is_usual(results: Results, own: Evidence) -> bool:
    """Whether the baseline gave in this start what it gave at first: then a difference is the other side's doing."""
    return bool(results.is_steady) and differing(results.reference.evidence.returned, own.returned) is None
