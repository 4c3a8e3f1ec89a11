"""Worktrees of commits: detached, in the session's folder, within a disk budget, removed at the end."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from filelock import FileLock

from pytest_perfagents.diskspace import Ledger, delete_folder, disk_bytes
from pytest_perfagents.gitrepo.cache import CacheRepository, prune_all
from pytest_perfagents.gitrepo.command import LONG_S
from pytest_perfagents.gitrepo.failure import GitFailure
from pytest_perfagents.model import Commit

if TYPE_CHECKING:
    from pytest_perfagents.config import RepoConfig

__all__ = ["GitFailure", "Worktrees", "baseline_revision", "prune_all"]

_GB = 1_000_000_000


class OwnsFolder(Protocol):
    """What is needed of a ``Session``: who we are and where we may write."""

    @property
    def id(self) -> str:
        """Unique among the sessions of a cache."""

    @property
    def folder(self) -> Path:
        """``<cache>/sessions/<id>``."""


def baseline_revision(commit: Commit) -> str:
    """The revision before ``commit``: as the run recorded it, else its first parent."""
    return commit.parent or f"{commit.human}^"


@dataclass(slots=True)
class _Tree:
    repository: CacheRepository
    commit: str
    bytes: int
    users: int | None = None  # None: private
    is_spoiled: bool = False


class Worktrees:
    """The worktrees of one session, made on demand and gone when the ``with`` block ends.

    All their paths have the same length. The user's clones are never written to.
    """

    def __init__(self, cache: Path, disk_gb: float, session: OwnsFolder):
        self._cache, self._disk_gb, self._session = cache, disk_gb, session
        self._folder = session.folder / "w"
        self._stem = hashlib.sha256(session.id.encode()).hexdigest()[:8]
        self._numbers = count(1)
        self._repositories: dict[Path, CacheRepository] = {}
        self._trees: dict[Path, _Tree] = {}
        self._ledger = Ledger(cache, session.folder)
        self._guard = threading.RLock()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._cache / ".gitignore"  # the cache may lie in somebody's checkout
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left: list[OSError] = []
        for path in list(self._trees):
            try:
                delete_folder(path)
                del self._trees[path]
            except OSError as problem:  # go on: one stubborn tree must not keep the others
                left.append(problem)
        for repository in self._repositories.values():
            repository.prune()
        self._ledger.write(self._own_bytes())
        if left:
            raise left[0]

    def resolve(self, repo: RepoConfig, revision: str) -> str:
        """The full hash of ``revision`` in ``repo``, fetched where that is configured.

        Raises:
            GitFailure: there is no clone, or no such commit in it.
        """
        return self._repository(repo).resolve(revision)

    def add(self, repo: RepoConfig, revision: str) -> Path:
        """A worktree of ``revision`` for the caller alone, to patch and to :meth:`remove`.

        Raises:
            GitFailure: no clone, no such commit, or no room within ``disk_gb``.
        """
        repository = self._repository(repo)
        return self._make(repository, repository.resolve(revision))

    @contextmanager
    def shared(self, repo: RepoConfig, revision: str) -> Iterator[Path]:
        """The session's one unpatched worktree of ``revision``, made by whoever asks first.

        It stays after its last user, for the next, until the session ends or its room is needed.
        """
        with self._guard:
            repository = self._repository(repo)
            commit = repository.resolve(revision)
            path = self._find_shared(repository, commit) or self._make(repository, commit)
            tree = self._trees[path]
            tree.users = (tree.users or 0) + 1
        try:
            yield path
        finally:
            with self._guard:
                tree.users -= 1
                if tree.is_spoiled and not tree.users:
                    self.remove(path)

    def renew(self) -> None:
        """Give nobody the shared trees that are there now: they are made anew, and go with their last user."""
        with self._guard:
            for path, tree in list(self._trees.items()):
                tree.is_spoiled = tree.users is not None
                if tree.users == 0:
                    self.remove(path)

    def remove(self, path: Path) -> None:
        """Remove a worktree of this session, whatever was done in it."""
        with self._guard:
            tree = self._trees[path]
            delete_folder(path)
            del self._trees[path]
            tree.repository.prune()
            self._ledger.write(self._own_bytes())

    def recount(self, path: Path) -> int:
        """Measure a worktree again that has grown, by an overlay or a build. Returns its bytes on disk."""
        with self._guard:
            self._trees[path].bytes = disk_bytes(path)
            self._ledger.write(self._own_bytes())
            return self._trees[path].bytes

    @property
    def used_bytes(self) -> int:
        """What the worktrees of all sessions of the cache take on disk, each as it was last counted."""
        return self._own_bytes() + self._ledger.others()

    def _repository(self, repo: RepoConfig) -> CacheRepository:
        with self._guard:
            if repo.path not in self._repositories:
                self._repositories[repo.path] = CacheRepository.open(
                    self._cache / "repos", repo, {"PERFAGENTS_SESSION": self._session.id}
                )
            return self._repositories[repo.path]

    def _find_shared(self, repository: CacheRepository, commit: str) -> Path | None:
        for path, tree in self._trees.items():
            is_shared = tree.users is not None and not tree.is_spoiled
            if is_shared and tree.repository is repository and tree.commit == commit:
                return path
        return None

    def _make(self, repository: CacheRepository, commit: str) -> Path:
        path = self._folder / f"{self._stem}-{next(self._numbers):06d}"
        with self._guard:
            known = self._known_bytes(repository, commit)
            self._reserve(path, _Tree(repository, commit, known))
        try:
            repository.check_out(commit, path)
            if not known:
                self.recount(path)
                self._make_room()
        except BaseException:  # also Ctrl-C: half a tree is never left for anybody to use
            self.remove(path)
            raise
        return path

    def _known_bytes(self, repository: CacheRepository, commit: str) -> int:
        """How large the commit's tree is, if there is one; 0 if that is still to be found out."""
        sizes = [t.bytes for t in self._trees.values() if t.repository is repository and t.commit == commit]
        return min(sizes, default=0)

    def _reserve(self, path: Path, tree: _Tree) -> None:
        """Enter the tree in the ledger before it is there, so that two processes do not share one room."""
        with FileLock(self._cache / "disk.lock", timeout=LONG_S):
            self._make_room(tree.bytes)
            self._trees[path] = tree
            self._ledger.write(self._own_bytes())

    def _make_room(self, more: int = 0) -> None:
        """Remove idle shared trees, oldest first, until ``more`` bytes fit; raise where they cannot."""
        idle = [path for path, tree in self._trees.items() if tree.users == 0]
        while (used := self.used_bytes + more) > self._disk_gb * _GB:
            if not idle:
                raise GitFailure(
                    f"the worktrees would take {used / _GB:.3g} GB, more than disk_gb = {self._disk_gb:g}",
                    "raise `disk_gb` of [perfagents] in perfagents.toml, or select fewer agents at once",
                    {"used_bytes": used, "disk_gb": self._disk_gb},
                )
            self.remove(idle.pop(0))

    def _own_bytes(self) -> int:
        return sum(tree.bytes for tree in self._trees.values())
