"""``--perf-fail-on``: which outcomes the user wants to see fail. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from pytest_perfagents.diagnosis.taxonomy import pytest_outcome
from pytest_perfagents.model import Category, Change, Outcome, UsageError


def _called(*categories: Category) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.category in categories


def _changed(change: Change) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.comparison is not None and outcome.comparison.change is change


HUMAN_NOT_MEASURED = "the human's side was not measured: "
"""How the flag begins that says so; its category follows."""


def doubts(flags: Sequence[str], protocol: Mapping[str, Any]) -> list[str]:
    """The flags that are a reason to look at the run before its speedup is believed.

    Not those that would stand there whatever the patch does and that leave its speedup what it is: the machine's
    (``gpu`` in the record's protocol), and that the human's side is missing.
    """
    of_the_machine = protocol.get("gpu") or ()
    return [flag for flag in flags if flag not in of_the_machine and not flag.startswith(HUMAN_NOT_MEASURED)]


def _is_flagged(outcome: Outcome) -> bool:
    return outcome.comparison is not None and bool(doubts(outcome.integrity.flags, outcome.protocol))


WORDS: Mapping[str, Callable[[Outcome], bool]] = {
    "improvement": _called(Category.SUCCESS_IMPROVEMENT),
    "regression": _called(Category.SUCCESS_REGRESSION),
    "neutral": _called(Category.SUCCESS_NEUTRAL),
    "inconclusive": _called(Category.SUCCESS_INCONCLUSIVE),
    "faster": _changed(Change.FASTER),
    "slower": _changed(Change.SLOWER),
    "different": _called(Category.EQUIVALENCE_FAILED),
    "tampered": _called(Category.TIMER_TAMPERED),
    "flagged": _is_flagged,
    "failed": lambda outcome: pytest_outcome(outcome.category) == "xfailed",
    "skipped": lambda outcome: pytest_outcome(outcome.category) == "skipped",
    "unmeasured": lambda outcome: not outcome.category.measured,
}
"""The vocabulary. ``faster`` and ``slower`` mean a proven change, also inside the threshold; ``flagged`` is what was
measured and raises `doubts`; ``failed`` is every recorded non-measurement, ``skipped`` what was not applicable,
``unmeasured`` both."""


def parse_gates(values: Iterable[str]) -> frozenset[str]:
    """``["regression,different", "BASELINE_*"]`` as words and category patterns.

    Raises:
        UsageError: a word that is not in `WORDS` and means no category; lists what there is.
    """
    gates: set[str] = set()
    for word in (word.strip() for value in values for word in value.split(",")):
        if not word:
            continue
        if word.lower() in WORDS:
            gates.add(word.lower())
        elif any(fnmatchcase(category, word.upper()) for category in Category):
            gates.add(word.upper())
        else:
            raise UsageError(_unknown(word))
    return frozenset(gates)


def _unknown(word: str) -> str:
    near = get_close_matches(word.lower(), [*WORDS, *(category.lower() for category in Category)], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return (
        f"--perf-fail-on: {word!r} is no outcome; {meant}there are {', '.join(WORDS)}, the categories "
        f"({', '.join(Category)}) and patterns such as BASELINE_*"
    )


def failing(outcome: Outcome, gates: Iterable[str]) -> list[str]:
    """Those of the gates that fail the outcome, sorted; ``gates`` come from `parse_gates`."""
    return sorted(
        gate for gate in gates if (WORDS[gate](outcome) if gate in WORDS else fnmatchcase(outcome.category, gate))
    )


def shown_as(outcome: Outcome, overrides: Mapping[str, str], gates: Iterable[str]) -> str:
    """``passed``, ``skipped``, ``xfailed`` or ``failed``; a gate wins over the configuration."""
    return "failed" if failing(outcome, gates) else pytest_outcome(outcome.category, overrides)
