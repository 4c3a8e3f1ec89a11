"""Names that people read and select by: node ids, parameter ids, and the commit in either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_perfagents.model import Case

CONFIG_NAME = "perfagents.toml"

_UNFIT = re.compile(r"[^\w.+=@,-]+", re.ASCII)
_COMMIT_PARAMETER = re.compile(r"[\[-][\w.-]+/(?P<commit>[0-9a-f]{0,8})(?:/[\w.+=@,-]*){4}")


def _fit(text: str) -> str:
    return _UNFIT.sub("_", text)


def item_name(case: Case) -> str:
    """The name of a case's item."""
    return run_name(case.run.agent, case.run.model, case.run.run, case.run.item)


def run_name(agent: str, model: str, run: str, item: str) -> str:
    """``trae-claude-sonnet-45[2026-01-01_00-00-00-minivllm_core-0000]``."""
    return f"{_fit(agent)}-{_fit(model)}[{_fit(run)}-{_fit(item)}]"


def named_cases(cases: Iterable[Case]) -> Iterator[tuple[str, str, Case]]:
    """``(commit's name, item's name, case)``, unique even where runs differ only in unfit characters."""
    seen: dict[str, int] = {}
    for case in cases:
        commit, name = _fit(case.run.commit.name), item_name(case)
        count = seen[f"{commit}::{name}"] = seen.get(f"{commit}::{name}", 0) + 1
        yield commit, name if count == 1 else f"{name}#{count}", case


def parameter_id(case: Case) -> str:
    """The case's id, for hand-written tests: ``minivllm/1a2b3c4d/trae/claude-sonnet-45/2026-01-01_…/…``."""
    run = case.run
    return "/".join(_fit(part) for part in (run.commit.repo, run.commit.short, run.agent, run.model, run.run, run.item))


def commit_of(nodeid: str, config_name: str) -> str | None:
    """The short commit that a node id is about: an item of the configuration file, or a test with ``agent_run``."""
    path, *parts = nodeid.partition("[")[0].split("::")
    if len(parts) == 2 and path.rpartition("/")[2] == config_name:
        return parts[0].rpartition("-")[2]
    match = _COMMIT_PARAMETER.search(nodeid)
    return match["commit"] if match else None
