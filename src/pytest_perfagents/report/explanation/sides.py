"""The sides of a run: what a call took on each, and how that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pytest_perfagents.analysis.tables import Kind
from pytest_perfagents.model import Outcome, Role, SideSamples
from pytest_perfagents.records import flat_samples
from pytest_perfagents.report.cells import duration, shown
from pytest_perfagents.report.explanation.parts import heading

_TITLES = ("side", "ms a call", "wall ms", "starts", "turns", "memory")


def sides_part(outcome: Outcome) -> Iterator[RenderableType]:
    """A line for each side that was timed, then the protocol in words."""
    if not outcome.sides:
        return
    yield from heading("Sides")
    clock = outcome.comparison.clock if outcome.comparison is not None else "wall"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in _TITLES:
        table.add_column(title, justify="left" if title == "side" else "right")
    for role in Role:
        if role.value in outcome.sides:
            table.add_row(role.value, *_cells(outcome.sides[role.value], clock))
    yield table
    protocol = _protocol(outcome.protocol, clock)
    if protocol:
        yield Text(protocol)


def _cells(side: SideSamples, clock: str) -> list[str]:
    """Medians over all turns by the clock that decides and by the wall's; what was recorded of a side without any."""
    if not side.wall_s:
        stated = {"mean": side.stated.mean_s, "median": side.stated.median_s} if side.stated else {}
        told = [f"{_ms(seconds)} {name}" for name, seconds in stated.items() if seconds is not None]
        return [", ".join(told) or "-", "-", "-", "-", "-"]
    turns = sorted({len(start) for start in side.wall_s})
    counts = str(turns[0]) if len(turns) == 1 else f"{turns[0]}-{turns[-1]}"
    times = [_ms(median(flat_samples(side, each))) for each in (clock, "wall")]
    memory = f"{side.memory_bytes / 1e6:.0f} MB" if side.memory_bytes else "-"
    gpu = f", {side.gpu_memory_bytes / 1e6:.0f} MB on the GPU" if side.gpu_memory_bytes else ""
    return [*times, str(len(side.wall_s)), counts, memory + gpu]


def _ms(seconds: float | None) -> str:
    return shown(None if seconds is None else 1000 * seconds, Kind.MILLISECONDS)


def _protocol(protocol: Mapping[str, Any], clock: str) -> str:
    """How it was measured, as far as the record says; ``start_s`` is of one start of all sides together."""
    if protocol.get("recorded"):
        return ""
    parts = [f"medians over all turns; the {clock} clock decides"]
    if protocol.get("style"):
        parts.append(f"{protocol['style']} mode")
    if protocol.get("iterations"):
        parts.append(f"{protocol['iterations']} calls a turn after {protocol.get('warmups', 0)} warm-up calls")
    if protocol.get("measured_s") and protocol.get("budget_s"):
        parts.append(f"{duration(protocol['measured_s'])} of a budget of {duration(protocol['budget_s'])}")
    if protocol.get("start_s"):
        parts.append(f"{duration(protocol['start_s'])} for one start of all sides, import and set-up included")
    if protocol.get("forked_starts"):
        parts.append(f"{protocol['forked_starts']} starts forked from a process with the imports done")
    return "; ".join(parts)
