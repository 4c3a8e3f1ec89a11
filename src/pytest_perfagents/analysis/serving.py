"""Serving and offline benchmarks: the numbers of baseline, human and agent beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Cell, Kind, Row, Section, Table, many, share, table
from pytest_perfagents.metrics import Metric, by_metric, metric_named

SIDES = ("baseline", "human", "agent")
Numbers = Mapping[str, float | None]

_COLUMNS = {
    "commit": Kind.CODE,
    "agent": Kind.TEXT,
    "model": Kind.TEXT,
    "served model": Kind.TEXT,
    "metric": Kind.TEXT,
    "baseline": Kind.FIGURE,
    "human": Kind.FIGURE,
    "agent's": Kind.FIGURE,
    "against baseline": Kind.SPEEDUP,
    "against human": Kind.SPEEDUP,
}


def serving_sections(entries: Sequence[Entry]) -> tuple[Section | None, Section | None]:
    """The three-way results among the outcomes: those that have a baseline's numbers, too, and numbers without one.

    The first has the counts of all; where no result has a baseline's numbers, all is in the second.
    """
    ran = sorted((entry for entry in entries if is_three_way(entry)), key=lambda e: (e.place, e.alias, e.id))
    if not ran:
        return None, None
    rows = {entry.id: _rows(entry) for entry in ran}
    compared = [row for entry in ran if has_baseline(entry) for row in rows[entry.id]]
    bare = [row for entry in ran if not has_baseline(entry) for row in rows[entry.id]]
    whole = (_by_agent(ran, rows), *_numbers(compared or bare))
    first = Section(_TITLE, _lines(ran), whole)
    if not compared:
        return None, first
    line = "There is nothing to compare these with: their baseline has no numbers."
    return first, Section(f"{_TITLE} without a baseline", (line,), _numbers(bare)) if bare else None


_TITLE = "Serving and offline benchmarks"


def _lines(ran: Sequence[Entry]) -> tuple[str, ...]:
    lines = [
        f"{many(len(ran), 'recorded benchmark')} of {many(len({entry.place for entry in ran}), 'commit')}.",
        "A ratio above 1 is in the agent's favour, be it of throughputs or of times. None of them has an interval.",
    ]
    names = {name for entry in ran for numbers in _sides(entry).values() for name in numbers}
    others = sorted(name for name in names if not _shown(name))
    if others:
        lines.append(f"Also recorded, and not compared: {', '.join(others)}.")
    return tuple(lines)


def _numbers(rows: Sequence[Row]) -> tuple[Table, ...]:
    return (table("Baseline, human and agent", _COLUMNS, rows, what="numbers"),) if rows else ()


def has_baseline(entry: Entry) -> bool:
    """Whether the baseline's side gave numbers, too."""
    return _has_numbers(_sides(entry).get("baseline", {}))


def is_three_way(entry: Entry) -> bool:
    """Whether it was imported from a three-way result."""
    return entry.protocol.recorded is not None and entry.protocol.recorded.kind == "three-way result"


def _shown(name: str) -> bool:
    return metric_named(name) is not None


def _sides(entry: Entry) -> Mapping[str, Numbers]:
    return entry.protocol.recorded.metrics if entry.protocol.recorded else {}


def _by_agent(entries: Sequence[Entry], rows_of: Mapping[str, Sequence[Row]]) -> Table:
    columns = {
        "agent": Kind.TEXT,
        "model": Kind.TEXT,
        "benchmarks": Kind.COUNT,
        "with numbers": Kind.COUNT,
        "share": Kind.SHARE,
        "with a baseline's, too": Kind.COUNT,
        "timed out": Kind.COUNT,
        "without numbers": Kind.COUNT,
    }
    groups = most_first(grouped(entries, lambda entry: (entry.agent, entry.model)))
    rows: list[Row] = [(*names, *_counts(members, rows_of)) for names, members in groups]
    if len(rows) > 1:
        rows.append(("total", None, *_counts(entries, rows_of)))
    return table("Benchmarks by agent", columns, rows, what="groups", most=0)


def _counts(entries: Sequence[Entry], rows_of: Mapping[str, Sequence[Row]]) -> tuple[Cell, ...]:
    served = sum(_has_numbers(_sides(entry).get("agent", {})) for entry in entries)
    compared = sum(any(row[-2] is not None for row in rows_of[entry.id]) for entry in entries)
    late = sum(entry.category.endswith("TIMEOUT") for entry in entries)
    return len(entries), served, share(served, len(entries)), compared, late, len(entries) - served - late


def _has_numbers(numbers: Numbers) -> bool:
    """A benchmark that served nothing writes zeros."""
    return any(value for name, value in numbers.items() if _shown(name))


def _rows(entry: Entry) -> list[Row]:
    found: dict[Metric, dict[str, float]] = {}
    for side in SIDES:
        for metric, (_, value) in by_metric(_sides(entry).get(side, {})).items():
            found.setdefault(metric, {})[side] = value
    served = entry.protocol.recorded.served if entry.protocol.recorded else ""
    names = (entry.short, entry.agent, entry.model, served or None)
    return [(*names, metric.title, *_compared(metric, values)) for metric, values in sorted(found.items())]


def _compared(metric: Metric, values: Mapping[str, float]) -> tuple[Cell, ...]:
    baseline, human, agent = (values.get(side) for side in SIDES)
    return baseline, human, agent, metric.speedup(agent, baseline), metric.speedup(agent, human)
