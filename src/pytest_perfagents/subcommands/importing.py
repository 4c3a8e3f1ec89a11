"""``perfagents import``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_perfagents.config import load_config
from pytest_perfagents.model import Outcome, UsageError
from pytest_perfagents.subcommands.options import config_option, is_absent
from pytest_perfagents.subcommands.sections import show_section

if TYPE_CHECKING:
    from pytest_perfagents.records import Json


@click.command("import")
@config_option
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option(
    "--perf-json", "report", type=click.Path(path_type=Path, dir_okay=False), help="Write all to one JSON file."
)
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), help="Store them as a run in this folder.")
@click.option("--run", "name", help="The name of that run; default: the time in UTC.")
@click.pass_context
def import_(
    context: click.Context,
    file: Path,
    folders: tuple[Path, ...],
    report: Path | None,
    results: Path | None,
    name: str | None,
) -> None:
    """Judge recorded evaluations by our rules, and say what was amiss in which file.

    DIR holds test_results.json, run_summary.json or <commit>_agent_result.json files, in any layout. A configuration
    is not needed; one that is there tells the names and packages of repositories.
    """
    from pytest_perfagents.recorded.importing import import_records
    from pytest_perfagents.report.json_report import imported_to_json, write_report
    from pytest_perfagents.report.notes import render_notes
    from pytest_perfagents.store import new_run_name

    config = None if is_absent(context, file) else load_config(file)
    imported = import_records(folders, config)
    records = [_writable(outcome, config.outcomes if config else None) for outcome in imported.outcomes]
    try:
        if results is not None:
            results = results / (name or new_run_name(results))
            _store(results, records)
        if report is not None:
            write_report(report, imported_to_json(records, imported.notes, imported.files))
    except OSError as error:
        raise UsageError(f"{report or results}: {error.strerror}; name another place") from error
    show_section(records, where=str(results) if results else None)
    told = render_notes(imported.notes, imported.files, kept_in=report)
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(told.encode(encoding, "backslashreplace").decode(encoding), nl=False)


def _store(run: Path, records: Iterable[Json]) -> None:
    """Append to the run, as ``--perf-resume`` does; says of one that was there what became of its outcomes."""
    from pytest_perfagents.resultsets import OUTCOMES
    from pytest_perfagents.store import ResultsWriter, load_results

    records = list(records)
    before = load_results(run).records.keys() if any(run.glob(OUTCOMES)) else None
    with ResultsWriter(run) as writer:
        writer.append_all(records)
    if before:
        ids = {record["id"] for record in records}
        replaced, kept = len(before & ids), len(before - ids)
        click.echo(
            f"{run}: this run was there already: {replaced} of its outcomes replaced, {len(ids) - replaced} added, "
            f"{kept} kept; another --run NAME keeps them apart",
            err=True,
        )


def _writable(outcome: Outcome, overrides: Mapping[str, str] | None) -> Json:
    """The outcome as its record; of one that JSON cannot hold, that it met a bug of ours: the others are kept."""
    from pytest_perfagents.diagnosis.failures import harness_error
    from pytest_perfagents.jsontext import json_text
    from pytest_perfagents.records import outcome_to_json

    try:
        record = outcome_to_json(outcome, overrides)
        json_text(record)
    except Exception as error:
        return outcome_to_json(Outcome(outcome.case, None, harness_error(error)), overrides)
    return record
