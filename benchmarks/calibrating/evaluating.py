"""All that a recording says: every rule's trials in every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calibrating.bench import KITS
from calibrating.datafile import Row
from calibrating.flagging import flagged, reversed_pairs
from calibrating.peers import FASTER, NEIGHBOURS, PEERS, SLOWER, Peer, verdicts
from calibrating.recording import CONDITIONS, Cell
from calibrating.replaying import Trial, injected, power, start_cost_s, trials, twins
from calibrating.shares import Share, share_of, total
from calibrating.workloads import UNITS, WORKLOADS
from pytest_perfagents.config import ProtocolConfig

SLOWDOWNS = tuple(sorted({units for kit in KITS.values() for units in kit if units != UNITS}))
IDENTICAL, GAIN = "identical code", "a gain of 2 or 5 %"
LARGEST = tuple(max(units) for units in KITS.values())
"""Of each kit one, so that no side of a start is counted twice."""
SHORT_S = 5.0
"""The smaller of the two budgets for which power is asked."""


def size(units: int) -> float:
    """The slowdown that so many units are."""
    return units / UNITS - 1


@dataclass(frozen=True, slots=True)
class CellResult:
    """One workload in one condition. ``effects`` are trials as the protocol does them; ``whole`` and ``short`` say how
    many find a slowdown where they use up their budget, the protocol's and five seconds. ``flags``: how often something
    is said of identical code, and of an honest gain.
    """

    cell: Cell
    starts: int
    cost_s: float
    budget_s: float
    twins: Sequence[Trial]
    effects: Mapping[int, Sequence[Trial]]
    whole: Mapping[int, Share]
    short: Mapping[int, Share]
    harness: Sequence[float]
    flags: Mapping[str, Share] = field(default_factory=dict)
    peers: Mapping[str, Mapping[int, Sequence[str]]] = field(default_factory=dict)

    @property
    def false_verdicts(self) -> Share:
        """A/A trials in which a change is claimed."""
        return share_of(trial.is_change for trial in self.twins)

    @property
    def neutral(self) -> Share:
        """A/A trials called neutral."""
        return share_of(trial.is_neutral for trial in self.twins)

    def called_slower(self, units: int) -> Share:
        """Trials with this slowdown that are called slower within the protocol's budget."""
        return share_of(trial.is_slower for trial in self.effects.get(units, ()))

    def found(self, *, short: bool = False) -> Mapping[float, Share]:
        """For every slowdown, trials in which the stated interval lies below 1."""
        by_units = self.short if short else self.whole
        return {size(units): share for units, share in by_units.items()}

    def peer_flags(self, peer: Peer, units: int) -> Share:
        """A/A: any claim; with a slowdown: the claim that it is slower."""
        wrong = (FASTER, SLOWER) if units == UNITS else (SLOWER,)
        return share_of(verdict in wrong for verdict in self.peers.get(peer.name, {}).get(units, ()))


def evaluate(rows: Sequence[Row], protocol: ProtocolConfig, seed: int) -> list[CellResult]:
    """Every cell that has starts in it, in the order of the workloads."""
    recorded = [row for row in rows if "kit" in row]
    cells = [Cell(workload, condition) for workload in WORKLOADS for condition in CONDITIONS]
    results = [_evaluate([row for row in recorded if cell.holds(row)], cell, protocol, seed) for cell in cells]
    return [result for result in results if result is not None]


def _evaluate(rows: Sequence[Row], cell: Cell, protocol: ProtocolConfig, seed: int) -> CellResult | None:
    cost_s = start_cost_s(rows, cell)
    if cost_s is None:
        return None
    starts = [row for row in rows if row["kind"] == "start"]
    budget_s = starts[0]["budget_s"]
    pairs = {units: injected(rows, cell, units) for units in SLOWDOWNS}
    same = twins(rows, cell)
    return CellResult(
        cell,
        len(starts),
        cost_s,
        budget_s,
        trials(same, cost_s, budget_s, protocol),
        {units: trials(found, cost_s, budget_s, protocol) for units, found in pairs.items()},
        {units: power(found, cost_s, budget_s, protocol, seed) for units, found in pairs.items()},
        {units: power(found, cost_s, SHORT_S, protocol, seed) for units, found in pairs.items()},
        [1 - row["inside_s"] / row["elapsed_s"] for row in starts if row["kit"] == "pair"],
        {IDENTICAL: flagged(same), GAIN: total(flagged(reversed_pairs(pairs[units])) for units in LARGEST)},
        {peer.name: {units: verdicts(peer, rows, cell, units) for units in NEIGHBOURS} for peer in PEERS},
    )
