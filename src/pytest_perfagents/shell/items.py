"""The collection tree: configuration file, commit, agent run. Lean: a hundred thousand items are ordinary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_perfagents.gates import failing
from pytest_perfagents.integrations.pytest_timeout import TIMEOUT_S
from pytest_perfagents.model import Case, Outcome, UsageError
from pytest_perfagents.records import Json
from pytest_perfagents.session.naming import named_cases
from pytest_perfagents.session.plan import PLAN
from pytest_perfagents.shell.calibrating import CalibrationItem
from pytest_perfagents.shell.evaluating import EVALUATION
from pytest_perfagents.shell.verdicts import attach, raise_for


class PerfFile(pytest.File):
    """``perfagents.toml``, or a folder of recorded evaluations."""

    def collect(self) -> Iterator[PerfCommit]:
        """One collector for each commit that has selected runs."""
        try:
            plan = self.config.stash[PLAN]
            named = list(named_cases(plan.cases))
            if plan.replayed:
                named = [each for each in named if plan.is_under(each[2], self.path)]
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for commit, members in groupby(sorted(named, key=lambda entry: entry[0]), key=lambda entry: entry[0]):
            yield PerfCommit.of(self, commit, [(name, case) for _, name, case in members])


class PerfCommit(pytest.Collector):
    """``minivllm-1a2b3c4d``."""

    members: list[tuple[str, Case]]

    @classmethod
    def of(cls, parent: PerfFile, name: str, members: list[tuple[str, Case]]) -> PerfCommit:
        """The commit's collector with its item names and cases."""
        commit: PerfCommit = cls.from_parent(parent, name=name)
        commit.members = members
        return commit

    def collect(self) -> Iterable[PerfItem | CalibrationItem]:
        """One item for each run; with ``--perf-calibrate`` one for all of them."""
        if self.config.option.perf_calibrate:
            return [CalibrationItem.of(self, self.members)]
        return [PerfItem.of(self, name, case) for name, case in self.members]


class PerfItem(pytest.Item):
    """One agent run; asks its commit's arena for its outcome."""

    case: Case

    @classmethod
    def of(cls, parent: PerfCommit, name: str, case: Case) -> PerfItem:
        """The item of a case; its alias is a keyword, so that ``-k sonnet45`` finds it."""
        item: PerfItem = cls.from_parent(parent, name=name, nodeid=f"{parent.nodeid}::{name}")
        item.case = case
        item.extra_keyword_matches.add(case.run.alias)
        return item

    def runtest(self) -> None:
        """Evaluate, unless an item before has done so for the whole commit, and say how it went."""
        outcome, record = evaluate_for(self, self.case)
        raise_for(record, gates_for(self, outcome))

    def reportinfo(self) -> tuple[Path, int, str]:
        """The configuration, its first line (pytest wants one for skip marks), and a headline for failures."""
        assert self.parent is not None
        return self.path, 0, f"{self.parent.name}::{self.name}"


def gates_for(item: pytest.Item, outcome: Outcome) -> list[str]:
    """The words of ``--perf-fail-on`` that fail the outcome."""
    return failing(outcome, item.config.stash[EVALUATION].settings.gates)


def evaluate_for(item: pytest.Item, case: Case) -> tuple[Outcome, Json]:
    """The case's outcome, and its record, which now hangs on the item.

    Where the user or the machine is at fault the session ends with that message.
    """
    evaluation = item.config.stash[EVALUATION]
    try:
        outcome = evaluation.outcome(case, item.stash.get(TIMEOUT_S, None))
    except UsageError as error:
        stop(item, error)
    record = evaluation.record(outcome)
    attach(item, record, resumed=case.id in evaluation.resumed)
    return outcome, record


def stop(item: pytest.Item, error: UsageError) -> NoReturn:
    """End the session: no later item could fare better."""
    if hasattr(item.config, "workerinput"):  # an exit of a worker would look like a crash to its controller
        item.session.shouldfail = str(error)
        pytest.fail(str(error), pytrace=False)
    pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
