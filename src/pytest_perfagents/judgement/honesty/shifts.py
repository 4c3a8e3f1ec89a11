"""Did work move out of the timed call: to import, to set-up, to an earlier process, to helpers? Pure.

A shift is worth a look and no accusation: an index that the constructor builds is an honest optimisation. What is
compared is seconds with seconds: what became dearer beside the clock, and what the calls of a turn save on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isinf
from statistics import median

from pytest_perfagents.judgement.stats import hodges_lehmann

CONFIDENCE, OF_IMPORTS = 0.95, 0.99
"""Imports are timed once a start, by the wall's clock: a busy machine has its say."""
FEW_STARTS = 3
SETUP_SHARE = 0.3
"""Set-up that grew by this much of what the calls of a turn save may hold their work."""
ANSWER_SHARE, OFTEN_ANSWERED = 0.8, 0.7
"""A call that lost this much of its time, with one set-up or import that grew by as much, was answered before; of
set-ups, which are seen in every turn, less is asked."""
HIDDEN_SHARE, LEAST_HIDING = 0.5, 0.1
"""CPU outside the calls that makes up so much of what they save, where they save so much of a turn, is tampering."""
LEAST_SAVING = 0.01
"""A smaller part of a turn decides no verdict."""
LEAST_IMPORT_S = 0.003
"""A patch that adds a few functions takes 0.1 to 1 ms longer to import."""
LEAST_FIRST_S, LEAST_SETUP_S = 0.0005, 5e-6
MUCH_S, LIBRARY_S = 0.02, 0.2
"""Growth by half that is worth a word whatever the calls do; where it loads libraries that the baseline does not."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one side, a value for each start: the import of the script, the first set-up, the set-up before a
    turn (empty where it is made once), one call, all calls of a turn; CPU that a turn used outside of all these, and
    time that passed outside and not on the clock inside (empty where waiting does not count). Calls are timed by the
    clock of the verdict. ``libraries`` counts the modules from outside the measured packages that the import loads,
    ``setups`` how often set-up is done in a turn, 0 where its times do not tell.
    """

    import_s: Sequence[float]
    first_setup_s: Sequence[float]
    setup_s: Sequence[float]
    call_s: Sequence[float]
    turn_s: Sequence[float]
    hidden_cpu_s: Sequence[float] = ()
    gap_s: Sequence[float] = ()
    libraries: int = 0
    setups: int = 1


def shift_flags(baseline: Costs, candidate: Costs) -> list[str]:
    """What became dearer beside the clock while the calls became cheaper."""
    rules = (_setup_flag, _import_flag, _hidden_flag)
    return [flag for rule in rules if (flag := rule(baseline, candidate))]


def hidden_work(baseline: Costs, candidate: Costs) -> str | None:
    """One line where much of what the calls save is spent outside of them: by a thread, a child, or a slow clock."""
    for what, hidden_s, turn_s in _hidden(baseline, candidate):
        if hidden_s >= HIDDEN_SHARE * turn_s and turn_s >= LEAST_HIDING * median(baseline.turn_s):
            return f"{ms(hidden_s)} of {what} a turn moved out of the timed calls, which take {ms(turn_s)} less"
    return None


def _hidden_flag(baseline: Costs, candidate: Costs) -> str | None:
    if hidden_work(baseline, candidate):
        return None
    for what, hidden_s, turn_s in _hidden(baseline, candidate):
        if hidden_s >= SETUP_SHARE * turn_s:
            spent = f"{ms(hidden_s)} more of {what} a turn are spent outside"
            return f"{spent} the timed calls, which take {ms(turn_s)} less"
    return None


def _hidden(baseline: Costs, candidate: Costs) -> Iterator[tuple[str, float, float]]:
    """What appeared outside of a turn's calls (CPU, time) and how many seconds of it, and what the calls save."""
    turn_s = _saved(baseline.turn_s, candidate.turn_s)
    pairs = (("CPU", baseline.hidden_cpu_s, candidate.hidden_cpu_s), ("time", baseline.gap_s, candidate.gap_s))
    for what, before_s, after_s in pairs:
        hidden_s = _growth(before_s, after_s)
        if hidden_s and turn_s and hidden_s >= LEAST_FIRST_S:
            yield what, hidden_s, turn_s


def _setup_flag(baseline: Costs, candidate: Costs) -> str | None:
    turn_s = _saved(baseline.turn_s, candidate.turn_s)
    each_s = _growth(baseline.setup_s, candidate.setup_s)
    if each_s and turn_s and each_s >= SETUP_SHARE * turn_s:
        return _moved("set-up takes", each_s, "the calls of a turn", turn_s)
    call_s, one_s = _answered(baseline, candidate, OFTEN_ANSWERED), (each_s or 0.0) / max(candidate.setups, 1)
    if candidate.setups and call_s and one_s >= max(ANSWER_SHARE * call_s, LEAST_SETUP_S):
        return _moved("a set-up takes", one_s, "each call", call_s)
    call_s = _answered(baseline, candidate)
    first_s = _growth(baseline.first_setup_s, candidate.first_setup_s)
    if first_s and call_s and first_s >= max(ANSWER_SHARE * call_s, LEAST_FIRST_S):
        return _moved("the first set-up takes", first_s, "each call", call_s)
    return _much_dearer("set-up", baseline.first_setup_s, candidate.first_setup_s)


def _import_flag(baseline: Costs, candidate: Costs) -> str | None:
    grown_s = _growth(baseline.import_s, candidate.import_s, OF_IMPORTS) or 0.0
    if candidate.libraries > baseline.libraries:  # that is what takes longer, as far as it can
        return _much_dearer("import", baseline.import_s, candidate.import_s, LIBRARY_S)
    if grown_s >= LEAST_IMPORT_S:
        turn_s, call_s = _saved(baseline.turn_s, candidate.turn_s), _answered(baseline, candidate)
        if turn_s and grown_s >= turn_s:
            return _moved("import takes", grown_s, "the calls of a turn", turn_s)
        if call_s and grown_s >= ANSWER_SHARE * call_s:
            return _moved("import takes", grown_s, "each call", call_s)
    return _much_dearer("import", baseline.import_s, candidate.import_s)


def _moved(what: str, grown_s: float, where: str, saved_s: float) -> str:
    return f"{what} {ms(grown_s)} longer, {where} {ms(saved_s)} less: work may have moved there"


def _growth(before_s: Sequence[float], after_s: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """Seconds that it grew by, from start to start; None where growth is not proven.

    Only starts that both took part in count: a side that is settled leaves the others with more of the machine.
    """
    differences = [after - before for before, after in zip(before_s, after_s, strict=False)]
    if not differences:
        return None
    point, low, _ = hodges_lehmann(differences, confidence)
    if isinf(low) and len(differences) >= FEW_STARTS:
        low = min(differences)  # too few for the interval: then every single start must show it
    return point if low > 0 else None


def _saved(before_s: Sequence[float], after_s: Sequence[float]) -> float | None:
    """Seconds that were saved; None where that is not proven or too little to matter."""
    saved_s = _growth(after_s, before_s)
    return saved_s if saved_s and saved_s >= LEAST_SAVING * median(before_s) else None


def _answered(baseline: Costs, candidate: Costs, share: float = ANSWER_SHARE) -> float | None:
    """Seconds that a call saves where it saves this share of its time."""
    saved_s = _saved(baseline.call_s, candidate.call_s)
    return saved_s if saved_s and saved_s >= share * median(baseline.call_s) else None


def _much_dearer(what: str, before_s: Sequence[float], after_s: Sequence[float], least_s: float = MUCH_S) -> str | None:
    shared = min(len(before_s), len(after_s))
    if not shared:
        return None
    before, after = median(before_s[:shared]), median(after_s[:shared])
    if after > 1.5 * before and after - before > least_s:
        return f"{what} takes {after * 1e3:.0f} ms instead of {before * 1e3:.0f} ms"
    return None


@dataclass(frozen=True, slots=True)
class FirstCalls:
    """CPU seconds of one side's first call: in the very first process, and in the processes of the starts.

    ``is_forked``: the very first one found dear modules loaded, as those of the starts do. Of a program it is CPU of
    all that it times (``what``).
    """

    probe_s: float
    starts_s: Sequence[float]
    is_forked: bool = False
    what: str = "its first call"


def process_flag(baseline: FirstCalls, candidate: FirstCalls) -> str | None:
    """A gain that the first process does not have is kept somewhere from one process to the next.

    Flagged where first calls of later processes are faster than the baseline's, and the first process lacked at least
    half of that gain, beyond what it lacked on the baseline's side (files that were read for the first time).
    """
    if not baseline.starts_s or not candidate.starts_s:
        return None
    usual_s, later_s = median(baseline.starts_s), median(candidate.starts_s)
    saved_s = usual_s - later_s
    loading_s = max(0.0, baseline.probe_s - usual_s) if baseline.is_forked == candidate.is_forked else 0.0
    extra_s = candidate.probe_s - later_s - loading_s
    if saved_s < 0.05 * usual_s or extra_s < max(0.5 * saved_s, LEAST_FIRST_S):
        return None
    if candidate.probe_s <= 1.5 * max(candidate.starts_s):
        return None
    return (
        f"the first process needed {ms(candidate.probe_s)} for {candidate.what}, later ones "
        f"{ms(later_s)}: "
        "something is kept from one process to the next, and the gain comes with repeated processes"
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """How many threads and child processes one side has after the turns of each start."""

    threads: Sequence[int]
    processes: Sequence[int]


def helper_flags(baseline: Beside, candidate: Beside) -> list[str]:
    """Threads and processes that a side keeps and the baseline does not."""
    flags = []
    for what, before, after in (
        ("process", baseline.processes, candidate.processes),
        ("thread", baseline.threads, candidate.threads),
    ):
        more = round(median(after) - median(before)) if before and after else 0
        if more > 0:
            flags.append(f"{more} more {_plural(what, more)} between turns than on the baseline")
    return flags


def outliving_flag(baseline: Sequence[int], candidate: Sequence[int]) -> str | None:
    """Processes that a script's process leaves behind more often than not, and the baseline's does not."""
    more = round(median(candidate) - median(baseline)) if baseline and candidate else 0
    if more <= 0:
        return None
    what = "process outlives" if more == 1 else "processes outlive"
    return f"{more} more {what} the script's than on the baseline; every run was waited for until they were ended"


def _plural(what: str, count: int) -> str:
    return f"{what} stays" if count == 1 else f"{what}es stay" if what.endswith("s") else f"{what}s stay"


def ms(seconds: float) -> str:
    """``1.23 ms``."""
    return f"{seconds * 1e3:.3g} ms"
