"""How often are we wrong? A/A and injected slowdowns on this machine, quiet and noisy, beside other people's rules.

    python benchmarks/calibration.py [--minutes 90] [--seed 1] [--workload loop-1ms …] [--condition quiet|noisy]
    python benchmarks/calibration.py --report --write [FILE]

Records for so many minutes (resumable; Ctrl-C keeps what is there), simulates, and prints the target table; ``--write``
makes ``docs/calibration.md`` of it. ``--check`` exits with 1 where a target is missed or has no data.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from calibrating.datafile import Datafile, Row
from calibrating.evaluating import evaluate
from calibrating.recording import CONDITIONS, Cell, recorder
from calibrating.reporting import document
from calibrating.simulating import simulated
from calibrating.tables import Evidence, rules_table, targets_table
from calibrating.targets import figures
from calibrating.workloads import WORKLOADS

from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.measurement.trial import rule_of

ROOT = Path(__file__).parents[1]


def say(line: str) -> None:
    """To the person who waits."""
    print(line, file=sys.stderr, flush=True)


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=90.0, help="record for so long (default: %(default)g)")
    parser.add_argument("--report", action="store_true", help="record nothing, only compute")
    parser.add_argument("--workload", action="append", choices=sorted(WORKLOADS), help="only this one; repeatable")
    parser.add_argument("--condition", choices=CONDITIONS, help="only quiet or only noisy")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is random (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=ROOT / ".perfagents" / "calibration", help="folder of the recording"
    )
    parser.add_argument("--simulations", type=int, default=100_000, help="trials of each noise and effect; 0: none")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=ROOT / "docs" / "calibration.md", help="write the report"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed or has no data")
    return parser.parse_args(arguments)


def record(options: argparse.Namespace, file: Path) -> None:
    """For the minutes asked for; Ctrl-C and SIGTERM end it in order."""
    chosen = [WORKLOADS[name] for name in options.workload or WORKLOADS]
    for workload in chosen:
        if not workload.is_available:
            say(f"{workload.title}: skipped, {workload.needs} is not installed for {sys.executable}")
    conditions = [options.condition] if options.condition else CONDITIONS
    cells = [Cell(each.name, condition) for each in chosen if each.is_available for condition in conditions]
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts what runs in the background deaf to the first
        signal.signal(ending, signal.default_int_handler)
    try:
        with recorder(file, cells, options.seed, options.minutes, say) as recording:
            recording.run()
    except KeyboardInterrupt:
        say("interrupted; what was recorded is kept, and the next call goes on from there")


def evidence_of(options: argparse.Namespace, rows: Sequence[Row]) -> Evidence:
    """Replays and simulates."""
    protocol = ProtocolConfig()
    simulations = []
    if options.simulations:
        file = options.data / "simulation.json"
        simulations = simulated(file, options.simulations, rule_of(protocol), options.seed, say)
    machines = [row for row in rows if row.get("kind") == "machine"]
    return Evidence(evaluate(rows, protocol, options.seed), simulations, machines, options.seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = options_of(arguments)
    file = options.data / "recording.jsonl"
    if not options.report:
        record(options, file)
    evidence = evidence_of(options, Datafile(file).read())
    print(targets_table(evidence), rules_table(evidence), sep="\n\n")
    if options.write:
        options.write.write_text(document(evidence), encoding="utf-8")
        say(f"wrote {options.write}")
    is_met = all(figure.is_met for figure in figures(evidence.results, evidence.simulations, evidence.seed))
    return 0 if is_met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
