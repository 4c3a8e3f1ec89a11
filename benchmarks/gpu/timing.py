"""Is the time of a GPU right, and who can cheat it? Needs an NVIDIA GPU and a torch that can use it.

    python benchmarks/gpu/timing.py [--only clocks cheats …] [--trials 5] [--budget 20] [--seed 0]

Prints the tables of docs/gpu.md. Exits with 77 where there is no GPU, with 1 where a cheat was believed or identical
code was called different. ``--on-cpu`` runs what can run without a GPU, to try the program itself: no figure of it
says anything about GPUs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from kernels import CHEATS, EFFECTS, KERNELS, NAIVE, cheating, package
from places import Arena, living, naive_ms, turn

from pytest_perfagents.model import Category, Change

NO_GPU = 77
ASK = """
import torch
if torch.cuda.is_available():
    found = torch.cuda.get_device_properties(0)
    print(f"{found.name}, {getattr(found, 'L2_cache_size', 0) / 2**20:.0f} MB of L2, torch {torch.__version__}")
"""


def main() -> int:
    """Run the sections, print their tables."""
    options = read_options()
    asked = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    device = asked.stdout.strip()
    if not device and not options.on_cpu:
        print(f"skipped: torch finds no GPU here ({asked.stderr.strip().splitlines()[-1:] or 'none is available'})")
        return NO_GPU
    print(f"On {device or 'a CPU: this only tries the program'}. Seed {options.seed}.\n")
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        arena = Arena(Path(name))
        for section in options.only:
            if device or section in ON_CPU:
                failures += SECTIONS[section](arena, options)
                print(flush=True)
    return int(failures > 0)


def read_options() -> argparse.Namespace:
    """What is to be run, and for how long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--trials", type=int, default=5, help="evaluations of identical code, and of each effect")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of each evaluation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on-cpu", action="store_true", help="try the program where there is no GPU")
    return parser.parse_args()


def clocks(arena: Arena, options: argparse.Namespace) -> int:
    """Events against the wall clock around them: both run from rest to rest."""
    head("kernel", "by events", "on the wall", "largest difference of a turn")
    for kernel in KERNELS:
        with living(kernel, package(), gpu_warmup_s=0.2) as started:
            turns = [turn(started, iterations=5) for _ in range(30)][3:]
        apart = max(abs(each["wall"] - each["cuda"]) for each in turns)
        cuda, wall = (median(each[name] for each in turns) for name in ("cuda", "wall"))
        row(kernel, f"{cuda:.3f} ms", f"{wall:.3f} ms", f"{apart * 1e3:.0f} us")
    return 0


def cheats(arena: Arena, options: argparse.Namespace) -> int:
    """What a naive harness says to each cheat, and what we say."""
    head("patch", "naive harness", "ours", "default stream", "verdict", "said")
    believed = 0
    for cheat in ("none", *CHEATS):
        text = package() if cheat == "none" else cheating(cheat)
        with living("matmul", text, gpu_warmup_s=0.2) as started:
            turns = [turn(started) for _ in range(12)][2:]
        outcome = arena.judge("matmul", text, budget_s=options.budget, seed=options.seed)
        comparison = outcome.comparison
        said = outcome.failure.reason if outcome.failure else "; ".join(outcome.integrity.flags)
        verdict = f"{outcome.category}" + (f", {comparison.point:.3f}x" if comparison else "")
        ours, stream = (f"{median(each[name] for each in turns):.3f} ms" for name in ("cuda", "stream"))
        row(cheat, f"{naive_ms(text, NAIVE):.3f} ms", ours, stream, verdict, said or "-")
        believed += outcome.category is Category.SUCCESS_IMPROVEMENT
    return believed


def flush(arena: Arena, options: argparse.Namespace) -> int:
    """One call a turn, with the L2 cache as the turn before left it, and emptied."""
    head("kernel", "warm cache", "flushed", "ratio")
    for kernel in ("matmul", "scaling"):
        times = []
        for l2_flush in (False, True):
            with living(kernel, package(0.01), gpu_warmup_s=0.2, l2_flush=l2_flush) as started:
                times.append(median(turn(started, setups=0)["cuda"] for _ in range(50)))
        row(kernel, f"{times[0]:.4f} ms", f"{times[1]:.4f} ms", f"{times[1] / times[0]:.2f}")
    return 0


def warmup(arena: Arena, options: argparse.Namespace) -> int:
    """The first turns after a rest of five seconds, over the later ones of the same process."""
    head("warm-up", "turn 2", "turn 3", "turns 4-8", "later")
    for seconds in (0.0, 0.2, 1.0):
        shares = []
        for _ in range(3):
            time.sleep(5)
            with living("matmul", package(0.2), gpu_warmup_s=seconds) as started:
                times = [turn(started, setups=int(number == 0))["cuda"] for number in range(60)]
            later = median(times[30:])
            shares.append([times[1] / later, times[2] / later, median(times[3:8]) / later, 1.0])
        row(f"{seconds:g} s", *(f"{median(column):.3f}" for column in zip(*shares, strict=True)))
    return 0


def same(arena: Arena, options: argparse.Namespace) -> int:
    """Identical code against itself: how often is it called different, and how small an effect could be seen?"""
    head("kernel", "trials", "called changed", "called neutral", "interval, half width", "clock")
    wrong = 0
    for kernel in KERNELS:
        changed, neutral, widths, used = 0, 0, [], set()
        for trial in range(options.trials):
            outcome = arena.judge(kernel, package(), budget_s=options.budget, seed=options.seed + trial)
            if outcome.comparison is None:
                raise SystemExit(f"{kernel}: {outcome.failure}")
            changed += outcome.comparison.change in (Change.FASTER, Change.SLOWER)
            neutral += outcome.category is Category.SUCCESS_NEUTRAL
            widths.append((outcome.comparison.high - outcome.comparison.low) / 2)
            used.add(outcome.comparison.clock)
        row(kernel, options.trials, changed, neutral, f"{median(widths):.2%}", ", ".join(sorted(used)))
        wrong += changed
    return wrong


def effects(arena: Arena, options: argparse.Namespace) -> int:
    """So much more of the same work: is it called slower?"""
    head("kernel", *(f"{name} more work" for name in EFFECTS))
    for kernel in KERNELS:
        cells = []
        for share in EFFECTS.values():
            found, points = 0, []
            for trial in range(options.trials):
                outcome = arena.judge(kernel, package(share), budget_s=options.budget, seed=options.seed + trial)
                if outcome.comparison is not None:
                    found += outcome.comparison.change is Change.SLOWER
                    points.append(outcome.comparison.point)
            cells.append(f"{found} of {options.trials} slower, {median(points):.4f}x" if points else "not measured")
        row(kernel, *cells)
    return 0


def head(*titles: str) -> None:
    row(*titles)
    row(*("---" for _ in titles))


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |", flush=True)


SECTIONS: dict[str, Callable[[Arena, argparse.Namespace], int]] = {
    each.__name__: each for each in (clocks, cheats, flush, warmup, same, effects)
}
ON_CPU = ("same", "effects")


if __name__ == "__main__":
    sys.exit(main())
