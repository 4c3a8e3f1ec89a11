"""Are the verdicts the same when an evaluation is repeated, quiet and beside a noisy neighbour?

    python benchmarks/repeats.py [--times 5] [--condition quiet|noisy] [--seed 1] [--check] -- PYTEST-ARGUMENTS

Runs pytest with these arguments (which runs, which configuration) so many times in each condition, in turn, and prints
for every agent run what it was called and its speedups. ``--check`` exits with 1 where a run got two categories.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibrating.machine import cores
from calibrating.neighbour import neighbour

CONDITIONS = ("quiet", "noisy")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one evaluation said of one agent run."""

    run: str
    condition: str
    category: str
    speedup: Mapping[str, Any] | None


def evaluate(arguments: Sequence[str], condition: str) -> Iterator[Verdict]:
    """One call of pytest. Raises SystemExit where it gives no outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", f"--perf-json={file}", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not file.exists():
            raise SystemExit(f"pytest gave no outcomes (exit status {done.returncode}):\n{done.stdout}{done.stderr}")
        for outcome in json.loads(file.read_text(encoding="utf-8"))["outcomes"]:
            yield Verdict(outcome["id"], condition, outcome["category"], outcome["speedup"])


def table(verdicts: Sequence[Verdict]) -> str:
    """A line for every run and condition."""
    lines = ["| run | condition | category | change | speedups |", "| --- | --- | --- | --- | --- |"]
    for run, mine in by_run(verdicts).items():
        for condition in CONDITIONS:
            some = [each for each in mine if each.condition == condition]
            if some:
                known = [each.speedup for each in some if each.speedup]
                points = " ".join(f"{speedup['point']:.3f}" for speedup in known)
                changes = _counted(speedup["change"] for speedup in known)
                lines.append(f"| {run} | {condition} | {_counted(e.category for e in some)} | {changes} | {points} |")
    return "\n".join(lines)


def _counted(words: Iterator[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def by_run(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts on each run."""
    found: dict[str, list[Verdict]] = {}
    for each in verdicts:
        found.setdefault(each.run, []).append(each)
    return found


def apart(verdicts: Sequence[Verdict]) -> str | None:
    """A line where no speedup lies in the intervals of all these verdicts."""
    intervals = [(each.speedup["low"], each.speedup["high"]) for each in verdicts if each.speedup]
    low, high = max((i[0] for i in intervals), default=0.0), min((i[1] for i in intervals), default=0.0)
    return f"one interval begins at {low:.3f}, another ends at {high:.3f}" if low > high else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--condition", choices=CONDITIONS, help="only quiet or only noisy")
    parser.add_argument("--seed", type=int, default=1, help="of the neighbour (default: %(default)s)")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("arguments", nargs="*", metavar="PYTEST-ARGUMENTS")
    options = parser.parse_args()
    verdicts: list[Verdict] = []
    for number in range(options.times):
        for condition in [options.condition] if options.condition else CONDITIONS:
            began = time.monotonic()
            with neighbour(cores(), options.seed + number) if condition == "noisy" else nullcontext():
                verdicts += evaluate(options.arguments, condition)
            print(f"{condition} {number + 1}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(table(verdicts))
    runs = by_run(verdicts)
    unsteady = [run for run, mine in runs.items() if len({each.category for each in mine}) > 1]
    print(f"\n{len(runs)} runs, {len(verdicts)} verdicts; {len(unsteady)} runs were called differently")
    for run in unsteady:
        print(f"{run}: {_counted(each.category for each in runs[run])}")
    for run, mine in runs.items():
        if line := apart(mine):
            print(f"{run}: {line}")
    return int(options.check and bool(unsteady))


if __name__ == "__main__":
    sys.exit(main())
