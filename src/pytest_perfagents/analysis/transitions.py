"""A rerun beside the original: what came back, what still fails, what broke, and what both make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_perfagents.analysis.entries import Entry

Task = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transitions:
    """Tasks by what became of them. A task with several attempts succeeds where one of them does.

    The four lists are of tasks in both sets, ``added`` those of the second alone. Of the ``first`` set's tasks
    ``before`` succeeded there, ``combined`` in either; ``added_successes`` of the added ones did.
    """

    recovered: tuple[Task, ...]
    still_failing: tuple[Task, ...]
    newly_failing: tuple[Task, ...]
    still_successful: tuple[Task, ...]
    added: tuple[Task, ...]
    before: int
    combined: int
    first: int
    added_successes: int

    @property
    def retried(self) -> int:
        """Tasks that had failed and were run again."""
        return len(self.recovered) + len(self.still_failing)

    @property
    def common(self) -> int:
        """Tasks in both sets."""
        return self.retried + len(self.newly_failing) + len(self.still_successful)

    @property
    def succeeded(self) -> int:
        """Tasks that had succeeded and were run again."""
        return len(self.newly_failing) + len(self.still_successful)

    @property
    def net(self) -> int:
        """How many more of the tasks in both sets succeed now; below 0, how many fewer."""
        return len(self.recovered) - len(self.newly_failing)

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


def standing(entries: Sequence[Entry]) -> dict[Task, Entry]:
    """The attempt that stands for each task: the last one that was measured, or else the last one."""
    found: dict[Task, Entry] = {entry.task: entry for entry in entries if not entry.measured}
    return found | {entry.task: entry for entry in entries if entry.measured}


def transitions(original: Sequence[Entry], rerun: Sequence[Entry]) -> Transitions:
    """What the rerun changed; tasks are ``(repository, commit, agent with model)``."""
    old, new = successes(original), successes(rerun)
    both = [task for task in old if task in new]
    added = tuple(task for task in new if task not in old)
    return Transitions(
        recovered=tuple(task for task in both if new[task] and not old[task]),
        still_failing=tuple(task for task in both if not new[task] and not old[task]),
        newly_failing=tuple(task for task in both if old[task] and not new[task]),
        still_successful=tuple(task for task in both if old[task] and new[task]),
        added=added,
        before=sum(old.values()),
        combined=sum(done or new.get(task, False) for task, done in old.items()),
        first=len(old),
        added_successes=sum(new[task] for task in added),
    )


def change(before: Entry, after: Entry) -> str | None:
    """What became of a task, in words; None where nothing but a figure differs."""
    if before.measured != after.measured:
        return "recovered" if after.measured else f"newly failing: {after.category.value}"
    if before.category is not after.category:
        words = [each.category.value for each in (before, after)]
        return " to ".join(word.removeprefix("SUCCESS_").lower() if after.measured else word for word in words)
    if not after.measured and before.cause != after.cause:
        return f"another cause of {after.category.value}"
    return None
