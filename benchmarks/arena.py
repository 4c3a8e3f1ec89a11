"""What measuring five agents of a commit together costs, against five separate comparisons.

    python benchmarks/arena.py [--agents 5] [--repeats 3] [--starts 20] [--seed 0] [--check]

Both are measured in turn, in one run, through the evaluator that pytest uses: patches that add a comment to a
pure-Python workload, a fixed number of starts. Arena and pair may differ in the width of their intervals, and a width
is bought with time: half of it costs four times as much. So the figure is the ratio of time times squared width.
``--check`` exits with 1 over the target.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import expm1, log
from pathlib import Path
from statistics import geometric_mean

from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.config import load_config
from pytest_perfagents.gitrepo.worktrees import Worktrees, prune_all
from pytest_perfagents.harness import Evaluator
from pytest_perfagents.model import AgentRun, Case, Commit, Outcome
from pytest_perfagents.processes.leases import MeasureLease, Session

TARGET = 0.65
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")
PACKAGE = '''"""A millisecond of pure Python."""


def work(values):
    total = 0
    for value in values:
        total = (total * 31 + value) % 1_000_003
    return total
'''
SCRIPT = """from workload import work


def setup():
    return list(range(12_000))


def experiment(values):
    return work(values)
"""


@dataclass
class Cost:
    """``seconds`` of measuring, and the width of each comparison's interval, in log speedup."""

    seconds: float = 0.0
    widths: list[float] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        self.seconds += float(outcomes[0].protocol["measured_s"])
        for outcome in outcomes:
            assert outcome.comparison is not None
            self.widths.append(log(outcome.comparison.high / outcome.comparison.low))


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, check=True, text=True
    ).stdout.strip()


def make_cases(folder: Path, agents: int) -> list[Case]:
    """A repository of two commits, and runs of as many agents whose patches change nothing."""
    clone = folder / "clone"
    (clone / "workload").mkdir(parents=True)
    module = clone / "workload" / "__init__.py"
    git(clone, "init", "--quiet", ".")
    revisions = []
    for text in (PACKAGE, PACKAGE.replace("A millisecond", "About a millisecond")):
        module.write_text(text)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--message", "workload")
        revisions.append(git(clone, "rev-parse", "HEAD"))
    commit = Commit("workload", revisions[1], revisions[0])
    script = folder / f"{commit.short}_test_case_generator.py"
    script.write_text(SCRIPT)
    cases = []
    for number in range(agents):
        module.write_text(PACKAGE + f"\n# agent {number}\n")
        git(clone, "checkout", "--quiet", "--detach", revisions[0], "--merge")
        run = folder / "runs" / f"agent{number}"
        run.mkdir(parents=True)
        (run / "model_patch.diff").write_text(git(clone, "diff") + "\n")
        git(clone, "checkout", "--quiet", "--force", revisions[0])
        name = f"agent{number}"
        cases.append(Case(AgentRun(commit, name, "none", "run", "item", str(run), name, has_patch=True), script))
    return cases


def evaluator(folder: Path, starts: int, seed: int, stack: ExitStack) -> Evaluator:
    file = folder / "perfagents.toml"
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "runs").mkdir(exist_ok=True)
    file.write_text(f"""
[perfagents]
runs = ["runs"]
scripts = ["scripts"]
[perfagents.protocol]
sides = ["baseline", "patched"]
looks = [{starts}]
measure_s = 600
seed = {seed}
[repos.workload]
path = "clone"
""")
    config = load_config(file)
    session = stack.enter_context(Session(config.cache, prune=prune_all))
    worktrees = stack.enter_context(Worktrees(config.cache, config.disk_gb, session))
    return Evaluator(config, WorktreeBackend(config, session, worktrees), lease=MeasureLease)


def evaluate(judge: Evaluator, cases: Sequence[Case]) -> list[Outcome]:
    outcomes = list(judge.evaluate(cases, time.monotonic() + 3600).values())
    for outcome in outcomes:
        if outcome.comparison is None:
            raise SystemExit(f"{outcome.case.id}: {outcome.failure}")
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    together, apart = Cost(), Cost()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = make_cases(folder, options.agents)
        for repeat in range(options.repeats):
            with ExitStack() as turn:
                judge = evaluator(folder, options.starts, options.seed + repeat, turn)
                for is_arena in (True, False) if repeat % 2 else (False, True):
                    if is_arena:
                        together.add(evaluate(judge, cases))
                    else:
                        for case in cases:
                            apart.add(evaluate(judge, [case]))
    ratio_s = together.seconds / apart.seconds
    cost = ratio_s * (geometric_mean(together.widths) / geometric_mean(apart.widths)) ** 2
    print(f"{options.agents} agents, {options.starts} starts, {options.repeats} repeats")
    print(f"{'':28}{'seconds':>10}{'interval, half width':>24}")
    for label, each in (("one arena", together), ("separate comparisons", apart)):
        print(f"{label:28}{each.seconds:10.1f}{expm1(geometric_mean(each.widths) / 2):24.2%}")
    print(f"ratio of time               {ratio_s:10.2f}")
    print(f"ratio at equal width        {cost:10.2f}   (target <= {TARGET})")
    return int(options.check and cost > TARGET)


if __name__ == "__main__":
    sys.exit(main())
