"""Why a served benchmark gave no numbers: what its log shows, before what it was called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from signal import Signals

from pytest_perfagents.diagnosis.advice import advise, by_knowledge
from pytest_perfagents.diagnosis.blocks import short_name
from pytest_perfagents.diagnosis.kinds import (
    HARDWARE,
    SERVED,
    hint_of_kind,
    hint_of_server,
    kind_of,
    raised_in_words,
    without_our_limit,
)
from pytest_perfagents.diagnosis.patterns import either, one_line
from pytest_perfagents.diagnosis.preparing import not_prepared
from pytest_perfagents.diagnosis.signals import ending_signal, hint_of_signal, killed_by
from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.diagnosis.tracebacks import ended_by, exceptions_in
from pytest_perfagents.diagnosis.types import Place, Raised
from pytest_perfagents.model import Blame, Category, Commit, Ending, Execution, Failure, Role

_LINE_CHARACTERS = 500
_LAST_LINES = 3
_TAIL_CHARACTERS = 2_000
_READ_CHARACTERS = 400_000
_CRASHED = either(
    r"SERVER_CRASHED|server (?:crashed|died|exited|failed|never|did not)|engine core\w* (?:proc\w*)?[^\n]{0,30}died",
    r"EngineDeadError|EngineCore encountered",
    r"server[^\n]{0,30}(?:not healthy|unhealthy|failed to start|not ready)|connection refused",
    flags=re.IGNORECASE,
)
_TIMED_OUT = re.compile(r"(?i)\btim(?:ed|e) ?out\b")
_CODE = re.compile(
    r"(?i)\b(?:exit(?:ed)?|return(?:ed)?) ?(?:with )?(?:code|status)? ?[:=]? ?(?P<code>-?[1-9]\d{0,2})\b"
)
_MARKS = re.compile(r"(?m)^[A-Z_]{8,}$")  # what such a log's own shell script prints: SERVER_CRASHED
_PATCHED_FILE = re.compile(r"(?m)^patching file '?(?P<file>[^'\n]+?)'?$")
# An exception at the beginning of a line, of a log that holds no traceback.
_RAISED = re.compile(r"(?m)^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception))(?:: (?P<message>[^\n]+))?$")
_START = "Traceback (most recent call last)"
_OF_THE_MACHINE = ("OOM", "CUDA_ERROR", HARDWARE)

# What the evaluation's own words for giving up mean: pattern, cause, hint.
GIVEN_UP: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"(?i)^version_bug\b|\bknown\b[^\n.]{0,60}\bbug\b|\bbug (?:in|of) (?:this|that) version\b"),
        "meet a bug of the very version that is measured",
        "no other packages mend that: leave this commit out, or measure it by a benchmark that does not meet the bug",
    ),
    (
        re.compile(r"(?i)\bincompatib|\bcompatib\w* (?:issue|problem)|\bnot (?:compatible|supported) (?:with|by)\b"),
        "do not go with the versions of that day",
        "evaluate this commit with the versions, and with a model, of its day; or leave it out",
    ),
    (
        re.compile(""),
        "have a benchmark that the evaluation gave up",
        "see why the evaluation gave it up; run the benchmark by hand in the image of this commit, or leave it out",
    ),
)


@dataclass(frozen=True, slots=True)
class ServedLog:
    """What is recorded of a served benchmark: the evaluation's ``status`` and ``error``, the log."""

    status: str
    error: str
    output: str


def not_served(
    log: ServedLog,
    commit: Commit,
    packages: Sequence[str],
    side: Role = Role.PATCHED,
    *,
    baseline_served: bool = False,
) -> Failure:
    """The failure of a served benchmark without numbers on the baseline or, by default, with the patch.

    ``baseline_served`` says that the same benchmark has numbers of the baseline: then what the package of the patched
    side stumbles over is the patch's. What could not be prepared comes first, then hardware, then what ended the
    server, then the client's time limit.
    """
    failure = not_prepared(log.error, commit, log.output)
    if failure is not None:
        return failure
    failure = _not_served(log, Place(side, commit.repo, tuple(packages), baseline_served, served=True))
    return replace(failure, side=side)


def _not_served(log: ServedLog, place: Place) -> Failure:
    error, output = log.error, log.output
    crashed = bool(_CRASHED.search(error) or _CRASHED.search(output[-_TAIL_CHARACTERS:]))
    told = exceptions_in(_MARKS.sub("", output), by_knowledge(place))
    chain = told.chain or (_in_a_line(output) if crashed else ())
    said = raised_in_words(error)
    ended = ended_by(chain) if chain else said
    if kind_of(ended) == HARDWARE or kind_of(said) == HARDWARE:
        reason = f"asks for hardware that is not here: {ended if chain else error}"
        hint = hint_of_kind(HARDWARE, place, f"{ended.line if chain else ''} {error}")
        return _failure(Category.HARDWARE_UNAVAILABLE, reason, output, hint)
    number = _killed_by(log) if not chain or told.went_on else None
    if number is not None:
        reason = f"{error or 'the server'}: {killed_by(number)}"
        is_memory = number == Signals.SIGKILL
        hint = without_our_limit(hint_of_signal(number)) if is_memory else hint_of_server(place)
        return _failure(Category.SERVER_CRASHED, reason, output, hint, Blame.ENVIRONMENT)
    if not crashed and (log.status == "timeout" or _TIMED_OUT.search(error)):
        hint = "give it more time, or a smaller workload"
        return _failure(Category.BENCHMARK_TIMEOUT, error or "the benchmark took too long", output, hint)
    category = Category.SERVER_CRASHED if crashed else Category.NO_METRICS
    return _ended(category, chain, log, place)


def _killed_by(log: ServedLog) -> int | None:
    """The signal that the evaluation's message or the log's last lines tell of."""
    found = _CODE.search(log.error) or _CODE.search("\n".join(log.output.rstrip().splitlines()[-_LAST_LINES:]))
    code = int(found["code"]) if found else None
    for words in (log.error, _MARKS.sub("", log.output)):
        number = ending_signal(Execution((), Ending.EXITED, code, "", words, 0.0))
        if number is not None:
            return number
    return None


def _in_a_line(output: str) -> tuple[Raised, ...]:
    """The last exception that stands at the beginning of a line of the log's end."""
    found = [
        Raised(short_name(line["type"]), line["message"] or "") for line in _RAISED.finditer(output[-_READ_CHARACTERS:])
    ]
    return tuple(found[-1:])


def _ended(category: Category, chain: Sequence[Raised], log: ServedLog, place: Place) -> Failure:
    error, output = log.error, log.output
    advice = advise(chain or (raised_in_words(error),), place, output)
    blame, hint = _blame(category, chain, log, place), hint_of_server(place)
    reason = error or f"the evaluation calls it {log.status or 'nothing'}"
    if chain:
        reason, hint = f"{reason}: ended in {chain[0]}", hint_of_kind(kind_of(chain[0]), place, chain[0].line)
        reason += f", beneath it {chain[-1]}" if advice is None and len(chain) > 1 else ""
    if advice is not None:
        reason, hint = f"{reason}; {advice.reason}", advice.hint
        blame = Blame.AGENT if blame is Blame.AGENT and advice.blame is not Blame.ENVIRONMENT else advice.blame or blame
    return _failure(category, reason, output, hint, blame, advice.cause if advice else "", chain)


def _blame(category: Category, chain: Sequence[Raised], log: ServedLog, place: Place) -> Blame | None:
    """The agent's, where the server ended after the patch and nothing says that it would have ended without it."""
    error, output = log.error, log.output
    is_patched = place.role is Role.PATCHED and "patch" in f"{error}{output}".lower()
    start = output.rfind(_START)
    traceback = output[start:] if chain and start >= 0 else ""
    if category is Category.SERVER_CRASHED and place.patch_did_it and _is_of_the_package(chain, traceback, place):
        return Blame.AGENT
    if category is not Category.SERVER_CRASHED or not is_patched:
        return Blame.ENVIRONMENT if category is Category.SERVER_CRASHED else default_blame(category)
    patched = [found["file"] for found in _PATCHED_FILE.finditer(output)]
    if any(f"/{file}" in traceback for file in patched):
        return Blame.AGENT
    imports = bool(chain) and kind_of(chain[0]) in ("IMPORT_ERROR", "OOM", "CUDA_ERROR")
    return Blame.ENVIRONMENT if imports else Blame.AGENT


def _is_of_the_package(chain: Sequence[Raised], traceback: str, place: Place) -> bool:
    """Whether the exception came through the measured package, and is none of the machine's."""
    is_ours = bool(chain) and kind_of(chain[0]) not in _OF_THE_MACHINE
    return is_ours and any(f"/{package}/" in traceback for package in place.packages)


def no_numbers(reason: str, side: Role, hint: str) -> Failure:
    """A benchmark that ran, and whose numbers do not make a comparison."""
    return Failure(
        Category.NO_METRICS,
        default_stage(Category.NO_METRICS),
        one_line(reason, _LINE_CHARACTERS),
        side,
        Blame.ENVIRONMENT if side is Role.BASELINE else default_blame(Category.NO_METRICS),
        hint,
        {"cause": "lack numbers of the baseline"} if side is Role.BASELINE else {},
    )


def served_nothing(output: str, side: Role = Role.PATCHED) -> Failure:
    """The client ended well and measured nothing: every request failed, or every number is zero."""
    reason = "the server answered no request: all of them failed, and every number is zero"
    chain = exceptions_in(_MARKS.sub("", output)).chain
    if chain:
        reason += f"; the last exception in its log is {chain[0]}"
        reason += f", beneath it {chain[-1]}" if len(chain) > 1 else ""
    return replace(_failure(Category.SERVER_CRASHED, reason, output, SERVED, Blame.ENVIRONMENT, "", chain), side=side)


def not_supported(reason: str, side: Role = Role.PATCHED) -> Failure:
    """The evaluation gave up: ``reason`` is its status and its own words."""
    cause, hint = next((cause, hint) for pattern, cause, hint in GIVEN_UP if pattern.search(reason))
    return replace(_failure(Category.NO_METRICS, reason, "", hint, Blame.ENVIRONMENT, cause), side=side)


def _failure(
    category: Category,
    reason: str,
    output: str,
    hint: str,
    blame: Blame | None = None,
    cause: str = "",
    chain: Sequence[Raised] = (),
) -> Failure:
    found = {
        "exception": chain[0].type if chain else "",
        "chain": [str(raised) for raised in chain] if len(chain) > 1 else "",
        "cause": cause,
        "stdout": output.strip()[-_TAIL_CHARACTERS:],
    }
    return Failure(
        category,
        default_stage(category),
        one_line(reason, _LINE_CHARACTERS),
        Role.PATCHED,
        blame or default_blame(category),
        one_line(hint, _LINE_CHARACTERS) or None,
        {name: value for name, value in found.items() if value},
    )
