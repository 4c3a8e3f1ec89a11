"""From readings of the machine to findings: what disturbs measuring, why it matters, what mends it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

BUSY_PER_CPU = 0.25
"""Load of others, per CPU, from which on timed code shares caches and cores with somebody."""
STOLEN_SHARE = 0.01
FULL_SHARE = 0.1
"""Available memory below this share of all: the kernel writes back, compacts and swaps."""
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


@dataclass(frozen=True, slots=True)
class Machine:
    """What could be read at one moment; None or empty where the machine does not tell.

    ``allowed`` are the CPUs that this process may use, ``siblings`` their groups that share a core.
    ``quota_cpus`` is the cgroup's limit. ``stolen_share`` is the part of the busy time since boot that the hypervisor
    gave to others. ``throttled`` counts thermal throttling events since boot. ``load`` is the one-minute load average.
    """

    cpu_model: str = ""
    cpus: int = 0
    allowed: tuple[int, ...] = ()
    siblings: tuple[tuple[int, ...], ...] = ()
    governors: tuple[str, ...] = ()
    turbo: bool | None = None
    load: float | None = None
    running: int | None = None
    clock: str = ""
    on_battery: bool | None = None
    throttled: int | None = None
    quota_cpus: float | None = None
    stolen_share: float | None = None
    memory_bytes: int | None = None
    available_bytes: int | None = None
    swapping_bytes: int | None = None

    @property
    def name(self) -> str:
        """The same for every session on a machine of this kind: ``Xeon …, 2 CPUs, 8 GB``."""
        memory = f", {self.memory_bytes / 2**30:.0f} GB" if self.memory_bytes else ""
        return f"{self.cpu_model or 'unknown CPU'}, {self.cpus} CPUs{memory}"


@dataclass(frozen=True, slots=True)
class Finding:
    """``name`` is stable; ``what`` was seen, ``why`` it matters, and the command (or step) that mends it."""

    name: str
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why} ({self.remedy})"


def findings(machine: Machine) -> list[Finding]:
    """All that disturbs, in the order in which mending it pays; nothing is said of what could not be read."""
    return [found for check in _CHECKS if (found := check(machine)) is not None]


def described(machine: Machine) -> Mapping[str, Any]:
    """For the record: the readings that there are, and the findings."""
    readings = {name: value for name, value in asdict(machine).items() if value not in (None, (), "")}
    return {**readings, "name": machine.name, "findings": [asdict(found) for found in findings(machine)]}


def _load(machine: Machine) -> Finding | None:
    running = machine.running or 0
    if machine.load is None or machine.load < BUSY_PER_CPU * max(machine.cpus, 1) or not running:
        return None
    processes = "1 other process runs" if running == 1 else f"{running} other processes run"
    return Finding(
        "load",
        f"load average {machine.load:.2g} on {machine.cpus} CPUs, {processes}",
        "neighbours take cores, caches and memory bandwidth",
        "end what is not needed; see it with: top",
    )


def _quota(machine: Machine) -> Finding | None:
    if machine.quota_cpus is None or machine.quota_cpus >= len(machine.allowed):
        return None
    return Finding(
        "quota",
        f"this container may use {machine.quota_cpus:.3g} CPUs of {len(machine.allowed)}",
        "the kernel stops it in the middle of a turn when the quota of a period is spent",
        "start it without --cpus, with --cpuset-cpus instead",
    )


def _few_cpus(machine: Machine) -> Finding | None:
    if len(machine.allowed) != 1:
        return None
    return Finding(
        "one CPU",
        "only one CPU may be used",
        "the harness and every other process interrupt timed code",
        "allow a second one: taskset, or --cpuset-cpus of the container",
    )


def _governor(machine: Machine) -> Finding | None:
    slow = sorted({name for name in machine.governors if name != "performance"})
    if not slow:
        return None
    return Finding(
        "governor",
        f"the CPU frequency governor is {' and '.join(slow)}",
        "the frequency follows the load, so short turns run at another speed than long ones",
        "sudo cpupower frequency-set -g performance",
    )


def _turbo(machine: Machine) -> Finding | None:
    if not machine.turbo:
        return None
    return Finding(
        "turbo",
        "turbo boost is on",
        "the frequency depends on temperature and on what the other cores do",
        "sudo sh -c 'echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo', "
        "or 'echo 0 > /sys/devices/system/cpu/cpufreq/boost'",
    )


def _siblings(machine: Machine) -> Finding | None:
    shared = [group for group in machine.siblings if len(group) > 1]
    if not shared:
        return None
    return Finding(
        "hyper-threads",
        f"{sum(map(len, shared))} CPUs are threads that share {len(shared)} core{'s' if len(shared) > 1 else ''}",
        "what runs on the other thread takes up to half of the core's speed",
        "sudo sh -c 'echo off > /sys/devices/system/cpu/smt/control'",
    )


def _clock(machine: Machine) -> Finding | None:
    if not machine.clock or machine.clock in GOOD_CLOCKS:
        return None
    return Finding(
        "clock source",
        f"the kernel's clock source is {machine.clock}",
        "reading it takes a system call of up to microseconds",
        "where the CPU's counter is stable: sudo sh -c "
        "'echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource'",
    )


def _battery(machine: Machine) -> Finding | None:
    if not machine.on_battery:
        return None
    return Finding("battery", "the machine runs on battery", "power saving lowers the frequency", "plug it in")


def _throttled(machine: Machine) -> Finding | None:
    if not machine.throttled:
        return None
    return Finding(
        "throttling",
        f"the CPU was slowed down {machine.throttled} times because it was hot",
        "the same code takes longer on a hot core",
        "cool it, or fix a lower frequency: sudo cpupower frequency-set --max FREQUENCY",
    )


def _stolen(machine: Machine) -> Finding | None:
    if machine.stolen_share is None or machine.stolen_share < STOLEN_SHARE:
        return None
    return Finding(
        "steal",
        f"the hypervisor gave {machine.stolen_share:.0%} of the CPU time to other guests",
        "their load moves every time that is measured here",
        "use a machine of your own, or a dedicated instance",
    )


def _memory(machine: Machine) -> Finding | None:
    if not machine.memory_bytes or machine.available_bytes is None:
        return None
    share = machine.available_bytes / machine.memory_bytes
    if share >= FULL_SHARE:
        return None
    swapped = f", {machine.swapping_bytes / 2**30:.1f} GB swapped out" if machine.swapping_bytes else ""
    return Finding(
        "memory",
        f"{share:.0%} of the memory is available{swapped}",
        "pages are written back and read again in the middle of a turn",
        "free memory; see who has it with: ps aux --sort=-rss",
    )


_CHECKS: Iterable[Callable[[Machine], Finding | None]] = (
    _load, _quota, _few_cpus, _stolen, _memory, _governor, _siblings, _turbo, _throttled, _battery, _clock,
)  # fmt: skip
