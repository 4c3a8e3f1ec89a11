from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from canned import CannedEvaluator

def pytest_perfagents_evaluator(config, settings):
    return CannedEvaluator(Path({folder!r}))

def pytest_perfagents_prepare(config, settings):
    with open({folder!r} + "/prepared.log", "a") as log:
        log.write("prepared\\n")
"""


@dataclass
class Project:
    """A folder with a configuration, runs and scripts, and an evaluator that answers from ``canned.json``."""

    pytester: pytest.Pytester
    folder: Path
    canned: dict[str, str] = field(default_factory=dict)

    def add_run(
        self,
        what: str,
        *,
        agent: str = "trae",
        model: str = "gpt-5",
        human: str = "1a2b3c4d",
        number: int | None = None,
        repo: str = "minivllm",
        patch: bool = True,
    ) -> str:
        """One run folder of the hierarchical layout; ``what`` becomes of it."""
        number = len(self.canned) if number is None else number
        item = f"{repo}_core-{number:04}"
        run = self.folder / "state" / "runs" / repo / agent / model / "2026-01-01_00-00-00" / item
        run.mkdir(parents=True)
        human = human.ljust(40, "0")
        commits = {"human": human, "pre": "f" * 40}
        facts = {"repo": repo, "agent": agent, "model": model, "run_timestamp": "2026-01-01_00-00-00"}
        journal = {"task_id": item, "commits": commits, "status": "success", "run_metadata": facts}
        (run / "journal.json").write_text(json.dumps(journal))
        if patch:
            (run / "model_patch.diff").write_text("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n")
        (self.folder / "test_scripts" / f"{human[:8]}_test_case_generator.py").write_text("def setup(): ...\n")
        self.canned[item] = what
        self.save()
        return item

    def save(self, **more: str) -> None:
        self.canned |= more
        (self.folder / "canned.json").write_text(json.dumps(self.canned))

    def run(self, *args: str, **options: Any) -> pytest.RunResult:
        """pytest in a process of its own."""
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *args, **options)

    def calls(self) -> list[dict[str, Any]]:
        """What the evaluator was asked, in order."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def lines(self) -> list[dict[str, Any]]:
        """All stored outcomes."""
        files = sorted(self.folder.glob("results/*/outcomes*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def report(self, name: str = "out.json") -> dict[str, Any]:
        return json.loads((self.pytester.path / name).read_text())


def make_project(pytester: pytest.Pytester, folder: Path) -> Project:
    (folder / "state" / "runs").mkdir(parents=True)
    (folder / "test_scripts").mkdir()
    (folder / "perfagents.toml").write_text(
        dedent(
            """
            [perfagents]
            runs = ["state/runs"]
            scripts = ["test_scripts"]
            results = "results"
            timeout_s = 100

            [repos.minivllm]
            path = "clone"
            match = ["minivllm", "minivllm_core"]

            [repos.minisglang]
            path = "clone2"
            match = ["minisglang", "minisglang_core"]
            """
        )
    )
    tests = str(Path(__file__).parent)
    pytester.makeconftest(CONFTEST.format(tests=tests, folder=str(folder)))
    return Project(pytester, folder)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose configuration lies in the rootdir."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    pytester.makeini("[pytest]\n")
    return make_project(pytester, pytester.path)
