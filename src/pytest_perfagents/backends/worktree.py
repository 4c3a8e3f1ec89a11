"""Sides as git worktrees on this machine, run by the interpreter that the configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends import oneshot
from pytest_perfagents.backends.base import ProgramRun, WorkspaceFailure
from pytest_perfagents.backends.building import build
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.backends.interpreter import Interpreter, find_interpreter
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.gitrepo.applying import apply_patch
from pytest_perfagents.gitrepo.locating import located
from pytest_perfagents.gitrepo.overlay import copy_overlay
from pytest_perfagents.gitrepo.patches import Patch, PatchFailure, read_patch
from pytest_perfagents.gitrepo.worktrees import GitFailure, Worktrees, baseline_revision
from pytest_perfagents.model import Blame, Category, Commit, Failure, Role, Side, Stage, UsageError
from pytest_perfagents.parsers.prediction import load_patch
from pytest_perfagents.processes.childenv import FORBIDDEN, child_env, make_private
from pytest_perfagents.processes.process import Command

if TYPE_CHECKING:
    from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig
    from pytest_perfagents.processes.leases import Session

START_S = 60.0
RUN_SEED = 1


@dataclass(frozen=True, slots=True)
class WorktreeWorkspace:
    """A worktree that is ready to run code, with the private folders of its processes."""

    root: Path
    side: Side
    flags: tuple[str, ...]
    patch: Patch | None
    scratch: Path
    private: Path
    session_id: str
    repo: RepoConfig
    interpreter: Interpreter
    protocol: ProtocolConfig
    workers: list[ChannelWorker] = field(default_factory=list)

    def start_worker(self, *, seed: int, padding: int) -> ChannelWorker:
        """Start a process and wait for its greeting; raises WorkerEnded."""
        argv = (str(self.interpreter.python), str(self.interpreter.worker))
        command = Command(argv, self.root, self.environment(seed, padding), START_S)
        worker = ChannelWorker(command, self._spec())
        self.workers[:] = [*(each for each in self.workers if not each.is_closed), worker]
        return worker

    def close_workers(self) -> None:
        """End those that were not closed, as after Ctrl-C."""
        for worker in self.workers:
            worker.close()

    def run_program(
        self,
        script: Path,
        arguments: Sequence[str],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = RUN_SEED,
        padding: int = 0,
    ) -> ProgramRun:
        """Run the script as ``__main__``."""
        return self._once("program", script, list(arguments), timeout_s, {**self.environment(seed, padding), **env})

    def call_run_test(
        self,
        script: Path,
        arguments: Mapping[str, Any],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = RUN_SEED,
        padding: int = 0,
    ) -> ProgramRun:
        """Import the script and call its ``run_test``."""
        return self._once("run_test", script, dict(arguments), timeout_s, {**self.environment(seed, padding), **env})

    def describe(self) -> Mapping[str, Any]:
        """Interpreter, versions and platform."""
        return {**self.interpreter.facts, "threads": self.protocol.threads, "backend": "worktree"}

    def _once(self, mode: str, script: Path, arguments: Any, timeout_s: float, env: Mapping[str, str]) -> ProgramRun:
        argv = (str(self.interpreter.python), str(self.interpreter.worker))
        spec = {**self._spec(), "mode": mode, "script": str(script), "arguments": arguments}
        return oneshot.run_once(Command(argv, self.root, env, timeout_s), spec)

    def environment(self, seed: int | None = None, padding: int = 0) -> dict[str, str]:
        """What processes of this workspace see."""
        return child_env(
            os.environ,
            session_id=self.session_id,
            private=self.private,
            env=self.repo.env,
            pass_env=self.repo.pass_env,
            threads=self.protocol.threads,
            seed=seed,
            padding=padding,
        )

    def _spec(self) -> dict[str, Any]:
        memory_gb = self.protocol.memory_gb
        return {
            "root": str(self.root),
            "import_root": self.repo.import_root,
            "packages": list(self.repo.packages),
            "parent": os.getpid(),
            "memory_bytes": None if memory_gb is None else int(memory_gb * 1e9),
        }


class WorktreeBackend:
    """Baseline and human are the session's shared worktrees; every patched side has one of its own."""

    def __init__(self, config: Config, session: Session, worktrees: Worktrees) -> None:
        """Raises UsageError where the configured environment would act before a worker is in charge."""
        self._config, self._session, self._worktrees = config, session, worktrees
        self._interpreters: dict[str, Interpreter] = {}
        self._ready: dict[Path, tuple[str, ...]] = {}
        self._numbers = count(1)
        for repo in config.repos.values():
            for name in (*repo.env, *repo.pass_env):
                if name in FORBIDDEN:
                    raise UsageError(
                        f"{config.file}: [repos.{repo.name}] {name} must not reach the measured code: "
                        "it acts before a workspace can be put first; set `import_root`, "
                        "or install what is missing into `python`"
                    )

    @contextmanager
    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> Iterator[WorktreeWorkspace]:
        """A worktree of the side, patched, with overlay and build; raises WorkspaceFailure, UsageError."""
        repo = self._config.repos.get(commit.repo)
        if repo is None:
            raise WorkspaceFailure(failures.unknown_repository(commit, self._config.file.name))
        with ExitStack() as stack:
            read = None if patch is None else _read(patch, repo, side)
            root = self._tree(stack, repo, commit, side)
            number = f"{next(self._numbers):06d}"
            workspace = WorktreeWorkspace(
                root, side, (), read, self._folder(stack, self._session.folder / "s" / number),
                make_private(self._folder(stack, self._session.tmp / number)), self._session.id,
                repo, self._interpreter(repo), self._config.protocol,
            )  # fmt: skip
            stack.callback(workspace.close_workers)
            yield self._prepared(workspace, commit)

    def _tree(self, stack: ExitStack, repo: RepoConfig, commit: Commit, side: Side) -> Path:
        revision = commit.human if side.role is Role.HUMAN else baseline_revision(commit)
        try:
            if side.role is not Role.PATCHED:
                return stack.enter_context(self._worktrees.shared(repo, revision))
            root = self._worktrees.add(repo, revision)
        except GitFailure as failure:
            raise WorkspaceFailure(failure.failure(side.role)) from failure
        stack.callback(self._worktrees.remove, root)
        return root

    def _folder(self, stack: ExitStack, folder: Path) -> Path:
        """A folder that is gone when the workspace is."""
        folder.mkdir(parents=True)
        stack.callback(delete_folder, folder)
        return folder

    def _interpreter(self, repo: RepoConfig) -> Interpreter:
        if repo.name not in self._interpreters:
            folder = self._session.folder / "interpreters"
            folder.mkdir(exist_ok=True)
            env = child_env(os.environ, session_id=self._session.id, private=make_private(self._session.tmp))
            try:
                self._interpreters[repo.name] = find_interpreter(repo, folder, env)
            except UsageError as error:  # one repository's trouble: the others are evaluated
                raise WorkspaceFailure(_no_interpreter(repo, str(error))) from error
        return self._interpreters[repo.name]

    def _prepared(self, workspace: WorktreeWorkspace, commit: Commit) -> WorktreeWorkspace:
        """Patch, overlay, build; a shared tree only the first time."""
        root, patch = workspace.root, workspace.patch
        if root not in self._ready or patch is not None:
            self._ready[root] = self._prepare(workspace, commit)
        return replace(workspace, flags=self._ready[root], patch=patch and located(root, patch))

    def _prepare(self, workspace: WorktreeWorkspace, commit: Commit) -> tuple[str, ...]:
        repo, root, role = workspace.repo, workspace.root, workspace.side.role
        flags: tuple[str, ...] = ()
        if workspace.patch is not None:
            try:
                flags = apply_patch(root, workspace.patch)
            except PatchFailure as refused:
                raise WorkspaceFailure(refused.failure(role)) from refused
        if not (root / repo.import_root).is_dir():
            raise WorkspaceFailure(_no_import_root(repo, commit, role))
        if role is not Role.PATCHED and not any(_has_package(root / repo.import_root, name) for name in repo.packages):
            raise WorkspaceFailure(_no_package(repo, commit, role))
        copied = copy_overlay(root, repo)
        env = {**workspace.environment(), "PATH": _path_of(repo)}
        failure = build(repo, root, env, role, self._config.timeout_s)
        if failure is not None:
            raise WorkspaceFailure(failure)
        if copied or repo.build:
            self._worktrees.recount(root)
        return flags


def _read(patch: Path, repo: RepoConfig, side: Side) -> Patch:
    try:
        return read_patch(load_patch(patch), repo)
    except PatchFailure as failure:
        raise WorkspaceFailure(failure.failure(side.role)) from failure
    except OSError as error:
        raise WorkspaceFailure(failures.unreadable_patch(patch, error)) from error


def _no_interpreter(repo: RepoConfig, reason: str) -> Failure:
    hint = f"set `python` of [repos.{repo.name}] in perfagents.toml to the interpreter that runs the measured code"
    return Failure(Category.BASELINE_NO_OUTPUT, Stage.PREPARE, reason, Role.BASELINE, Blame.ENVIRONMENT, hint)


def _has_package(import_root: Path, name: str) -> bool:
    place = import_root.joinpath(*name.split("."))
    return place.is_dir() or place.with_name(f"{place.name}.py").is_file()


def _no_package(repo: RepoConfig, commit: Commit, role: Role) -> Failure:
    names = " or ".join(repo.packages)
    return Failure(
        Category.WRONG_TARGET,
        Stage.PREPARE,
        f"there is no package {names} in {repo.import_root} of {repo.name} at the {role} side of {commit.short}",
        role,
        Blame.ENVIRONMENT,
        f"set `packages` and `import_root` of [repos.{repo.name}] in perfagents.toml to what the scripts import",
    )


def _no_import_root(repo: RepoConfig, commit: Commit, role: Role) -> Failure:
    return Failure(
        Category.WRONG_TARGET,
        Stage.PREPARE,
        f"there is no folder {repo.import_root} in {repo.name} at the {role} side of {commit.short}",
        role,
        Blame.ENVIRONMENT,
        f"set `import_root` of [repos.{repo.name}] in perfagents.toml to the folder that holds its packages",
    )


def _path_of(repo: RepoConfig) -> str:
    """PATH for build steps: ``python`` and ``pip`` are those of the measured code."""
    return os.pathsep.join([str(repo.python.parent), os.environ.get("PATH", os.defpath)])
