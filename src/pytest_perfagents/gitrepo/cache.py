"""A bare repository of ours for each of the user's: borrows their objects, holds all that git writes."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pytest_perfagents.gitrepo import messages
from pytest_perfagents.gitrepo.clone import Clone, inspect_clone
from pytest_perfagents.gitrepo.command import LONG_S, GitResult, run_git
from pytest_perfagents.gitrepo.failure import GitFailure, evidence_of, shown

if TYPE_CHECKING:
    from pytest_perfagents.config import RepoConfig

_REVISION = re.compile(r"(?P<commit>[0-9a-f]{4,64})(?P<parent>\^?)")
_EVERYTHING = ("+refs/heads/*:refs/perfagents/heads/*", "+refs/tags/*:refs/perfagents/tags/*")


@dataclass(slots=True)
class CacheRepository:
    """Our repository ``folder`` of ``repo``'s objects. A lock file guards what git administers in it.

    ``env`` is added to the environment of every git that it starts.
    """

    repo: RepoConfig
    folder: Path
    clone: Clone
    env: Mapping[str, str]
    _resolved: dict[str, str | GitFailure] = field(default_factory=dict)

    @classmethod
    def open(cls, repositories: Path, repo: RepoConfig, env: Mapping[str, str]) -> CacheRepository:
        """The one for ``repo`` in the folder ``repositories``, made or brought up to date where needed.

        Raises:
            GitFailure: there is no usable clone or bundle.
        """
        clone = inspect_clone(repo.name, repo.path)
        name = re.sub(r"[^\w.-]", "_", repo.name)
        key = hashlib.sha256(str(repo.path.resolve()).encode()).hexdigest()[:12]
        cache = cls(repo, repositories / f"{name}-{key}.git", clone, env)
        repositories.mkdir(parents=True, exist_ok=True)
        with cache.locked():
            if not cache.folder.exists():
                cache._make()
            if clone.is_bundle:
                cache._take_bundle()
            else:
                cache._borrow()
        return cache

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the repository meanwhile; a process that dies lets go of it."""
        lock = lock_of(self.folder)
        try:
            lock.acquire()
        except Timeout as error:
            place = shown(Path(lock.lock_file))
            reason = f"{self.repo.name}: another process held {place} for {LONG_S:.0f} s"
            raise GitFailure(reason, f"fuser {place} names it") from error
        try:
            yield
        finally:
            lock.release()

    def git(self, *arguments: str, settings: Sequence[str] = ()) -> GitResult:
        """Run git in this repository."""
        return run_git(self.folder, *arguments, timeout_s=LONG_S, env=self.env, settings=settings)

    def _make(self) -> None:
        """Make it beside its place and rename it, so that it is there whole or not at all."""
        for left in self.folder.parent.glob(f"{self.folder.name}.new-*"):  # its maker was killed
            shutil.rmtree(left)
        new = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.new-", dir=self.folder.parent))
        options = ("--quiet", "--bare", "--template=", f"--object-format={self.clone.object_format}")
        done = run_git(new, "init", *options, ".", env=self.env)
        if done.code:
            raise GitFailure(f"{self.repo.name}: no cache repository: {done.complaint}", None, evidence_of(done))
        (new / "objects" / "info").mkdir(parents=True, exist_ok=True)
        new.rename(self.folder)

    def _borrow(self) -> None:
        file = self.folder / "objects" / "info" / "alternates"
        line = f"{self.clone.objects}\n"
        if not file.exists() or file.read_text(encoding="utf-8") != line:
            file.write_text(line, encoding="utf-8")

    def _take_bundle(self) -> None:
        path, stamp = self.repo.path, self.folder / "bundle-stamp"
        state = path.stat()
        now = f"{state.st_size} {state.st_mtime_ns}"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == now:
            return
        wanted = ["+refs/*:refs/perfagents/bundle/*"]
        if re.search(r" HEAD$", self.git("bundle", "list-heads", str(path.resolve())).text, re.MULTILINE):
            wanted.append("+HEAD:refs/perfagents/bundle/HEAD")
        done = self.git("fetch", "--no-tags", "--no-write-fetch-head", "--", str(path.resolve()), *wanted)
        if done.code:
            raise messages.unusable_bundle(self.repo.name, path, done)
        stamp.write_text(now, encoding="utf-8")

    def resolve(self, revision: str) -> str:
        """The full hash of ``revision``: a hash, full or abbreviated, or one with ``^`` for its first parent.

        It is fetched where the configuration says from where.

        Raises:
            GitFailure: it is not to be had.
        """
        if revision not in self._resolved:
            try:
                self._resolved[revision] = self._resolve(revision)
            except GitFailure as failure:
                self._resolved[revision] = failure
        known = self._resolved[revision]
        if isinstance(known, GitFailure):  # asked once, not once per agent
            raise known.with_traceback(None)
        return known

    def _resolve(self, revision: str) -> str:
        match = _REVISION.fullmatch(revision)
        if match is None:
            raise GitFailure(
                f"{self.repo.name}: {revision!r} is no commit hash",
                "`commits` of a run's journal.json holds hashes, of four digits or more",
            )
        commit = self._find(match["commit"])
        if not match["parent"]:
            return commit
        # As the commit itself says: for rev-parse a commit at the end of a shallow history has no parent.
        parent = re.search(r"^parent (\w+)$", self.git("cat-file", "commit", commit).text, re.MULTILINE)
        if parent is None:
            raise GitFailure(
                f"{self.repo.name}: commit {match['commit']} has no parent to be the baseline",
                "name the baseline in the run's journal.json, as commits.pre",
            )
        return self._find(parent[1])

    def _find(self, commit: str) -> str:
        found = self._look_up(commit)
        if isinstance(found, GitResult) and self.repo.fetch:
            self.fetch(commit)
            found = self._look_up(commit)
        if isinstance(found, GitResult):
            raise messages.missing(self.repo.name, commit, self.clone, self.repo.fetch, found)
        return found

    def _look_up(self, commit: str) -> str | GitResult:
        """Its full hash, or what git said where it is not there."""
        result = self.git("rev-parse", "--verify", f"{commit}^{{commit}}")
        if result.code == 0:
            return result.text
        failure = messages.not_a_commit(self.repo.name, commit, self.clone, result)
        if failure is not None:
            raise failure
        return result

    def fetch(self, commit: str) -> None:
        """Bring ``commit`` into our repository, never into the user's, from where the configuration allows.

        A full hash is asked for alone, an abbreviated one among all branches and tags.

        Raises:
            GitFailure: the place cannot be reached. That it does not have the commit is no error here.
        """
        source = dict(self.clone.remotes).get(self.repo.fetch or "", self.repo.fetch or "")
        full = len(commit) in messages.FULL_LENGTHS
        wanted = [f"+{commit}:refs/perfagents/commits/{commit}"] if full else _EVERYTHING
        # What a clone with holes has, it must not claim to have: the server would leave out what it lacks.
        holes = self.clone.shallow or self.clone.partial
        anew = ("--refetch", "--depth=1") if holes else ()
        no_refs = ("core.alternateRefsCommand=true",) if holes else ()
        options = ("--no-tags", "--no-write-fetch-head", *anew)
        with self.locked():
            done = self.git("fetch", *options, "--", source, *wanted, settings=no_refs)
        if done.code and not messages.lost_objects(done):
            raise messages.unreachable(self.repo.name, commit, self.clone, source, done)

    def check_out(self, commit: str, folder: Path) -> None:
        """Make ``folder`` a detached worktree of ``commit``, a full hash.

        Raises:
            GitFailure: it could not be made. The caller removes what is left of it, and calls :meth:`prune`.
        """
        with self.locked():
            done = self.git("worktree", "add", "--quiet", "--detach", "--no-checkout", str(folder), commit)
        if not done.code:
            done = self._fill(folder)
        if done.code and self.repo.fetch and self.clone.partial and messages.lost_objects(done):
            self.fetch(commit)
            done = self._fill(folder)
        if done.code:
            cache = self.folder.parent.parent
            raise messages.not_checked_out(self.repo.name, commit, self.clone, cache, done)

    def _fill(self, folder: Path) -> GitResult:
        return run_git(folder, "reset", "--quiet", "--hard", timeout_s=LONG_S, env=self.env)

    def prune(self) -> None:
        """Forget the worktrees whose folders are gone. All of them are ours."""
        with self.locked():
            run_git(self.folder, "worktree", "prune", "--expire=now", env=self.env)


def lock_of(repository: Path) -> FileLock:
    """The lock around changes to a cache repository."""
    return FileLock(repository.with_suffix(".lock"), timeout=LONG_S)


def prune_all(cache: Path) -> None:
    """Forget the worktrees whose folders are gone, in every cache repository: after a killed session."""
    for repository in sorted((cache / "repos").glob("*.git")):
        with lock_of(repository):
            run_git(repository, "worktree", "prune", "--expire=now")
