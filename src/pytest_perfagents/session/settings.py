"""Configuration and command line made one: what this session evaluates, how, and where results go."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents import store
from pytest_perfagents.config import Config, load_config
from pytest_perfagents.discovery.selection import Selection
from pytest_perfagents.gates import parse_gates
from pytest_perfagents.model import UsageError
from pytest_perfagents.session.options import replayed_places


@dataclass(frozen=True, slots=True)
class Settings:
    """``config`` has the command line's protocol; ``resumed`` is the run whose outcomes are kept."""

    config: Config
    selection: Selection
    run: str
    resumed: str | None
    gates: frozenset[str]
    compare_by: str

    @property
    def folder(self) -> Path:
        """Where this run's outcomes go."""
        return self.config.results / self.run


def gather_settings(config: pytest.Config, file: Path) -> Settings:
    """Reads the file and the options. The controller of pytest-xdist settles the run's name for its workers.

    Raises:
        UsageError: the file, an option or the run to resume is not as it should be.
    """
    option = config.option
    selection = Selection(
        tuple(option.perf_agent), tuple(option.perf_model), tuple(option.perf_commit), tuple(option.perf_repo)
    )
    _check_replay(config)
    loaded = _with_options(_loaded(config, file), option)
    _check_places(config, loaded)
    _check_cpus(loaded)
    told: Mapping[str, Any] = getattr(config, "workerinput", {}).get("perfagents") or _names(loaded, option)
    gates = parse_gates(option.perf_fail_on)
    return Settings(loaded, selection, told["run"], told["resumed"], gates, option.perf_compare_by)


def _loaded(config: pytest.Config, file: Path) -> Config:
    """The configuration; a replay needs none."""
    if config.option.perf_replay and not config.option.perf_config and not file.exists():
        return Config(file, {}, (), (), file.parent / "results", file.parent / ".perfagents")
    return load_config(file)


def _check_replay(config: pytest.Config) -> None:
    """A replay has all its folders, and measures nothing."""
    option = config.option
    for place in replayed_places(config):
        if not place.exists():
            raise UsageError(f"--perf-replay {place}: there is no such folder; name one with recorded evaluations")
        for other in ("perf_resume", "perf_calibrate", "perf_run"):
            if getattr(option, other):
                name = f"--{other.replace('_', '-')}"
                raise UsageError(
                    f"{name} is for runs that are measured, and --perf-replay measures none: leave one out"
                )


def _check_places(config: pytest.Config, loaded: Config) -> None:
    """What is written at the end must be writable at the start."""
    for key, folder in (("results", loaded.results), ("cache", loaded.cache)):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if not there.is_dir():
            raise UsageError(f"{loaded.file}: {key} = {folder}: {there} is a file; name a folder")
        if not os.access(there, os.W_OK | os.X_OK) and not config.option.collectonly:
            raise UsageError(f"{loaded.file}: {key} = {folder}: {there} cannot be written to; name another folder")
    if config.option.perf_json is not None:
        report = config.invocation_params.dir / Path(config.option.perf_json).expanduser()
        if report.is_dir():
            raise UsageError(f"--perf-json {config.option.perf_json} is a folder; name a file in it")


def _check_cpus(loaded: Config) -> None:
    """CPUs that are named must be there, or everything would be measured somewhere else than was asked for."""
    pin = loaded.protocol.pin
    if isinstance(pin, str) or not hasattr(os, "sched_getaffinity"):
        return
    usable = os.sched_getaffinity(0)
    absent = sorted(set(pin) - usable)
    if absent:
        raise UsageError(
            f"{loaded.file}: [perfagents.protocol] pin = {list(pin)}: CPU {_listed(absent)} cannot be used by this "
            f'process; there are {_listed(sorted(usable))}; name some of these, or write "auto"'
        )


def _listed(cpus: Sequence[int]) -> str:
    """``0-3, 8``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _with_options(config: Config, option: Any) -> Config:
    budgets = {"measure_s": option.perf_budget, "heavy_measure_s": option.perf_budget}
    named = {name: getattr(option, f"perf_{name}") for name in ("mode", "sides", "threshold", "seed", "counter")}
    asked = {name: value for name, value in {**budgets, **named}.items() if value is not None}
    if option.perf_timeout is not None:
        config = replace(config, timeout_s=option.perf_timeout)
    return replace(config, protocol=replace(config.protocol, **asked))


def _names(config: Config, option: Any) -> dict[str, str | None]:
    """The names of this run and of the one it resumes."""
    resumed: str | None = None
    if option.perf_resume is True:
        resumed = store.latest_run(config.results)
    elif option.perf_resume:
        resumed = store.known_run(config.results, option.perf_resume)
    run = option.perf_run or resumed or store.new_run_name(config.results)
    if Path(run).name != run or run in (".", ".."):
        raise UsageError(f"--perf-run {run!r}: give a plain folder name; results go to {config.results}/<name>")
    return {"run": run, "resumed": resumed}
