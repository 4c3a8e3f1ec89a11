"""The terminal section, printed by commands that have outcomes to show."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_perfagents.model import UsageError

if TYPE_CHECKING:
    from pytest_perfagents.report.consoles import Screen


def screen_here() -> Screen:
    """The terminal, or 80 columns without colours where the output goes elsewhere."""
    from pytest_perfagents.report.consoles import Screen

    if sys.stdout is None:
        raise UsageError(
            "standard output is closed, and there is no other place for what is asked; open it, or use > FILE"
        )
    return Screen(shutil.get_terminal_size().columns, sys.stdout.isatty(), sys.stdout.encoding or "utf-8")


def show_section(records: Sequence[Mapping[str, Any]], where: str | None) -> None:
    """Print the section as wide as the terminal is; ``where`` the records lie."""
    from pytest_perfagents.report.terminal import render

    click.echo(render(records, screen_here(), where=where), nl=False)


def show_results(results: Path) -> None:
    """Print the section of a run's folder, of the latest run in a folder of runs, or of a ``--perf-json`` file; of a
    folder of runs also what ``--perf-calibrate`` has found.
    """
    from pytest_perfagents.calibrations import load_calibrations, newest
    from pytest_perfagents.report.calibration import render_calibrations
    from pytest_perfagents.store import latest_run, load_results

    calibrations = newest(load_calibrations(results))
    if calibrations:
        click.echo(render_calibrations(calibrations))
    if results.is_dir() and not any(results.glob("outcomes*.jsonl")):
        run = latest_run(results)
        if run is None and calibrations:
            return
        results = results / (run or "")
    stored = load_results(results)
    records = [stored.records[case] for case in stored.outcomes()]
    show_section(records, where=str(results))
    damaged = stored.damaged + len(stored.records) - len(records)
    if damaged:
        click.echo(f"{damaged} unfinished or damaged outcome(s) passed over", err=True)
