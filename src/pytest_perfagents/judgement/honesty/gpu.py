"""What the times of a GPU say of each other, and what disturbs the card. Pure; ``docs/gpu.md`` explains the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

CLOCK_SLACK_S = 0.001
"""What a turn's event time and wall time may differ by besides 5 %: events are recorded a few microseconds apart."""
STREAM_SLACK_S = 0.0005
"""What the default stream may be ahead of the others at a turn's end before it is worth a word."""
HOT_CELSIUS = 85
_SLOWED = {
    "hw_slowdown": "is slowed down by its hardware (power or heat)",
    "hw_thermal_slowdown": "is slowed down by heat",
    "hw_power_brake_slowdown": "is slowed down by the power supply's brake",
    "sw_thermal_slowdown": "is slowed down by the driver because of heat",
}
_CAPPED = "sw_power_cap"


@dataclass(frozen=True, slots=True)
class GpuTurns:
    """Seconds of one side's turns: between the events around them, until the default stream was done, on the wall."""

    device_s: Sequence[float]
    stream_s: Sequence[float]
    wall_s: Sequence[float]

    @property
    def late_s(self) -> float:
        """What a turn still did when its default stream had come to the end, as a rule."""
        return median(d - s for d, s in zip(self.device_s, self.stream_s, strict=True))

    @property
    def ahead_s(self) -> float:
        """Wall time that the GPU's clock did not see, as a rule; below zero where it saw more."""
        return median(w - d for w, d in zip(self.wall_s, self.device_s, strict=True))


def tampering(baseline: GpuTurns, candidate: GpuTurns) -> str | None:
    """One line where the GPU's clock and the wall clock around the same work contradict each other.

    Both run from rest to rest of the whole GPU, so they agree on any honest work; the baseline is the yardstick.
    """
    if not candidate.device_s or not baseline.device_s:
        return None
    allowed_s = CLOCK_SLACK_S + 0.05 * median(candidate.wall_s) + 3 * abs(baseline.ahead_s)
    ahead_s = candidate.ahead_s
    if abs(ahead_s) <= allowed_s:
        return None
    less = "less" if ahead_s > 0 else "more"
    return f"a turn takes {abs(ahead_s) * 1e3:.1f} ms {less} by the GPU's clock than by the wall clock around it"


def side_stream_flag(baseline: GpuTurns, candidate: GpuTurns) -> str | None:
    """Says where work runs on after the default stream is done: it is counted here, and many timers miss it."""
    if not candidate.device_s or not baseline.device_s:
        return None
    late_s, device_s = candidate.late_s, median(candidate.device_s)
    if late_s <= STREAM_SLACK_S + 0.05 * device_s + max(baseline.late_s, 0.0):
        return None
    return (
        f"{late_s * 1e3:.3g} of {device_s * 1e3:.3g} ms a turn run on other streams when the default one is done: "
        "counted here, missed by timers that wait for one stream"
    )


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What ``nvidia-smi`` says of one card. ``slowed`` names its active reasons for lower clocks."""

    index: str
    uuid: str
    name: str
    temperature_c: float | None = None
    slowed: tuple[str, ...] = ()
    processes: Mapping[int, float] | None = None

    @property
    def label(self) -> str:
        """``GPU 0 (NVIDIA H200)``."""
        return f"GPU {self.index} ({self.name})"


def findings(reading: GpuReading, own: Sequence[int] = ()) -> list[str]:
    """One line for each thing that disturbs measuring on this card, with its remedy; ``own`` are our processes."""
    found = []
    others = {pid: mb for pid, mb in (reading.processes or {}).items() if pid not in own}
    if others:
        listed = ", ".join(f"{pid} ({mb:.0f} MB)" for pid, mb in sorted(others.items())[:4])
        found.append(f"{reading.label} has other processes: {listed}; end them, or set CUDA_VISIBLE_DEVICES to another")
    for reason in reading.slowed:
        if reason in _SLOWED:
            found.append(f"{reading.label} {_SLOWED[reason]}; let it cool, or look at its power supply")
    if _CAPPED in reading.slowed:
        found.append(f"{reading.label} runs at its power limit; lock lower clocks (nvidia-smi --lock-gpu-clocks)")
    if reading.temperature_c is not None and reading.temperature_c >= HOT_CELSIUS:
        found.append(f"{reading.label} is at {reading.temperature_c:.0f} degrees; its clocks will fall, let it cool")
    return found


def visible(readings: Sequence[GpuReading], devices: str | None) -> list[GpuReading]:
    """Those cards that ``CUDA_VISIBLE_DEVICES`` lets through; None is no restriction.

    Indices or beginnings of UUIDs, up to the first that is unknown (CUDA C++ Programming Guide, "CUDA Environment
    Variables").
    """
    if devices is None:
        return list(readings)
    chosen: list[GpuReading] = []
    for word in (each.strip() for each in devices.split(",")):
        found = [each for each in readings if word and (each.index == word or each.uuid.startswith(word))]
        if len(found) != 1:
            break
        chosen += found
    return chosen
