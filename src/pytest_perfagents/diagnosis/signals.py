"""A process that a signal ended: what that mostly means."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from signal import Signals

from pytest_perfagents.diagnosis.types import Facts, Finding
from pytest_perfagents.model import Blame, Ending, Execution


@dataclass(frozen=True, slots=True)
class _Signal:
    """``sudden``: it leaves the process no word, so that what was printed before is not what ended it."""

    kind: str
    meaning: str
    hint: str
    blame: Blame | None = None
    sudden: bool = False


_MEMORY = (
    "see dmesg for the OOM killer; free memory, raise memory_gb of [perfagents.protocol], or make the workload smaller"
)
_CRASH = (
    "run it with python -X faulthandler to see where: in what the script hands to compiled code, or in compiled files "
    "that do not match this torch or Python"
)
_OUTSIDE = "run it again, and see what ends processes on this machine"
_HERE = Blame.ENVIRONMENT
_SIGNALS = {
    Signals.SIGKILL: _Signal("OOM", "most likely out of memory", _MEMORY, _HERE, sudden=True),
    Signals.SIGXCPU: _Signal("TIMEOUT", "its limit of CPU time", "raise that limit", _HERE, sudden=True),
    Signals.SIGSEGV: _Signal("NO_OUTPUT", "segmentation fault", _CRASH),
    Signals.SIGABRT: _Signal("NO_OUTPUT", "abort, from compiled code", _CRASH),
    Signals.SIGFPE: _Signal("NO_OUTPUT", "arithmetic fault, from compiled code", _CRASH),
    Signals.SIGBUS: _Signal("NO_OUTPUT", "bus error", "enlarge /dev/shm, or free some disk space", _HERE),
    Signals.SIGILL: _Signal("NO_OUTPUT", "illegal instruction", "build its compiled files on this CPU", _HERE),
    Signals.SIGTERM: _Signal("NO_OUTPUT", "somebody ended it", _OUTSIDE, _HERE),
    Signals.SIGINT: _Signal("NO_OUTPUT", "interrupted", _OUTSIDE, _HERE),
    Signals.SIGHUP: _Signal("NO_OUTPUT", "its terminal went away", _OUTSIDE, _HERE),
}

# A shell, or a container's first process, says 128 + n with its exit code.
_SHELL_CODES = {
    128 + number: number
    for number in (
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGXCPU,
    )
}


# What a shell, Python's own handler of faults or a report of a run says of it.
_FAULTS = {
    "segmentation fault": Signals.SIGSEGV,
    "killed": Signals.SIGKILL,
    "aborted": Signals.SIGABRT,
    "bus error": Signals.SIGBUS,
    "illegal instruction": Signals.SIGILL,
    "floating point exception": Signals.SIGFPE,
    "floating-point exception": Signals.SIGFPE,
}
_FAULT = "|".join(_FAULTS)
_IN_WORDS = (
    re.compile(rf"(?im)^fatal python error: (?P<fault>{_FAULT})"),
    re.compile(
        rf"(?i)^(?:\S+: line \d+: +\d+ )?(?P<fault>{_FAULT})\b[^\n]{{0,40}}\Z|(?P<same>{_FAULT}) \(core dumped\)"
    ),
    re.compile(r"(?i)\b(?:killed|terminated|died|crashed|ended|exited)\b[^\n]{0,30}\bsignal:? (?P<number>\d{1,2})\b"),
    re.compile(r"\b(?P<name>SIG(?:SEGV|KILL|ABRT|BUS|ILL|FPE|TERM|XCPU))\b"),
)
_LAST_CHARACTERS = 20_000


def ending_signal(execution: Execution | None) -> int | None:
    """The number of the signal that ended a process, or ``None``."""
    if execution is None or execution.ending not in (Ending.SIGNALED, Ending.EXITED) or execution.code == 0:
        return None
    code = execution.code
    if code is not None and (execution.ending is Ending.SIGNALED or code < 0):
        return abs(code)
    known = None if code is None else _SHELL_CODES.get(code)
    return known or _signal_in_words(execution.stderr[-_LAST_CHARACTERS:])


def _signal_in_words(text: str) -> int | None:
    """By Python's own report of a fault, or by the last line."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    for pattern, where in zip(_IN_WORDS, (text, last, last, last), strict=True):
        found = pattern.search(where)
        if found is None:
            continue
        names = found.groupdict()
        if names.get("number"):
            return int(names["number"])
        if names.get("name"):
            return Signals[names["name"]].value
        return _FAULTS[(names.get("fault") or names.get("same") or "").lower()].value
    return None


def signal_name(number: int) -> str:
    """``SIGSEGV``; ``signal 35`` where it has no name."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def killed(facts: Facts) -> Finding | None:
    """A signal ended it, and no exception tells why.

    A process that is killed after an exception ended in that exception: an engine kills its own processes then. Where
    it was at work again in between, it had survived the exception, and what killed it left it no word.
    """
    number = signal.SIGINT.value if _was_interrupted(facts) else facts.signal
    if number is None:
        return None
    known = _known(number)
    if facts.raised and not (known.sudden and facts.went_on) and number != signal.SIGINT:
        return None
    hint = f"the baseline survived; {known.hint}" if facts.place.patch_did_it else known.hint
    return Finding(facts.place.category(known.kind), killed_by(number), hint=hint, blame=known.blame)


def _was_interrupted(facts: Facts) -> bool:
    """Python tells of SIGINT by an exception, whatever the process then ends with."""
    is_told = bool(facts.raised) and facts.raised[0].type == "KeyboardInterrupt"
    return is_told and facts.evidence.error is None


def _known(number: int) -> _Signal:
    unusual = _Signal("NO_OUTPUT", "an unusual end", _OUTSIDE)
    return next((entry for known, entry in _SIGNALS.items() if known.value == number), unusual)


def killed_by(number: int) -> str:
    """``was killed by SIGKILL (most likely out of memory)``."""
    return f"was killed by {signal_name(number)} ({_known(number).meaning})"


def hint_of_signal(number: int) -> str:
    """What to do about it."""
    return _known(number).hint
