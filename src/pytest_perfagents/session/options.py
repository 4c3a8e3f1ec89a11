"""Our options, and where the configuration comes from: command line over environment over ini."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents.config import COUNTERS, MODES
from pytest_perfagents.model import Role
from pytest_perfagents.session.naming import CONFIG_NAME

GROUP = "perfagents"
_SELECTING = ("perf_agent", "perf_model", "perf_commit", "perf_repo")


def add_options(parser: pytest.Parser) -> None:
    """Everything but the alias ``--agent``, which `add_alias` adds once all plugins are known."""
    group = parser.getgroup(GROUP, "agents' patches as performance tests (pytest-perfagents)")
    for name, help_ in (
        ("agent", "agents to evaluate, as trae_sonnet45, trae/claude-*, codex*; also spelled --agent"),
        ("model", "models to evaluate"),
        ("commit", "human commits to evaluate, full or abbreviated"),
        ("repo", "repositories to evaluate"),
    ):
        words = f"{help_} (repeatable, comma lists)"
        group.addoption(f"--perf-{name}", action="append", default=[], metavar="NAMES", help=words)
    group.addoption("--perf-config", metavar="FILE", help=f"the configuration; default: <rootdir>/{CONFIG_NAME}")
    _add_protocol_options(group)
    _add_result_options(group)
    parser.addini("perfagents_config", f"the configuration file, default {CONFIG_NAME} in the rootdir", default="")


def _add_protocol_options(group: Any) -> None:
    add = group.addoption
    add("--perf-mode", choices=MODES, help="how scripts are run; default: what each script offers")
    add(
        "--perf-sides",
        type=_sides,
        metavar="LIST",
        help="baseline,patched to leave out the human; default: baseline,human,patched",
    )
    add("--perf-threshold", type=_share, metavar="SHARE", help="smallest change with a name; default 0.05")
    add(
        "--perf-budget",
        type=_seconds,
        metavar="SECONDS",
        help="time for measuring two sides of a commit; half as much again for each further side",
    )
    add("--perf-timeout", type=_seconds, metavar="SECONDS", help="time limit of one side of one run")
    add("--perf-counter", choices=COUNTERS, help="count instructions, too: a second opinion that breaks ties")
    add(
        "--perf-calibrate",
        action="store_true",
        default=False,
        help="measure the selected commits' baselines against themselves: noise floor and smallest detectable effect",
    )
    add("--perf-seed", type=int, metavar="NUMBER", help="seed of everything that is random")


def _add_result_options(group: Any) -> None:
    add = group.addoption
    add("--perf-json", metavar="FILE", help="write all outcomes to one JSON file")
    add(
        "--perf-fail-on",
        action="append",
        default=[],
        metavar="LIST",
        help="outcomes that fail the test: regression, different, slower, flagged, failed, …, or categories",
    )
    add(
        "--perf-resume",
        nargs="?",
        const=True,
        metavar="RUN",
        help="keep what the latest run (or the one named) has done, and go on in it",
    )
    add(
        "--perf-replay",
        action="append",
        default=[],
        metavar="DIR",
        help="recorded evaluations (repeatable): their runs come back with what was recorded, nothing is measured",
    )
    add("--perf-run", metavar="NAME", help="name of this run's results folder; default: the time in UTC")
    add(
        "--perf-compare-by",
        choices=("run", "commit"),
        default="run",
        help="what pytest-benchmark's rows are named after: the run, or its commit, to compare agents",
    )


def replayed_places(config: pytest.Config) -> tuple[Path, ...]:
    """What ``--perf-replay`` names, absolute."""
    here = config.invocation_params.dir
    return tuple(dict.fromkeys(_absolute(here, name) for name in config.option.perf_replay))


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


def _share(text: str) -> float:
    with suppress(ValueError):
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if 0 < share < 1:
            return share
    raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1, such as 0.05 or 5%")


def _sides(text: str) -> tuple[Role, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    with suppress(ValueError):
        sides = tuple(Role(word) for word in words)
        if {Role.BASELINE, Role.PATCHED} <= set(sides) and len(sides) == len(set(sides)):
            return sides
    raise argparse.ArgumentTypeError(
        f"{text!r}: give baseline and patched, with human or without, as in baseline,patched"
    )


def add_alias(parser: pytest.Parser) -> None:
    """``--agent`` for ``--perf-agent``, unless somebody else has that name."""
    groups = [parser._anonymous, *parser._groups]
    if any("--agent" in option.names() for group in groups for option in group.options):
        return
    with suppress(ValueError, argparse.ArgumentError):
        parser.getgroup(GROUP).addoption(
            "--agent",
            action="append",
            default=[],
            dest="perf_agent",
            metavar="NAMES",
            help="the same as --perf-agent",
        )


def forget_alias_values(early_config: pytest.Config, args: Sequence[str]) -> None:
    """What follows a bare ``--agent`` is no test path; pytest takes it for one until it knows the alias."""
    paths: list[str] = getattr(early_config.known_args_namespace, "file_or_dir", None) or []
    for option, value in pairwise(args):
        if option == "--agent" and value in paths:
            paths.remove(value)


def is_wanted(config: pytest.Config) -> bool:
    """Whether the command line asks for runs: a selection, a configuration, a calibration or a replay."""
    option = config.option
    return bool(option.perf_config or option.perf_calibrate or option.perf_replay) or is_selecting(config)


def is_selecting(config: pytest.Config) -> bool:
    """Whether the command line names agents, models, commits or repositories."""
    return any(getattr(config.option, name) for name in _SELECTING)


def find_config(config: pytest.Config) -> Path | None:
    """The active configuration file, absolute, or None. It need not exist where it was named.

    ``--perf-config``, a positional ``perfagents.toml``, PERFAGENTS_CONFIG, the ini option, then `_places`.
    """
    here = config.invocation_params.dir
    for name in (config.option.perf_config, _positional(config), os.environ.get("PERFAGENTS_CONFIG")):
        if name:
            return _absolute(here, name)
    ini = config.getini("perfagents_config")
    if ini:
        return _absolute(config.inipath.parent if config.inipath else config.rootpath, ini)
    places = (folder / CONFIG_NAME for folder in _places(config))
    return next((place for place in places if place.is_file()), None)


def _places(config: pytest.Config) -> list[Path]:
    """Where a configuration that nobody names may lie: the rootdir, unless runs are asked for.

    pytest takes the value of a plugin's option, if a file of that name exists, for a test path and guesses the rootdir
    from it: the second time, ``--perf-json /tmp/out.json`` makes it ``/tmp``. So the folder that pytest runs in and
    those above it come before a rootdir that was only guessed.
    """
    here = config.invocation_params.dir
    if not is_wanted(config):
        return [config.rootpath]
    upwards = [here, *here.parents]
    return [config.rootpath, *upwards] if config.option.rootdir else [*upwards, config.rootpath]


def _absolute(base: Path, name: str) -> Path:
    return Path(os.path.normpath(base / Path(name).expanduser()))


def _positional(config: pytest.Config) -> str | None:
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return None
    files = (arg.partition("::")[0] for arg in config.args)
    return next((file for file in files if Path(file).name == CONFIG_NAME and _is_there(config, file)), None)


def _is_there(config: pytest.Config, file: str) -> bool:
    return _absolute(config.invocation_params.dir, file).is_file()


def aim(config: pytest.Config, file: Path) -> None:
    """Make pytest collect the configuration where the command line asks for runs and names no test paths; with
    ``--perf-replay`` the recorded evaluations in its place.

    A node id as pytest prints it for a configuration outside of the rootdir is made a path again.
    """
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        config.args[:] = [_as_path(config, arg, file) for arg in config.args]
    elif is_wanted(config):
        config.args[:] = [str(place) for place in replayed_places(config)] or [str(file)]
        config.args_source = pytest.Config.ArgsSource.ARGS


def _as_path(config: pytest.Config, arg: str, file: Path) -> str:
    name, separator, rest = arg.partition("::")
    if separator and name == file.name and not _is_there(config, name):
        return f"{file}{separator}{rest}"
    return arg
