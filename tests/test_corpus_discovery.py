"""Discovery on real records: in ``PERFAGENTS_CORPUS``, or in ``../shared/corpus`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.discovery.finding import cases, discover
from pytest_perfagents.discovery.selection import Selection
from pytest_perfagents.model import AgentRun

CORPUS = Path(os.environ.get("PERFAGENTS_CORPUS") or Path(__file__).parents[2] / "shared/corpus")
MARKERS = {"journal.json", "run_summary.json", "model_patch.diff", "prediction.jsonl"}

pytestmark = pytest.mark.skipif(
    not (CORPUS / "runs").is_dir(), reason="no real records here; PERFAGENTS_CORPUS names their folder"
)


def corpus(*roots: str) -> Config:
    repos = {name: RepoConfig(name, Path(name)) for name in ("vllm", "sglang")}
    file = CORPUS / "perfagents.toml"
    return Config(file, repos, tuple(CORPUS / root for root in roots or ("runs",)), (), CORPUS, CORPUS)


@pytest.fixture(scope="module")
def runs() -> list[AgentRun]:
    return discover(corpus())


def item_folders() -> list[str]:
    return sorted({str(file.parent) for file in (CORPUS / "runs").rglob("*") if file.name in MARKERS})


def test_every_item_folder_is_exactly_one_run(runs: list[AgentRun]) -> None:
    assert sorted(run.folder for run in runs) == item_folders()
    assert len({run.id for run in runs}) == len(runs) > 0


def test_every_run_has_its_repository_its_commits_and_its_agent(runs: list[AgentRun]) -> None:
    for run in runs:
        assert run.commit.repo == ("sglang" if "sglan" in run.folder.split("/state/runs/")[1] else "vllm"), run.id
        assert len(run.commit.human) in (8, 40), run.id
        assert len(run.commit.parent) == 40, run.id
        assert run.status in ("success", "error"), run.id
        assert "unknown" not in (run.agent, run.alias), run.id


def test_aliases_that_people_type_select_their_runs(runs: list[AgentRun]) -> None:
    for alias in sorted({run.alias for run in runs}):
        selected = {case.id for case in cases(corpus(), Selection(agents=(alias,)))}
        assert {run.id for run in runs if run.alias == alias} <= selected


def test_roots_may_be_given_at_any_height(runs: list[AgentRun]) -> None:
    states = sorted(str(state.relative_to(CORPUS)) for state in (CORPUS / "runs").glob("*/state"))
    for roots in (states, [f"{state}/runs" for state in states], ["."], ["runs", *states]):
        assert [run.id for run in discover(corpus(*roots))] == [run.id for run in runs]
