"""The plugin: loaded in every project, so thin and cheap, and inert where there is no configuration."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_perfagents.session import hookspecs, options
from pytest_perfagents.session.naming import CONFIG_NAME

if TYPE_CHECKING:
    from pytest_perfagents.shell.hooks import Shell

SHELL = "perfagents-shell"
RECORDER = "perfagents-recorder"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The group "perfagents"."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """``pytest_perfagents_evaluator`` and ``pytest_perfagents_prepare``."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """``--agent`` becomes ours when every other plugin and conftest has had its chance to take it."""
    options.forget_alias_values(early_config, args)
    yield
    options.add_alias(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Find the configuration; where there is none and nobody asks for one, do nothing."""
    file = options.find_config(config)
    if file is None and config.option.perf_replay:
        file = config.invocation_params.dir / CONFIG_NAME  # which a replay does not need
    if file is not None:
        options.aim(config, file)
        _activate(config, file)
    elif options.is_wanted(config):
        raise pytest.UsageError(
            f"no configuration: there is no {config.rootpath / CONFIG_NAME}; name one with --perf-config, "
            "PERFAGENTS_CONFIG or the ini option perfagents_config"
        )


def _activate(config: pytest.Config, file: Path) -> Shell:
    """Register what a session with runs needs; nothing of it is imported in other people's projects."""
    from pytest_perfagents.integrations import pytest_benchmark, pytest_timeout, pytest_xdist
    from pytest_perfagents.session.plan import PLAN, Plan
    from pytest_perfagents.shell import fixtures
    from pytest_perfagents.shell.calibrating import CalibrationItem
    from pytest_perfagents.shell.ending import Ending
    from pytest_perfagents.shell.hooks import Shell
    from pytest_perfagents.shell.items import PerfItem

    plan = config.stash[PLAN] = Plan(config, file)
    shell = Shell(plan)
    register = config.pluginmanager.register
    register(shell, SHELL)
    register(Ending(), "perfagents-ending")
    register(fixtures, "perfagents-fixtures")
    register(pytest_benchmark.Selection(), "perfagents-benchmark-selection")
    register(pytest_timeout.Takeover(PerfItem, CalibrationItem), "perfagents-timeout")
    if not hasattr(config, "workerinput"):
        register(pytest_xdist.Distribution(plan), "perfagents-xdist")
        _record(config)
    return shell


def _record(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin(RECORDER):
        return
    from pytest_perfagents.integrations.pytest_benchmark import Rows
    from pytest_perfagents.shell.recorder import Recorder

    config.pluginmanager.register(Recorder(config), RECORDER)
    config.pluginmanager.register(Rows(config), "perfagents-benchmark-rows")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: a worker may come upon a configuration that its controller never sees."""
    from pytest_perfagents.integrations.pytest_xdist import tell_worker

    tell_worker(node)
    _record(node.config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Where no configuration is active, the first ``perfagents.toml`` that is met becomes so."""
    config = parent.config
    if file_path.name != CONFIG_NAME or config.pluginmanager.hasplugin(SHELL):
        return None
    return _activate(config, file_path).pytest_collect_file(file_path, parent)
