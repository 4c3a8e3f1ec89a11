"""Where the lines of an applied patch stand: git moves a hunk that fits somewhere else than it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_perfagents.gitrepo.diffs import FileDiff, HunkAt
from pytest_perfagents.gitrepo.kinds import Kind
from pytest_perfagents.gitrepo.patches import Patch


def located(worktree: Path, patch: Patch) -> Patch:
    """``patch`` with the line numbers of its modules as they are in ``worktree``, where it is applied."""
    text = patch.text.split(b"\n")
    files = (_located(worktree, file, text) if _matters(patch, file) else file for file in patch.files)
    return replace(patch, files=tuple(files))


def _matters(patch: Patch, file: FileDiff) -> bool:
    return patch.kinds[file.path] is Kind.PYTHON and file.path not in patch.dropped and bool(file.added or file.beside)


def _located(worktree: Path, file: FileDiff, text: list[bytes]) -> FileDiff:
    content = [line.rstrip(b"\r") for line in (worktree / file.path).read_bytes().split(b"\n")]
    return replace(file, hunks=tuple(_moved(hunk, text, content) for hunk in file.hunks))


def _moved(hunk: HunkAt, text: list[bytes], content: list[bytes]) -> HunkAt:
    """The hunk at the place nearest to its own where its new lines stand."""
    new = [line[1:].rstrip(b"\r") for line in text[hunk.first - 1 : hunk.last] if line[:1] in (b" ", b"+", b"")]
    said = hunk.new_start - 1
    places = sorted(range(len(content) - len(new) + 1), key=lambda place: abs(place - said))
    found = next((place for place in places if content[place : place + len(new)] == new), said)
    by = found - said
    return replace(
        hunk, new_start=hunk.new_start + by, added=_shifted(hunk.added, by), beside=_shifted(hunk.beside, by)
    )


def _shifted(lines: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(line + by for line in lines)
