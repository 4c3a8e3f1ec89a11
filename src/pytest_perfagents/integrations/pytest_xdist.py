"""pytest-xdist: a commit's tests stay on one worker, and all workers write to the same run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_perfagents.session.naming import commit_of
from pytest_perfagents.session.plan import PLAN, Plan

_REPLACED = ("load", "loadscope", "loadgroup", "worksteal")
"""Values of ``--dist`` that could tear the runs of a commit apart; ``loadfile`` keeps them together."""


def tell_worker(node: Any) -> None:
    """Settle the run's name once for all workers."""
    plan = node.config.stash.get(PLAN, None)
    if plan is None:
        run = node.config.option.perf_run or datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
        node.workerinput["perfagents"] = {"run": run, "resumed": None}
        return
    node.workerinput["perfagents"] = {"run": plan.settings.run, "resumed": plan.settings.resumed}


class Distribution:
    """Registered in the controller."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """A scheduler that knows commits, unless workers run everything or a file stays whole."""
        if config.getvalue("dist") not in _REPLACED:
            return None
        return CommitScheduling(config, log, self._plan.file.name)


class CommitScheduling:
    """Keeps the tests about a commit on one worker; hands over to ``--dist``'s own where there are none.

    What there is to run is known when the first worker has collected, so the choice is made then.
    """

    def __init__(self, config: pytest.Config, log: Any, config_name: str) -> None:
        self._config = config
        self._log = log
        self._config_name = config_name
        self._is_settled = False
        self._inner = _by_commit(config, log, config_name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """The first collection tells whether any test is about a commit."""
        if not self._is_settled:
            self._is_settled = True
            if not any(commit_of(nodeid, self._config_name) for nodeid in collection):
                self._hand_over()
        self._inner.add_node_collection(node, collection)

    def _hand_over(self) -> None:
        from xdist.dsession import DSession

        nodes = list(self._inner.nodes)
        session: Any = self._config.pluginmanager.getplugin("dsession")
        self._inner = DSession.pytest_xdist_make_scheduler(session, self._config, self._log)
        for node in nodes:
            self._inner.add_node(node)


def _by_commit(config: pytest.Config, log: Any, config_name: str) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByCommit(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            commit = commit_of(nodeid, config_name)
            return f"commit {commit}" if commit is not None else str(super()._split_scope(nodeid))

        def remove_node(self, node: Any) -> str | None:
            """As upstream, but for the test that the worker died of: it is not given to the next worker."""
            work = self.assigned_work.pop(node)
            pending = [(unit, nodeid) for unit in work.values() for nodeid, is_done in unit.items() if not is_done]
            for unit, nodeid in pending[:1]:
                unit[nodeid] = True
            self.workqueue.update({scope: unit for scope, unit in work.items() if not all(unit.values())})
            for other in self.assigned_work:
                self._reschedule(other)
            return pending[0][1] if pending else None

    return ByCommit(config, log)
