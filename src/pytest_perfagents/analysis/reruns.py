"""A rerun beside the original as a section: the headline, what is a share of what, and every task that moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Section, Table, many, share, table
from pytest_perfagents.analysis.transitions import Task, Transitions, standing


def transition_section(
    found: Transitions, first: str, second: str, original: Sequence[Entry], rerun: Sequence[Entry]
) -> Section:
    """The second set, of the entries ``rerun``, as a rerun of the first, of the entries ``original``."""
    old, new = standing(original), standing(rerun)
    tables = [
        _counts(found, first, second),
        _verdicts(found.still_successful, old, new),
        _list("Newly failing", found.newly_failing, new),
        _list("Newly successful", found.recovered, new),
        _list("Still failing", found.still_failing, new),
        _why("Why they still fail", found.still_failing, new),
    ]
    told = tuple(each for each in tables if each is not None)
    return Section(f"{second} as a rerun of {first}", _headline(found, first, second), told)


def _headline(found: Transitions, first: str, second: str) -> tuple[str, ...]:
    """The good news, the bad news, and what both make."""
    recovered, broken = len(found.recovered), len(found.newly_failing)
    recovery, loss = _percent(recovered, found.retried), _percent(broken, found.succeeded)
    combined, before = _percent(found.combined, found.first), _percent(found.before, found.first)
    more = 100 * (found.combined - found.before) / found.first
    succeed = recovered + len(found.still_successful)
    lines = [f"{recovered} of {found.retried} recovered ({recovery}): failed in {first}, measured in {second}."]
    if found.succeeded:
        lines.append(f"{broken} of {found.succeeded} newly failing ({loss}): measured in {first}, failed in {second}.")
        lines.append(
            f"Net {found.net:+d}: of {many(found.common, 'task')} in both {found.succeeded} were measured in {first}, "
            f"{succeed} in {second}."
        )
    else:
        lines.append(f"Nothing that was measured in {first} was run again, so nothing can be newly failing.")
    lines.append(
        f"{found.combined} of {found.first} combined ({combined}, after {before} in {first}: {more:+.1f} points)."
    )
    if found.added:
        lines.append(
            f"{many(len(found.added), 'task')} in {second} alone, {found.added_successes} of them measured: "
            f"not among the {found.first}."
        )
    lines.append("Counted are tasks, a commit and an agent with its model: several attempts at one are one task.")
    return tuple(lines)


def _counts(found: Transitions, first: str, second: str) -> Table:
    both, failed, all_first = "in both", f"failed in {first}, run again", f"in {first}"
    successes, added = len(found.still_successful), len(found.added)
    rows: list[Row] = [
        ("in both", found.common, None, None),
        *(_rated(name, len(tasks), found.retried, failed) for name, tasks in _failures(found)),
        _rated("newly failing", len(found.newly_failing), found.common, both),
        _rated("still successful", successes, found.common, both),
        _rated("successful in the first", found.before, found.first, all_first),
        _rated("successful in either", found.combined, found.first, all_first),
    ]
    if added:
        rows.append(_rated("only in the second, successful", found.added_successes, added, f"only in {second}"))
    columns = {"tasks": Kind.TEXT, "count": Kind.COUNT, "rate": Kind.SHARE, "of": Kind.TEXT}
    return table("Tasks", columns, rows, most=0)


def _failures(found: Transitions) -> tuple[tuple[str, tuple[Task, ...]], ...]:
    return ("newly successful", found.recovered), ("still failing", found.still_failing)


def _rated(name: str, count: int, whole: int, of: str) -> Row:
    """A row whose rate says what it is a share of."""
    return name, count, share(count, whole), f"{whole} {of}"


def _verdicts(tasks: Sequence[Task], old: Mapping[Task, Entry], new: Mapping[Task, Entry]) -> Table | None:
    """Tasks that were measured in both sets, and are called otherwise now."""
    rows: list[Row] = []
    for task in sorted(tasks):
        before, after = old[task], new[task]
        if before.category is not after.category and before.speedup and after.speedup:
            names = (after.short, after.repo, after.who, before.category.value, after.category.value)
            rows.append((*names, before.speedup.point, after.speedup.point))
    columns = {
        "commit": Kind.CODE,
        "repo": Kind.TEXT,
        "agent": Kind.TEXT,
        "was": Kind.CODE,
        "is": Kind.CODE,
        "speedup was": Kind.SPEEDUP,
        "speedup": Kind.SPEEDUP,
    }
    return table(f"Changed verdict ({many(len(rows), 'task')})", columns, rows, what="tasks") if rows else None


def _list(title: str, tasks: Sequence[Task], rerun: Mapping[Task, Entry]) -> Table | None:
    rows: list[Row] = []
    for task in sorted(tasks):
        entry = rerun[task]
        point = entry.speedup.point if entry.speedup else None
        reason = None if entry.measured else entry.reason or None
        rows.append((entry.short, entry.repo, entry.who, entry.category.value, point, reason))
    columns = {
        "commit": Kind.CODE,
        "repo": Kind.TEXT,
        "agent": Kind.TEXT,
        "category": Kind.CODE,
        "speedup": Kind.SPEEDUP,
        "reason": Kind.TEXT,
    }
    return table(f"{title} ({many(len(rows), 'task')})", columns, rows, what="tasks") if rows else None


def _why(title: str, tasks: Sequence[Task], rerun: Mapping[Task, Entry]) -> Table | None:
    members = [rerun[task] for task in tasks]
    groups = most_first(grouped(members, lambda entry: (entry.category.value, entry.whose_move)))
    rows: list[Row] = [
        (category, blame or None, len(each), share(len(each), len(members))) for (category, blame), each in groups
    ]
    columns = {"category": Kind.CODE, "whose move": Kind.TEXT, "tasks": Kind.COUNT, "share": Kind.SHARE}
    return table(title, columns, rows, most=0) if rows else None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
