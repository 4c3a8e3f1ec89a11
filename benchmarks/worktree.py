"""What preparing a second agent's patched side costs, against a bare ``git worktree add`` of the same commit.

    python benchmarks/worktree.py [--files 5000] [--repeats 15] [--check]

Both are timed in turn, in one run, on a repository made for the purpose; ``--check`` exits with 1 over the
target. The patched side is what a backend makes for an agent: a worktree of its own, and the patch read,
classified and applied.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.config import RepoConfig
from pytest_perfagents.gitrepo.applying import apply_patch
from pytest_perfagents.gitrepo.patches import read_patch
from pytest_perfagents.gitrepo.worktrees import Worktrees
from pytest_perfagents.processes.leases import Session

TARGET = 1.5
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "gc.auto=0")


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, check=True).stdout


def make_repository(folder: Path, files: int) -> str:
    """A package of ``files`` modules in folders of 50, most of them small, as in a real tree."""
    chance = random.Random(0)
    folder.mkdir()
    git(folder, "init", "--quiet", ".")
    for number in range(files):
        module = folder / "pkg" / f"part_{number // 50:03d}" / f"module_{number:05d}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        lines = int(chance.lognormvariate(4.5, 1.0)) + 20
        module.write_text("".join(f"value_{line} = {chance.random()}\n" for line in range(lines)))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "tree")
    git(folder, "repack", "-adq")
    return git(folder, "rev-parse", "HEAD").decode().strip()


def make_patch(clone: Path) -> bytes:
    """An agent's patch to five modules."""
    for number in (0, 7, 77, 177, 277):
        module = next(clone.glob(f"pkg/*/module_{number:05d}.py"))
        lines = module.read_text().splitlines(keepends=True)
        module.write_text("".join([*lines[:10], "faster = True\n", *lines[11:]]))
    text = git(clone, "diff")
    git(clone, "checkout", "--quiet", ".")
    return text


@dataclass
class Cost:
    """Seconds of one preparation: on the wall, and of CPU in us and our children."""

    wall_s: float
    cpu_s: float


def timed(prepare: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), cpu_s()
    prepare()
    return Cost(time.perf_counter() - wall, cpu_s() - cpu)


def cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def measure(folder: Path, files: int, repeats: int) -> tuple[list[Cost], list[Cost]]:
    """What the bare command and ours cost, in alternating order; the first round of each is a warm-up."""
    clone, cache, plain = folder / "clone", folder / "cache", folder / "plain"
    commit = make_repository(clone, files)
    repo, text = RepoConfig("demo", clone, packages=("pkg",)), make_patch(clone)
    bare: list[Cost] = []
    ours: list[Cost] = []
    with Session(cache) as session, Worktrees(cache, 100, session) as worktrees:
        worktrees.add(repo, commit)  # the first agent's
        patched: list[Path] = []

        def prepare_bare() -> None:
            git(clone, "worktree", "add", "--quiet", "--detach", str(plain), commit)

        def prepare_ours() -> None:
            patched.append(worktrees.add(repo, commit))
            apply_patch(patched[-1], read_patch(text, repo))

        for number in range(repeats + 1):
            both = [(bare, prepare_bare), (ours, prepare_ours)]
            for costs, prepare in both if number % 2 else both[::-1]:
                costs.append(timed(prepare))
            worktrees.remove(patched.pop())
            git(clone, "worktree", "remove", "--force", str(plain))
    return bare[1:], ours[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 where the ratio is over {TARGET}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perfagents-") as folder:
        bare, ours = measure(Path(folder), options.files, options.repeats)
    ratio = statistics.median(mine.wall_s / theirs.wall_s for mine, theirs in zip(ours, bare, strict=True))
    cpu_ratio = statistics.median(mine.cpu_s / theirs.cpu_s for mine, theirs in zip(ours, bare, strict=True))
    print(f"tree of {options.files} files, medians of {options.repeats} interleaved repeats     wall        CPU")
    for name, costs in (("git worktree add", bare), ("second agent's patched side", ours)):
        wall, cpu = (statistics.median(getattr(cost, what) for cost in costs) for what in ("wall_s", "cpu_s"))
        print(f"{name:57} {wall * 1e3:6.0f} ms  {cpu * 1e3:6.0f} ms")
    print(f"{'ratio of the pairs':57} {ratio:6.2f}     {cpu_ratio:6.2f}      target <= {TARGET} (wall)")
    return 1 if options.check and ratio > TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
