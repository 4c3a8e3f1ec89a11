"""What the configuration means for confinement: which places are hidden from a side, and which it may write to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_perfagents.backends.interpreter import Interpreter
from pytest_perfagents.gitrepo.clone import git_folders
from pytest_perfagents.model import UsageError
from pytest_perfagents.processes.childenv import passed
from pytest_perfagents.processes.confinement import Reach, cache_folders, holds, reach

if TYPE_CHECKING:
    from pytest_perfagents.config import Config, RepoConfig


def hidden_places(config: Config) -> list[Path]:
    """What measured code has no business with: other trees, results, and the history of every repository."""
    histories = [folder for repo in config.repos.values() for folder in git_folders(repo.path)]
    return [config.cache, config.results, *histories]


def refuse_open_doors(config: Config, repo: RepoConfig) -> None:
    """Raises UsageError where ``writable`` would open what is to be hidden."""
    for folder in repo.writable if config.confine != "off" else ():
        inside = holds(folder, hidden_places(config))
        if inside is not None:
            raise UsageError(
                f"{config.file}: [repos.{repo.name}] writable: {folder} holds {inside}, which measured code must not "
                "reach; name a folder beside it"
            )


def reach_of(repo: RepoConfig, config: Config, tmp: Path, root: Path, interpreter: Interpreter) -> Reach | None:
    """What processes of the workspace ``root`` may reach; None where nothing is to confine them.

    ``tmp`` is the session's folder for rooms. Sessions hide from each other, too: those that are there now, since what
    comes later is in no list.
    """
    if config.confine == "off":
        return None
    hidden = [*hidden_places(config), *tmp.parent.glob("perfagents-*")]
    named = {**passed(os.environ, repo.pass_env), **repo.env}
    caches = [place for place in cache_folders(named) if not holds(place, hidden)]
    shown = [*config.scripts, *interpreter.places, *caches]
    return reach(hidden, shown, [root, *caches, *repo.writable])
