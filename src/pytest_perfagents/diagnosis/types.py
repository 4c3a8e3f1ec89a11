"""What a diagnosis is made from and what it is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_perfagents.diagnosis.patterns import one_line, sought
from pytest_perfagents.model import Blame, Category, Execution, Role, Stage
from pytest_perfagents.parsers.script_output import ScriptReport

_SHOWN_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception: its class without the module, its text, the module that an ImportError names.

    ``bases`` are the names of its classes, its own first; empty where only text is known.
    """

    type: str
    message: str
    module: str | None = None
    bases: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """``Class: text``, of a very long text its beginning and end: what the rules search."""
        return f"{self.type}: {sought(self.message)}"

    def __str__(self) -> str:
        shown = one_line(self.message, _SHOWN_CHARACTERS)
        return f"{self.type}: {shown}" if self.type and shown else self.type or shown


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a side that failed; every part may be missing.

    ``error`` is the worker's (``type``, ``message``, ``module``, ``bases``, ``code``, ``traceback``, ``chain``
    deepest last); where there is one, it decides, and ``execution`` shows what was printed until then.
    ``swallowed`` maps modules that the script names to the error, of the same shape, that importing them gave
    and the script kept to itself. ``stage`` is where the harness was; ``baseline_worked`` whether the
    unpatched side ran here. A ``report`` that is not given is looked for in the execution's output.
    """

    execution: Execution | None = None
    error: Mapping[str, Any] | None = None
    report: ScriptReport | None = None
    stage: Stage | None = None
    swallowed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline_worked: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened: the side, the repository's name in the configuration, its measured packages.

    ``served`` is a benchmark of a server: there is no perf script, and nobody here runs it.
    """

    role: Role
    repo: str
    packages: tuple[str, ...]
    baseline_worked: bool = True
    served: bool = False

    @property
    def patch_did_it(self) -> bool:
        """Whether the baseline ran where this side did not."""
        return self.role is Role.PATCHED and self.baseline_worked

    def measures(self, module: str) -> bool:
        """Whether ``module`` belongs to a measured package."""
        return module.split(".")[0] in self.packages

    def category(self, kind: str) -> Category:
        """``OOM`` is ``BASELINE_OOM`` or ``PATCHED_OOM``."""
        return Category.for_side(self.role, kind)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a cause means and what to do. ``reason`` follows the side's name; ``cause`` follows "24 runs".

    ``blame`` overrides the table's on a side without a patch, and with ``whoever`` on every side; ``module`` is what
    is missing.
    """

    reason: str
    hint: str
    cause: str
    blame: Blame | None = None
    module: str | None = None
    whoever: bool = False


Advise = Callable[[re.Match[str], Place], Advice]
Rule = tuple[re.Pattern[str], Advise]


def fixed(reason: str, hint: str, cause: str, blame: Blame = Blame.ENVIRONMENT, *, whoever: bool = False) -> Advise:
    """Advice in words that stand; ``{name}`` in them is the pattern's group, ``{repo}`` the repository."""

    def advice(found: re.Match[str], place: Place) -> Advice:
        words = {key: value or "" for key, value in found.groupdict().items()} | {"repo": place.repo}
        return Advice(reason.format(**words), hint.format(**words), cause.format(**words), blame, whoever=whoever)

    return advice


@dataclass(frozen=True, slots=True)
class Facts:
    """The evidence, read: what was raised (deepest last), what the script reported, which signal ended it.

    ``names_in`` gives the names that a Python source binds. ``others`` were raised in one group with ``raised``;
    ``went_on`` is whether the program was at work after what was raised.
    """

    evidence: Evidence
    place: Place
    report: ScriptReport | None
    raised: tuple[Raised, ...]
    signal: int | None
    names_in: Callable[[str], Collection[str]]
    others: tuple[Raised, ...] = ()
    went_on: bool = False

    @property
    def execution(self) -> Execution | None:
        """How the process ran and ended."""
        return self.evidence.execution

    @property
    def program(self) -> tuple[str, ...]:
        """The script that ran as a program, as a person would type it. Our worker, whose specification comes last in
        its command, is none.
        """
        command = self.execution.command if self.execution is not None else ()
        return () if command and command[-1].startswith("{") else command

    @property
    def log(self) -> str:
        """All that was printed."""
        return f"{self.execution.stderr}\n{self.execution.stdout}" if self.execution is not None else ""

    @property
    def left(self) -> bool:
        """Whether the script ended itself by ``sys.exit``."""
        return bool(self.raised) and self.raised[0].type == "SystemExit"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer. ``reason`` follows the side's name; ``chain`` is what was said, deepest last.

    ``advice`` is what is known of the cause: it comes before ``reason``, and its hint before ``hint``.
    """

    category: Category
    reason: str
    chain: tuple[Raised, ...] = ()
    advice: Advice | None = None
    hint: str = ""
    blame: Blame | None = None
