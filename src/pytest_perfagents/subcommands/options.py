"""Options that several commands have, and what stands for a configuration that need not be there."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from pytest_perfagents.session.naming import CONFIG_NAME

config_option = click.option(
    "--config",
    "-c",
    "file",
    default=CONFIG_NAME,
    envvar="PERFAGENTS_CONFIG",
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="The configuration file.",
)


def is_named(context: click.Context) -> bool:
    """Whether somebody named a configuration."""
    return context.get_parameter_source("file") is not ParameterSource.DEFAULT


def is_absent(context: click.Context, file: Path) -> bool:
    """Whether nobody named a configuration and there is none here."""
    return not is_named(context) and not file.exists()
