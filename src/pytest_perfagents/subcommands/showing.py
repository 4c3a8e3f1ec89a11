"""``perfagents show``: the section again, or one run explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_perfagents.config import Config, load_config
from pytest_perfagents.model import UsageError
from pytest_perfagents.subcommands.options import config_option, is_absent
from pytest_perfagents.subcommands.sections import screen_here, show_results

if TYPE_CHECKING:
    from pytest_perfagents.analysis.entries import Entry
    from pytest_perfagents.report.explanation.types import Explained

FORMATS = ("terminal", "json")
PATCHES = ("short", "full", "none")
MOST_LISTED = 40


@click.command()
@click.argument("words", nargs=-1, metavar="[COMMIT] [RESULTS]...")
@click.option("--agent", "agents", multiple=True, help="Runs of these agents; globs, comma lists, as pytest's --agent.")
@click.option("--run", "name", help="Only this run of the results folder.")
@click.option("--all", "everything", is_flag=True, help="Explain each of several runs, and do not list them.")
@click.option("--patch", type=click.Choice(PATCHES), default="short", show_default=True, help="How much of the patch.")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="terminal", show_default=True, help="How to show it."
)
@config_option
@click.pass_context
def show(
    context: click.Context,
    words: tuple[str, ...],
    agents: tuple[str, ...],
    name: str | None,
    everything: bool,
    patch: str,
    kind: str,
    file: Path,
) -> None:
    """Explain one run: its verdict or its failure, its samples, its patch, and the command that repeats it.

    COMMIT is the beginning of a human commit's hash, or a whole run's id. RESULTS are results folders, a run's folder
    or --perf-json files; default: the results of the configuration. Of several outcomes of a run the last one counts.
    Several runs are listed. With neither COMMIT nor --agent the terminal section is shown again, of a folder of runs
    that of the latest one, and what --perf-calibrate has found.
    """
    from pytest_perfagents.subcommands.choosing import choose, wanted

    want = wanted(words, agents)
    config = _config(context, file, is_needed=not want.places)
    places = _places(want.places or (config.results,), name)
    if not (want or everything or kind == "json"):
        for place in places:
            show_results(place)
        return
    from pytest_perfagents.subcommands.reading import results_at

    found = results_at(places)
    for damage in found.damaged:
        click.echo(f"perfagents: damaged and left out: {damage}", err=True)
    chosen = choose(found.entries, want, config)
    if kind == "json":
        _print_json(places, chosen, file)
    elif len(chosen) == 1 or everything:
        _explain(places, chosen, file, patch)
    else:
        _list(chosen)


def _config(context: click.Context, file: Path, *, is_needed: bool) -> Config:
    """The configuration; where results are named and nobody named it, it need not be there: no alias is known then."""
    if is_needed or not is_absent(context, file):
        return load_config(file)
    here = Path.cwd()
    return Config(here / file.name, {}, (), (), here / "results", here / ".perfagents")


def _places(places: Sequence[Path], name: str | None) -> list[Path]:
    from pytest_perfagents.store import known_run

    return [place / known_run(place, name) for place in places] if name else list(places)


def _list(chosen: Sequence[Entry]) -> None:
    """Two lines for each run: its id, which `show` takes, and what became of it."""
    from pytest_perfagents.report.cells import clean

    for entry in chosen[:MOST_LISTED]:
        click.echo(f"{clean(entry.id)}\n    {entry.category}: {clean(entry.reason)}")
    if len(chosen) > MOST_LISTED:
        click.echo(f"... and {len(chosen) - MOST_LISTED} more")
    click.echo(f"{len(chosen)} runs; perfagents show ID explains one, --agent NAME chooses, --all explains all")


def _explain(places: Sequence[Path], chosen: Sequence[Entry], file: Path, patch: str) -> None:
    from pytest_perfagents.report.explanation.page import explain

    for number, each in enumerate(_explained(places, chosen, file)):
        click.echo("\n" * bool(number) + explain(each, screen_here(), patch=patch), nl=False)


def _print_json(places: Sequence[Path], chosen: Sequence[Entry], file: Path) -> None:
    from pytest_perfagents.report.explanation.data import explanations_to_json

    click.echo(explanations_to_json(_explained(places, chosen, file)), nl=False)


def _explained(places: Sequence[Path], chosen: Sequence[Entry], file: Path) -> list[Explained]:
    from pytest_perfagents.records import UNREADABLE, outcome_from_json
    from pytest_perfagents.report.explanation.patchtext import read_patch_text
    from pytest_perfagents.report.explanation.types import Explained
    from pytest_perfagents.resultsets import read_whole
    from pytest_perfagents.subcommands.again import again

    explained = []
    for run, whole in read_whole(places, {entry.id for entry in chosen}).items():
        try:
            outcome = outcome_from_json(whole.record)
        except UNREADABLE as error:
            raise UsageError(
                f"{whole.file}: the outcome of {run} is none of this version's ({type(error).__name__}: {error}); "
                "evaluate the run again"
            ) from error
        patch = read_patch_text(outcome)
        explained.append(
            Explained(outcome, whole.record, whole.file, whole.replaced, patch, again(outcome, whole.record, file))
        )
    return sorted(explained, key=lambda each: each.outcome.case.id)
