"""Reads the machine's state from /proc and /sys; what cannot be read is left out. `judgement.machine` judges it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_perfagents.judgement.machine import Machine


def read_machine(root: Path = Path("/"), allowed: frozenset[int] | None = None) -> Machine:
    """A few milliseconds of reading. ``root`` has the trees ``proc`` and ``sys``; ``allowed`` are our CPUs."""
    cpus = tuple(sorted(_own_cpus() if allowed is None else allowed))
    sys, proc = root / "sys", root / "proc"
    per_cpu = [sys / f"devices/system/cpu/cpu{number}" for number in cpus]
    memory = _meminfo(proc)
    load, running = _load(proc)
    return Machine(
        cpu_model=_cpu_model(proc),
        cpus=len(_numbers(_text(sys / "devices/system/cpu/online"))) or len(cpus),
        allowed=cpus,
        siblings=tuple(sorted({_numbers(_text(cpu / "topology/thread_siblings_list")) for cpu in per_cpu} - {()})),
        governors=tuple(sorted({_text(cpu / "cpufreq/scaling_governor") for cpu in per_cpu} - {""})),
        turbo=_turbo(sys),
        load=load,
        running=running,
        clock=_text(sys / "devices/system/clocksource/clocksource0/current_clocksource"),
        on_battery=_on_battery(sys),
        throttled=_throttled(per_cpu),
        quota_cpus=_quota(root),
        stolen_share=_stolen(proc),
        memory_bytes=memory.get("MemTotal"),
        available_bytes=memory.get("MemAvailable"),
        swapping_bytes=_swapped(memory),
    )


def busy_cpus(root: Path = Path("/"), watch_s: float = 0.1) -> dict[int, float]:
    """The share of the next ``watch_s`` seconds for which each CPU is busy; empty where that cannot be read."""
    before = _cpu_times(root / "proc")
    time.sleep(watch_s)
    after = _cpu_times(root / "proc")
    spans = {cpu: [b - a for a, b in zip(before[cpu], after[cpu], strict=True)] for cpu in before if cpu in after}
    return {cpu: 1 - idle / total for cpu, (idle, total) in spans.items() if total > 0}


def _cpu_times(proc: Path) -> dict[int, tuple[int, int]]:
    """``(idle, all)`` in ticks by CPU; waiting for a disk is idle."""
    found = re.findall(r"^cpu(\d+) (.+)$", _text(proc / "stat"), re.MULTILINE)
    times = {int(cpu): [int(field) for field in fields.split()[:8]] for cpu, fields in found}
    return {cpu: (sum(fields[3:5]), sum(fields)) for cpu, fields in times.items()}


def _own_cpus() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _text(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8").strip()
    return ""


def _number(path: Path) -> int | None:
    with suppress(ValueError):
        return int(_text(path))
    return None


def _numbers(ranges: str) -> tuple[int, ...]:
    """``0-2,5`` as numbers; empty where it is not of that form."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", ranges):
        return ()
    ends = [part.partition("-") for part in ranges.split(",")]
    return tuple(number for low, _, high in ends for number in range(int(low), int(high or low) + 1))


def _cpu_model(proc: Path) -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", _text(proc / "cpuinfo"), re.MULTILINE)
    return " ".join(match[1].split()) if match else ""


def _load(proc: Path) -> tuple[float | None, int | None]:
    """The one-minute load average, and the tasks that run now without ours."""
    with suppress(ValueError, IndexError):
        fields = _text(proc / "loadavg").split()
        return float(fields[0]), max(0, int(fields[3].partition("/")[0]) - 1)
    return None, None


def _turbo(sys: Path) -> bool | None:
    """Intel's switch turns it off, the others' turns it on."""
    off = _number(sys / "devices/system/cpu/intel_pstate/no_turbo")
    on = _number(sys / "devices/system/cpu/cpufreq/boost")
    return not off if off is not None else None if on is None else bool(on)


def _on_battery(sys: Path) -> bool | None:
    supplies = _entries(sys / "class/power_supply")
    mains = [_text(each / "online") for each in supplies if _text(each / "type") in ("Mains", "USB")]
    batteries = [_text(each / "status") for each in supplies if _text(each / "type") == "Battery"]
    if not batteries:
        return None
    return "1" not in mains and "Discharging" in batteries


def _throttled(cpus: list[Path]) -> int | None:
    counts = [_number(cpu / "thermal_throttle/core_throttle_count") for cpu in cpus]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _quota(root: Path) -> float | None:
    """The smallest CPU quota of our cgroup and those above it, in CPUs; both versions of cgroups."""
    limits = list(_quotas(root))
    return min(limits) if limits else None


def _quotas(root: Path) -> Iterator[float]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "?", "")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for top in ("sys/fs/cgroup", f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"):
            group = root / top / path.strip("/")
            for folder in (group, *group.parents):
                if not folder.is_relative_to(root / "sys/fs/cgroup"):
                    break
                yield from _quota_of(folder)


def _quota_of(group: Path) -> Iterator[float]:
    with suppress(ValueError, ZeroDivisionError):
        quota, period = _text(group / "cpu.max").split()
        yield int(quota) / int(period)
    with suppress(ValueError, ZeroDivisionError):
        quota_us, period_us = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
        if int(quota_us) > 0:
            yield int(quota_us) / int(period_us)


def _stolen(proc: Path) -> float | None:
    """Since boot; the fields are those of proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal."""
    with suppress(ValueError, IndexError):
        times = [int(field) for field in _text(proc / "stat").splitlines()[0].split()[1:9]]
        busy = sum(times) - times[3] - times[4]
        return times[7] / busy if busy > 0 else None
    return None


def _meminfo(proc: Path) -> dict[str, int]:
    found = re.findall(r"^(\w+):\s+(\d+) kB$", _text(proc / "meminfo"), re.MULTILINE)
    return {name: int(kilobytes) * 1024 for name, kilobytes in found}


def _swapped(memory: dict[str, int]) -> int | None:
    if "SwapTotal" not in memory or "SwapFree" not in memory:
        return None
    return memory["SwapTotal"] - memory["SwapFree"]


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []
