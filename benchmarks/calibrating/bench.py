"""The sides that are measured: real worktrees of a real repository, with slowdowns patched in, in twos.

Every side has a twin with the same code, so that each pair of twins is an A/A comparison, and the two sets of twins
give two injected-effect comparisons for every slowdown. Half of the twins lie below a longer path.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from calibrating.workloads import PACKAGE, UNITS, patch_to, write_package
from pytest_perfagents.backends.base import Workspace
from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig
from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
from pytest_perfagents.model import BASELINE, Commit, Role, Side
from pytest_perfagents.processes.leases import Session

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "gc.auto=0", "-c", "init.defaultBranch=main")
LONG_NAME = "a-cache-below-a-much-longer-path-than-that-of-the-other-sides"
KITS = {
    "fine": (UNITS, UNITS + 1, UNITS + 2, UNITS + 4),
    "coarse": (UNITS, UNITS + 3, UNITS + 6, UNITS + 10),
}
"""Units of the sides of one start; each stands for two sides."""


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A place in a start: ``units`` of work, the first or the second of two twins, below a longer path or not."""

    units: int
    copy: int
    is_long: bool = False

    @property
    def side(self) -> Side:
        """What the protocol calls it: the first of the unpatched twins is the baseline."""
        if self == Seat(UNITS, 0):
            return BASELINE
        return Side(Role.PATCHED, f"{self.units}-{self.copy}")


def seats_of(kit: str) -> list[Seat]:
    """The sides of a start. Of the second twins, every other one has a longer path."""
    if kit == "pair":
        return [Seat(UNITS, 0), Seat(UNITS, 1)]
    return [Seat(units, copy, bool(copy and index % 2)) for index, units in enumerate(KITS[kit]) for copy in (0, 1)]


@dataclass(frozen=True, slots=True)
class Bench:
    """All sides, ready to run code; ``scripts`` is a folder for perf scripts."""

    workspaces: dict[Seat, Workspace]
    scripts: Path
    config: Config


@contextmanager
def bench(folder: Path, protocol: ProtocolConfig, kits: Sequence[str] = tuple(KITS)) -> Iterator[Bench]:
    """The repository and a worktree for every seat of the kits, under ``folder``; all gone at the end."""
    commit = _make_repository(folder / "clone")
    wanted = sorted({seat for kit in kits for seat in seats_of(kit)})
    repo = RepoConfig(PACKAGE, folder / "clone")
    scripts = folder / "scripts"
    scripts.mkdir()
    with ExitStack() as stack:
        backends = {}
        for is_long, name in ((False, "c"), (True, LONG_NAME)):
            cache = folder / name
            config = Config(folder / "perfagents.toml", {PACKAGE: repo}, (), (), folder / "results", cache,
                            protocol=protocol)  # fmt: skip
            session = stack.enter_context(Session(cache, prune=prune_all))
            worktrees = stack.enter_context(Worktrees(cache, config.disk_gb, session))
            backends[is_long] = WorktreeBackend(config, session, worktrees)
        workspaces: dict[Seat, Workspace] = {}
        for seat in wanted:
            patch = None
            if seat.units != UNITS:
                patch = folder / f"{seat.units}.diff"
                patch.write_text(patch_to(seat.units))
            workspaces[seat] = stack.enter_context(backends[seat.is_long].workspace(commit, seat.side, patch))
        yield Bench(workspaces, scripts, config)


def _make_repository(folder: Path) -> Commit:
    write_package(folder)
    _git(folder, "init", "--quiet", ".")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "the baseline")
    parent = _git(folder, "rev-parse", "HEAD")
    _git(folder, "commit", "--quiet", "--allow-empty", "--message", "the human's")
    return Commit(PACKAGE, _git(folder, "rev-parse", "HEAD"), parent)


def _git(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, env=env, capture_output=True, check=True)
    return done.stdout.decode().strip()
