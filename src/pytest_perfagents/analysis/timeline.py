"""When it ran and how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import inf

from pytest_perfagents.analysis.cost import PriceOf, cost_lines, cost_table, spending, unpriced
from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Section, many, table


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` and ``end`` are seconds since the epoch."""

    start: float
    end: float

    @property
    def length_s(self) -> float:
        """From the first start to the last end; no working time where runs lie apart, or ran side by side."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Work:
    """``total_s`` seconds of evaluating, on ``commits`` commits: those of which a time is known."""

    total_s: float
    commits: int

    @property
    def per_commit_s(self) -> float:
        """The average."""
        return self.total_s / self.commits


def span(entries: Sequence[Entry]) -> Span | None:
    """From the first start to the last end of the entries; None where no entry has a start."""
    starts = [(start, entry) for entry in entries if (start := moment(entry.started_at)) is not None]
    if not starts:
        return None
    return Span(min(start for start, _ in starts), max(start + max(entry.duration_s, 0.0) for start, entry in starts))


def work(entries: Sequence[Entry]) -> Work | None:
    """How long the entries were evaluated, summed; None where no entry says how long it took.

    The runs of a commit that we measured together have the time of all of them, each: it counts once.
    """
    timed = [entry for entry in entries if entry.duration_s > 0]
    if not timed:
        return None
    alone, together = [], dict[tuple[str, str], list[tuple[float, float]]]()
    for entry in timed:
        start = None if entry.is_recorded else moment(entry.started_at)
        if start is None:
            alone.append(entry.duration_s)
        else:
            together.setdefault(entry.place, []).append((start, start + entry.duration_s))
    total_s = sum(alone) + sum(covered_s(spans) for spans in together.values())
    return Work(total_s, len({entry.place for entry in timed}))


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """The length of what the spans cover together."""
    covered, reached = 0.0, -inf
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


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
    """Start, end, span, total and average, of all and by repository; what the agents took of their models."""
    groups = [("all", entries), *most_first(grouped(entries, lambda entry: entry.repo))]
    if len(groups) == 2:
        del groups[0]
    rows = [row for name, members in groups if (row := _row(name, members)) is not None]
    columns = {
        "repo": Kind.TEXT,
        "start (UTC)": Kind.TIME,
        "end (UTC)": Kind.TIME,
        "span": Kind.SECONDS,
        "total": Kind.SECONDS,
        "commits": Kind.COUNT,
        "average per commit": Kind.SECONDS,
        "agents' own time": Kind.SECONDS,
        "agent runs": Kind.COUNT,
        "average per agent run": Kind.SECONDS,
    }
    lines = time_lines(entries) if rows else ("No record says when it was evaluated, or how long that took.",)
    spent = spending(entries, price_of)
    tables = (table("Timeline", columns, rows, most=0) if rows else None, cost_table(entries, spent, price_of))
    told = tuple(each for each in tables if each is not None)
    return Section("Timeline and cost", (*lines, *cost_lines(spent, price_of)), told)


def _row(name: str, entries: Sequence[Entry]) -> Row | None:
    agents = [entry.source.duration_s for entry in entries if entry.source.duration_s is not None]
    times = time_cells(entries)
    if not agents and all(cell is None for cell in times):
        return None
    own = (sum(agents), len(agents), sum(agents) / len(agents)) if agents else (None, None, None)
    return (name, *times, *own)


def time_cells(entries: Sequence[Entry]) -> Row:
    """Start, end, span, total, the commits of the total, average per commit; None for what nobody recorded."""
    found, worked = span(entries), work(entries)
    when: Row = (said(found.start), said(found.end), found.length_s) if found else (None, None, None)
    return (*when, *((worked.total_s, worked.commits, worked.per_commit_s) if worked else (None, None, None)))


def time_lines(entries: Sequence[Entry]) -> tuple[str, ...]:
    """What total and span mean, and of how many runs they are."""
    timed = sum(entry.duration_s > 0 for entry in entries)
    started = sum(moment(entry.started_at) is not None for entry in entries)
    total = (
        f"Total: the time of evaluating, summed over the {timed} of {many(len(entries), 'run')} that record one; the "
        "average is over their commits, and runs that were measured together count once."
    )
    between = (
        f"Span: from the first start to the last end of the {started} of {many(len(entries), 'run')} that say when: no "
        "working time where they lie apart."
    )
    return total, between
