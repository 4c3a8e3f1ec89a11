"""The target table: every figure with its interval, the number of trials, and whether the target is met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from operator import itemgetter
from statistics import median

from calibrating.evaluating import SLOWDOWNS, CellResult, size
from calibrating.noises import NOISES
from calibrating.recording import CONDITIONS
from calibrating.shares import Share, Threshold, mean_interval, smallest_found, total
from calibrating.simulating import Simulated
from calibrating.workloads import UNITS, WORKLOADS

ENOUGH_TRIALS = 500
TWO_PERCENT = UNITS * 102 // 100
LARGEST = size(SLOWDOWNS[-1])
Amount = Callable[[float], str]
_PARTS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. ``least``..``most`` is where the target wants it; an infinite bound is none."""

    name: str
    value: float
    low: float
    high: float
    count: str
    target: str
    least: float
    most: float
    show: Amount
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the figure meets the target; None where there is no figure."""
        return None if isnan(self.value) else self.least <= self.value <= self.most

    @property
    def is_certain(self) -> bool:
        """Whether the whole interval does."""
        return bool(self.is_met) and self.least <= self.low and self.high <= self.most

    @property
    def verdict(self) -> str:
        """In words; a figure can meet a target that its interval does not, and then nothing is shown."""
        if self.is_met is None:
            return "no data"
        if not self.is_met:
            return "missed"
        return "met" if self.is_certain else "not shown: the interval reaches beyond"


def percent(value: float) -> str:
    """A share, with as many digits as it has meaning."""
    if not isfinite(value):
        return "-"
    return f"{100 * value:.2f} %" if abs(value) < 0.1 else f"{100 * value:.1f} %"


def effect(value: float) -> str:
    """A slowdown; one that was not found has no size."""
    return f"> {100 * LARGEST:g} %" if value == inf else percent(value)


def seconds(value: float) -> str:
    """Seconds."""
    return f"{value:.1f} s" if isfinite(value) else "-"


def figures(results: Sequence[CellResult], simulations: Sequence[Simulated], seed: int) -> list[Figure]:
    """All rows of the target table, also those for which there are no data."""
    return [
        *_identical(results),
        *_smallest(results, seed),
        *_two_percent(results),
        _coverage(simulations),
        _cost(results),
        _harness(results),
    ]


def smallest_of(result: CellResult, seed: int, *, short: bool = False) -> Threshold:
    """The smallest slowdown found in 90 % of the trials of a cell."""
    curve = sorted(result.found(short=short).items(), key=itemgetter(0))
    return smallest_found(tuple(curve), seed)


def _of(results: Sequence[CellResult], condition: str) -> list[CellResult]:
    return [result for result in results if result.cell.condition == condition]


def _share(name: str, share: Share, target: str, least: float, most: float, note: str = "") -> Figure:
    low, high = share.interval
    return Figure(name, share.value, low, high, f"{share.hits} of {share.n}", target, least, most, percent, note)


def _identical(results: Sequence[CellResult]) -> list[Figure]:
    everything = [("quiet and noisy", results), *((each, _of(results, each)) for each in CONDITIONS)]
    rows = []
    for name, some in everything:
        share = total(result.false_verdicts for result in some)
        note = f"fewer than {ENOUGH_TRIALS} trials" if some is results and share.n < ENOUGH_TRIALS else ""
        rows.append(_share(f"A/A false verdicts, {name}", share, "≤ 1 %", 0, 0.01, note))
    for name, some in everything:
        rows.append(_share(f"A/A called neutral, {name}", total(r.neutral for r in some), "≥ 95 %", 0.95, 1))
    return rows


def _smallest(results: Sequence[CellResult], seed: int) -> list[Figure]:
    rows = []
    for condition in CONDITIONS:
        some = [(result, smallest_of(result, seed)) for result in _of(results, condition)]
        title = f"smallest slowdown found in 90 % of trials that use their budget, {condition}"
        rows.append(_middle(f"{title}: median over workloads", [each for _, each in some]))
        rows.append(_worst(f"{title}: worst workload", some, "≤ 2.5 %", 0.025))
    for condition in CONDITIONS:
        for kind, title, most in (("python", "pure Python", 0.015), ("numpy", "NumPy", 0.05)):
            some = [(r, smallest_of(r, seed, short=True)) for r in _of(results, condition) if _kind(r) == kind]
            name = f"smallest slowdown found in 90 % of trials in 5 s, {condition}: {title}"
            rows.append(_worst(name, some, f"≤ {100 * most:g} %", most))
    return rows


def _kind(result: CellResult) -> str:
    return WORKLOADS[result.cell.workload].kind


def _middle(name: str, found: Sequence[Threshold]) -> Figure:
    known = [each for each in found if not isnan(each.value)]
    value, low, high = (median(getattr(each, part) for each in known) if known else nan for part in _PARTS)
    return Figure(name, value, low, high, _count(known), "≤ 1 %", 0, 0.01, effect)


def _worst(name: str, found: Sequence[tuple[CellResult, Threshold]], target: str, most: float) -> Figure:
    known = [(result, each) for result, each in found if not isnan(each.value)]
    if not known:
        return Figure(name, nan, nan, nan, _count([]), target, 0, most, effect)
    result, worst = max(known, key=lambda pair: pair[1].value)
    count, note = _count([each for _, each in known]), WORKLOADS[result.cell.workload].title
    return Figure(name, worst.value, worst.low, worst.high, count, target, 0, most, effect, note)


def _count(known: Sequence[Threshold]) -> str:
    return (
        f"{len(known)} workloads, at least {min((each.n for each in known), default=0):.1f} disjoint trials an effect"
    )


def _two_percent(results: Sequence[CellResult]) -> list[Figure]:
    name = "a true +2 % called slower within the budget"
    return [
        _share(f"{name}, {each}", total(r.called_slower(TWO_PERCENT) for r in _of(results, each)), "≥ 95 %", 0.95, 1)
        for each in CONDITIONS
    ]


def _coverage(simulations: Sequence[Simulated]) -> Figure:
    """Of all noises and effects, the one whose coverage is farthest from 95 %."""
    name, target = "coverage of the stated 95 % interval, simulated: the farthest off", "93 to 97 %"
    asked = [each for each in simulations if each.noise in NOISES]
    if not asked:
        return Figure(name, nan, nan, nan, "0", target, 0.93, 0.97, percent)
    worst = max(asked, key=lambda each: abs(each.covered / each.trials - 0.95))
    note = f"{worst.noise}, +{percent(worst.effect)}"
    return _share(name, Share(worst.covered, worst.trials), target, 0.93, 0.97, note)


def _cost(results: Sequence[CellResult]) -> Figure:
    spent = [trial.cost_s for r in _of(results, "quiet") if _kind(r) == "python" for trial in r.twins]
    name = "cost of an A/A comparison of pure-Python code, quiet"
    return Figure(name, *mean_interval(spent), f"{len(spent)} trials", "≤ 12 s", -inf, 12, seconds)


def _harness(results: Sequence[CellResult]) -> Figure:
    shares = [share for r in _of(results, "quiet") for share in r.harness]
    name = "harness share of the time in which a start takes its turns, quiet"
    return Figure(name, *mean_interval(shares), f"{len(shares)} starts", "< 1 %", -inf, 0.01, percent)
