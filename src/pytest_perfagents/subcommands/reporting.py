"""``perfagents report`` and ``perfagents compare``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_perfagents.model import UsageError
from pytest_perfagents.subcommands.options import config_option
from pytest_perfagents.subcommands.pricing import config_of, price_finder
from pytest_perfagents.subcommands.reading import refuse_twice, results_at
from pytest_perfagents.subcommands.sections import screen_here

if TYPE_CHECKING:
    from pytest_perfagents.analysis.entries import Entry
    from pytest_perfagents.analysis.tables import Document, Table
    from pytest_perfagents.resultsets import ResultSet

FORMATS = ("terminal", "markdown", "json", "csv")
MOST_DAMAGE = 10
MOST_OVERLAPS = 10
Command = TypeVar("Command", bound=Callable[..., Any])


def _options(command: Command) -> Command:
    """The options that both commands have."""
    for option in (
        click.option(
            "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the bootstrap intervals."
        ),
        click.option(
            "--rows",
            default=20,
            show_default=True,
            type=click.IntRange(min=0),
            help="Rows shown of a long table; 0: all.",
        ),
        click.option(
            "--format",
            "kind",
            type=click.Choice(FORMATS),
            default="terminal",
            show_default=True,
            help="How to show it.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("results", nargs=-1, type=click.Path(path_type=Path))
@click.option("--by", default="", help="Adds a table grouped by agent, model, repo, commit, category, blame.")
@_options
@config_option
def report(results: Sequence[Path], by: str, kind: str, rows: int, seed: int, file: Path) -> None:
    """What became of the runs: counts, rates, scores, speedups, every failure, and what to do next.

    RESULTS are results folders, runs' folders or --perf-json files; default: the results of the configuration. Of
    several outcomes of a run the last one counts. The configuration tells what tokens cost. CSV is the table of
    --by, or has a row for each run.
    """
    from pytest_perfagents.analysis import reporting
    from pytest_perfagents.analysis.rates import group_table
    from pytest_perfagents.report.data import outcomes_table

    keys = _keys(by)
    config = config_of(file, needed=not results)
    found = results_at(results or ([config.results] if config else []))
    price_of = price_finder(config.prices if config else {})
    if kind == "csv":
        _say_damage([found])
        _print_csv(group_table(found.entries, keys, price_of) if keys else outcomes_table(found.entries, price_of))
        return
    _print(reporting.report(found.entries, by=keys, seed=seed, price_of=price_of), {"all": found}, kind, rows)


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--by", default="", help="Compares agents (agent), models (model) or repositories (repo) of all RESULTS.")
@_options
def compare(results: Sequence[Path], by: str, kind: str, rows: int, seed: int) -> None:
    """Result sets beside each other: a rerun against its original, or agents on the same commits.

    With two or more RESULTS each is a side, and a later one is taken for a rerun of an earlier one where they have
    tasks (repository, commit, agent with model) in common. With --by the sides are the agents, models or repositories.
    CSV is the table of the sides.
    """
    from pytest_perfagents.analysis.comparing import comparison, side_table

    sets: dict[str, ResultSet]
    if by:
        sets = {"all": results_at(results)}
        sides = _split(sets["all"].entries, by)
    else:
        refuse_twice(results)
        sets = {name: results_at([path]) for name, path in _named(results).items()}
        sides = {name: found.entries for name, found in sets.items()}
    if len(sides) < 2:
        raise UsageError("there is only one side to compare; name two result sets, or use --by agent, model or repo")
    if kind == "csv":
        _say_damage(list(sets.values()))
        _print_csv(side_table(sides, seed=seed))
        return
    _print(comparison(sides, reruns=not by, seed=seed), sets, kind, rows)


def _keys(by: str) -> list[str]:
    from pytest_perfagents.analysis.rates import KEYS

    keys = [key.strip() for key in by.split(",") if key.strip()]
    for key in keys:
        if key not in KEYS:
            raise UsageError(f"--by: there is no {key!r}; there are {', '.join(KEYS)}")
        if keys.count(key) > 1:
            raise UsageError(f"--by: {key} is named twice; name each once")
    return keys


def _split(entries: Sequence[Entry], by: str) -> dict[str, Sequence[Entry]]:
    from pytest_perfagents.analysis.entries import grouped, most_first

    keys: Mapping[str, Callable[[Entry], str]] = {
        "agent": lambda entry: entry.who,
        "model": lambda entry: entry.model,
        "repo": lambda entry: entry.repo,
    }
    if by not in keys:
        raise UsageError(f"--by: compare has no {by!r}; there are {', '.join(keys)}")
    return dict(most_first(grouped(entries, keys[by])))


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """The sets by the last part of their paths, or by the whole path where that would not tell them apart."""
    names = [path.resolve().name for path in paths]
    return {name if names.count(name) == 1 else str(path): path for name, path in zip(names, paths, strict=True)}


def _print(document: Document, sets: Mapping[str, ResultSet], kind: str, rows: int) -> None:
    from pytest_perfagents.report.data import to_json
    from pytest_perfagents.report.markdown import to_markdown
    from pytest_perfagents.report.screens import to_screen

    _say_damage(list(sets.values()))
    if kind == "json":
        click.echo(to_json(document, {"read": {name: _facts(found) for name, found in sets.items()}}), nl=False)
        return
    document = _with_sources(document, sets)
    if kind == "markdown":
        click.echo(to_markdown(document, rows=rows), nl=False)
        return
    click.echo(to_screen(document, screen_here(), rows=rows), nl=False)


def _facts(found: ResultSet) -> dict[str, Any]:
    damaged = [{"file": each.file, "place": each.place, "problem": each.problem} for each in found.damaged]
    overlaps = [{"file": each.file, "by": each.by, "count": each.count} for each in found.overlaps]
    counts = {"files": found.files, "outcomes": found.read, "replaced": found.replaced}
    return {**counts, "overlaps": overlaps, "damaged": damaged}


def _with_sources(document: Document, sets: Mapping[str, ResultSet]) -> Document:
    """What was read goes first: a reader must see what is not in the tables."""
    from pytest_perfagents.analysis.tables import Document, Kind, Section, table

    lines = [
        line if len(sets) == 1 else f"{name}: {line}"
        for name, found in sets.items()
        for line in (found.line, *_overlap_lines(found))
    ]
    rows = [(each.file, each.place, each.problem) for found in sets.values() for each in found.damaged]
    columns = {"file": Kind.CODE, "line": Kind.COUNT, "problem": Kind.TEXT}
    tables = (table("Damaged", columns, rows, what="damaged lines"),) if rows else ()
    return Document(document.title, (Section("Read", tuple(lines), tables), *document.sections))


def _overlap_lines(found: ResultSet) -> list[str]:
    """Which file's outcomes stand where several files have some of one run."""
    lines = [str(each) for each in found.overlaps[:MOST_OVERLAPS]]
    if len(found.overlaps) > MOST_OVERLAPS:
        lines.append(f"... {len(found.overlaps) - MOST_OVERLAPS} more pairs of files; --format json has all")
    if lines:
        lines.append("What was recorded last stands; where that is not known, or the same, what was named last.")
    return lines


def _say_damage(sets: Sequence[ResultSet]) -> None:
    from pytest_perfagents.report.cells import clean

    damaged = [each for found in sets for each in found.damaged]
    for each in damaged[:MOST_DAMAGE]:
        click.echo(f"perfagents: damaged and left out: {clean(str(each))}", err=True)
    if len(damaged) > MOST_DAMAGE:
        click.echo(f"perfagents: {len(damaged) - MOST_DAMAGE} more damaged lines left out", err=True)


def _print_csv(table: Table) -> None:
    from pytest_perfagents.report.data import to_csv

    click.echo(to_csv(table), nl=False)
