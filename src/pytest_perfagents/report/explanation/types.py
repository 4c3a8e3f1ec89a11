"""What is known of a run that is to be explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_perfagents.model import Outcome


@dataclass(frozen=True, slots=True)
class PatchText:
    """The run's patch as it is now: ``text`` is None where there is none to show, ``file`` where none is known to be.

    ``state`` says whether it is what was evaluated, and ``is_doubtful`` where it is known not to be.
    """

    file: Path | None
    state: str
    text: str | None = None
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The command that repeats the run; ``note`` says what to know of it, or why there is none."""

    command: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """An outcome, the ``record`` and the ``file`` that it was read from, and how many others of the run it replaces."""

    outcome: Outcome
    record: Mapping[str, Any]
    file: Path
    replaced: int
    patch: PatchText
    again: Again
