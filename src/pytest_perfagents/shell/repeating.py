"""The command that repeats one run: worktrees and processes are gone by then, so it is pytest that makes them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents.session.naming import CONFIG_NAME

_PROTOCOL = ("mode", "sides", "threshold", "budget", "timeout", "counter", "seed")
_PYTEST = "pytest "


def command_for(config: pytest.Config, file: Path, node: str) -> str:
    """``pytest /home/me/perfagents.toml::<commit>::<item>`` with what this session's command line says of measuring.

    ``file`` is the configuration and ``node`` the rest of the item's id; it works in every folder.
    """
    named = {name: getattr(config.option, f"perf_{name}") for name in _PROTOCOL}
    words = [f"--perf-{name}={_as_typed(value)}" for name, value in named.items() if value is not None]
    if file.name != CONFIG_NAME:
        words.append(f"--perf-config={file}")
    return _PYTEST + shlex.join([*words, f"{file}::{node}"])


def with_command(evidence: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The evidence with ``command``; the one that failed inside the run (git, a build step, a script) is ``ran``."""
    inner = evidence.get("ran") or evidence.get("command")
    is_ours = isinstance(inner, str) and inner.startswith(_PYTEST)  # of a resumed run
    kept = {name: value for name, value in evidence.items() if name not in ("command", "ran")}
    return {**kept, **({} if inner is None or is_ours else {"ran": inner}), "command": command}


def _as_typed(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
