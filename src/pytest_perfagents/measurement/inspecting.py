"""Script mode: what its timed runs cannot show is looked at in processes that are not timed, after the timing.

Nobody outside sees single calls of a script that times itself, nor what of the process's time went into imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from statistics import median

from pytest_perfagents.judgement.honesty import integrity
from pytest_perfagents.measurement.arena import Arena, Trouble
from pytest_perfagents.measurement.evidence import place_for_new
from pytest_perfagents.measurement.keeping import storing
from pytest_perfagents.measurement.probing import Probe
from pytest_perfagents.measurement.programs import run_once
from pytest_perfagents.model import BASELINE, Side

TIMES, IMPORTS, DEAR_S = 3, 5, 10.0
"""How often each side is looked at, and imports are; once where a run of the baseline takes longer."""
OFTEN, FEWER = 3, 0.5
"""Calls of one function; where less than this part of them runs, something else answers."""
Calls = Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class Inspection:
    """Looks at sides of one arena; the baseline's are kept."""

    arena: Arena
    style: str
    probes: Mapping[Side, Probe]
    seen: dict[Side, list[Calls]] = field(default_factory=dict)

    def first_calls(self, side: Side) -> str | None:
        """A flag where the gain comes with repetition of calls, or where that cannot be seen."""
        try:
            before, after = self._calls(BASELINE), self._calls(side)
        except Trouble as trouble:
            return f"its calls could not be looked at one by one: {trouble}"
        return memory_flag(before, after)

    def dearer_imports(self, side: Side) -> tuple[float, float]:
        """Seconds by the wall's clock and the CPU's that its imports take more than the baseline's; 0 if unknown."""
        names = {one: sorted(self.probes[one].modules or {}) for one in (BASELINE, side)}
        taken: dict[Side, list[tuple[float, float]]] = {one: [] for one in names}
        for _ in range(IMPORTS if self._times > 1 else 1):
            for one, modules in names.items():
                run = self.arena.workspaces[one].run_program(
                    self.arena.script, modules, self.arena.patience.left_s, {}, look="imports"
                )
                if run.returned is None:
                    return 0.0, 0.0
                taken[one].append((run.returned["wall_ns"] / 1e9, run.returned["cpu_ns"] / 1e9))
        before, after = ([min(each) for each in zip(*taken[one], strict=True)] for one in (BASELINE, side))
        return after[0] - before[0], after[1] - before[1]

    @property
    def _times(self) -> int:
        return TIMES if self.probes[BASELINE].startup_s < DEAR_S else 1

    def _calls(self, side: Side) -> list[Calls]:
        """Of each look, by function. As in the timed runs, it stores its result where they do."""
        if side not in self.seen:
            self.seen[side] = [self._look(side) for _ in range(self._times)]
        return self.seen[side]

    def _look(self, side: Side) -> Calls:
        workspace, results = self.arena.workspaces[side], self.probes[BASELINE].results
        stores = results is not None and self.probes[BASELINE].equal is True and not results.checks_itself(side)
        with place_for_new(workspace.scratch) if stores else nullcontext() as path:
            _, run = run_once(
                workspace, self.arena.script, self.style, timeout_s=self.arena.patience.left_s,
                arguments=storing(path) if path is not None else None, look="calls",
            )  # fmt: skip
        return run.calls


def memory_flag(before: Sequence[Calls], after: Sequence[Calls]) -> str | None:
    """What the calls of that function say in which the script spends most on the baseline, of those it calls often."""
    often = [name for name, each in before[0].items() if each["calls"] >= OFTEN and all(name in one for one in before)]
    if not often:
        return None
    if not any(after):
        return "none of its calls can be looked at one by one, as those of the baseline can"
    name = often[0]
    if not all(name in each for each in after):
        return None  # another function does it now
    calls, fewer = before[0][name]["calls"], median(each[name]["calls"] for each in after)
    if fewer < FEWER * calls:
        return f"of {calls} calls of {name} on the baseline {fewer:.0f} come to run: the gain comes with repetition"
    flag = integrity.first_call_flag(_times_of(name, before), _times_of(name, after))
    return f"{name}: {flag}" if flag else None


def _times_of(name: str, looks: Sequence[Calls]) -> integrity.Calls:
    times = [look[name] for look in looks]
    return integrity.Calls([each["first_ns"] / 1e9 for each in times], [each["later_ns"] / 1e9 for each in times])
