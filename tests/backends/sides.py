"""One small repository with a human commit and patches that behave in every way, for real and as described."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_perfagents.backends.scripted import Dies, Hangs, Raises, ScriptedBackend, ScriptedSide
from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.config import Config, load_config
from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    Category,
    Commit,
    Ending,
    Execution,
    Failure,
    Role,
    Side,
    Stage,
)
from pytest_perfagents.processes.leases import Session

PATCHED = Side(Role.PATCHED, "good.diff")
SLOW = "def work(n):\n    return sum(list(range(n)))\n"
VERSIONS = {
    "good.diff": "def work(n):\n    return n * (n - 1) // 2\n",
    "wrong.diff": "def work(n):\n    return 0\n",
    "raises.diff": "def work(n):\n    raise RuntimeError('boom')\n",
    "dies.diff": "import os\ndef work(n):\n    print('last words', flush=True)\n    os._exit(7)\n",
    "hangs.diff": "import time\ndef work(n):\n    time.sleep(99)\n",
}
SCRIPT = """
    import json
    from pkg.core import work

    def setup():
        return 20_000

    def experiment(n):
        return work(n)

    def store_result(result, path):
        with open(path, "w") as file:
            json.dump(result, file)

    def load_result(path):
        with open(path) as file:
            return json.load(file)

    def check_equivalence(current, reference):
        assert current == reference, f"{current} is not {reference}"

    def run_test(eqcheck=False, reference=False, prefix=""):
        sum(range(1000))
        return 1.5

    if __name__ == "__main__":
        print(f"Execution time: {run_test()}s")
"""


def git(repo: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": f"a@{role}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True, text=True, env=env)
    return done.stdout


def commit_all(repo: Path, message: str) -> str:
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", message)
    return git(repo, "rev-parse", "HEAD").strip()


def make_files(folder: Path) -> Commit:
    """The repository, the patches and the script under ``folder``."""
    repo, patches = folder / "repo", folder / "patches"
    core = repo / "pkg" / "core.py"
    core.parent.mkdir(parents=True)
    patches.mkdir()
    git(repo, "init", "-q", "-b", "main")
    (repo / "pkg" / "__init__.py").write_text("")
    core.write_text(SLOW)
    parent = commit_all(repo, "start")
    for name, code in VERSIONS.items():
        core.write_text(code)
        (patches / name).write_text(git(repo, "diff"))
    conflict = (patches / "good.diff").read_text().replace("sum(list(range(n)))", "something_else(n)")
    (patches / "conflict.diff").write_text(conflict)
    core.write_text(VERSIONS["good.diff"])
    human = commit_all(repo, "faster")
    write_script(folder)
    return Commit("pkg", human, parent)


def write_script(folder: Path) -> None:
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "scripts" / "script.py").write_text(textwrap.dedent(SCRIPT))


def make_config(folder: Path, repo: str = "") -> Config:
    """A configuration with ``repo`` as further lines of its only repository."""
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "scripts").mkdir(exist_ok=True)
    file = folder / "perfagents.toml"
    file.write_text(f'[perfagents]\nruns = ["runs"]\nscripts = ["scripts"]\n[repos.pkg]\npath = "repo"\n{repo}\n')
    return load_config(file)


@contextmanager
def opened(config: Config) -> Iterator[WorktreeBackend]:
    with (
        Session(config.cache, prune=prune_all) as session,
        Worktrees(config.cache, config.disk_gb, session) as worktrees,
    ):
        yield WorktreeBackend(config, session, worktrees)


@contextmanager
def worktree_backend(folder: Path) -> Iterator[tuple[WorktreeBackend, Commit]]:
    commit = make_files(folder)
    with opened(make_config(folder)) as backend:
        yield backend, commit


@contextmanager
def scripted_backend(folder: Path) -> Iterator[tuple[ScriptedBackend, Commit]]:
    """The same sides as a description."""
    write_script(folder)
    file = str(folder / "tree" / "pkg" / "core.py")
    common = {
        "modules": {"pkg": file, "pkg.core": file},
        "targets": {"pkg.core": {"file": file, "loaded": True, "names": ["work"], "error": None}},
        "program": Execution(("script",), Ending.EXITED, 0, "Execution time: 1.5s\n", "", 0.1),
        "returned": 1.5,
    }
    lines = {"executable": [1, 2], "import": [1], "setup": [], "call": [2]}
    conflict = Failure(Category.PATCH_APPLY_FAILED, Stage.PREPARE, "does not apply", Role.PATCHED)
    patched = {
        "good.diff": ScriptedSide(lines={name: {"pkg/core.py": of} for name, of in lines.items()}, **common),
        "wrong.diff": ScriptedSide(equal=False, message="0 is not 199990000", **common),
        "raises.diff": ScriptedSide(mishaps={"turn": Raises()}, **common),
        "dies.diff": ScriptedSide(mishaps={"turn": Dies(code=7, stderr="last words\n")}, **common),
        "hangs.diff": ScriptedSide(mishaps={"turn": Hangs()}, **common),
        "conflict.diff": ScriptedSide(failure=conflict),
    }
    sides = {Side(Role.PATCHED, name): side for name, side in patched.items()}
    sides |= {BASELINE: ScriptedSide(call_s=0.02, **common), HUMAN: ScriptedSide(**common)}
    yield ScriptedBackend(sides, folder), Commit("pkg", "b" * 40, "a" * 40)
