"""Cases that exist only in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_perfagents.model import AgentRun, Case, Commit


def case_of(
    *,
    repo: str = "minivllm",
    human: str = "1a2b3c4d" + "0" * 32,
    agent: str = "trae",
    model: str = "gpt-5",
    number: int = 0,
    **more: Any,
) -> Case:
    """A case with a patch and a script, neither of which is on the disk."""
    run = AgentRun(
        commit=Commit(repo, human, "f" * 40),
        agent=agent,
        model=model,
        run=more.pop("run", "2026-01-01_00-00-00"),
        item=more.pop("item", f"{repo}_core-{number:04}"),
        folder="/runs/x",
        alias=more.pop("alias", f"{agent}_{model.replace('-', '')}"),
        has_patch=True,
        **more,
    )
    return Case(run, Path("/scripts/1a2b3c4d_test_case_generator.py"))
