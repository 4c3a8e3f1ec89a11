"""The vLLM case study: our scripts, and the program that makes a project of a clone. No vLLM is needed here."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import gitkit
import pytest

from pytest_perfagents.config import load_config
from pytest_perfagents.discovery.finding import cases
from pytest_perfagents.discovery.selection import Selection

STUDY = Path(__file__).parents[1] / "benchmarks/vllm"
SCRIPTS = sorted((STUDY / "scripts").iterdir())
SIGNATURES = {
    "setup": "",
    "experiment": "data",
    "store_result": "result, path",
    "load_result": "path",
    "check_equivalence": "current, reference",
    "run_test": "eqcheck=False, reference=False, prefix=''",
}
SCHEDULER = "import torch\nfrom vllm import Params\nfrom vllm.core import scheduler\n"
SEQUENCE = "from vllm import Params\nimport vllm.sequence as target\n"
BASE = {
    "vllm/__init__.py": "class Params: ...\n",
    "vllm/core/__init__.py": "",
    "vllm/core/scheduler.py": "def schedule():\n    return sum([1, 2])\n",
    "vllm/sequence.py": "# a form feed: \x0c\nLENGTH = len('two')",  # no newline at its end
    "tests/data.bin": bytes(range(256)),
}


@dataclass(frozen=True)
class Study:
    """A clone with two performance commits, scripts for them and for a commit that is nowhere, and a place to write."""

    clone: Path
    scripts: Path
    out: Path
    scheduler: str
    sequence: str

    def prepare(self, **changed: object) -> subprocess.CompletedProcess[str]:
        options = {"clone": self.clone, "python": sys.executable, "scripts": self.scripts} | changed
        out = options.pop("out", self.out)
        flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, STUDY / "prepare.py", *flags, str(out)]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.clone.parent)

    def run(self, agent: str, commit: str) -> Path:
        (folder,) = self.out.glob(f"runs/vllm/{agent}/*/*/*{commit[:8]}")
        return folder

    def applied(self, agent: str, commit: str) -> str:
        """The clone's tree after the agent's patch to the commit's parent, by hash."""
        work = self.clone.parent / f"{agent}-{commit}"
        gitkit.git(self.clone.parent, "clone", "--quiet", "--no-checkout", str(self.clone), str(work))
        gitkit.git(work, "checkout", "--quiet", f"{commit}^")
        gitkit.git(work, "apply", "--index", str(self.run(agent, commit) / "model_patch.diff"))
        return gitkit.git(work, "write-tree")

    def add_script(self, commit: str, text: str) -> None:
        (self.scripts / f"{commit[:8]}_test_case_generator.py").write_text(text)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    clone = gitkit.make_repository(tmp_path / "clone", BASE)
    faster = {"vllm/core/scheduler.py": "def schedule():\n    return 3\n", "tests/data.bin": bytes(range(255, -1, -1))}
    commits = gitkit.commit(clone, faster), gitkit.commit(clone, {"vllm/core/__init__.py": "SPEED = 2\n"})
    (tmp_path / "scripts").mkdir()
    study = Study(clone, tmp_path / "scripts", tmp_path / "out", *commits)
    study.add_script(study.scheduler, SCHEDULER)
    study.add_script(study.sequence, SEQUENCE)
    return study


def test_discovery_finds_two_runs_of_every_commit_with_its_script(study: Study):
    study.prepare()
    config = load_config(study.out / "perfagents.toml")
    found = {
        (case.run.alias, case.run.commit.human, case.run.commit.parent): case for case in cases(config, Selection())
    }
    parents = {study.scheduler: gitkit.git(study.clone, "rev-parse", "HEAD~2"), study.sequence: study.scheduler}
    agents = ("human_replay_synthetic", "noop_synthetic")
    assert set(found) == {(agent, human, parent) for agent in agents for human, parent in parents.items()}
    for case in found.values():
        assert case.run.has_patch and not case.run.trouble and case.run.status == "success"
        assert case.script == study.scripts / f"{case.run.commit.human[:8]}_test_case_generator.py"
    repo = config.repos["vllm"]
    assert (repo.path, repo.python, repo.packages) == (study.clone, Path(sys.executable), ("vllm",))


def test_journals_say_that_they_are_synthetic(study: Study):
    study.prepare()
    for agent in ("human_replay", "noop"):
        assert json.loads((study.run(agent, study.sequence) / "journal.json").read_text())["synthetic"]


@pytest.mark.parametrize("setting", ["diff.noprefix", "diff.mnemonicPrefix", "color.diff"])
def test_the_replay_makes_the_humans_tree_whatever_the_clones_settings(study: Study, setting: str):
    gitkit.git(study.clone, "config", setting, "always" if setting.startswith("color") else "true")
    study.prepare()
    for commit in (study.scheduler, study.sequence):
        assert study.applied("human_replay", commit) == gitkit.git(study.clone, "rev-parse", f"{commit}^{{tree}}")


def test_the_replay_carries_files_that_are_no_text(study: Study):
    study.prepare()
    assert b"GIT binary patch" in (study.run("human_replay", study.scheduler) / "model_patch.diff").read_bytes()


def test_the_noop_adds_one_comment_to_a_module_that_the_script_loads(study: Study):
    study.prepare()
    expected = {
        study.scheduler: {"vllm/core/scheduler.py": BASE["vllm/core/scheduler.py"]},  # the human changed it
        study.sequence: {"vllm/sequence.py": f"{BASE['vllm/sequence.py']}\n"},  # the human changed what is not loaded
    }
    for commit, files in expected.items():
        study.applied("noop", commit)
        work = study.clone.parent / f"noop-{commit}"
        assert gitkit.git(work, "diff", "--cached", "--name-only", "HEAD").splitlines() == list(files)
        for name, before in files.items():
            assert (work / name).read_text() == f"{before}# A comment; nothing else changes.\n"


def test_a_second_preparation_writes_the_same_and_leaves_copied_runs(study: Study):
    study.prepare()
    before = gitkit.tree(study.out)
    copied = study.out / "runs/vllm/trae/gpt-5/2025-10-14_14-11-42/vllm_core-0037/journal.json"
    gitkit.write(copied.parent, {"journal.json": "{}"})
    gitkit.write(study.run("noop", study.sequence).parent / "vllm_core-0000dead", {"journal.json": "{}"})
    study.prepare()
    copied.unlink()
    assert gitkit.tree(study.out) == before


def test_the_clone_is_only_read(study: Study):
    before = gitkit.snapshot(study.clone)
    study.prepare()
    assert gitkit.snapshot(study.clone) == before


def test_commits_that_the_clone_lacks_are_named_and_the_others_prepared(study: Study):
    study.add_script("0badc0de", SEQUENCE)
    study.add_script(gitkit.git(study.clone, "rev-parse", "HEAD~2"), SEQUENCE)  # has no parent
    done = study.prepare()
    assert done.returncode == 0
    assert "4 runs of 2 commits" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "0badc0de" in line)
    assert gitkit.git(study.clone, "rev-parse", "--short=8", "HEAD~2") in line
    assert study.scheduler[:8] not in line
    assert "run: git -C clone fetch" in line


def test_what_stands_in_the_way_is_a_message_and_nothing_is_written(study: Study, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/perfagents.toml").write_text("[perfagents]\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/0badc0de_test_case_generator.py").write_text(SEQUENCE)
    (study.clone / "inner").mkdir()
    wrong = [
        ({"python": tmp_path / "nothing"}, "no interpreter"),
        ({"clone": tmp_path / "nothing"}, "there is no clone at nothing; git clone URL"),
        ({"clone": study.clone / "inner"}, "there is no clone at clone/inner"),  # though a repository lies above it
        ({"scripts": tmp_path / "empty"}, "empty: holds no <commit8>"),
        ({"scripts": tmp_path / "other"}, "0badc0de; run: git -C clone fetch"),
        ({"out": tmp_path / "foreign"}, "foreign/perfagents.toml: was not made by this program"),
    ]
    for changed, message in wrong:
        done = study.prepare(**changed)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("prepare.py: ") and message in done.stderr, done.stderr
    assert not study.out.exists()
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["perfagents.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("import torch\n", "imports no module of vllm"), ("def setup(:\n", "no Python: invalid syntax in line 1")],
)
def test_a_script_that_loads_nothing_of_the_package_is_named(study: Study, text: str, message: str):
    study.add_script(study.sequence, text)
    done = study.prepare()
    assert done.returncode == 2
    assert f"{study.sequence[:8]}_test_case_generator.py: {message}" in done.stderr
    assert not study.out.exists()


def test_there_are_scripts():
    assert len(SCRIPTS) == 16
    assert all(script.name.endswith("_test_case_generator.py") for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name[:8])
def test_a_script_of_ours_follows_the_protocol_and_names_its_commit(script: Path):
    module = ast.parse(script.read_text())
    functions = {node.name: ast.unparse(node.args) for node in module.body if isinstance(node, ast.FunctionDef)}
    assert SIGNATURES.items() <= functions.items()
    commit = script.name[:8]
    assert (ast.get_docstring(module) or "").startswith(f"vLLM {commit} (#")
    assigned = [node for node in module.body if isinstance(node, ast.Assign)]
    assert [node.value.value for node in assigned if ast.unparse(node.targets[0]) == "COMMIT"] == [commit]
    assert any(isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vllm") for node in module.body)


def test_the_scripts_end_alike():
    bodies = [ast.parse(script.read_text()).body for script in SCRIPTS]
    tails = {
        (ast.unparse(body[-1]), *(ast.unparse(f) for f in body if getattr(f, "name", "") == "run_test"))
        for body in bodies
    }
    assert len(tails) == 1
