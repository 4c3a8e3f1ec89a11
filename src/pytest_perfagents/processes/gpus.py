"""What the machine says of its GPUs and of the memory of a process: ``nvidia-smi``, ``/proc``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_perfagents.judgement.honesty.gpu import GpuReading, findings, visible
from pytest_perfagents.model import Ending
from pytest_perfagents.processes.process import Command, run

ASK_S = 10.0
_REASONS = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown", "sw_power_cap")
_CARD = ("index", "uuid", "name", "temperature.gpu")


def read_gpus(program: str | None = None) -> list[GpuReading]:
    """Every card of this machine; none where there is no ``nvidia-smi`` or it does not answer."""
    program = program or shutil.which("nvidia-smi")
    if program is None:
        return []
    # Drivers before 535 call the reasons by their old name, and refuse a question that holds an unknown one.
    for prefix in ("clocks_event_reasons", "clocks_throttle_reasons"):
        rows = _ask(program, "--query-gpu", (*_CARD, *(f"{prefix}.{reason}" for reason in _REASONS)))
        if rows:
            break
    else:
        return []
    tenants: dict[str, dict[int, float]] = {}
    for uuid, pid, megabytes in _ask(program, "--query-compute-apps", ("gpu_uuid", "pid", "used_memory")):
        if pid.isdecimal():
            tenants.setdefault(uuid, {})[int(pid)] = _number(megabytes) or 0.0
    return [_reading(row, tenants) for row in rows]


def gpu_findings(env: Mapping[str, str] = os.environ, own: Sequence[int] = ()) -> list[str]:
    """What disturbs measuring on the cards that this environment may use: one line each, with its remedy."""
    cards = visible(read_gpus(), env.get("CUDA_VISIBLE_DEVICES"))
    return [line for card in cards for line in findings(card, own)]


def peak_bytes(pid: int) -> int | None:
    """The most memory that a process ever had in use (``VmHWM`` of proc(5)); None where it is gone or not Linux."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text("ascii", "replace"), re.M)
        return int(found[1]) * 1024 if found else None
    return None


def _ask(program: str, query: str, columns: Sequence[str]) -> list[list[str]]:
    argv = (program, f"{query}={','.join(columns)}", "--format=csv,noheader,nounits")
    ended = run(Command(argv, Path("/"), dict(os.environ), ASK_S))
    if ended.ending is not Ending.EXITED or ended.code != 0:
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in ended.stdout.splitlines() if line.strip()]
    return [row for row in rows if len(row) == len(columns)]


def _reading(row: Sequence[str], tenants: Mapping[str, Mapping[int, float]]) -> GpuReading:
    index, uuid, name, temperature, *active = row
    return GpuReading(
        index,
        uuid,
        name,
        _number(temperature),
        tuple(reason for reason, word in zip(_REASONS, active, strict=True) if word == "Active"),
        tenants.get(uuid, {}),
    )


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return float(text)
    return None
