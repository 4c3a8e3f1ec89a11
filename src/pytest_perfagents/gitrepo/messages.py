"""What git's complaint about a clone means, and what mends it."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_perfagents.gitrepo.clone import Clone
from pytest_perfagents.gitrepo.command import GitResult
from pytest_perfagents.gitrepo.failure import GitFailure, evidence_of, shown

FULL_LENGTHS = (40, 64)
_LOST = re.compile(r"unable to read|missing|bad object|bad tree|not a valid object|not our ref")
_FULL = re.compile(r"No space left|Out of diskspace|Disk quota exceeded")
_UNWRITTEN = re.compile(r"unable to write|write error|could not write")
_DAMAGED = re.compile(r"corrupt|inflate|unpack|is empty|mismatch|could not parse|garbage")


def lost_objects(result: GitResult) -> bool:
    """Whether git did not find objects that it needed."""
    return bool(_LOST.search(result.err))


def not_a_commit(name: str, commit: str, clone: Clone, result: GitResult) -> GitFailure | None:
    """The failure where asking elsewhere would not help; ``None`` where ``commit`` is only not there."""
    if "is ambiguous" in result.err:
        hashes = re.findall(r"^hint: +([0-9a-f]+) commit", result.err, re.MULTILINE)
        which = f": {', '.join(hashes)}" if hashes else ""
        reason = f"{name}: the abbreviated commit {commit} is ambiguous{which}"
        return GitFailure(reason, "write the full hash in the run's journal.json", evidence_of(result))
    kind = re.search(r"expected commit type, but the object dereferences to (\w+) type", result.err)
    if kind:
        reason = f"{name}: {commit} is a {kind[1]}, not a commit"
        return GitFailure(reason, "name a commit in the run's journal.json", evidence_of(result))
    return damaged(name, clone, result) if _DAMAGED.search(result.err) else None


def missing(name: str, commit: str, clone: Clone, fetch: str | None, result: GitResult) -> GitFailure:
    """The failure where ``commit`` is neither in the clone nor where we may fetch from."""
    what = "bundle" if clone.is_bundle else "shallow clone" if clone.shallow else "clone"
    tried = f" nor at {fetch}" if fetch else ""
    hint = clone.fetch_command(commit)
    if not clone.is_bundle:
        hint = f"run: {hint}"
        if len(commit) not in FULL_LENGTHS:
            hint += f" (where the server knows full hashes only: {clone.fetch_command()})"
    reason = f"{name}: commit {commit} is not in the {what} at {shown(clone.path)}{tried}"
    return GitFailure(reason, hint, evidence_of(result))


def damaged(name: str, clone: Clone, result: GitResult) -> GitFailure:
    """The failure where objects of the clone cannot be read."""
    place = shown(clone.path)
    if clone.partial and lost_objects(result):
        reason = f"{name}: the clone at {place} is partial and lacks files of the commit"
        hint = f"run: {clone.fetch_command(options='--refetch --no-filter')}"
        return GitFailure(reason, hint, evidence_of(result))
    what = "bundle" if clone.is_bundle else "clone"
    check = f"git bundle verify {place}" if clone.is_bundle else f"git -C {place} fsck"
    reason = f"{name}: the {what} at {place} is damaged: {result.complaint}"
    return GitFailure(reason, f"run: {check}", evidence_of(result))


def not_checked_out(name: str, commit: str, clone: Clone, cache: Path, result: GitResult) -> GitFailure:
    """The failure where the commit is there and no worktree came of it."""
    room = "free some space, or let `cache` of [perfagents] name a folder on another disk"
    if _FULL.search(result.err):
        return GitFailure(f"{name}: the disk is full where {shown(cache)} lies", room, evidence_of(result))
    if not result.timed_out and (lost_objects(result) or _DAMAGED.search(result.err)):
        return damaged(name, clone, result)
    reason = f"{name}: commit {commit[:12]} could not be checked out: {result.complaint}"
    hint = f"if the disk is full (df -h {shown(cache)}): {room}" if _UNWRITTEN.search(result.err) else None
    return GitFailure(reason, hint, evidence_of(result))


def unusable_bundle(name: str, path: Path, result: GitResult) -> GitFailure:
    """The failure where a bundle does not give what it holds."""
    if "prerequisite" in result.err:
        reason = f"{name}: the bundle {shown(path)} is incremental and lacks the commits that it builds on"
        return GitFailure(reason, f"run in the clone: git bundle create {shown(path)} --all", evidence_of(result))
    reason = f"{name}: the bundle {shown(path)} is damaged: {result.complaint}"
    return GitFailure(reason, f"run: git bundle verify {shown(path)}", evidence_of(result))


def unreachable(name: str, commit: str, clone: Clone, source: str, result: GitResult) -> GitFailure:
    """The failure where the configured place to fetch from does not answer."""
    return GitFailure(
        f"{name}: commit {commit} could not be fetched from {source}: {result.complaint}",
        f"correct `fetch` of [repos.{name}], or run: {clone.fetch_command(commit)}",
        evidence_of(result),
    )
