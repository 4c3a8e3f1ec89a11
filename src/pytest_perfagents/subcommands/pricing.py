"""The configuration's prices, for reports: which one is a run's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_perfagents.config import Config, load_config
from pytest_perfagents.model import UsageError
from pytest_perfagents.prices import Price
from pytest_perfagents.subcommands.options import is_absent, is_named

if TYPE_CHECKING:
    from pytest_perfagents.analysis.entries import Entry


def config_of(file: Path, *, needed: bool) -> Config | None:
    """The configuration; None where nobody named one, and there is none here, or none that can be read.

    Raises:
        UsageError: it is ``needed`` or was named, and cannot be read.
    """
    context = click.get_current_context()
    if is_absent(context, file):
        if needed:
            raise UsageError(
                f"{file}: there is no configuration here, whose results would be taken; name one with -c FILE, or name "
                f"RESULTS: perfagents {context.info_name} RESULTS"
            )
        return None
    try:
        return load_config(file)
    except UsageError as error:
        if needed or is_named(context):
            raise
        click.echo(f"perfagents: no prices, for the configuration cannot be read: {error}", err=True)
        return None


def price_finder(prices: Mapping[str, Price]) -> Callable[[Entry], Price | None]:
    """Which price is a run's: that of its agent with its model, else that of its model, in any spelling of these.

    Raises:
        UsageError: two of the names mean the same.
    """
    named: dict[str, str] = {}
    for name in prices:
        other = named.setdefault(_key(name), name)
        if other != name:
            raise UsageError(f"[perfagents.prices]: {other!r} and {name!r} are one model; keep one of them")

    @lru_cache(maxsize=4096)
    def price(agent: str, model: str) -> Price | None:
        known = named.get(_key(f"{agent}/{model}")) or named.get(_key(model))
        return prices[known] if known is not None else None

    return lambda entry: price(entry.agent, entry.model)


def _key(name: str) -> str:
    """``trae/gpt5`` or ``gpt5``, for any spelling of the model."""
    from pytest_perfagents.discovery.aliases import short_model

    agent, slash, model = name.lower().rpartition("/")
    return f"{agent}{slash}{short_model(model) or model}"
