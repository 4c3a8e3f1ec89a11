"""Why a tree of a commit could not be made, in words that a person can act on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_perfagents.gitrepo.command import GitResult
from pytest_perfagents.model import Blame, Category, Failure, Role, Stage


class GitFailure(Exception):  # noqa: N818 - it carries a Failure
    """No worktree of the wanted commit: GIT_WORKTREE_FAILED, with a reason and a hint of one line each."""

    category = Category.GIT_WORKTREE_FAILED

    def __init__(self, reason: str, hint: str | None = None, evidence: Mapping[str, Any] | None = None):
        super().__init__(f"{reason}; {hint}" if hint else reason)
        self.reason = reason
        self.hint = hint
        self.evidence = dict(evidence or {})

    def failure(self, side: Role | None) -> Failure:
        """The same as an outcome's failure, of the side that the tree was meant for."""
        return Failure(self.category, Stage.PREPARE, self.reason, side, Blame.ENVIRONMENT, self.hint, self.evidence)


def shown(path: Path) -> str:
    """``path`` as a person would type it here: relative where that is shorter, quoted for a shell."""
    relative = os.path.relpath(path)
    return shlex.quote(relative if len(relative) < len(str(path)) else str(path))


def evidence_of(result: GitResult) -> dict[str, Any]:
    """What git was asked and the tail of what it said."""
    return {"command": shlex.join(["git", *result.arguments]), "stderr": result.err[-2000:]}
