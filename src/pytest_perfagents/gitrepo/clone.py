"""What lies at a repository's configured path: looked at, never written to."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_perfagents.gitrepo.command import gitpython
from pytest_perfagents.gitrepo.failure import GitFailure, shown

if TYPE_CHECKING:
    from git.config import GitConfigParser


@dataclass(frozen=True, slots=True)
class Clone:
    """The user's repository. ``objects`` is the folder to borrow from, which a bundle has not."""

    path: Path
    objects: Path | None = None
    remotes: tuple[tuple[str, str], ...] = ()
    object_format: str = "sha1"
    shallow: bool = False
    partial: bool = False

    @property
    def is_bundle(self) -> bool:
        """Whether it is one file instead of a repository."""
        return self.objects is None

    def fetch_command(self, *revisions: str, options: str = "") -> str:
        """The command that brings ``revisions`` into it, by the name that its remote really has."""
        if self.is_bundle:
            create = f"git bundle create {shown(self.path)} --all"
            return f"make a new bundle from a clone that holds {' '.join(revisions)}: {create}"
        names = [name for name, _ in self.remotes]
        remote = "origin" if "origin" in names or not names else names[0]
        command = " ".join(filter(None, (f"git -C {shown(self.path)} fetch", options, remote, *revisions)))
        if names:
            return command
        return f"git -C {shown(self.path)} remote add origin URL && {command}"


def inspect_clone(name: str, path: Path) -> Clone:
    """What is at ``path``: a clone, bare or not, a linked worktree of one, or a bundle.

    Raises ``GitFailure`` where nothing is there or it is neither.
    """
    if not path.exists():
        raise GitFailure(
            f"{name}: there is no clone at {shown(path)}",
            f"git clone URL {shown(path)}, or correct `path` of [repos.{name}]",
        )
    if path.is_file():
        with path.open("rb") as file:
            if file.read(16).startswith((b"# v2 git bundle", b"# v3 git bundle")):
                return Clone(path)
        raise GitFailure(
            f"{name}: the file {shown(path)} is no git bundle",
            f"`path` of [repos.{name}] must name a clone or a bundle",
        )
    return _inspect_repository(name, path)


def _inspect_repository(name: str, path: Path) -> Clone:
    git = gitpython()
    try:
        with git.Repo(path, search_parent_directories=False, expand_vars=False) as repo:
            return _read(path, Path(repo.common_dir), repo.config_reader("repository"))
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        if (path / ".git").exists():
            raise GitFailure(
                f"{name}: the repository at {shown(path)} is damaged: its .git is incomplete",
                f"git -C {shown(path)} status; clone it anew where that fails",
            ) from error
        raise GitFailure(
            f"{name}: {shown(path)} is no git repository",
            f"`path` of [repos.{name}] must name a clone (the folder that holds .git) or a bundle",
        ) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise GitFailure(
            f"{name}: the repository at {shown(path)} is damaged: its config cannot be read",
            f"git -C {shown(path)} config --list --local",
        ) from error


def _read(path: Path, folder: Path, config: GitConfigParser) -> Clone:
    sections = {s[len('remote "') : -1]: s for s in config.sections() if s.startswith('remote "')}
    return Clone(
        path=path,
        objects=folder / "objects",
        remotes=tuple((name, str(config.get_value(s, "url", ""))) for name, s in sections.items()),
        object_format=str(config.get_value("extensions", "objectformat", "sha1")),
        shallow=(folder / "shallow").exists(),
        partial=bool(config.get_value("extensions", "partialclone", ""))
        or any(config.get_value(s, "promisor", False) for s in sections.values()),
    )


def git_folders(path: Path) -> list[Path]:
    """Where the history of the repository at ``path`` lies: its git folder, and those that it borrows from.

    ``path`` is a clone, bare or not, a linked worktree, or a bundle; nothing need be there.
    """
    inner = path / ".git"
    found = [inner] if os.path.lexists(inner) else [path] if path.is_file() or (path / "objects").is_dir() else []
    if inner.is_file():
        linked = Path(path, _line(inner).removeprefix("gitdir:").strip())
        found += [linked, linked / _line(linked / "commondir")]
    waiting = [each / "objects" for each in found]
    while waiting:
        objects = waiting.pop()
        lines = _lines(objects / "info" / "alternates")
        borrowed = [Path(os.path.normpath(objects / line)) for line in lines if not line.startswith("#")]
        new = [each for each in borrowed if each not in found]
        found += new
        waiting += new
    return found


def _line(file: Path) -> str:
    return next(iter(_lines(file)), "")


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return []
