"""One run on one screen: what was evaluated, what came out, how far to trust it, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.model import Category
from pytest_perfagents.report.consoles import Screen, console_for, text_of
from pytest_perfagents.report.explanation.head import head_part
from pytest_perfagents.report.explanation.integrity import integrity_part
from pytest_perfagents.report.explanation.parts import heading, whole
from pytest_perfagents.report.explanation.patch import patch_part
from pytest_perfagents.report.explanation.sides import sides_part
from pytest_perfagents.report.explanation.starts import starts_part
from pytest_perfagents.report.explanation.trouble import trouble_part
from pytest_perfagents.report.explanation.types import Again, Explained
from pytest_perfagents.report.explanation.verdict import verdict_part
from pytest_perfagents.report.terminal import STYLES


def explain(told: Explained, screen: Screen, *, patch: str = "short") -> str:
    """The text; ``patch`` says how much of it is shown: ``short``, ``full`` or ``none``."""
    console = console_for(screen)
    for part in _parts(told, console.width, patch):
        stays_whole = isinstance(part, Text) and part.no_wrap is True
        console.print(part, soft_wrap=stays_whole)
    return text_of(console, screen)


def _parts(told: Explained, width: int, patch: str) -> Iterator[RenderableType]:
    outcome = told.outcome
    yield from head_part(told, _style(outcome.category))
    yield from verdict_part(outcome)
    yield from trouble_part(outcome)
    yield from sides_part(outcome)
    yield from starts_part(outcome, width)
    yield from integrity_part(outcome)
    yield from patch_part(told.patch, patch)
    yield from _again_part(told.again)


def _style(category: Category) -> str:
    return STYLES.get(category, "" if category.measured else "yellow")


def _again_part(again: Again) -> Iterator[RenderableType]:
    yield from heading("Again")
    if again.note:
        yield Text(again.note)
    if again.command:
        yield whole(again.command)
