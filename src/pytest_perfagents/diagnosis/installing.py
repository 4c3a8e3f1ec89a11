"""What pip and the versions of packages say when they do not fit: tables of advice."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.types import Advice, Facts, Finding, Place, Rule, fixed
from pytest_perfagents.model import Blame, Category, Role

_BUILT_APART = re.compile(r"(?i)(?:flash[-_]attn|mamba[-_]ssm|causal[-_]conv1d|xformers|apex)\b")

WANTED: tuple[Rule, ...] = (
    (
        re.compile(r"(?P<wanted>[\w.-]+[<>=!~]=?[\w.,<>=!~*]*) is required for a normal functioning of this module"),
        fixed("needs {wanted}", 'pip install "{wanted}"', "need {wanted}"),
    ),
    (
        either(
            r"has been moved to the `pydantic-settings` package",
            r"PydanticUserError: `\w+` is removed",
        ),
        fixed("was written for pydantic 1", 'pip install "pydantic<2"', "need pydantic 1"),
    ),
)
"""Packages whose version an exception asks for."""


def _not_built(found: re.Match[str], place: Place) -> Advice:
    packages = (found["wheels"] or found["one"]).strip()
    cause = f"need a wheel of {packages}"
    hint = f"see in pip's output, above, why {packages} was not built; a wheel of the commit's day needs no build"
    if _BUILT_APART.search(packages):
        hint = f"pip install --no-build-isolation {packages} (its build asks for the torch that is installed)"
    return Advice(f"could not install {packages}: pip did not build it", hint, cause, Blame.ENVIRONMENT)


PIP: tuple[Rule, ...] = (
    (
        either(
            r"ERROR: Failed to build installable wheels[^\n(]*\((?P<wheels>[^)\n]+)\)",
            r"ERROR: (?:Could not build wheels for|Failed building wheel for) (?P<one>[\w.-]+)",
        ),
        _not_built,
    ),
    (
        re.compile(r"ERROR: No matching distribution found for (?P<wanted>[^\s(]+)"),
        fixed(
            "could not install {wanted}: pip finds no such version for this Python and machine",
            "take a version that pip names (pip index versions), or the Python of the commit's day (python of "
            "[repos.{repo}])",
            "need {wanted}",
        ),
    ),
    (
        re.compile(r"ERROR: ResolutionImpossible|conflicting dependencies"),
        fixed(
            "could not install its packages: their versions exclude each other",
            "loosen the pins that pip names above its last line, or install those packages with --no-deps",
            "need versions that do not exclude each other",
        ),
    ),
    (
        re.compile(r"externally-managed-environment"),
        fixed(
            "may not install into the system's Python",
            "make a virtual environment and use its Python (python of [repos.{repo}])",
            "need a Python that packages can be installed into",
        ),
    ),
)
"""Lines of pip, where a run ended at its installing."""

_READ_CHARACTERS = 100_000


def pip_failed(facts: Facts) -> Finding | None:
    """The run installs packages, and pip could not: its words tell more than those of the build that it ran."""
    execution = facts.execution
    is_other = bool(facts.raised) and facts.raised[0].type != "CalledProcessError"
    if execution is None or execution.code == 0 or facts.evidence.error is not None or is_other:
        return None
    text = f"{execution.stdout}\n{execution.stderr}"[-_READ_CHARACTERS:]
    for pattern, advise in PIP:
        if found := pattern.search(text):
            place = facts.place
            category = place.category("IMPORT_ERROR") if place.role is Role.PATCHED else Category.TEST_IMPORT_ERROR
            return Finding(category, f"says: {found[0]}", facts.raised, advise(found, place))
    return None
