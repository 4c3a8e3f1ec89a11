"""Sides as git worktrees on this machine, run by the interpreter that the configuration names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends import base, oneshot
from pytest_perfagents.backends.base import ProgramRun, WorkspaceFailure
from pytest_perfagents.backends.building import build
from pytest_perfagents.backends.interpreter import Interpreter, find_interpreter
from pytest_perfagents.backends.reaching import reach_of, refuse_open_doors
from pytest_perfagents.backends.rooms import Room, RoomWorker
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.gitrepo.applying import apply_patch
from pytest_perfagents.gitrepo.locating import located
from pytest_perfagents.gitrepo.overlay import copy_overlay
from pytest_perfagents.gitrepo.patches import Patch, PatchFailure, read_patch
from pytest_perfagents.gitrepo.worktrees import GitFailure, Worktrees, baseline_revision
from pytest_perfagents.judgement.machine import described
from pytest_perfagents.model import Blame, Category, Commit, Failure, Role, Side, Stage, UsageError
from pytest_perfagents.parsers.prediction import load_patch
from pytest_perfagents.processes.childenv import FORBIDDEN, child_env, make_private
from pytest_perfagents.processes.confinement import Reach
from pytest_perfagents.processes.machine import read_machine
from pytest_perfagents.processes.process import Command
from pytest_perfagents.processes.template import Template, TemplateGone

if TYPE_CHECKING:
    from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig
    from pytest_perfagents.processes.leases import Session

START_S = 60.0
RUN_SEED = 1


@dataclass(frozen=True, slots=True)
class WorktreeWorkspace:
    """A worktree that is ready to run code, with the folder for the rooms of its processes.

    ``reach`` is what they may read and write besides their rooms; None where nothing confines them.
    """

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
    reach: Reach | None = None
    workers: list[RoomWorker] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def harness_files(self) -> tuple[Path, ...]:
        """The compiled worker."""
        return (self.interpreter.worker,)

    def start_template(self, modules: Sequence[str], *, seed: int, timeout_s: float) -> Template | None:
        """A process that has imported ``modules``; None where that goes wrong, starts threads or shares memory."""
        room = self._room()
        argv = (str(self.interpreter.python), str(self.interpreter.worker))
        try:
            return Template(Command(argv, room.folder, self.environment(room.folder, seed), timeout_s), modules)
        except TemplateGone:
            return None

    def start_worker(self, *, seed: int, padding: int, template: base.Template | None = None) -> RoomWorker:
        """Start a process in a room of its own; raises WorkerEnded where the template is gone."""
        room = self._room()
        argv = (str(self.interpreter.python), str(self.interpreter.worker))
        command = Command(argv, self.root, self.environment(room.folder, seed, padding), START_S)
        assert template is None or isinstance(template, Template)
        worker = RoomWorker(command, self._spec(room), room, template, padding)
        self.workers[:] = [*(each for each in self.workers if not each.is_closed), worker]
        return worker

    def start_counted(self, command: Sequence[str]) -> RoomWorker:
        """A worker inside ``command``, whose limits and confinement are taken on before; raises WorkerEnded."""
        room = self._room()
        argv = (str(self.interpreter.python), str(self.interpreter.worker))
        inner = (argv[0], shutil.copy(self.interpreter.worker, room.inbox))  # the other one is out of reach by then
        spec = self._spec(room)
        outer = {"mode": "become", "parent": spec["parent"], "confine": spec["confine"], "command": [*command, *inner]}
        env = self.environment(room.folder, RUN_SEED)
        counted = Command((*argv, json.dumps(outer)), self.root, env, START_S)
        worker = RoomWorker(counted, {**spec, "parent": None, "confine": None, "memory_bytes": None}, room)
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
        look: str = "",
    ) -> ProgramRun:
        """Run the script as ``__main__``."""
        return self._once("program", script, list(arguments), timeout_s, env, seed, padding, look)

    def call_run_test(
        self,
        script: Path,
        arguments: Mapping[str, Any],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = RUN_SEED,
        padding: int = 0,
        look: str = "",
    ) -> ProgramRun:
        """Import the script and call its ``run_test``."""
        return self._once("run_test", script, dict(arguments), timeout_s, env, seed, padding, look)

    def describe(self) -> Mapping[str, Any]:
        """Interpreter, versions and platform, and the machine's state when the session began."""
        own = {"threads": self.protocol.threads, "backend": "worktree", "state": self.state}
        return {**self.interpreter.facts, **own}

    def _once(
        self,
        mode: str,
        script: Path,
        arguments: Any,
        timeout_s: float,
        env: Mapping[str, str],
        seed: int,
        padding: int,
        look: str,
    ) -> ProgramRun:
        room = self._room()
        try:
            argv = (str(self.interpreter.python), str(self.interpreter.worker))
            lent = room.lend(arguments)
            spec = {**self._spec(room), "mode": mode, "script": str(script), "arguments": lent, "look": look}
            seen = {**self.environment(room.folder, seed, padding), **env}
            run = oneshot.run_once(Command(argv, self.root, seen, timeout_s), spec)
            room.collect()
            return run
        finally:
            room.remove()

    def _room(self) -> Room:
        """A new one, whose path is as long as any other's."""
        return Room.make(self.private / f"{next(self.numbers):06d}", self.scratch.parent)

    def environment(self, private: Path, seed: int | None = None, padding: int = 0) -> dict[str, str]:
        """What a process of this workspace sees; ``private`` is its room's folder."""
        return child_env(
            os.environ,
            session_id=self.session_id,
            private=private,
            env=self.repo.env,
            pass_env=self.repo.pass_env,
            threads=self.protocol.threads,
            seed=seed,
            padding=padding,
        )

    def _spec(self, room: Room) -> dict[str, Any]:
        memory_gb = self.protocol.memory_gb
        return {
            "root": str(self.root),
            "import_root": self.repo.import_root,
            "packages": list(self.repo.packages),
            "parent": os.getpid(),
            "memory_bytes": None if memory_gb is None else int(memory_gb * 1e9),
            "gpu_warmup_s": self.protocol.gpu_warmup_s,
            "l2_flush": self.protocol.l2_flush,
            "confine": room.confined(self.reach),
        }


class WorktreeBackend:
    """Baseline and human are the session's shared worktrees; every patched side has one of its own."""

    def __init__(self, config: Config, session: Session, worktrees: Worktrees) -> None:
        """Raises UsageError where the configured environment would act before a worker is in charge."""
        self._config, self._session, self._worktrees = config, session, worktrees
        self._interpreters: dict[str, Interpreter] = {}
        self._ready: dict[Path, tuple[str, ...]] = {}
        self._numbers = count(1)
        self._state = described(read_machine())
        for repo in config.repos.values():
            refuse_open_doors(config, repo)
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
                self._folder(stack, self._session.tmp / number), self._session.id,
                repo, self._interpreter(repo), self._config.protocol,
            )  # fmt: skip
            stack.callback(workspace.close_workers)
            yield replace(
                self._prepared(workspace, commit),
                reach=reach_of(repo, self._config, self._session.tmp, workspace.root, workspace.interpreter),
                state=self._state,
            )

    def renew(self) -> None:
        """Shared worktrees and compiled workers are made anew for whoever asks next: somebody wrote to one."""
        self._worktrees.renew()
        self._interpreters.clear()

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
        failure = self._build(workspace)
        if failure is not None:
            raise WorkspaceFailure(failure)
        if copied or repo.build:
            self._worktrees.recount(root)
        return flags

    def _build(self, workspace: WorktreeWorkspace) -> Failure | None:
        """The configured steps, which are the user's own: nothing confines them."""
        private = make_private(workspace.private / "builds")
        try:
            env = {**workspace.environment(private), "PATH": _path_of(workspace.repo)}
            return build(workspace.repo, workspace.root, env, workspace.side.role, self._config.timeout_s)
        finally:
            delete_folder(private)


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
