"""Build steps of a repository, run in a workspace."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_perfagents.model import Blame, Category, Ending, Execution, Failure, Role, Stage, UsageError
from pytest_perfagents.processes.process import Command, run

if TYPE_CHECKING:
    from pytest_perfagents.config import RepoConfig

TAIL_CHARS = 4000


def build(repo: RepoConfig, root: Path, env: Mapping[str, str], role: Role, timeout_s: float) -> Failure | None:
    """Run the configured steps in order; the failure of the first that fails.

    Raises UsageError where a step's program is not there: that is no side's fault.
    """
    for step in repo.build:
        ended = run(Command(_resolved(step, env), root, env, timeout_s))
        if ended.ending is Ending.NOT_STARTED:
            raise UsageError(f"[repos.{repo.name}] build: {ended.stderr}")
        if ended.ending is not Ending.EXITED or ended.code != 0:
            return _failure(repo, step, ended, role, timeout_s)
    return None


def _resolved(step: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, ...]:
    """The step with its program looked up on the PATH that it will see."""
    program = step[0]
    if "/" not in program:
        program = shutil.which(program, path=env.get("PATH")) or program
    return (program, *step[1:])


def _failure(repo: RepoConfig, step: tuple[str, ...], ended: Execution, role: Role, timeout_s: float) -> Failure:
    is_patched = role is Role.PATCHED
    how = {
        Ending.EXITED: f"exited with {ended.code}",
        Ending.SIGNALED: f"died of signal {ended.code}",
        Ending.TIMED_OUT: f"took longer than {timeout_s:g} s",
    }[ended.ending]
    where = "with the patch" if is_patched else f"on the {role} side"
    return Failure(
        Category.for_side(role, "TIMEOUT" if ended.ending is Ending.TIMED_OUT else "EXCEPTION"),
        Stage.PREPARE,
        f"the build step `{shlex.join(step)}` {how} {where}",
        role,
        Blame.AGENT if is_patched else Blame.ENVIRONMENT,
        "the patch broke the build" if is_patched else f"mend `build` of [repos.{repo.name}], or what it needs",
        {
            "command": shlex.join(ended.command),
            "stdout": ended.stdout[-TAIL_CHARS:],
            "stderr": ended.stderr[-TAIL_CHARS:],
        },
    )
