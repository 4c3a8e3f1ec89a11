"""Real git repositories for tests, and a fingerprint that shows whether anybody wrote to one."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git in ``folder``; its standard output, stripped."""
    settings = ("-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, env=ENV, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="surrogateescape").strip()


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write ``files`` below ``folder``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit(folder: Path, files: Mapping[str, str | bytes], message: str = "change") -> str:
    """Write and commit; the new commit's hash."""
    write(folder, files)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", ".")
    commit(folder, files or {"pkg/__init__.py": "", "pkg/core.py": "VALUE = 1\n"}, "first")
    return folder


def diff(folder: Path, changes: Mapping[str, str | bytes | None], *options: str) -> bytes:
    """The patch that makes ``changes`` (``None`` deletes) to HEAD of ``folder``, which is left as it was."""
    for name, content in changes.items():
        if content is None:
            (folder / name).unlink()
        else:
            write(folder, {name: content})
    git(folder, "add", "--all", "--force")
    arguments = ["git", "diff", "--cached", *(options or ("--binary",)), "HEAD"]
    text = subprocess.run(arguments, cwd=folder, env=ENV, capture_output=True, check=True).stdout
    git(folder, "reset", "--quiet", "--hard")
    return text


def snapshot(folder: Path) -> dict[str, str]:
    """Every file and folder below ``folder``: kind, size, mode, time of change and content."""
    state = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()[:16]
        state[str(path.relative_to(folder))] = f"{about.st_mode:o} {about.st_mtime_ns} {digest}"
    return state


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a worktree and their contents, without git's."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".git"
    }
