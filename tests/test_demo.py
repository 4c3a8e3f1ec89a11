"""The embedded demo: its hashes, runs that belong to commits, patches that apply, honest optimisations."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_perfagents.config import load_config
from pytest_perfagents.discovery.finding import discover, find_scripts
from pytest_perfagents.model import Category

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
COMMITS = json.loads((FIXTURES / "commits.json").read_text())
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
IMPORT_ROOTS = {"minisglang": "python"}
NEEDS_DOCKER = {"IMAGE_UNAVAILABLE", "SERVER_CRASHED", "NO_METRICS", "BENCHMARK_TIMEOUT"}
NOT_WANTED = {"SUCCESS_INCONCLUSIVE", "HARNESS_ERROR"}
ENDLESS = "Routes: count each node once"  # its baseline takes hours; that is what it is there for


def _load_build():
    spec = importlib.util.spec_from_file_location("demo_build_under_test", FIXTURES / "build.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _load_build()


def git(repository, *arguments, **options):
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    env |= options.pop("env", {})
    command = ["git", f"--git-dir={repository}", *arguments]
    return subprocess.run(command, env=env, capture_output=True, **options)


def hashes(repositories):
    return {
        name: {commit: subject for subject, commit in build.history(path).items()}
        for name, path in repositories.items()
    }


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    return build.build(FIXTURES, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def config():
    return load_config(ROOT / "perfagents.toml")


@pytest.fixture(scope="session")
def runs(config):
    return discover(config)


@pytest.fixture(scope="session")
def tree(repositories, tmp_path_factory):
    """``tree(repo, commit)``: the import root of a commit's files."""

    def unpack(repo, commit):
        folder = tmp_path_factory.mktemp("tree")
        archive = git(repositories[repo], "archive", commit, check=True).stdout
        subprocess.run(["tar", "x", "-C", folder], input=archive, check=True)
        return folder / IMPORT_ROOTS.get(repo, ".")

    return unpack


# Repositories


def test_hashes_are_those_stated(repositories):
    assert hashes(repositories) == COMMITS


def test_building_again_changes_nothing(repositories):
    before = {path: path.stat().st_ino for path in repositories.values()}
    again = build.build(FIXTURES, next(iter(repositories.values())).parent)
    assert {path: path.stat().st_ino for path in again.values()} == before


def test_no_configuration_of_git_shows(tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "reference-transaction", "post-index-change"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n name = Somebody\n email = some@body.example\n[core]\n autocrlf = true\n"
        f" hooksPath = {hooks}\n abbrev = 40\n[commit]\n gpgSign = true\n[init]\n defaultBranch = odd\n"
        "[log]\n showSignature = true\n[i18n]\n commitEncoding = latin1\n[apply]\n whitespace = fix\n"
    )
    odd = {
        "HOME": str(home),
        "GIT_DIR": str(tmp_path / "none"),
        "GIT_AUTHOR_DATE": "1 +0000",
        "TZ": "Asia/Tokyo",
    }
    subprocess.run(
        [sys.executable, FIXTURES / "build.py", tmp_path / "demo"],
        env=os.environ | odd,
        check=True,
        capture_output=True,
    )
    assert hashes({name: tmp_path / "demo" / f"{name}.git" for name in COMMITS}) == COMMITS


def test_processes_that_build_at_once_agree(tmp_path):
    command = [sys.executable, FIXTURES / "build.py", tmp_path / "demo"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    outputs = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert hashes({name: tmp_path / "demo" / f"{name}.git" for name in COMMITS}) == COMMITS
    assert not list((tmp_path / "demo").glob(".building-*"))


def test_changed_fixtures_are_built_anew(tmp_path):
    name = "ministuck"
    shutil.copytree(FIXTURES / name, tmp_path / "fixtures" / name)
    first = build.build(tmp_path / "fixtures", tmp_path / "demo")[name]
    assert hashes({name: first}) == {name: COMMITS[name]}
    patch = max((tmp_path / "fixtures" / name / "commits").iterdir())
    patch.write_text(patch.read_text().replace("Subject: [PATCH] ", "Subject: [PATCH] Changed: "))
    second = build.history(build.build(tmp_path / "fixtures", tmp_path / "demo")[name])
    assert list(second.values())[:-1] == list(COMMITS[name])[:-1]
    assert list(second)[-1].startswith("Changed: ")


def test_history_has_enough_performance_commits():
    count = {name: sum(s.startswith("[Perf]") for s in commits.values()) for name, commits in COMMITS.items()}
    assert count["minivllm"] >= 6
    assert count["minisglang"] >= 2


# Runs


def test_expectations_cover_every_run(runs):
    assert {run.id for run in runs} == set(EXPECTED)


def test_every_category_without_docker_is_expected():
    assert {category.value for category in Category} - set(EXPECTED.values()) == NEEDS_DOCKER | NOT_WANTED


def test_agents_and_layouts(runs):
    aliases = Counter(run.alias for run in runs)
    assert set(aliases) == {
        "trae_sonnet45", "trae_gpt5", "codex_gpt5", "codex_cli", "openhands_gpt5", "claude_code"
    }  # fmt: skip
    assert any(not Path(run.folder).is_relative_to(FIXTURES / "runs" / run.commit.repo) for run in runs)
    assert not [run.id for run in runs if run.trouble]


def test_commits_of_runs_exist(runs):
    missing = set()
    for run in runs:
        known = list(COMMITS[run.commit.repo])
        human = [commit for commit in known if commit.startswith(run.commit.human)]
        if len(human) != 1 or known[known.index(human[0]) - 1] != run.commit.parent:
            missing.add(EXPECTED[run.id])
    assert missing == {"GIT_WORKTREE_FAILED"}


def test_patches_apply(runs, repositories, tmp_path):
    refused = set()
    for number, run in enumerate(run for run in runs if run.has_patch):
        if EXPECTED[run.id] == "GIT_WORKTREE_FAILED":
            continue
        index = {"GIT_INDEX_FILE": str(tmp_path / f"index{number}")}
        repository = repositories[run.commit.repo]
        git(repository, "read-tree", run.commit.parent, env=index, check=True)
        applied = git(repository, "apply", "--cached", "--check", str(run.patch), env=index)
        if applied.returncode:
            refused.add((EXPECTED[run.id], run.patch.stat().st_size > 0))
    assert refused == {("PATCH_APPLY_FAILED", True), ("PATCH_INVALID", False)}


def test_predictions_hold_the_patch(runs):
    found = [file for run in runs if (file := Path(run.folder, "prediction.jsonl")).exists()]
    assert found
    for file in found:
        assert json.loads(file.read_text())["model_patch"] == (file.parent / "model_patch.diff").read_text()


# Scripts

CHECK = """
import contextlib, importlib.util, sys
script, reference, first = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
spec = importlib.util.spec_from_file_location("script", script)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if hasattr(module, "experiment"):
    data = module.setup()
    results = [module.experiment(data), module.experiment(data)]
    if first:
        module.store_result(results[0], reference)
    for result in results:  # the second as well: an experiment must not use its data up
        module.check_equivalence(result, module.load_result(reference))
elif hasattr(module, "run_test"):
    module.run_test(eqcheck=True, reference=first, prefix=reference)
else:
    for name in dir(module):
        if name.startswith("test_"):
            getattr(module, name)(lambda function, *given: function(*given))
"""


def run_python(import_root, *arguments):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(import_root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, cwd=import_root, capture_output=True, text=True, timeout=120)


def performance_commits():
    for repo, commits in COMMITS.items():
        known = list(commits)
        for before, commit in pairwise(known):
            if commits[commit].startswith("[Perf]") and ENDLESS not in commits[commit]:
                yield pytest.param(repo, before, commit, id=commit[:8])


@pytest.mark.parametrize(("repo", "before", "commit"), list(performance_commits()))
def test_human_optimisation_keeps_the_result(repo, before, commit, tree, config, tmp_path):
    script = find_scripts(config).for_commit(commit)
    text = script.read_text()
    if "import torch" in text:
        pytest.importorskip("torch")
    for revision in (before, commit):
        root = tree(repo, revision)
        if "def experiment" in text or "def run_test" in text or "def test_" in text:
            reference, first = tmp_path / "reference", revision == before
            done = run_python(root, "-c", CHECK, str(script), str(reference), str(first))
        else:
            done = run_python(root, str(script))
            assert "Execution time: " in done.stdout or "loops, best of" in done.stdout
        assert done.returncode == 0, done.stderr


def test_every_script_belongs_to_a_commit_and_every_run_finds_its(runs, config):
    scripts = find_scripts(config)
    known = {commit[:8] for commits in COMMITS.values() for commit in commits}
    strangers = {file.name[:8] for file in (ROOT / "test_scripts").glob("*.py")} - known
    of_missing = {run.commit.short for run in runs if EXPECTED[run.id] == "GIT_WORKTREE_FAILED"}
    assert strangers == of_missing
    without = {EXPECTED[run.id] for run in runs if scripts.for_commit(run.commit.human) is None}
    assert without == {"NO_TEST_SCRIPT"}


def test_the_quick_look_stays_quick(runs, config):
    """``--agent trae_sonnet45 -k vllm`` imports neither torch nor NumPy, and waits for nothing that hangs."""
    looked_at = [run for run in runs if (run.alias, run.commit.repo) == ("trae_sonnet45", "minivllm")]
    assert sum(EXPECTED[run.id].startswith("SUCCESS") for run in looked_at) == 6
    assert not [run.id for run in looked_at if "TIMEOUT" in EXPECTED[run.id]]
    for run in looked_at:
        script = find_scripts(config).for_commit(run.commit.human)
        lines = script.read_text().splitlines() if script else []
        assert not {"import torch", "import numpy as np"}.intersection(lines)
