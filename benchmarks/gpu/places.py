"""Where the kernels run: a repository with the baseline, runs of agents with patches, live workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kernels import SCRIPT, package

from pytest_perfagents.backends.assembling import write_worker
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.config import load_config
from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
from pytest_perfagents.harness import Evaluator
from pytest_perfagents.model import AgentRun, Case, Commit, Outcome
from pytest_perfagents.processes.childenv import child_env, make_private
from pytest_perfagents.processes.leases import MeasureLease, Session
from pytest_perfagents.processes.process import Command

PATIENCE_S = 300.0
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")
CONFIG = """
[perfagents]
runs = ["runs"]
scripts = ["scripts"]
timeout_s = 300
[perfagents.protocol]
sides = ["baseline", "patched"]
measure_s = {budget_s}
heavy_measure_s = {budget_s}
seed = {seed}
[repos.gpukit]
path = "clone"
python = "{python}"
"""


class Arena:
    """A commit for each kernel, whose baseline is the plain package; ``judge`` measures a package against it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clone = folder / "clone"
        self.clone.mkdir()
        for name in ("runs", "scripts"):
            (folder / name).mkdir()
        self._git("init", "--quiet", ".")
        parent = self._commit(package())
        self.commit = Commit("gpukit", self._commit(package() + "\n# the human's\n"), parent)
        self._runs = 0

    def judge(self, kernel: str, text: str, *, budget_s: float, seed: int) -> Outcome:
        """The verdict on a package instead of the baseline's, by the evaluator that pytest uses."""
        case = self._case(kernel, text)
        file = self.folder / "perfagents.toml"
        file.write_text(CONFIG.format(budget_s=budget_s, seed=seed, python=sys.executable))
        config = load_config(file)
        with ExitStack() as stack:
            session = stack.enter_context(Session(config.cache, prune=prune_all))
            worktrees = stack.enter_context(Worktrees(config.cache, config.disk_gb, session))
            evaluator = Evaluator(config, WorktreeBackend(config, session, worktrees), lease=MeasureLease)
            return evaluator.evaluate([case], time.monotonic() + 3600)[case.id]

    def _case(self, kernel: str, text: str) -> Case:
        self._runs += 1
        script = self.folder / "scripts" / kernel / f"{self.commit.short}_test_case_generator.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(SCRIPT.format(kernel=kernel))
        run = self.folder / "runs" / f"{self._runs:04d}"
        run.mkdir()
        self._git("checkout", "--quiet", "--detach", self.commit.parent)
        self._write(text + f"\n# agent {self._runs}\n")
        (run / "model_patch.diff").write_text(self._git("diff") + "\n")
        self._git("checkout", "--quiet", "--force", self.commit.parent)
        name = f"agent{self._runs}"
        return Case(AgentRun(self.commit, name, "none", "run", "item", str(run), name, has_patch=True), script)

    def _commit(self, text: str) -> str:
        self._write(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "gpukit")
        return self._git("rev-parse", "HEAD")

    def _write(self, text: str) -> None:
        module = self.clone / "gpukit" / "__init__.py"
        module.parent.mkdir(exist_ok=True)
        module.write_text(text)

    def _git(self, *arguments: str) -> str:
        command = ["git", *IDENTITY, *arguments]
        return subprocess.run(command, cwd=self.clone, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def living(kernel: str, text: str, **protocol: object) -> Iterator[ChannelWorker]:
    """A worker that has loaded a kernel's script; ``protocol``: ``gpu_warmup_s``, ``l2_flush``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tree" / "gpukit").mkdir(parents=True)
        (folder / "tree" / "gpukit" / "__init__.py").write_text(text)
        script = folder / "script.py"
        script.write_text(SCRIPT.format(kernel=kernel))
        env = child_env(os.environ, session_id="gpu", private=make_private(folder / "private"), seed=1)
        command = Command((sys.executable, str(write_worker(folder / "worker.py"))), folder / "tree", env, PATIENCE_S)
        spec = {"root": str(folder / "tree"), "import_root": ".", "packages": ["gpukit"], **protocol}
        started = ChannelWorker(command, spec)
        try:
            reply = started.request("load", PATIENCE_S, script=str(script))
            if not reply.ok:
                raise SystemExit(f"{kernel}: {reply.error}")
            yield started
        finally:
            started.close()


def turn(started: ChannelWorker, **arguments: object) -> dict[str, float]:
    """Times of one turn, in milliseconds: ``cuda``, ``stream``, ``wall``."""
    reply = started.request("turn", PATIENCE_S, **arguments)
    if not reply.ok:
        raise SystemExit(str(reply.error))
    value = reply.value
    return {
        "cuda": value["cuda_ms"] or float("nan"),
        "stream": value["stream_ms"] or float("nan"),
        "wall": value["wall_ns"] / 1e6,
    }


def naive_ms(text: str, program: str) -> float:
    """What a harness that trusts torch's names and one stream would say."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "gpukit").mkdir()
        (Path(name) / "gpukit" / "__init__.py").write_text(text)
        command = [sys.executable, "-c", program, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return float(done.stdout)
