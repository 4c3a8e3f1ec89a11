"""``perfagents``: what there is, what it left on the disk, and the last results, without pytest."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from pytest_perfagents.config import Config, load_config
from pytest_perfagents.model import UsageError
from pytest_perfagents.report.cells import printable
from pytest_perfagents.subcommands import importing, reporting, showing
from pytest_perfagents.subcommands.options import config_option


class _Commands(click.Group):
    """Whoever reads our output may stop when he has seen enough: that is no failure, of any command."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            told = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return told
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left is flushed at the end
            return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pytest-perfagents")
def commands() -> None:
    """Agents' patches as performance tests; evaluating them is pytest's job: pytest --agent NAME."""


@commands.command()
@config_option
def agents(file: Path) -> None:
    """List the agents that --agent takes, with their runs by repository."""
    from pytest_perfagents.discovery.finding import discover

    runs = discover(load_config(file))
    if not runs:
        click.echo("no runs")
        return
    counts = Counter((run.alias, run.commit.repo) for run in runs)
    width = max(len(alias) for alias, _ in counts)
    for alias in sorted({alias for alias, _ in counts}):
        by_repo = {repo: count for (name, repo), count in sorted(counts.items()) if name == alias}
        details = ", ".join(f"{count} {repo}" for repo, count in by_repo.items())
        click.echo(f"{alias:{width}}  {sum(by_repo.values()):5}  {details}")
    click.echo(f"{len(runs)} runs, commits: {len({run.commit.name for run in runs})}")


@commands.command()
@config_option
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also remove our clones' caches; they are made anew when needed.",
)
def clean(file: Path, everything: bool) -> None:
    """Remove what killed sessions left behind, and say how much disk the cache uses."""
    from pytest_perfagents.gitrepo.worktrees import prune_all
    from pytest_perfagents.processes.leases import sweep

    config = load_config(file)
    before = _size(config.cache)
    sweep(config.cache, prune=prune_all)
    if everything:
        _remove_caches(config)
    after = _size(config.cache)
    click.echo(f"removed {_megabytes(before - after)}; {config.cache} uses {_megabytes(after)}")


def _remove_caches(config: Config) -> None:
    """Our own repositories and the worktrees that hang on them; sessions that are alive keep both."""
    sessions = config.cache / "sessions"
    alive = [folder for folder in sessions.glob("*") if folder.is_dir()]  # the sweep has left no others
    if alive:
        raise UsageError(f"{len(alive)} session(s) use {config.cache}; end them before perfagents clean --all")
    for name in ("repos", "sessions"):
        shutil.rmtree(config.cache / name, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) if folder.is_dir() else 0


def _megabytes(size: int) -> str:
    return f"{max(size, 0) / 1e6:.1f} MB"


commands.add_command(importing.import_)
commands.add_command(reporting.report)
commands.add_command(reporting.compare)
commands.add_command(showing.show)


def main() -> None:
    """The console script; a UsageError is a message and exit status 2, a system that refuses (a full disk) status 1."""
    try:
        commands()
    except UsageError as error:
        click.echo(f"perfagents: {printable(str(error))}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"perfagents: {printable(str(error))}", err=True)
        sys.stdout = None  # what it holds cannot be written, and would be tried again at the end
        sys.exit(1)
