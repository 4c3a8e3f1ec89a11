"""How long `perfagents report` and `compare` take on many recorded outcomes, and how much memory, beside the targets.

python benchmarks/report.py                      # 100,000 outcomes
python benchmarks/report.py 1000 100000          # as many result sets as you like
python benchmarks/report.py --distinct           # every outcome on a commit of its own: the dearest to bootstrap
python benchmarks/report.py --check              # exit status 1 where a target is missed
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
from pathlib import Path
from typing import Any

AGENTS = tuple((agent, model) for agent in ("trae", "codex", "openhands", "claude_code") for model in "abcde")
COMMITS = 500
RUNS = 10
TARGET_S, TARGET_MB, TARGET_COUNT = 10.0, 1000.0, 100_000
COMMANDS = (
    ("report", "--format", "terminal"),
    ("report", "--format", "markdown", "--by", "agent,model,repo,commit,category"),
    ("report", "--format", "json"),
    ("report", "--format", "csv"),
    ("compare", "--by", "agent"),
    ("compare", "--by", "repo", "--format", "json"),
)

# Runs a command and reports what it took; its own process, for the peak is that of the largest child so far.
WATCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
MAIN = "from pytest_perfagents.cli import main; main()"
TRACEBACK = "".join(
    f'  File "/w/tree/package/module{n}.py", line {n}, in function{n}\n    call({n})\n' for n in range(20)
)
FAILURES = (
    ("AGENT_NO_PATCH", "discover", None, "agent", "the agent left no patch (status error, exit code 1, 185 s)", None),
    ("TEST_IMPORT_ERROR", "import", "baseline", "environment", "baseline needs module 'decord'", "pip install decord"),
    ("TARGET_NOT_RESOLVED", "import", "baseline", "script", "baseline reports: cannot import name 'a' from 'b'", None),
    ("BASELINE_TYPE_ERROR", "run", "baseline", "script", "baseline ended in TypeError: no argument 'c'", None),
    ("GIT_WORKTREE_FAILED", "prepare", "baseline", "environment", "vllm: commit 067c34a1 is not in the clone", "fetch"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One command on so many outcomes; only the standard number of them has targets."""

    name: str
    outcomes: int
    seconds: float
    cpu_s: float
    peak_mb: float

    @property
    def met(self) -> bool:
        return self.outcomes != TARGET_COUNT or (self.seconds <= TARGET_S and self.peak_mb <= TARGET_MB)

    def __str__(self) -> str:
        verdict = "" if self.outcomes != TARGET_COUNT else ("met" if self.met else "MISSED")
        took = f"{self.seconds:8.2f} s {self.cpu_s:8.2f} s {self.peak_mb:6.0f} MB"
        return f"{self.name:<62} {self.outcomes:>8,} {took}  {verdict}"


def record(number: int, distinct: bool) -> dict[str, Any]:
    """As the records of earlier evaluations are: a third measured, the others with evidence of two kilobytes."""
    agent, model = AGENTS[number % len(AGENTS)]
    place = number // len(AGENTS)
    commit = f"{place % COMMITS:08x}" if not distinct else f"{number:08x}"
    repo = ("vllm", "sglang")[int(commit, 16) % 2]
    run, item = f"2026-01-{place // COMMITS % RUNS + 1:02}_00-00-00", f"{repo}_core-{place:06}"
    names = {"repo": repo, "commit": commit.ljust(40, "0"), "pre_commit": "f" * 40, "agent": agent, "model": model}
    names |= {"alias": f"{agent}_{model}", "run": run, "item": item}
    base = {"schema": "perfagents/outcome/1", "id": f"{repo}/{commit}/{agent}/{model}/{run}/{item}", **names}
    moment = f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    source = {"folder": "runs", "has_patch": True, "status": "success", "duration_s": 612.5}
    rest = {"environment": {}, "protocol": {}, "counts": {}, "source": source, "started_at": moment, "duration_s": 4.2}
    return base | rest | (measured(number) if number % 3 == 0 else failed(number))


def measured(number: int) -> dict[str, Any]:
    point = 0.5 + number % 1000 / 666
    category = "IMPROVEMENT" if point > 1.05 else "REGRESSION" if point < 0.95 else "NEUTRAL"
    speedup = {"point": point, "low": point * 0.98, "high": point * 1.02, "category": f"SUCCESS_{category}"}
    human = {"point": 1.6, "low": 1.5, "high": 1.7, "category": "SUCCESS_IMPROVEMENT"}
    sides = {
        role: {"median_s": 0.01, "samples_s": [0.0101] * 60, "turns": [6] * 10} for role in ("baseline", "patched")
    }
    facts = {"category": f"SUCCESS_{category}", "stage": "measure", "side": None, "blame": None, "reason": "faster"}
    return {
        **facts,
        "evidence": {},
        "speedup": speedup,
        "human_speedup": human,
        "sides": sides,
        "integrity": {"flags": []},
    }


def failed(number: int) -> dict[str, Any]:
    names = ("category", "stage", "side", "blame", "reason", "hint")
    facts = dict(zip(names, FAILURES[number % len(FAILURES)], strict=True))
    evidence = {"exception": "TypeError", "traceback": TRACEBACK, "stderr": TRACEBACK[:800]}
    return {
        **facts,
        "evidence": evidence,
        "speedup": None,
        "human_speedup": None,
        "sides": {},
        "integrity": {"flags": []},
    }


def build(folder: Path, count: int, distinct: bool) -> float:
    """The result set, in ten runs; how many megabytes it is."""
    for part in range(10):
        (folder / f"run{part}").mkdir(parents=True)
        with (folder / f"run{part}" / "outcomes.jsonl").open("w") as file:
            file.writelines(json.dumps(record(number, distinct)) + "\n" for number in range(part, count, 10))
    return sum(file.stat().st_size for file in folder.rglob("*.jsonl")) / 1e6


def as_one_file(folder: Path, file: Path) -> Path:
    """The same outcomes as --perf-json writes them."""
    lines = (line for part in sorted(folder.glob("*/outcomes.jsonl")) for line in part.read_text().splitlines())
    with file.open("w") as content:
        content.write('{"schema": "perfagents/report/1", "summary": {}, "outcomes": [')
        for number, line in enumerate(lines):
            content.write(("," if number else "") + "\n" + line)
        content.write("]}\n")
    return file


def watch(results: Path, arguments: tuple[str, ...], count: int) -> Figure:
    command, *rest = arguments
    line = [sys.executable, "-c", WATCH, sys.executable, "-c", MAIN, command, str(results), *rest]
    status, *took = json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)
    if status:
        raise SystemExit(f"perfagents {' '.join(arguments)} ended with status {status}")
    what = " of one file" if results.is_file() else ""
    return Figure(f"perfagents {' '.join(arguments)}{what}", count, *took)


def figures(count: int, repeats: int, distinct: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name, "results")
        megabytes = build(folder, count, distinct)
        print(f"{count:,} outcomes, {megabytes:.0f} MB")
        file = as_one_file(folder, Path(name, "all.json"))
        for results, arguments in (*((folder, each) for each in COMMANDS), (file, COMMANDS[0])):
            found = [watch(results, arguments, count) for _ in range(repeats)]
            yield min(found, key=lambda figure: figure.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[TARGET_COUNT], help="outcomes in each result set")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a target is missed")
    parser.add_argument("--repeats", type=int, default=1, help="of these the fastest counts")
    parser.add_argument("--distinct", action="store_true", help="a commit of its own for every outcome")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; targets {TARGET_S:.0f} s, {TARGET_MB:.0f} MB")
    missed = 0
    for count in arguments.counts:
        for figure in figures(count, arguments.repeats, arguments.distinct):
            print(figure, flush=True)
            missed += not figure.met
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
