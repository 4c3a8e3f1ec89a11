"""How long discovery and collection take on many agent runs, and how much memory, beside the targets.

python benchmarks/collection.py                  # 10,000 runs
python benchmarks/collection.py 10000 100000     # as many trees as you like
python benchmarks/collection.py --check          # exit status 1 where a target is missed
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

AGENTS = (
    ("trae", "us-anthropic-claude-sonnet-4-5-20250929-v1-0"),
    ("trae", "gpt-5"),
    ("codex", "gpt-5"),
    ("codex_cli", "default"),
    ("openhands", "gpt-5"),
    ("claude_code", "default"),
)
REPOS = ("vllm", "sglang")
TARGETS_S = {10_000: 2.0, 100_000: 15.0}
DISCOVERY_TARGETS_S = {10_000: 0.7, 100_000: 8.0}
TARGET_MB = 400.0

# Runs a command and reports what it took; its own process, for the peak is that of the largest child so far.
WATCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, done.stdout]))
"""
DISCOVER = """
import time; import sys; from pathlib import Path
from pytest_perfagents.config import load_config
from pytest_perfagents.discovery.finding import cases
from pytest_perfagents.discovery.selection import Selection
config = load_config(Path("perfagents.toml"))
began, cpu_began = time.perf_counter(), time.process_time()
found = cases(config, Selection(agents=tuple(sys.argv[1:])))
print(len(found), time.perf_counter() - began, time.process_time() - cpu_began)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing; without a target it is only shown."""

    name: str
    runs: int
    seconds: float
    cpu_s: float
    peak_mb: float
    target_s: float | None

    @property
    def met(self) -> bool:
        return self.target_s is None or (self.seconds <= self.target_s and self.peak_mb <= TARGET_MB)

    def __str__(self) -> str:
        target = f"{'-':>14}" if self.target_s is None else f"{self.target_s:5.1f} s {TARGET_MB:4.0f} MB"
        verdict = "" if self.target_s is None else ("met" if self.met else "MISSED")
        took = f"{self.seconds:8.2f} s {self.cpu_s:8.2f} s {self.peak_mb:6.0f} MB"
        return f"{self.name:<28} {self.runs:>8,} {took}   {target}  {verdict}"


def build(root: Path, count: int) -> None:
    """A project of ``count`` agent runs, five in six hierarchical and the others flat, on 200 commits with scripts."""
    (root / "test_scripts").mkdir()
    for number in range(0, 200, 2):
        (root / f"test_scripts/{number:08x}_test_case_generator.py").write_text("def experiment(data): ...\n")
    for number in range(count):
        folder = root / "state/runs" / place(number)
        folder.mkdir(parents=True)
        (folder / "journal.json").write_text(json.dumps(journal(number), indent=2))
        (folder / "model_patch.diff").write_text("diff --git a/a.py b/a.py\n")
        (folder / "prompt.json").write_text("{}")
        (folder / "task.txt").write_text("make it faster")
    repos = "".join(f'[repos.{name}]\npath = "{name}"\n' for name in REPOS)
    (root / "perfagents.toml").write_text(f'[perfagents]\nruns = ["state/runs"]\nscripts = ["test_scripts"]\n{repos}')
    (root / "pytest.ini").write_text("[pytest]\n")


def place(number: int) -> str:
    repo, (agent, model) = REPOS[number // 7 % 2], AGENTS[number % len(AGENTS)]
    if agent == "openhands":
        return f"{repo}_core-{number:08x}/{repo}_core-{number % 100:04d}"
    batch = number // 60
    day = f"2026-{batch // 28 % 12 + 1:02d}-{batch % 28 + 1:02d}"
    stamp = f"{day}_00-{batch // 336 % 60:02d}-{batch // 20160:02d}"
    return f"{repo}/{agent}/{model}/{stamp}/{repo}_core-{number:04d}"


def journal(number: int) -> dict[str, object]:
    """As real ones are: about a kilobyte."""
    repo, (agent, _) = REPOS[number // 7 % 2], AGENTS[number % len(AGENTS)]
    human = f"{number % 200:08x}" + "ab" * 16
    return {
        "task_id": f"{repo}_core",
        "commits": {"pre": "c" * 40, "human": human},
        "agent_branch": f"agent/{repo}_core/{human[:8]}",
        "status": "success" if number % 3 else "error",
        "experiment": {"hints_enabled": False, "preflight_enabled": False},
        "preflight": {"attempted": False},
        "metrics": {"time_to_first_edit_s": None, "patch_size_loc": 84, "changed_files_count": 1},
        agent: {"cli": "python", "time_budget_minutes": 120, "returncode": 0, "duration_s": 610.48},
        "timestamps": {"written": 1777672000.0 + number},
    }


def watch(command: list[str], folder: Path) -> tuple[float, float, float, str]:
    """Seconds, CPU seconds, peak memory in MB and output of a command."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    status, seconds, cpu_s, peak_mb, output = json.loads(done.stdout)
    if status:
        raise SystemExit(f"{' '.join(command[:4])} … ended with status {status}:\n{output[-2000:]}")
    return seconds, cpu_s, peak_mb, output


def discovery(root: Path, agent: str, target_s: float | None) -> Figure:
    _, _, peak_mb, output = watch([sys.executable, "-c", DISCOVER, agent], root)
    found, seconds, cpu_s = map(float, output.split())
    return Figure(f"discovery of {agent}", int(found), seconds, cpu_s, peak_mb, target_s)


def collection(root: Path, agent: str, target_s: float | None) -> Figure:
    plugin = [] if entry_points(group="pytest11", name="perfagents") else ["-p", "pytest_perfagents.plugin"]
    command = [sys.executable, "-m", "pytest", *plugin, "--collect-only", "-q", "-p", "no:cacheprovider"]
    seconds, cpu_s, peak_mb, output = watch([*command, "--agent", agent], root)
    found = sum("::" in line for line in output.splitlines())
    return Figure(f"pytest --agent {agent}", found, seconds, cpu_s, peak_mb, target_s)


def figures(count: int, repeats: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="collection-") as name:
        root = Path(name)
        build(root, count)
        for agent, expected in (
            ("*", count),
            ("codex_gpt5", sum(n % len(AGENTS) == 2 for n in range(count))),
        ):
            targets = (DISCOVERY_TARGETS_S, TARGETS_S) if agent == "*" else ({}, {})
            for measure, target in zip((discovery, collection), targets, strict=True):
                found = [measure(root, agent, target.get(count)) for _ in range(repeats)]
                if found[0].runs != expected:
                    raise SystemExit(f"{found[0].name}: {found[0].runs} runs instead of {expected}")
                yield min(found, key=lambda figure: figure.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000], help="agent runs in each tree")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a target is missed")
    parser.add_argument("--repeats", type=int, default=3, help="of these the fastest counts")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'':<28} {'runs':>8} {'time':>10} {'CPU':>10} {'peak':>9}   {'target':>14}")
    missed = 0
    for count in arguments.counts:
        for figure in figures(count, arguments.repeats):
            print(figure, flush=True)
            missed += not figure.met
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
