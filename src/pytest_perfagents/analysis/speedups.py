"""Measured runs as tables: who became faster, who slower, who stayed."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.families import FAMILY_OF
from pytest_perfagents.analysis.tables import Kind, Row, Section, Table, many, table
from pytest_perfagents.model import Category

_COLUMNS = {
    "speedup": Kind.SPEEDUP,
    "interval": Kind.SPEEDUPS,
    "agent": Kind.TEXT,
    "model": Kind.TEXT,
    "repo": Kind.TEXT,
    "commit": Kind.CODE,
    "baseline ms": Kind.MILLISECONDS,
    "patched ms": Kind.MILLISECONDS,
    "human": Kind.SPEEDUP,
    "flags": Kind.COUNT,
}
_TABLES = (
    (Category.SUCCESS_IMPROVEMENT, "Improvements", "improvements", True),
    (Category.SUCCESS_REGRESSION, "Regressions", "regressions", False),
    (Category.SUCCESS_NEUTRAL, "Neutral", "neutral runs", True),
    (Category.SUCCESS_INCONCLUSIVE, "Inconclusive", "inconclusive runs", True),
)
"""Each category with its title, what its rows are, and whether the highest speedup comes first."""


def speedup_section(entries: Sequence[Entry]) -> Section | None:
    """The measured runs; None where there is none."""
    measured = [entry for entry in entries if entry.measured]
    if not measured:
        return None
    lines = [FAMILY_OF[Category.SUCCESS_NEUTRAL].means]
    bare = sum(entry.speedup is not None and entry.speedup.interval is None for entry in measured)
    if bare:
        lines.append(
            f"{bare} of {len(measured)} speedups have no interval: they were recorded as one number, and what they are "
            "called rests on the threshold alone."
        )
    doubtful = sum(bool(entry.doubts) for entry in measured)
    if doubtful:
        lines.append(f"{doubtful} of them are flagged: perfagents show says why; look before a speedup is believed.")
    tables = [_table(title, members, what, down) for c, title, what, down in _TABLES if (members := _of(measured, c))]
    return Section(f"Measured ({many(len(measured), 'run')})", tuple(lines), tuple(tables))


def _of(entries: Sequence[Entry], category: Category) -> list[Entry]:
    return [entry for entry in entries if entry.category is category]


def _table(title: str, entries: Sequence[Entry], what: str, down: bool) -> Table:
    ordered = sorted(entries, key=lambda entry: (-_point(entry) if down else _point(entry), entry.id))
    return table(f"{title} ({many(len(entries), 'run')})", _COLUMNS, map(_row, ordered), what=what)


def _point(entry: Entry) -> float:
    return entry.speedup.point if entry.speedup else 0.0


def _row(entry: Entry) -> Row:
    assert entry.speedup is not None
    human = entry.human_speedup.point if entry.human_speedup else None
    interval = entry.speedup.interval
    times = milliseconds(entry, "baseline"), milliseconds(entry, "patched")
    names = entry.agent, entry.model, entry.repo, entry.short
    return (entry.speedup.point, interval, *names, *times, human, len(entry.doubts) or None)


def milliseconds(entry: Entry, role: str) -> float | None:
    """The median time of a side, of a recorded one the mean that its speedup rests on; None where it was not timed.

    Where a side was recorded without a mean, the medians are what the speedup rests on.
    """
    times = entry.sides.get(role)
    if times is None:
        return None
    has_means = all(side.stated is not None and side.stated.mean_s for side in entry.sides.values())
    seconds = times.stated.mean_s if has_means and times.stated is not None else times.median_s
    return None if seconds is None else 1000 * seconds
