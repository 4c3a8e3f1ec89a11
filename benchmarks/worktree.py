"""What it costs to prepare a second agent's patched side, against a bare ``git worktree add`` of the same commit.

    python benchmarks/worktree.py [--files 5000] [--repeats 15] [--check]

Both are timed in turn, in one run, on a repository made for the purpose; ``--check`` exits with 1 over the target.
The patched side is what a backend makes for an agent: a private worktree, the patch read, classified and applied.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_perfagents.applying import apply_patch
from pytest_perfagents.config import RepoConfig
from pytest_perfagents.gitrepo import Worktrees
from pytest_perfagents.leases import Session
from pytest_perfagents.patches import read_patch

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


def measure(folder: Path, files: int, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of the bare command and of ours, in alternation; the first round of each is a warm-up."""
    clone, cache = folder / "clone", folder / "cache"
    commit = make_repository(clone, files)
    repo, text = RepoConfig("demo", clone, packages=("pkg",)), make_patch(clone)
    bare: list[float] = []
    ours: list[float] = []
    with Session(cache) as session, Worktrees(cache, 100, session) as worktrees:
        first_agent = worktrees.add(repo, commit)
        for number in range(repeats + 1):
            plain = folder / f"plain-{number}"
            began = time.perf_counter()
            git(clone, "worktree", "add", "--quiet", "--detach", str(plain), commit)
            bare.append(time.perf_counter() - began)

            began = time.perf_counter()
            patched = worktrees.add(repo, commit)
            apply_patch(patched, read_patch(text, repo))
            ours.append(time.perf_counter() - began)

            worktrees.remove(patched)
            git(clone, "worktree", "remove", "--force", str(plain))
        worktrees.remove(first_agent)
    return bare[1:], ours[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 where the ratio is over {TARGET}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perfagents-") as folder:
        bare, ours = measure(Path(folder), options.files, options.repeats)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    print(f"tree of {options.files} files, median of {options.repeats} interleaved repeats")
    print(f"git worktree add          {statistics.median(bare) * 1e3:8.1f} ms")
    print(f"second agent's patched side {statistics.median(ours) * 1e3:6.1f} ms")
    print(f"ratio (of pairs)          {ratio:8.2f}    target <= {TARGET}")
    return 1 if options.check and ratio > TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
