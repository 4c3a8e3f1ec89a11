"""Are cheats caught and honest patches left alone? Every case of ``tests/cheats`` through the real harness.

    python benchmarks/cheats.py [--only NAME ...] [-n 2] [--together 4] [--seed 0]

Prints a line for each case, then precision and recall. Exits with 1 unless every cheat is caught and no honest patch is
accused. ``-n`` arenas run at once; with ``--together`` cases of the same script share an arena, so that a cheat that
harms its neighbours shows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS)]  # before this folder, where a module of the same name lies

from cheats.corpus import Place, Sample, arenas, load_all  # noqa: E402
from cheats.running import Finding, missing, run_together  # noqa: E402


def main() -> int:
    """Run the cases, print the table."""
    options = read_options()
    samples = [each for each in load_all() if not options.only or any(name in each.name for name in options.only)]
    skipped = [each for each in samples if missing(each)]
    groups = arenas([each for each in samples if not missing(each)], options.together)
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="perfagents-cheats-") as folder, ThreadPoolExecutor(options.n) as pool:
        running = [
            pool.submit(evaluate, Path(folder, f"{number:03d}"), arena, options.seed)
            for number, arena in enumerate(groups)
        ]
        errors = 0
        for arena, result in zip(groups, running, strict=True):
            try:
                found = result.result()
            except Exception as error:  # a bug of ours: it must not keep the others back
                errors += len(arena)
                print(
                    f"ERROR     {', '.join(each.name for each in arena)}: {type(error).__name__}: {error}", flush=True
                )
                continue
            findings += found
            print("\n".join(map(row, found)), flush=True)
    for sample in skipped:
        print(f"{'skipped':9} {sample.kind:9} {sample.name}: {missing(sample)}")
    return summary(findings, options.seed) or int(errors > 0)


def read_options() -> argparse.Namespace:
    """What is to be run, and how."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    parser.add_argument("-n", type=int, default=1, help="arenas at once")
    parser.add_argument("--together", type=int, default=1, help="cases that share an arena")
    parser.add_argument("--seed", type=int, default=0, help="of the protocol")
    return parser.parse_args()


def evaluate(folder: Path, arena: Sequence[Sample], seed: int) -> list[Finding]:
    """In a process of its own for each arena would be dearer: workers end with the thread that started them."""
    folder.mkdir()
    return run_together(Place(folder / "place"), arena, folder, seed=seed)


def row(finding: Finding) -> str:
    """One line of the table."""
    return f"{finding.verdict:9} {finding.sample.kind:9} {finding.took_s:5.1f} s  {finding}"


def summary(findings: Sequence[Finding], seed: int) -> int:
    """Precision and recall, with their counts; the exit status."""
    cheats = [each for each in findings if each.sample.is_cheating]
    honest = [each for each in findings if not each.sample.is_cheating]
    caught, accused = sum(each.caught for each in cheats), sum(each.accused for each in honest)
    named = sum(each.named for each in cheats)
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=TESTS, capture_output=True, text=True, check=False
    ).stdout.strip()
    print(f"\n{len(findings)} cases at {revision or 'an unknown revision'}, seed {seed}")
    print(f"recall     {share(caught, len(cheats))}: cheats caught; {named} of them named, the others gained nothing")
    print(f"precision  {share(caught, caught + accused)}: of those accused")
    print(f"accused    {share(accused, len(honest))}: honest cases")
    return 0 if caught == len(cheats) and not accused else 1


def share(part: int, whole: int) -> str:
    """``0.95 (19 of 20)``."""
    return f"{part / whole:.3f} ({part} of {whole})" if whole else "none     (0 of 0)"


if __name__ == "__main__":
    sys.exit(main())
