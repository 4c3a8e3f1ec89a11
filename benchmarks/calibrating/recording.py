"""Recording on this machine: blocks of starts by our protocol, and of processes by the sequential protocols."""

from __future__ import annotations

import math
import os
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calibrating.bench import KITS, Bench, Seat, bench, seats_of
from calibrating.datafile import Datafile, Row, rounded
from calibrating.machine import cores, facts
from calibrating.neighbour import neighbour
from calibrating.pacing import REQUEST_S, Paced, pace_of
from calibrating.tapping import Tap, TappedWorkspace
from calibrating.workloads import UNITS, WORKLOADS, read_sequential, write_script
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement import schedule
from pytest_perfagents.measurement import measuring, templates
from pytest_perfagents.measurement.arena import Arena, Lease, Patience, Track
from pytest_perfagents.model import Side
from pytest_perfagents.processes.leases import MeasureLease

CONDITIONS = ("quiet", "noisy")
BLOCK_S = 30.0
"""Starts of one block take about so long; after it comes another workload or condition."""
SETTLE_S = 1.0
KEPT, LEAST_S, WARMUPS = 50, 1.0, 3
"""A sequential process: values that are kept, seconds that it lasts at least, calls before the first value."""
SEQUENCE = (Seat(UNITS + 4, 0), Seat(UNITS, 0), Seat(UNITS, 1), Seat(UNITS + 10, 0))
"""One process each, in this order: the A/A pair and both injected ones are neighbours in time."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A workload in a condition."""

    workload: str
    condition: str

    def holds(self, row: Row) -> bool:
        """Whether a row was recorded in it."""
        return row.get("workload") == self.workload and row.get("condition") == self.condition


@dataclass(slots=True)
class Recorder:
    """Appends to ``data`` until ``deadline`` (of ``time.monotonic``); the least recorded cell comes next."""

    data: Datafile
    bench: Bench
    seed: int
    deadline: float
    say: Callable[[str], None]
    paced: dict[str, Paced] = field(default_factory=dict)
    least_s: float = LEAST_S
    lease: Lease = MeasureLease
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    spent_s: dict[Cell, float] = field(default_factory=dict)

    def resume(self, rows: Iterable[Row], cells: Sequence[Cell]) -> None:
        """Go on after ``rows``: numbers of starts, and seconds that each of the ``cells`` has had."""
        self.spent_s = dict.fromkeys(cells, 0.0)
        for row in rows:
            for cell in cells:
                if cell.holds(row):
                    self.spent_s[cell] += row["seconds"]
            if row.get("seed") == self.seed and "number" in row:
                self.counts[row["workload"], row["condition"], row["kit"]] += 1

    def run(self) -> None:
        """Block after block, until the time is over."""
        while self.spent_s and not self.is_over:
            cell = min(self.spent_s, key=lambda each: self.spent_s[each])
            noise = neighbour(cores(), self._seed(cell, "neighbour")) if cell.condition == "noisy" else nullcontext()
            with noise:
                time.sleep(SETTLE_S)
                try:
                    self._block(cell)
                finally:
                    for paced in self.paced.values():
                        paced.templates.close()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    def _block(self, cell: Cell) -> None:
        self.say(f"{cell.workload}, {cell.condition}: {self.spent_s[cell]:.0f} s so far")
        paced = self._look_at(cell.workload)
        wanted = templates.STARTS if paced.templates.modules else 1
        for _ in range(wanted):  # what a template costs is shared by the starts that it serves
            self._start(cell, "pair")
        paced.templates.close()
        kit = min(KITS, key=lambda each: self.counts[cell.workload, cell.condition, each])
        until = min(time.monotonic() + BLOCK_S, self.deadline)
        self._start(cell, kit)
        while time.monotonic() < until:
            self._start(cell, kit)
        if not self.is_over:
            self._sequence(cell)

    def _start(self, cell: Cell, kit: str) -> None:
        paced, seats = self.paced[cell.workload], seats_of(kit)
        seed, number = self._seed(cell, kit), self.counts[cell.workload, cell.condition, kit]
        tap = Tap()
        sides: dict[Side, Any] = {seat.side: TappedWorkspace(self.bench.workspaces[seat], tap) for seat in seats}
        protocol = replace(self.bench.config.protocol, seed=seed)
        arena = Arena(sides, paced.script, protocol, _patience(), self.lease, templates=paced.templates)
        arena.tracks, arena.place = {side: Track() for side in sides}, paced.place
        plan = schedule.plan_start(number, len(sides), seed=seed)
        with self.lease():
            began = time.monotonic()
            measuring.driven_start(arena, paced.pace, list(sides), plan)
            seconds = time.monotonic() - began
        if arena.lost:
            side, trouble = next(iter(arena.lost.items()))
            raise RuntimeError(f"{cell.workload}: {side} could not be measured: {trouble}")
        elapsed_s, inside_s = tap.timed(paced.pace.turns * len(sides))
        self._append(cell, kit, seconds, {
            "kind": "start",
            "iterations": paced.pace.iterations,
            "budget_s": paced.budget_s,
            "startup_s": rounded(paced.startup_s),
            "elapsed_s": rounded(elapsed_s),
            "inside_s": rounded(inside_s),
            "sides": [
                {"units": seat.units, "copy": seat.copy, "is_long": seat.is_long, "padding": padding,
                 **_times(arena.tracks[seat.side]), "beside": _beside(arena.tracks[seat.side], paced.pace.setups)}
                for seat, padding in zip(seats, plan.padding, strict=True)
            ],
        })  # fmt: skip

    def _sequence(self, cell: Cell) -> None:
        """One process a side, one after the other, as sequential protocols do; same environment, paths as long."""
        script, began, processes = self.paced[cell.workload].script, time.monotonic(), []
        number = self.counts[cell.workload, cell.condition, "sequential"]
        arguments = [str(KEPT), str(self.least_s), str(WARMUPS)]
        with self.lease():
            for index, seat in enumerate(SEQUENCE):
                seed = self._seed(cell, f"sequential/{number}/{index}")
                ran = self.bench.workspaces[seat].run_program(script, arguments, REQUEST_S, {}, seed=seed)
                try:
                    timed = read_sequential(ran.execution.stdout)
                except ValueError as error:
                    raise RuntimeError(f"{cell.workload}: {error}\n{ran.execution.stderr[-2000:]}") from None
                values = [rounded(value) for value in timed.values]
                processes.append({"units": seat.units, "copy": seat.copy, "values": values,
                                  "mean": rounded(timed.mean), "rounds": timed.rounds})  # fmt: skip
        self._append(cell, "sequential", time.monotonic() - began, {"kind": "sequential", "processes": processes})

    def _append(self, cell: Cell, kit: str, seconds: float, row: Row) -> None:
        key = (cell.workload, cell.condition, kit)
        about = {"workload": cell.workload, "condition": cell.condition, "kit": kit, "seed": self.seed}
        self.data.append({**about, "number": self.counts[key], "at": round(time.time(), 1),
                          "seconds": round(seconds, 4), **row})  # fmt: skip
        self.counts[key] += 1
        self.spent_s[cell] += seconds

    def _seed(self, cell: Cell, what: str) -> int:
        """Every cell and kit has random numbers of its own, which follow from the seed that the user gave."""
        return zlib.crc32(f"{self.seed}/{cell.workload}/{cell.condition}/{what}".encode())

    def _look_at(self, workload: str) -> Paced:
        """Batches and turns, found anew for every block, as the live protocol finds them for every comparison."""
        script = write_script(self.bench.scripts, WORKLOADS[workload])
        paced = self.paced[workload] = pace_of(self.bench, script)
        return paced


def _times(track: Track) -> dict[str, list[float]]:
    """The turns of the one start that this track has."""
    times = {"wall": track.wall_s[-1], "cpu": track.cpu_s[-1], "ready": track.ready_s[-1]}
    return {name: [rounded(seconds) for seconds in values] for name, values in times.items()}


def _beside(track: Track, setups: int) -> dict[str, float]:
    """What the one start of this track showed beside its calls, for ``flagging.py``."""
    seconds = {
        "import_s": track.import_s[-1],
        "first_setup_s": track.setup_s[-1],
        "setup_s": track.turn_setup_s[-1],
        "first_call_s": track.first_call_s[-1],
        "hidden_cpu_s": track.hidden_cpu_s[-1] + track.helpers_cpu_s[-1],
        "gap_s": track.turn_gap_s[-1],
    }
    return {"setups": setups, **{name: rounded(value) for name, value in seconds.items()}}


def _patience() -> Patience:
    return Patience(REQUEST_S, math.inf, time.monotonic)


@contextmanager
def recorder(
    path: Path, cells: Sequence[Cell], seed: int, minutes: float, say: Callable[[str], None]
) -> Iterator[Recorder]:
    """A recorder that goes on where the file stops; what it needs lies in a temporary folder until it is done."""
    data = Datafile(path)
    if data.mend():
        say(f"{path}: the last line was cut off and is dropped")
    rows = data.read()
    with tempfile.TemporaryDirectory(prefix="calibration-") as folder, bench(Path(folder), ProtocolConfig()) as sides:
        data.append({"kind": "machine", "pid": os.getpid(), **facts()})
        recorder = Recorder(data, sides, seed, time.monotonic() + 60 * minutes, say)
        recorder.resume(rows, cells)
        yield recorder
