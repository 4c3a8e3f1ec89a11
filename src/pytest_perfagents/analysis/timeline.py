"""When it ran and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pytest_perfagents.analysis.cost import PriceOf, cost_lines, cost_table, spending, unpriced
from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Section, table


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` and ``end`` are seconds since the epoch, of ``commits`` commits."""

    start: float
    end: float
    commits: int

    @property
    def total_s(self) -> float:
        """From the first start to the last end."""
        return self.end - self.start


def span(entries: Sequence[Entry]) -> Span | None:
    """From the first start to the last end of the entries; None where no entry has a time."""
    starts = [(seconds, entry) for entry in entries if (seconds := moment(entry.started_at)) is not None]
    if not starts:
        return None
    return Span(
        min(start for start, _ in starts),
        max(start + max(entry.duration_s, 0.0) for start, entry in starts),
        len({entry.place for _, entry in starts}),
    )


@lru_cache(maxsize=1 << 18)
def moment(text: str) -> float | None:
    """Seconds since the epoch of an ISO time, in UTC where it does not say; None of anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def said(seconds: float) -> str:
    """``2025-12-23 22:06:06`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def timeline(entries: Sequence[Entry], price_of: PriceOf = unpriced) -> Section:
    """Start, end, total and average, of all and by repository; what the agents took of their models."""
    groups = [("all", entries), *most_first(grouped(entries, lambda entry: entry.repo))]
    if len(groups) == 2:
        del groups[0]
    rows = [row for name, members in groups if (row := _row(name, members)) is not None]
    columns = {
        "repo": Kind.TEXT,
        "start (UTC)": Kind.TIME,
        "end (UTC)": Kind.TIME,
        "total": Kind.SECONDS,
        "commits": Kind.COUNT,
        "average per commit": Kind.SECONDS,
        "evaluating, summed": Kind.SECONDS,
        "agents' own time": Kind.SECONDS,
        "average per agent run": Kind.SECONDS,
    }
    lines = () if rows else ("No record says when it was evaluated, or how long that took.",)
    spent = spending(entries, price_of)
    tables = (table("Timeline", columns, rows, most=0) if rows else None, cost_table(entries, spent, price_of))
    told = tuple(each for each in tables if each is not None)
    return Section("Timeline and cost", (*lines, *cost_lines(spent, price_of)), told)


def _row(name: str, entries: Sequence[Entry]) -> Row | None:
    found = span(entries)
    evaluating_s = sum(max(entry.duration_s, 0.0) for entry in entries)
    agents = [entry.source.duration_s for entry in entries if entry.source.duration_s is not None]
    if found is None and not evaluating_s and not agents:
        return None
    when: Row = (None,) * 3
    if found is not None:
        when = (said(found.start), said(found.end), found.total_s)
    commits = len({entry.place for entry in entries})
    per_commit = found.total_s / found.commits if found else None
    own = (sum(agents), sum(agents) / len(agents)) if agents else (None, None)
    return (name, *when, commits, per_commit, evaluating_s or None, *own)
