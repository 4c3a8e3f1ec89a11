"""Fixtures for hand-written tests over agent runs; ``docs/usage.md`` has examples."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_perfagents.integrations.pytest_timeout import start_timer
from pytest_perfagents.model import AgentRun, Case, Outcome, Role, UsageError
from pytest_perfagents.session.naming import parameter_id
from pytest_perfagents.session.plan import PLAN
from pytest_perfagents.shell.evaluating import EVALUATION
from pytest_perfagents.shell.items import evaluate_for, gates_for, stop
from pytest_perfagents.shell.verdicts import NotMeasured, raise_for

CASE = pytest.StashKey[Case]()


def parametrize(metafunc: pytest.Metafunc) -> None:
    """One test per selected run for every function that asks, however indirectly, for our ``agent_run``."""
    if "agent_run" not in metafunc.fixturenames or not _is_ours(metafunc):
        return
    cases = metafunc.config.stash[PLAN].cases
    metafunc.parametrize("agent_run", cases, ids=[parameter_id(case) for case in cases], indirect=True)


def _is_ours(metafunc: pytest.Metafunc) -> bool:
    definitions = getattr(metafunc, "_arg2fixturedefs", {}).get("agent_run") or ()
    return not definitions or getattr(definitions[-1].func, "__module__", __name__) == __name__


@pytest.fixture
def agent_run(request: pytest.FixtureRequest) -> AgentRun:
    """One of the selected runs, or of all runs where nothing was selected; the test runs once for each."""
    case: Case | None = getattr(request, "param", None)
    if case is None:
        raise UsageError("agent_run needs a configuration: give --perf-config, or a perfagents.toml in the rootdir")
    request.node.stash[CASE] = case
    return case.run


@pytest.fixture
def baseline_worktree(request: pytest.FixtureRequest, agent_run: AgentRun) -> Any:
    """A workspace (``.root`` is its folder) of the commit before the human's change; shared by its agents."""
    return _workspace(request, Role.BASELINE)


@pytest.fixture
def human_worktree(request: pytest.FixtureRequest, agent_run: AgentRun) -> Any:
    """A workspace of the human's commit; shared by its agents."""
    return _workspace(request, Role.HUMAN)


@pytest.fixture
def patched_worktree(request: pytest.FixtureRequest, agent_run: AgentRun) -> Any:
    """A workspace of the baseline with the agent's patch applied."""
    return _workspace(request, Role.PATCHED)


@pytest.fixture
def raw_perf_outcome(request: pytest.FixtureRequest, agent_run: AgentRun) -> Outcome:
    """The run's `Outcome`, whatever became of it."""
    outcome, _ = evaluate_for(request.node, request.node.stash[CASE])
    start_timer(request.node)
    return outcome


@pytest.fixture
def perf_outcome(request: pytest.FixtureRequest, agent_run: AgentRun) -> Outcome:
    """The run's `Outcome` with a comparison in it; without one the test is skipped, xfails or fails."""
    outcome, record = evaluate_for(request.node, request.node.stash[CASE])
    raise_for(record, gates_for(request.node, outcome))
    if outcome.comparison is None:
        raise NotMeasured(record)
    start_timer(request.node)
    return outcome


def _workspace(request: pytest.FixtureRequest, role: Role) -> Any:
    from pytest_perfagents.backends.base import WorkspaceFailure

    case = request.node.stash[CASE]
    evaluation = request.config.stash[EVALUATION]
    try:
        failure = evaluation.refusal(case) if role is Role.PATCHED else None
        if failure is None:
            return evaluation.workspace(case, role)
    except WorkspaceFailure as error:
        failure = error.failure
    except UsageError as error:
        stop(request.node, error)
    outcome = Outcome(case, None, failure)
    record = evaluation.record(outcome)
    raise_for(record, gates_for(request.node, outcome))
    raise NotMeasured(record)
