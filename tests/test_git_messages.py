"""A full disk has many wordings in git, and some that do not name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_perfagents.gitrepo.clone import Clone
from pytest_perfagents.gitrepo.command import GitResult
from pytest_perfagents.gitrepo.messages import not_checked_out

ROOM = "free some space, or let `cache` of [perfagents] name a folder on another disk"


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        ("fatal: could not create leading directories: No space left on device", "the disk is full where", ROOM),
        ("fatal: sha1 file '/c/index.lock' write error. Out of diskspace", "the disk is full where", ROOM),
        ("error: unable to write file tests/test_engine.py", "could not be checked out", "if the disk is full (df -h"),
        ("fatal: invalid reference: 1a2b3c4d", "could not be checked out: invalid reference", None),
    ],
)
def test_a_checkout_that_found_no_room_says_what_mends_it(tmp_path, said, reason, hint):
    result = GitResult(("worktree", "add"), 128, b"", f"Preparing worktree (detached HEAD 1a2b3c4d)\n{said}\n")
    failure = not_checked_out("demo", "1a2b3c4d" * 5, Clone(Path("/clone")), tmp_path / "cache", result)
    assert reason in failure.reason
    assert failure.hint is None if hint is None else failure.hint.startswith(hint)
