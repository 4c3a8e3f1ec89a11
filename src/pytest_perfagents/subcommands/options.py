"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

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
