"""Apply a patch to a worktree, whole or not at all, and say what is in the way where it does not fit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from pytest_perfagents.gitrepo.command import LONG_S, GitResult, run_git
from pytest_perfagents.gitrepo.diffs import printable
from pytest_perfagents.gitrepo.patches import Patch, PatchFailure
from pytest_perfagents.model import Category

_FAILED = Category.PATCH_APPLY_FAILED
_GLOB = re.compile(r"([\\*?\[\]])")


def apply_patch(worktree: Path, patch: Patch) -> tuple[str, ...]:
    """Apply ``patch`` to the files of ``worktree``. Returns the flags: what had to be adapted or left out.

    Raises:
        PatchFailure: PATCH_APPLY_FAILED naming file and hunk, or PATCH_INVALID where git cannot read it.
            The worktree is as it was.
    """
    flags = list(patch.flags)
    text = patch.text
    done = _git_apply(worktree, patch, text)
    if done.code:
        fitted = _fit_line_endings(worktree, patch)
        again = _git_apply(worktree, patch, fitted) if fitted != text else done
        if again.code:
            raise _explain(worktree, patch, fitted, done)
        done, text = again, fitted
        flags.append("line endings of the patch adapted to those of the files")
    try:
        _check_effect(worktree, patch, done)
    except PatchFailure:
        _git_apply(worktree, patch, text, "--reverse")
        raise
    flags += [f"{path}: hunks applied {by} away" for path, by in _offsets(done)]
    return tuple(flags)


def _git_apply(worktree: Path, patch: Patch, text: bytes, *options: str) -> GitResult:
    # --apply: list the files and change them too; beside --check it would change them as well
    what = () if "--check" in options else ("--numstat", "-z", "--apply")
    excluded = ["--exclude=" + _GLOB.sub(r"\\\1", path) for path in patch.dropped]
    arguments = (f"-p{patch.strip}", "--whitespace=nowarn", "--verbose", *what, *excluded, *options, "-")
    return run_git(worktree, "apply", *arguments, stdin=text, timeout_s=LONG_S)


def _fit_line_endings(worktree: Path, patch: Patch) -> bytes:
    """The patch with each file's hunks in the line endings that this file has."""
    lines = patch.text.split(b"\n")
    for file in patch.files:
        target = worktree / (file.old_path or file.path)
        if file.path in patch.dropped or not target.is_file():
            continue
        content = target.read_bytes()
        crlf = content.count(b"\r\n") * 2 > content.count(b"\n")
        for hunk in file.hunks:
            for at in range(hunk.first - 1, hunk.last):
                bare = lines[at].removesuffix(b"\r")
                if lines[at][:1] in (b" ", b"+", b"-") and not lines[at + 1].startswith(b"\\"):
                    lines[at] = bare + b"\r" if crlf else bare
    return b"\n".join(lines)


def _check_effect(worktree: Path, patch: Patch, done: GitResult) -> None:
    """What git wrote is what we read in the patch, and no link of it leads out of the workspace."""
    touched = {os.fsdecode(row.split(b"\t", 2)[2]) for row in done.out.split(b"\0") if row.count(b"\t") >= 2}
    expected = {file.path for file in patch.files} - set(patch.dropped)
    if touched != expected:
        odd = ", ".join(printable(path) for path in sorted(touched ^ expected)[:3])
        raise PatchFailure(
            Category.PATCH_INVALID,
            f"the patch is ambiguous: git reads other files in it than its headers name ({odd})",
            "export the agent's change again with git diff",
        )
    root = worktree.resolve()
    for path in sorted(touched):
        link = worktree / path
        if link.is_symlink():
            try:
                target = link.resolve()
            except (OSError, RuntimeError):  # it leads to itself
                target = root.parent
            if not target.is_relative_to(root) or target.is_relative_to(root / ".git"):
                name, leads = printable(path), printable(str(link.readlink()))
                raise PatchFailure(
                    _FAILED,
                    f"{name} becomes a symbolic link that leads out of the workspace, to {leads}",
                    "nothing was applied; remove that file from the patch",
                    {"path": name, "target": leads},
                )


def _offsets(done: GitResult) -> list[tuple[str, str]]:
    """Which files' hunks did not stand where they said, and by how much."""
    found: dict[str, str] = {}
    path = ""
    for line in done.err.splitlines():
        checked = re.match(r"Checking patch (.*)\.\.\.$", line)
        moved = re.match(r"Hunk #\d+ succeeded at \d+ \(offset (-?\d+ lines?)\)", line)
        if checked:
            path = checked[1]
        elif moved:
            found.setdefault(path, moved[1])
    return list(found.items())


def _explain(worktree: Path, patch: Patch, fitted: bytes, done: GitResult) -> PatchFailure:
    evidence = {"git": _errors(done)[-2000:]}
    for text in {patch.text, fitted}:
        if _git_apply(worktree, patch, text, "--reverse", "--check").code == 0:
            reason = "the patch is already applied: the baseline contains its changes"
            return PatchFailure(_FAILED, reason, "check commits.pre of the run's journal.json", evidence)
    for pattern, explain in _RULES:
        match = re.search(pattern, done.err, re.MULTILINE)
        if match:
            category, reason, hint = explain(patch, match)
            return PatchFailure(category, reason, hint, evidence)
    return PatchFailure(_FAILED, f"the patch does not apply: {done.complaint}", None, evidence)


def _errors(done: GitResult) -> str:
    """What git said, without its progress."""
    return "\n".join(line for line in done.err.splitlines() if not line.startswith("Checking patch "))


_Explained = tuple[Category, str, str | None]


def _conflict(patch: Patch, match: re.Match[str]) -> _Explained:
    path, line = match[1], int(match[2])
    files = [file for file in patch.files if path in (file.path, file.old_path)]
    starts = [hunk.old_start for file in files for hunk in file.hunks]
    which = f"hunk {starts.index(line) + 1} of {len(starts)}" if line in starts else "a hunk"
    if patch.padding and files[-1:] == [patch.files[-1]] and starts[-1] == line:
        return Category.PATCH_INVALID, f"the patch is no diff: it ends within a hunk, of {path}", None
    hint = "the patch was made against another commit than the baseline; check commits.pre of journal.json"
    return _FAILED, f"{path}: {which}, at line {line}, does not fit the file", hint


def _absent(_: Patch, match: re.Match[str]) -> _Explained:
    hint = "the patch was made against another commit, or on top of a file that it does not hold"
    return _FAILED, f"{match[1]} is not in the repository at the baseline commit", hint


def _exists(_: Patch, match: re.Match[str]) -> _Explained:
    return _FAILED, f"{match[1]}, new in the patch, is there already with another content", None


def _beyond_link(_: Patch, match: re.Match[str]) -> _Explained:
    hint = "nothing was applied; remove that file from the patch"
    return _FAILED, f"{match[1]} would be written through a symbolic link", hint


def _binary(_: Patch, match: re.Match[str]) -> _Explained:
    hint = "export the agent's change again with git diff --binary"
    return _FAILED, f"the binary content of {match[1]} does not fit the file or is not in the patch", hint


def _unreadable(_: Patch, match: re.Match[str]) -> _Explained:
    hint = "export the agent's change again with git diff --binary"
    return Category.PATCH_INVALID, f"the patch is no diff that git can read: {match[1]}", hint


# What git apply says, and what it means. The first match wins.
_RULES: tuple[tuple[str, Callable[[Patch, re.Match[str]], _Explained]], ...] = (
    (
        r"^(?:error|fatal): ((?:corrupt|unrecognized|No valid|patch (?:fragment|with)|git diff header).*)",
        _unreadable,
    ),
    (r"^error: affected file '(.+)' is beyond a symbolic link", _beyond_link),
    (r"^error: (.+): is beyond a symbolic link", _beyond_link),
    (r"^error: patch failed: (.+):(\d+)$", _conflict),
    (r"^error: (.+): No such file or directory$", _absent),
    (r"^error: (.+): does not exist in (?:index|working directory)$", _absent),
    (r"^error: (.+): already exists in working directory$", _exists),
    (r"^error: cannot apply binary patch to '(.+)'", _binary),
    (r"^error: binary patch does not apply to '(.+)'", _binary),
    (r"^error: the patch applies to '(.+)' \(", _binary),
)
