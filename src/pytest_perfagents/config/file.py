"""``perfagents.toml`` as a whole."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from pytest_perfagents.config.kinds import folder, place
from pytest_perfagents.config.protocol import ProtocolConfig, take_protocol
from pytest_perfagents.config.repos import RepoConfig, take_repos
from pytest_perfagents.model import PYTEST_OUTCOMES, Category, UsageError
from pytest_perfagents.prices import Price, take_prices
from pytest_perfagents.tables import Table, many, number, one_of, text

CONFINE = ("auto", "off")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. All paths are absolute; ``outcomes`` maps a category to what pytest shows for it, and
    ``prices`` a model to what its tokens cost.

    ``confine``: ``auto`` keeps measured code from other trees and processes where the kernel can, ``off`` does not.
    """

    file: Path
    repos: Mapping[str, RepoConfig]
    runs: tuple[Path, ...]
    scripts: tuple[Path, ...]
    results: Path
    cache: Path
    timeout_s: float = 600.0
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    disk_gb: float = 20.0
    confine: str = "auto"
    prices: Mapping[str, Price] = field(default_factory=dict)


_TABLES = {
    "perfagents": "[perfagents]",
    "protocol": "[perfagents.protocol]",
    "prices": "[perfagents.prices.<model>]",
    "repos": "[repos.<name>]",
    "aliases": "[aliases]",
    "outcomes": "[outcomes]",
}


def _places() -> dict[str, str]:
    """Every key and table of the file, and where it belongs: ``'measure_s' of [perfagents.protocol]``."""
    places = {
        each.name: f"{each.name!r} of {table}"
        for table, kind_of in (
            ("[perfagents]", Config),
            ("[repos.<name>]", RepoConfig),
            (_TABLES["protocol"], ProtocolConfig),
            (_TABLES["prices"], Price),
        )
        for each in fields(kind_of)
    }
    return {name: place for name, place in places.items() if name not in ("file", "name")} | _TABLES


_PLACES = _places()


def load_config(file: Path) -> Config:
    """Reads and validates the whole file; relative paths in it are relative to its folder.

    Raises:
        UsageError: a line for every problem, which names file, table, key and the nearest spelling.
    """
    shown = _shown(file)
    problems: list[str] = []
    config = _config(file.absolute(), Table("", _parse(file, shown), problems, places=_PLACES))
    if problems:
        raise UsageError("\n".join(f"{shown}: {problem}" for problem in problems))
    return config


def _shown(file: Path) -> str:
    """The file as a person would type it."""
    absolute, here = file.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _parse(file: Path, shown: str) -> dict[str, Any]:
    content = ""
    try:
        content = file.read_text(encoding="utf-8-sig")
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        last = f"at line {content.rstrip().count(chr(10)) + 1}, the last"
        raise UsageError(f"{shown}: not valid TOML: {str(error).replace('at end of document', last)}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise UsageError(
            f"{shown}: cannot be read: {error.strerror}; name another with --perf-config, or -c of perfagents"
        ) from None


def _config(file: Path, top: Table) -> Config:
    base = file.parent.resolve()
    main = top.table("perfagents", needed=True)
    at, folders = partial(place, base), partial(many, partial(folder, base))
    config = Config(
        file=file,
        repos=take_repos(top.table("repos"), base),
        runs=main.need("runs", folders('["state/runs"]'), (), '["state/runs"]'),
        scripts=main.need("scripts", folders('["test_scripts"]'), (), '["test_scripts"]'),
        results=main.take("results", at, base / "results"),
        cache=main.take("cache", at, base / ".perfagents"),
        timeout_s=main.take("timeout_s", number(0, open_low=True), 600.0),
        disk_gb=main.take("disk_gb", number(0, open_low=True), 20.0),
        confine=main.take("confine", one_of(CONFINE), "auto"),
        protocol=take_protocol(main.table("protocol")),
        prices=take_prices(main.table("prices")),
        aliases=_aliases(top.table("aliases")),
        outcomes=_outcomes(top.table("outcomes")),
    )
    main.close()
    top.close()
    return config


def _aliases(table: Table) -> dict[str, tuple[str, ...]]:
    words = many(text, '["trae/claude-*", "codex_gpt5"]', least=1)
    return {name: table.take(name, words, ()) for name in table.values}


def _outcomes(table: Table) -> dict[str, str]:
    for category in Category:
        table.take(category.value, one_of(PYTEST_OUTCOMES), "")
    table.close()
    return {name: value for name, value in table.values.items() if value in PYTEST_OUTCOMES}
