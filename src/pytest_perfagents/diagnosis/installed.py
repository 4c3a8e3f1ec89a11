"""What a log tells of the installed packages, beside the exception: it makes the advice on a cause more exact."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_perfagents.diagnosis.types import Advice
from pytest_perfagents.model import Blame

UNMATCHED = "need a torchvision that matches torch"
_READ_CHARACTERS = 400_000

# pip's words for a folder ``~ransformers`` (older: ``-ransformers``) that an interrupted install left behind.
_HALF_REMOVED = re.compile(r"Ignoring invalid distribution (?P<left>[-~][\w.-]*\w)")
# The torch that is there; one that a package asks for (``requires torch==2.4.0``) is another.
_TORCH = re.compile(
    r"(?i)\b(?:you have torch |(?:py)?torch(?:[._ ]version(?:__)?|\.__version__)\W{1,5})"
    r"(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?"
)
_WORD = re.compile(r"[A-Za-z_]\w+")


def with_log(advice: Advice, log: str) -> Advice:
    """``advice`` with what the log adds: a half-removed package, the version of torch."""
    if advice.blame is not Blame.ENVIRONMENT:
        return advice
    log = log[-_READ_CHARACTERS:]
    package, left = _half_removed(advice, log)
    if package:
        hint = (
            f"{package} is half removed (pip says: Ignoring invalid distribution {left}); delete what is left of it "
            f"(~{left[1:]}* in site-packages), then install the same version again: "
            f"pip install --force-reinstall --no-deps {package}"
        )
        return replace(advice, hint=hint, cause=f"have a half-removed {package}")
    if advice.cause == UNMATCHED and (pair := torchvision_of(log)):
        return replace(advice, hint=f'pip install --no-deps "{pair}"')
    return advice


def torchvision_of(log: str) -> str:
    """``torchvision==0.20.1`` for a torch 2.5.1 that the log names; empty where it names none, or an older one.

    Source: the table of pairs in torchvision's README: 0.(N + 15).P goes with torch 2.N.P, but 0.15.2 with 2.0.1 and
    0.15.1 with 2.0.0.
    """
    found = _TORCH.search(log)
    if found is None or found["major"] != "2":
        return ""
    minor, patch = int(found["minor"]), found["patch"]
    if patch is not None and minor == 0:
        patch = str(int(patch) + 1)
    return f"torchvision==0.{minor + 15}.{'*' if patch is None else patch}"


def _half_removed(advice: Advice, log: str) -> tuple[str, str]:
    """The package that ``advice`` speaks of and pip passes over, and what pip calls it."""
    words = {word.replace("_", "-").lower() for word in _WORD.findall(advice.reason)}
    for found in _HALF_REMOVED.finditer(log):
        rest = found["left"][1:].replace("_", "-").lower()
        package = next((word for word in sorted(words) if word[1:] == rest), "")
        if package:
            return package, found["left"]
    return "", ""
