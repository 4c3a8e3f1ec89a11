"""Commits on which every agent fails for the same cause: the script's or the environment's fault, never theirs."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_perfagents.analysis.entries import Entry, grouped
from pytest_perfagents.analysis.missing import error_message
from pytest_perfagents.analysis.tables import Kind, Row, Section, many, table
from pytest_perfagents.model import Blame

_LEAST_AGENTS = 2


def universal_failures(entries: Sequence[Entry]) -> Section:
    """The commits that at least two agents left a patch for, and on which all of these patches met one cause."""
    rows: list[Row] = []
    for (repo, short), members in grouped(entries, lambda entry: entry.place).items():
        tried = [entry for entry in members if entry.left_patch]
        if _is_universal(tried):
            first = tried[0]
            agents = ", ".join(sorted({entry.alias for entry in tried}))
            row = (short, repo, len(tried), agents, first.category.value, first.blame, error_message(first), first.hint)
            rows.append(row)
    rows.sort(key=lambda row: (-int(row[2] or 0), str(row[0])))  # type: ignore[arg-type]
    columns = {
        "commit": Kind.CODE,
        "repo": Kind.TEXT,
        "runs": Kind.COUNT,
        "agents": Kind.TEXT,
        "category": Kind.CODE,
        "whose move": Kind.TEXT,
        "cause": Kind.TEXT,
        "what mends it": Kind.TEXT,
    }
    line = (
        f"On {many(len(rows), 'commit')} every agent that left a patch ({_LEAST_AGENTS} or more) "
        "failed for the same cause: the script or the environment is at fault, not the agents."
    )
    tables = (table("Commits", columns, rows, what="commits"),) if rows else ()
    return Section("Universal failures", (line,), tables)


def _is_universal(tried: Sequence[Entry]) -> bool:
    if len({entry.alias for entry in tried}) < _LEAST_AGENTS:
        return False
    first = tried[0]
    if first.measured or first.blame not in (Blame.SCRIPT, Blame.ENVIRONMENT):
        return False
    return all((entry.category, entry.cause) == (first.category, first.cause) for entry in tried)
