"""How long discovery and pytest's collection take on many agent runs, and how much memory, beside the targets.

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
import time
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
peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, seconds, peak_kb / 1024, done.stdout[-2000:]]))
"""
DISCOVER = """
import time; import sys; from pathlib import Path
from pytest_perfagents.config import load_config
from pytest_perfagents.discovery import cases
from pytest_perfagents.selection import Selection
config = load_config(Path("perfagents.toml"))
began = time.perf_counter()
found = cases(config, Selection(agents=tuple(sys.argv[1:])))
print(len(found), time.perf_counter() - began)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing; without a target it is only shown."""

    name: str
    runs: int
    seconds: float
    peak_mb: float
    target_s: float | None

    @property
    def met(self) -> bool:
        return self.target_s is None or (self.seconds <= self.target_s and self.peak_mb <= TARGET_MB)

    def __str__(self) -> str:
        target = f"{self.target_s:5.1f} s {TARGET_MB:4.0f} MB" if self.target_s is not None else f"{'-':>14}"
        verdict = "" if self.target_s is None else ("met" if self.met else "MISSED")
        return f"{self.name:<28} {self.runs:>8,} {self.seconds:8.2f} s {self.peak_mb:6.0f} MB   {target}  {verdict}"


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
    (root / "perfagents.toml").write_text(
        f'[perfagents]\nruns = ["state/runs"]\nscripts = ["test_scripts"]\n{repos}'
    )
    (root / "pytest.ini").write_text("[pytest]\n")


def place(number: int) -> str:
    repo, (agent, model) = REPOS[number % 2], AGENTS[number % len(AGENTS)]
    if agent == "openhands":
        return f"{repo}_core-{number:08x}/{repo}_core-{number % 100:04d}"
    batch = number // 60
    stamp = f"2026-{batch // 28 % 12 + 1:02d}-{batch % 28 + 1:02d}_00-{batch // 336 % 60:02d}-{batch // 20160:02d}"
    return f"{repo}/{agent}/{model}/{stamp}/{repo}_core-{number:04d}"


def journal(number: int) -> dict[str, object]:
    """As real ones are: about a kilobyte."""
    repo, (agent, _) = REPOS[number % 2], AGENTS[number % len(AGENTS)]
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


def watch(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Seconds, peak memory in MB, and the end of the output of a command."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    status, seconds, peak_mb, output = json.loads(done.stdout)
    if status:
        raise SystemExit(f"{' '.join(command[:4])} … ended with status {status}:\n{output}")
    return seconds, peak_mb, output


def figures(count: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="collection-") as name:
        root = Path(name)
        began = time.perf_counter()
        build(root, count)
        print(f"{count:,} runs made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        watch([sys.executable, "-c", DISCOVER, "*"], root)  # once for the disk's cache
        for title, agent, target in (
            ("discovery", "*", DISCOVERY_TARGETS_S.get(count)),
            ("discovery of one agent", "codex_gpt5", None),
        ):
            _, peak_mb, output = watch([sys.executable, "-c", DISCOVER, agent], root)
            found, seconds = output.split()
            yield Figure(title, int(found), float(seconds), peak_mb, target)
        plugin = (
            [] if entry_points(group="pytest11", name="perfagents") else ["-p", "pytest_perfagents.plugin"]
        )
        collect = [sys.executable, "-m", "pytest", *plugin, "--collect-only", "-q", "-p", "no:cacheprovider"]
        for agent, target in (("*", TARGETS_S.get(count)), ("codex_gpt5", None)):
            seconds, peak_mb, output = watch([*collect, "--agent", agent], root)
            found = sum("::" in line for line in output.splitlines())
            if not found:
                raise SystemExit(f"pytest collected nothing:\n{output}")
            yield Figure(
                f"pytest --agent '{agent}'",
                count if agent == "*" else count // len(AGENTS),
                seconds,
                peak_mb,
                target,
            )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, default=[10_000], help="agent runs in each tree")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a target is missed")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'':<28} {'runs':>8} {'time':>10} {'peak':>9}   {'target':>14}")
    missed = 0
    for count in arguments.counts:
        for figure in figures(count):
            print(figure, flush=True)
            missed += not figure.met
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
