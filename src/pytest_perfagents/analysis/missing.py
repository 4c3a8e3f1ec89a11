"""What was not there: modules, targets, commits of the clone, scripts; each with the runs that wanted it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Table, table
from pytest_perfagents.model import Category

_MODULE = re.compile(r"(?:No module named|needs(?: module)?) '(?P<module>\w+(?:\.\w+)*)'")
_SAID = re.compile(r"(?:(?:reports|says): |ended in )(?P<said>.+)$")
_SIDE = re.compile(r"^(?:baseline|human|patched)(?:\([^)]*\))? ")
_FILE = re.compile(r" ?\((?:most likely due to a circular import\) \()?/[^)]*\)?$")
_ERROR = re.compile(r"^(?:\w*(?:Error|Exception)): (?=\S)")
_REVISION = re.compile(r"\b[0-9a-f]{7,40}\b")
_ABSENT = re.compile(
    r"is not in the|could not be fetched|invalid reference|bad object|unknown revision|not a valid object|"
    r"not a commit|\bfetch\b",
    re.IGNORECASE,
)


def missing_module(entry: Entry) -> str | None:
    """The module that a failed run wanted, as far as anybody said so."""
    told = entry.evidence.module
    if isinstance(told, str) and told:
        return told
    found = _MODULE.search(entry.reason)
    return found["module"] if found else None


def error_message(entry: Entry) -> str:
    """What was said in the failed run's own words: without our side and without a path of a worktree."""
    return _message(entry.reason)


@lru_cache(maxsize=4096)
def _message(reason: str) -> str:
    found = _SAID.search(reason)
    said = found["said"] if found else _SIDE.sub("", reason)
    return _ERROR.sub("", _FILE.sub("", said))


def missing_revision(entry: Entry) -> str | None:
    """The commit that the clone lacks, abbreviated; None where there is another reason for having no worktree."""
    if entry.category is not Category.GIT_WORKTREE_FAILED:
        return None
    if not _ABSENT.search(f"{entry.reason} {entry.hint or ''}"):
        return None
    named = [word for word in _REVISION.findall(entry.reason) if not word.isdecimal() or len(word) in (8, 40)]
    return (named[0] if named else entry.pre_commit)[:8] or None


def modules_table(entries: Sequence[Entry]) -> Table | None:
    """Missing modules, the most wanted first."""
    groups = grouped((entry for entry in entries if missing_module(entry)), missing_module)
    rows: list[Row] = [
        (module, len(members), len({entry.place for entry in members}), _hint(members))
        for module, members in most_first(groups)
    ]
    columns = {"module": Kind.CODE, "runs": Kind.COUNT, "commits": Kind.COUNT, "what mends it": Kind.TEXT}
    return table("Missing modules", columns, rows, what="modules", most=0) if rows else None


def targets_table(entries: Sequence[Entry]) -> Table:
    """Unresolved targets by what was said of them."""
    rows: list[Row] = [
        (message, len(members), len({entry.place for entry in members}))
        for message, members in most_first(grouped(entries, error_message))
    ]
    columns = {"message": Kind.CODE, "runs": Kind.COUNT, "commits": Kind.COUNT}
    return table("Messages", columns, rows, what="messages")


def bases_table(entries: Sequence[Entry]) -> Table | None:
    """Commits that the clone lacks."""
    groups = grouped(
        (entry for entry in entries if missing_revision(entry)), lambda entry: (entry.repo, missing_revision(entry))
    )
    rows: list[Row] = [
        (revision, repo, len(members), ", ".join(sorted({entry.alias for entry in members})), _hint(members))
        for (repo, revision), members in most_first(groups)
    ]
    columns = {
        "missing commit": Kind.CODE,
        "repo": Kind.TEXT,
        "runs": Kind.COUNT,
        "agents": Kind.TEXT,
        "what mends it": Kind.TEXT,
    }
    return table("Commits that the clone lacks", columns, rows, what="commits") if rows else None


def scripts_table(entries: Sequence[Entry]) -> Table:
    """Commits without a script."""
    rows: list[Row] = [
        (short, repo, len(members))
        for (repo, short), members in most_first(grouped(entries, lambda e: (e.repo, e.short)))
    ]
    columns = {"human commit": Kind.CODE, "repo": Kind.TEXT, "runs": Kind.COUNT}
    return table("Commits without a script", columns, rows, what="commits", most=0)


def _hint(members: Sequence[Entry]) -> str | None:
    hints = Counter(entry.hint for entry in members if entry.hint)
    return hints.most_common(1)[0][0] if hints else None
