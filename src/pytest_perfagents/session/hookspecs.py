"""Hooks of ours that a conftest.py or a plugin may implement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pytest_perfagents.model import Case, Outcome
    from pytest_perfagents.session.settings import Settings


class ArenaEvaluator(Protocol):
    """What evaluates the selected runs of one commit together; `harness.Evaluator` is one.

    It may also have ``fingerprint(case)``, which ``--perf-resume`` compares, and ``backend``, which the
    worktree fixtures use.
    """

    def evaluate(self, cases: Sequence[Case], deadline: float) -> dict[str, Outcome]:
        """An outcome for every case id; ``deadline`` is on the monotonic clock, for all cases together."""
        ...


@pytest.hookspec
def pytest_perfagents_prepare(config: pytest.Config, settings: Settings) -> None:
    """Called once per process before the first evaluation: build a repository, start a service."""


@pytest.hookspec(firstresult=True)
def pytest_perfagents_evaluator(config: pytest.Config, settings: Settings, progress: Callable[[str], None]) -> Any:
    """An `ArenaEvaluator` to use instead of git worktrees on this machine, or None.

    ``progress`` shows a line on the terminal for as long as an arena is evaluated.
    """
