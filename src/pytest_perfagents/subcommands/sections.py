"""The terminal section, printed by commands that have outcomes to show."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click


def show_section(records: Sequence[Mapping[str, Any]], where: str | None) -> None:
    """Print the section as wide as the terminal is; ``where`` the records lie."""
    from pytest_perfagents.report.terminal import Screen, render

    screen = Screen(shutil.get_terminal_size().columns, sys.stdout.isatty(), sys.stdout.encoding or "utf-8")
    click.echo(render(records, screen, where=where), nl=False)
