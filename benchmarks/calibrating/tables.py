"""The tables of the report, in Markdown; the terminal shows some of them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from calibrating.bench import LONG_NAME
from calibrating.evaluating import GAIN, IDENTICAL, SLOWDOWNS, CellResult, size
from calibrating.peers import NEIGHBOURS, PEERS
from calibrating.recording import CONDITIONS
from calibrating.shares import Share, Threshold, share_of, total
from calibrating.simulating import Simulated
from calibrating.targets import Figure, effect, figures, percent, seconds, smallest_of
from calibrating.workloads import UNITS, WORKLOADS

Line = Sequence[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a report is made of."""

    results: Sequence[CellResult]
    simulations: Sequence[Simulated]
    machines: Sequence[Mapping[str, Any]]
    seed: int


def table(head: Line, lines: Iterable[Line]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def targets_table(evidence: Evidence) -> str:
    """Every row of the target table."""
    found = figures(evidence.results, evidence.simulations, evidence.seed)
    head = ("figure", "measured", "95 % interval", "n", "target", "verdict")
    return table(head, [_target_line(each) for each in found])


def _target_line(figure: Figure) -> Line:
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    interval = f"{figure.show(figure.low)} … {figure.show(figure.high)}" if figure.is_met is not None else "-"
    return name, figure.show(figure.value), interval, figure.count, figure.target, figure.verdict


def rules_table(evidence: Evidence) -> str:
    """Our rule and the others', on the same machine in the same minutes."""
    head = ("rule", *(f"A/A called a change, {each}" for each in CONDITIONS))
    head += tuple(
        f"+{100 * size(units):g} % found, {each}" for units in NEIGHBOURS if units != UNITS for each in CONDITIONS
    )
    lines = [
        ["**ours**", *(_share_text(_ours(evidence.results, units, c)) for units in NEIGHBOURS for c in CONDITIONS)]
    ]
    for peer in PEERS:
        shares = [
            total(r.peer_flags(peer, units) for r in _of(evidence.results, condition))
            for units in NEIGHBOURS for condition in CONDITIONS
        ]  # fmt: skip
        lines.append([peer.title, *map(_share_text, shares)])
    return table(head, lines)


def _ours(results: Sequence[CellResult], units: int, condition: str) -> Share:
    some = _of(results, condition)
    return total(r.false_verdicts if units == UNITS else r.called_slower(units) for r in some)


def gains_table(evidence: Evidence) -> str:
    """How many times more often the others call identical code different."""
    lines = []
    for peer in PEERS:
        line = [peer.title]
        for condition in CONDITIONS:
            theirs = total(r.peer_flags(peer, UNITS) for r in _of(evidence.results, condition))
            line.append(_ratio(theirs, _ours(evidence.results, UNITS, condition)))
        lines.append(line)
    return table(("rule", *(f"false verdicts over ours, {each}" for each in CONDITIONS)), lines)


def _ratio(theirs: Share, ours: Share) -> str:
    """The ratio of the rates, and at least what the unfavourable ends of both intervals leave of it."""
    if not theirs.n or not ours.n:
        return "-"
    least = theirs.interval[0] / ours.interval[1]
    if ours.hits:
        return f"{theirs.value / ours.value:.0f} x (≥ {least:.1f} x)"
    return "no false verdict of ours" + (f" (≥ {least:.1f} x)" if least >= 0.1 else "")


def cells_table(evidence: Evidence) -> str:
    """A/A by workload and condition."""
    head = ("workload", "condition", "starts", "a start of two sides", "A/A trials", "false verdicts", "neutral",
            "starts used", "seconds used", "judged by CPU time", "harness share")  # fmt: skip
    return table(head, [_cell_line(result) for result in evidence.results])


def _cell_line(result: CellResult) -> Line:
    done = result.twins
    clocks = share_of(trial.comparison.clock == "cpu" for trial in done)
    return (
        WORKLOADS[result.cell.workload].title, result.cell.condition, str(result.starts), f"{result.cost_s:.2f} s",
        str(len(done)), _share_text(result.false_verdicts), _share_text(result.neutral),
        f"{mean(t.starts for t in done):.0f}" if done else "-", seconds(mean(t.cost_s for t in done)) if done else "-",
        percent(clocks.value), percent(median(result.harness)) if result.harness else "-",
    )  # fmt: skip


def flags_table(evidence: Evidence) -> str:
    """How often honest code is flagged."""
    lines = [
        (what, *(_share_text(total(r.flags[what] for r in _of(evidence.results, each))) for each in CONDITIONS))
        for what in (IDENTICAL, GAIN)
    ]
    return table(("what is compared, ten starts each", *CONDITIONS), lines)


def paths_table(evidence: Evidence) -> str:
    """A/A by whether both sides lie below paths of equal length."""
    lines = []
    for name, equal in (
        ("equal", True),
        (f"one side {len(LONG_NAME) - 1} characters longer, for some of its starts at least", False),
    ):
        some = [t for r in evidence.results for t in r.twins if t.equal_paths is equal]
        false, neutral = share_of(t.is_change for t in some), share_of(t.is_neutral for t in some)
        lines.append((name, str(len(some)), _share_text(false), _share_text(neutral)))
    return table(("length of the paths", "A/A trials", "false verdicts", "neutral"), lines)


def power_table(evidence: Evidence, *, short: bool) -> str:
    """Slowdowns found, by workload and condition, and the smallest that is found nine times in ten."""
    head = (
        "workload",
        "condition",
        *(f"+{100 * size(units):g} %" for units in SLOWDOWNS),
        "90 % found from",
        "95 % interval",
    )
    lines = []
    for result in evidence.results:
        found, least = result.found(short=short), smallest_of(result, evidence.seed, short=short)
        shares = [percent(found.get(size(units), Share(0, 0)).value) for units in SLOWDOWNS]
        lines.append((WORKLOADS[result.cell.workload].title, result.cell.condition, *shares, *_threshold(least)))
    return table(head, lines)


def slower_table(evidence: Evidence) -> str:
    """Slowdowns that are called slower (a claim: at least 1 %, at the smaller error)."""
    head = ("workload", "condition", *(f"+{100 * size(units):g} %" for units in SLOWDOWNS))
    return table(head, [
        (WORKLOADS[r.cell.workload].title, r.cell.condition, *(_count(r.called_slower(units)) for units in SLOWDOWNS))
        for r in evidence.results
    ])  # fmt: skip


def simulation_table(evidence: Evidence) -> str:
    """Coverage, power and stopping."""
    head = ("noise", "true slowdown", "trials", "95 % interval covers", "called a change", "called slower",
            "stated interval below 1", "neutral", "undecided at the last look", "starts used")  # fmt: skip
    lines = []
    for each in evidence.simulations:
        counts = (each.covered, each.changed, each.slower, each.found, each.neutral, each.undecided)
        shares = [percent(count / each.trials) for count in counts]
        lines.append((each.noise, percent(each.effect), str(each.trials), *shares, f"{each.starts / each.trials:.1f}"))
    return table(head, lines)


def machine_table(evidence: Evidence) -> str:
    """The machine, as it was at the latest recording."""
    if not evidence.machines:
        return "Nothing was recorded."
    facts = evidence.machines[-1]
    lines = [(name.replace("_", " "), str(value)) for name, value in facts.items() if name not in ("kind", "pid")]
    return table(("machine", "of the latest recording"), lines)


def _of(results: Sequence[CellResult], condition: str) -> list[CellResult]:
    return [result for result in results if result.cell.condition == condition]


def _share_text(share: Share) -> str:
    if not share.n:
        return "-"
    low, high = share.interval
    return f"{percent(share.value)} [{percent(low)}, {percent(high)}], n = {share.n}"


def _count(share: Share) -> str:
    return f"{share.hits} of {share.n}" if share.n else "-"


def _threshold(found: Threshold) -> tuple[str, str]:
    if not found.n:
        return "-", "-"
    sign = "≤ " if found.value == found.least else ""
    return sign + effect(found.value), f"{effect(found.low)} … {effect(found.high)}"
