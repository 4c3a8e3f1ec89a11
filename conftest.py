"""Builds the embedded demo's repositories before its first run is evaluated."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent

collect_ignore = ["fixtures", "test_scripts", "tests/cheats/scripts", "tests/cheats/target"]


@pytest.hookimpl(optionalhook=True)
def pytest_perfagents_prepare(config: pytest.Config, settings: Any) -> None:
    """Only for the checkout's own configuration: whoever measures other repositories needs no demo."""
    if settings.config.file.resolve() != HERE / "perfagents.toml":
        return
    spec = importlib.util.spec_from_file_location("perfagents_demo_build", HERE / "fixtures" / "build.py")
    assert spec is not None and spec.loader is not None
    build = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    build.build(HERE / "fixtures", settings.config.repos["minivllm"].path.parent)
