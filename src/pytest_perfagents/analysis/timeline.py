"""When it ran and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Section, table

_NO_COST = "Cost: no figure, for the records hold no token counts."


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` and ``end`` are seconds since the epoch; ``agents_s`` what the agents said they took, together."""

    start: float
    end: float
    commits: int
    agents_s: float | None
    timed_agents: int

    @property
    def total_s(self) -> float:
        """From the first start to the last end."""
        return self.end - self.start


def span(entries: Sequence[Entry]) -> Span | None:
    """From the first start to the last end of the entries; None where no entry has a time."""
    starts = [(seconds, entry) for entry in entries if (seconds := moment(entry.started_at)) is not None]
    if not starts:
        return None
    agents = [entry.source.duration_s for entry in entries if entry.source.duration_s is not None]
    return Span(
        min(start for start, _ in starts),
        max(start + max(entry.duration_s, 0.0) for start, entry in starts),
        len({entry.place for _, entry in starts}),
        sum(agents) if agents else None,
        len(agents),
    )


@lru_cache(maxsize=1 << 18)
def moment(text: str) -> float | None:
    """Seconds since the epoch of an ISO time, or of a run's ``2025-12-23_22-06-06``; UTC where it does not say."""
    day, _, time = text.partition("_")
    try:
        when = datetime.fromisoformat(f"{day}T{time.replace('-', ':')}" if time else text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def said(seconds: float) -> str:
    """``2025-12-23 22:06:06`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def timeline(entries: Sequence[Entry]) -> Section:
    """Start, end, total and average, of all and by repository."""
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
        "agents' own time": Kind.SECONDS,
        "average per agent run": Kind.SECONDS,
    }
    lines = () if rows else ("No record says when it was evaluated.",)
    tables = (table("Timeline", columns, rows, most=0),) if rows else ()
    return Section("Timeline and cost", (*lines, _NO_COST), tables)


def _row(name: str, entries: Sequence[Entry]) -> Row | None:
    found = span(entries)
    if found is None:
        return None
    average = None if found.agents_s is None else found.agents_s / found.timed_agents
    times = said(found.start), said(found.end), found.total_s
    return (name, *times, found.commits, found.total_s / found.commits, found.agents_s, average)
