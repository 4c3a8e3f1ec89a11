"""A rerun beside the original: what came back, what still fails, what broke, and what both make together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from pytest_perfagents.analysis.entries import Entry, grouped, most_first
from pytest_perfagents.analysis.tables import Kind, Row, Section, Table, many, share, table

Task = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transitions:
    """Tasks by what became of them. A task with several attempts succeeds where one of them does.

    The four lists are of tasks in both sets; ``before``, ``after`` and ``combined`` count successes of the first, the
    second and either, ``first`` and ``every`` the tasks of the first and of either.
    """

    recovered: tuple[Task, ...]
    still_failing: tuple[Task, ...]
    newly_failing: tuple[Task, ...]
    still_successful: tuple[Task, ...]
    before: int
    after: int
    combined: int
    first: int
    every: int

    @property
    def retried(self) -> int:
        """Tasks that had failed and were run again."""
        return len(self.recovered) + len(self.still_failing)

    @property
    def common(self) -> int:
        """Tasks in both sets."""
        return self.retried + len(self.newly_failing) + len(self.still_successful)

    @property
    def only_failures(self) -> bool:
        """Whether only what had failed was run again: then a test of who succeeds more often would prove nothing."""
        return 0 < self.common == self.retried


def successes(entries: Sequence[Entry]) -> dict[Task, bool]:
    """Of each task whether one of its attempts was measured."""
    found: dict[Task, bool] = {}
    for entry in entries:
        found[entry.task] = found.get(entry.task, False) or entry.measured
    return found


def transitions(original: Sequence[Entry], rerun: Sequence[Entry]) -> Transitions:
    """What the rerun changed; tasks are ``(repository, commit, alias)``."""
    old, new = successes(original), successes(rerun)
    both = [task for task in old if task in new]
    return Transitions(
        recovered=tuple(task for task in both if new[task] and not old[task]),
        still_failing=tuple(task for task in both if not new[task] and not old[task]),
        newly_failing=tuple(task for task in both if old[task] and not new[task]),
        still_successful=tuple(task for task in both if old[task] and new[task]),
        before=sum(old.values()),
        after=sum(new.values()),
        combined=sum(old.get(task, False) or new.get(task, False) for task in {**old, **new}),
        first=len(old),
        every=len({**old, **new}),
    )


def transition_section(found: Transitions, first: str, second: str, rerun: Sequence[Entry]) -> Section:
    """The second set, of the entries ``rerun``, as a rerun of the first."""
    recovery = _percent(len(found.recovered), found.retried)
    combined, before = _percent(found.combined, found.every), _percent(found.before, found.first)
    more = 100 * (found.combined / found.every - found.before / found.first)
    lines = (
        f"{len(found.recovered)} of {found.retried} recovered ({recovery}): failed in {first}, measured in {second}.",
        f"{found.combined} of {found.every} combined ({combined}, after {before} in {first}: {more:+.1f} points).",
    )
    tables = [
        _counts(found),
        _list("Newly successful", found.recovered, rerun),
        _list("Still failing", found.still_failing, rerun),
        _list("Newly failing", found.newly_failing, rerun),
        _why("Why they still fail", found.still_failing, rerun),
    ]
    return Section(f"{second} as a rerun of {first}", lines, tuple(each for each in tables if each is not None))


def _counts(found: Transitions) -> Table:
    both = found.common
    rows: list[Row] = [
        ("in both", both, None),
        ("newly successful", len(found.recovered), share(len(found.recovered), found.retried)),
        ("still failing", len(found.still_failing), share(len(found.still_failing), found.retried)),
        ("newly failing", len(found.newly_failing), share(len(found.newly_failing), both)),
        ("still successful", len(found.still_successful), share(len(found.still_successful), both)),
        ("successful in the first", found.before, share(found.before, found.first)),
        ("successful in either", found.combined, share(found.combined, found.every)),
    ]
    columns = {"tasks": Kind.TEXT, "count": Kind.COUNT, "rate": Kind.SHARE}
    return table("Tasks", columns, rows, most=0)


def _list(title: str, tasks: Sequence[Task], rerun: Sequence[Entry]) -> Table | None:
    last: dict[Hashable, Entry] = {entry.task: entry for entry in rerun if not entry.measured}
    last |= {entry.task: entry for entry in rerun if entry.measured}
    rows: list[Row] = []
    for task in sorted(tasks):
        entry = last[task]
        point = entry.speedup.point if entry.speedup else None
        reason = None if entry.measured else entry.reason or None
        rows.append((entry.short, entry.repo, entry.alias, entry.category.value, point, reason))
    columns = {
        "commit": Kind.CODE,
        "repo": Kind.TEXT,
        "agent": Kind.TEXT,
        "category": Kind.CODE,
        "speedup": Kind.SPEEDUP,
        "reason": Kind.TEXT,
    }
    return table(f"{title} ({many(len(rows), 'task')})", columns, rows, what="tasks") if rows else None


def _why(title: str, tasks: Sequence[Task], rerun: Sequence[Entry]) -> Table | None:
    wanted = set(tasks)
    members = {entry.task: entry for entry in rerun if entry.task in wanted}
    groups = most_first(grouped(members.values(), lambda entry: (entry.category.value, entry.blame or "")))
    rows: list[Row] = [
        (category, blame or None, len(each), share(len(each), len(members))) for (category, blame), each in groups
    ]
    columns = {"category": Kind.CODE, "whose move": Kind.TEXT, "tasks": Kind.COUNT, "share": Kind.SHARE}
    return table(title, columns, rows, most=0) if rows else None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
