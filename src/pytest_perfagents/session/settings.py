"""Configuration and command line made one: what this session evaluates, how, and where results go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents import store
from pytest_perfagents.config import Config, load_config
from pytest_perfagents.discovery.selection import Selection
from pytest_perfagents.gates import parse_gates
from pytest_perfagents.model import UsageError


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
    loaded = _with_options(load_config(file), option)
    _check_places(config, loaded)
    told: Mapping[str, Any] = getattr(config, "workerinput", {}).get("perfagents") or _names(loaded, option)
    gates = parse_gates(option.perf_fail_on)
    return Settings(loaded, selection, told["run"], told["resumed"], gates, option.perf_compare_by)


def _check_places(config: pytest.Config, loaded: Config) -> None:
    """What is written at the end must be writable at the start."""
    if loaded.results.exists() and not loaded.results.is_dir():
        raise UsageError(f"{loaded.file}: results = {loaded.results} is a file; name a folder")
    if config.option.perf_json is not None:
        report = config.invocation_params.dir / Path(config.option.perf_json).expanduser()
        if report.is_dir():
            raise UsageError(f"--perf-json {config.option.perf_json} is a folder; name a file in it")


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
