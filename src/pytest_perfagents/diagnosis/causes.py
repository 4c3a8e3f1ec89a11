"""Failures grouped by cause: "24 runs need transformers", and what mending it would recover."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_perfagents.diagnosis.frames import raised_at
from pytest_perfagents.diagnosis.taxonomy import TABLE
from pytest_perfagents.model import Blame, Category, Failure, Outcome

# Whatever the particulars, these are one cause each: nothing more can be mended by looking closer.
_ALIKE = frozenset({Category.AGENT_NO_PATCH, Category.AGENT_TIMEOUT, Category.OPT_PATH_NOT_HIT})
# Their reason says what the cause's text says, or names the commit, which stands below it.
_TELL_ALL = _ALIKE | {Category.NO_TEST_SCRIPT}
_RECOVERABLE = frozenset({Blame.ENVIRONMENT, Blame.SCRIPT})

# Causes are told as verbs of many ("need transformers"); these change where it is one run.
_SINGULAR = {
    "need": "needs",
    "name": "names",
    "call": "calls",
    "load": "loads",
    "ask": "asks",
    "do": "does",
    "have": "has",
    "time": "times",
    "lack": "lacks",
    "meet": "meets",
}
# What follows is the run's own: it makes no other hint.
_QUOTED = re.compile(r"(?<=its last words were: ).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cause:
    """Runs that failed for one reason. ``runs`` are case ids as given; ``commits`` are theirs, each once.

    ``reasons`` are the failures' own, each once, with the place of an exception; none where ``text`` says as much.
    """

    key: str
    category: Category
    text: str
    hint: str | None
    blame: Blame | None
    runs: tuple[str, ...]
    commits: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def recoverable(self) -> int:
        """How many runs mending the script or the environment could bring back, without the agent."""
        return len(self.runs) if self.blame in _RECOVERABLE else 0


def group_causes(outcomes: Iterable[Outcome]) -> list[Cause]:
    """One ``Cause`` for each reason and what mends it, most runs first; ties by category, key and hint, so that the
    order stands.
    """
    groups: dict[tuple[str, Category, Blame | None, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.failure is not None:
            failure = outcome.failure
            key = (cause_key(failure), failure.category, failure.blame, hint_key(failure.hint))
            groups.setdefault(key, []).append(outcome)
    causes = [_cause(key, members) for (key, *_), members in groups.items()]
    return sorted(causes, key=lambda cause: (-len(cause.runs), cause.category.value, cause.key, cause.hint or ""))


def recoverable(causes: Iterable[Cause]) -> int:
    """How many runs mending scripts and environments could bring back."""
    return sum(cause.recoverable for cause in causes)


def cause_key(failure: Failure) -> str:
    """What failures of one cause share: the cause, or the reason without its numbers, hashes and paths."""
    return key_of_cause(failure.category, failure.evidence.get("cause"), failure.reason)


def key_of_cause(category: Category, told: object, reason: str) -> str:
    """`cause_key` of a failure's parts; ``told`` is its evidence's ``cause``."""
    if isinstance(told, str) and told:
        return told
    return category.value if category in _ALIKE else _without_particulars(reason)


def hint_key(hint: str | None) -> str:
    """What hints that are alike share: what they tell to do, whatever the commit, the path or the number."""
    return _without_particulars(_QUOTED.sub("", hint or ""))


def hints_in_words(hints: Iterable[str | None]) -> str | None:
    """Each thing that ``hints`` tell to do, the most frequent first; of those that are alike one, and how many more."""
    kinds: dict[str, list[str]] = {}
    for hint in hints:
        if hint:
            kinds.setdefault(hint_key(hint), []).append(hint)
    ordered = sorted(kinds.values(), key=len, reverse=True)
    told = [Counter(alike).most_common(1)[0][0] + _more(len(set(alike)) - 1) for alike in ordered]
    return "; or, for others: ".join(told) or None


def _more(count: int) -> str:
    return f" (and {count} more like it)" if count else ""


def _cause(key: str, members: list[Outcome]) -> Cause:
    failures = [member.failure for member in members if member.failure is not None]
    first = failures[0]
    runs = tuple(member.case.id for member in members)
    hints = list(dict.fromkeys(failure.hint for failure in failures if failure.hint))
    hint = f"{hints[0]}{_more(len(hints) - 1)}" if hints else None
    return Cause(
        key=key,
        category=first.category,
        text=cause_in_words(first.category, first.evidence.get("cause"), len(runs)),
        hint=hint,
        blame=first.blame,
        runs=runs,
        commits=tuple(dict.fromkeys(member.case.run.commit.name for member in members)),
        reasons=tuple(dict.fromkeys(filter(None, map(_reason, failures)))),
    )


def _reason(failure: Failure) -> str | None:
    """``baseline ended in ValueError: no (script.py:13)``; None where the cause's text tells it."""
    if failure.evidence.get("cause") or failure.category in _TELL_ALL:
        return None
    place = raised_at(str(failure.evidence.get("traceback") or ""))
    is_new = place is not None and place.partition(":")[0] not in failure.reason
    return f"{failure.reason} ({place})" if is_new else failure.reason


def cause_in_words(category: Category, told: object, count: int) -> str:
    """``24 runs need transformers``; ``told`` is the evidence's ``cause``, or nothing."""
    verb, _, rest = (told if isinstance(told, str) and told else TABLE[category].runs).partition(" ")
    if count == 1:
        verb = _SINGULAR.get(verb, verb)
    return f"{count} run{'' if count == 1 else 's'} {verb} {rest}".rstrip()


def _without_particulars(reason: str) -> str:
    reason = re.sub(r"(?:/[\w.@+-]+)+/?", "<path>", reason)
    reason = re.sub(r"(?<![^\W_])(?=[0-9a-f]*\d)[0-9a-f]{7,40}(?![^\W_])", "<commit>", reason)
    return re.sub(r"\d+(?:\.\d+)?", "<n>", reason)
