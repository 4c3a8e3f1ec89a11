"""Programs that count a process's instructions: what this machine has, how to call it, how to read what it says."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.model import Ending, UsageError
from pytest_perfagents.processes.process import Command, run

PROBE_S = 20.0
_VALGRIND_SAYS = re.compile(r"^==\d+== I\s+refs:\s+([\d,]+)\s*$", re.MULTILINE)
_PERF_SAYS = re.compile(r"^(\d+),[^,]*,instructions(?::u)?,", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Counter:
    """``command`` goes before the counted one and writes the count to stderr when that has ended.

    ``slowdown`` is about how much longer Python takes under it.
    """

    name: str
    command: tuple[str, ...]
    slowdown: float

    def read(self, stderr: str) -> int | None:
        """The last count in what was written: the counter has the last word. None where there is none."""
        found = (_PERF_SAYS if self.name == "perf" else _VALGRIND_SAYS).findall(stderr)
        return int(found[-1].replace(",", "")) if found else None


def find_counter(path: str | None = None) -> Counter:
    """``perf`` where the machine has counters, valgrind otherwise; ``path`` is searched, by default PATH.

    Addresses are kept from being random where that is permitted: what hashes by address would count differently.

    Raises:
        UsageError: neither works here; says what to install.
    """
    env = {"PATH": os.environ.get("PATH", os.defpath) if path is None else path, "LC_ALL": "C"}
    fixed = _fixed_addresses(env)
    for counter in _candidates(env, fixed):
        probe = run(Command((*counter.command, "true"), Path("/"), env, PROBE_S))
        if probe.ending is Ending.EXITED and probe.code == 0 and counter.read(probe.stderr):
            return counter
    raise UsageError(
        "--perf-counter instructions: this machine has neither valgrind nor counters that perf may read; "
        "install valgrind (apt install valgrind, dnf install valgrind), or leave the option out"
    )


def _candidates(env: Mapping[str, str], fixed: tuple[str, ...]) -> list[Counter]:
    found: list[Counter] = []
    if perf := shutil.which("perf", path=env["PATH"]):
        found.append(Counter("perf", (*fixed, perf, "stat", "-x,", "-e", "instructions:u", "--"), 1.0))
    if valgrind := shutil.which("valgrind", path=env["PATH"]):
        # Cachegrind without its caches counts as callgrind does and is the cheapest tool that counts exactly.
        tool = ("--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--vgdb=no")
        found.append(Counter("valgrind", (*fixed, valgrind, *tool, "--"), 60.0))
    return found


def _fixed_addresses(env: Mapping[str, str]) -> tuple[str, ...]:
    setarch = shutil.which("setarch", path=env["PATH"])
    if setarch is None:
        return ()
    command = (setarch, platform.machine(), "-R")
    probe = run(Command((*command, "true"), Path("/"), env, PROBE_S))
    return command if probe.ending is Ending.EXITED and probe.code == 0 else ()
