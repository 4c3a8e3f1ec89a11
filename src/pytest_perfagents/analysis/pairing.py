"""Two sides on the same commits: paired where they meet, beside each other where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.tables import Kind, Row, Section, Table, table
from pytest_perfagents.judgement.stats import signed_rank_p
from pytest_perfagents.scores.bootstrap import Score
from pytest_perfagents.scores.discordant import fisher_p, mcnemar_p
from pytest_perfagents.scores.geometric import geometric_mean

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Paired:
    """Commits that both sides have, by who succeeds on them; ``ratio`` is the first's speedup divided by the second's.

    ``chance_p`` is McNemar's, ``speedup_p`` Wilcoxon's signed rank, on the commits that both have measured.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    chance_p: float
    ratio: Score | None
    speedup_p: float | None

    @property
    def commits(self) -> int:
        """All commits in common."""
        return self.both + self.only_first + self.only_second + self.neither


def by_commit(entries: Sequence[Entry]) -> dict[Place, float | None]:
    """Of each commit the geometric mean of the speedups of its measured runs; None where none was measured."""
    logs: dict[Place, list[float]] = {}
    for entry in entries:
        found = logs.setdefault(entry.place, [])
        if entry.speedup is not None:
            found.append(log(entry.speedup.point))
    return {place: exp(sum(each) / len(each)) if each else None for place, each in logs.items()}


def paired(first: Sequence[Entry], second: Sequence[Entry], *, seed: int) -> Paired | None:
    """The commits in common, one pair each; None where there is none."""
    ours, theirs = by_commit(first), by_commit(second)
    pairs = [(ours[place], theirs[place], place) for place in ours if place in theirs]
    if not pairs:
        return None
    only_first = sum(a is not None and b is None for a, b, _ in pairs)
    only_second = sum(a is None and b is not None for a, b, _ in pairs)
    ratios = [(a / b, place) for a, b, place in pairs if a is not None and b is not None]
    logs = [log(ratio) for ratio, _ in ratios]
    return Paired(
        both=len(ratios),
        only_first=only_first,
        only_second=only_second,
        neither=len(pairs) - len(ratios) - only_first - only_second,
        chance_p=mcnemar_p(only_first, only_second),
        ratio=geometric_mean([ratio for ratio, _ in ratios], [place for _, place in ratios], seed=seed),
        speedup_p=signed_rank_p(logs) if len(logs) > 1 else None,
    )


def paired_section(name: str, first: Sequence[Entry], other: str, second: Sequence[Entry], *, seed: int) -> Section:
    """The two on their commits in common; of sides without any, whether one succeeds more often."""
    found = paired(first, second, seed=seed)
    title = f"{name} against {other}"
    if found is None:
        return Section(title, ("They have no commit in common, so nothing is paired.",), (_unpaired(first, second),))
    rows: list[Row] = [
        ("commits in common", found.commits, None, None, None),
        ("measured by both", found.both, None, None, None),
        (f"measured by {name} only", found.only_first, None, None, None),
        (f"measured by {other} only", found.only_second, None, None, None),
        ("measured by neither", found.neither, None, None, None),
        ("measured more often, McNemar", found.only_first + found.only_second, None, None, found.chance_p),
    ]
    if found.ratio is not None:
        label = f"speedup of {name} / {other}, Wilcoxon"
        rows.append((label, found.ratio.count, found.ratio.value, found.ratio.interval, found.speedup_p))
    columns = {
        "what": Kind.TEXT,
        "commits": Kind.COUNT,
        "ratio": Kind.SPEEDUP,
        "interval": Kind.SPEEDUPS,
        "p": Kind.PROBABILITY,
    }
    line = (
        "p: McNemar's exact test of who is measured more often, Wilcoxon's signed-rank test of the speedups; "
        "several runs on a commit count as one, by their geometric mean. Each p is of this comparison alone."
    )
    return Section(title, (line,), (table("Same commits", columns, rows, most=0),))


def _unpaired(first: Sequence[Entry], second: Sequence[Entry]) -> Table:
    counts = [(sum(entry.measured for entry in side), len(side)) for side in (first, second)]
    (ours, all_ours), (theirs, all_theirs) = counts
    difference = ours / all_ours - theirs / all_theirs if all_ours and all_theirs else None
    p = fisher_p((ours, all_ours - ours), (theirs, all_theirs - theirs))
    columns = {"what": Kind.TEXT, "difference": Kind.SHARE, "p": Kind.PROBABILITY}
    return table("Different commits", columns, [("success rate, Fisher's exact test", difference, p)], most=0)
