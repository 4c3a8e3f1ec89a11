"""What is particular to worktrees: preparing them, and whose fault it is when that fails."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from backends.sides import PATCHED, SLOW, commit_all, make_config, make_files, opened

from pytest_perfagents.backends.base import WorkspaceFailure
from pytest_perfagents.backends.worktree import WorktreeBackend
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    Blame,
    Category,
    Commit,
    Failure,
    Role,
    Side,
    Stage,
    UsageError,
)

PATIENCE_S = 30.0


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    return make_files(tmp_path)


def failure_of(backend: WorktreeBackend, commit: Commit, side: Side = BASELINE, patch: Path | None = None) -> Failure:
    with pytest.raises(WorkspaceFailure) as failed, backend.workspace(commit, side, patch):
        pytest.fail("it could be prepared")
    return failed.value.failure


def test_sides_have_their_own_code(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend:
        with backend.workspace(commit, BASELINE, None) as baseline:
            assert (baseline.root / "pkg/core.py").read_text() == SLOW
            assert baseline.patch is None
        with backend.workspace(commit, HUMAN, None) as human:
            assert (human.root / "pkg/core.py").read_text() != SLOW
        with backend.workspace(commit, PATCHED, tmp_path / "patches/good.diff") as patched:
            assert "n - 1" in (patched.root / "pkg/core.py").read_text()
            assert patched.patch is not None
            assert patched.patch.added_lines == {"pkg/core.py": (2,)}


def test_baseline_is_shared_and_a_patched_tree_is_not(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend:
        with (
            backend.workspace(commit, BASELINE, None) as one,
            backend.workspace(commit, BASELINE, None) as two,
        ):
            assert one.root == two.root
            assert one.private != two.private
        with backend.workspace(commit, PATCHED, tmp_path / "patches/good.diff") as patched:
            assert patched.root not in (one.root, two.root)
            root = patched.root
        assert not root.exists()
        assert not patched.scratch.exists()
        assert not patched.private.exists()


def test_nothing_is_left_in_the_cache(tmp_path: Path, commit: Commit) -> None:
    config = make_config(tmp_path)
    with pytest.raises(KeyboardInterrupt), opened(config) as backend:  # noqa: SIM117
        with backend.workspace(commit, PATCHED, tmp_path / "patches/good.diff") as workspace:
            worker = workspace.start_worker(seed=1, padding=0)
            raise KeyboardInterrupt
    assert worker.is_closed
    assert [each for each in (config.cache / "sessions").iterdir() if not each.name.startswith(".")] == []


def test_bytecode_is_cached_in_the_workspace_so_that_starts_are_cheap(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        worker = workspace.start_worker(seed=1, padding=0)
        try:
            worker.request("load", PATIENCE_S, script=str(tmp_path / "scripts/script.py"))
        finally:
            worker.close()
        assert list(workspace.root.glob("pkg/__pycache__/core.*.pyc"))
        assert not list((tmp_path / "scripts").glob("__pycache__"))


def test_seed_and_padding_reach_the_process(tmp_path: Path, commit: Commit) -> None:
    script = tmp_path / "scripts" / "env.py"
    script.write_text("import os\nprint(os.environ['PYTHONHASHSEED'], len(os.environ['PERFAGENTS_PADDING']))\n")
    with opened(make_config(tmp_path)) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        run = workspace.run_program(script, (), PATIENCE_S, {}, seed=7, padding=300)
    assert run.execution.stdout == "7 300\n"


def test_configured_environment_reaches_the_process(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDED_THROUGH", "1")
    monkeypatch.setenv("A_SECRET", "2")
    script = tmp_path / "scripts" / "env.py"
    script.write_text("import os\nprint([os.environ.get(n) for n in ('HANDED_THROUGH', 'A_SECRET', 'SET')])\n")
    config = make_config(tmp_path, 'pass_env = ["HANDED_*"]\nenv = { SET = "3" }')
    with opened(config) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        assert workspace.run_program(script, (), PATIENCE_S, {}).execution.stdout == "['1', None, '3']\n"


# --- failures -----------------------------------------------------------------------------------------------------


def test_a_commit_that_is_not_there(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend:
        failure = failure_of(backend, Commit("pkg", "f" * 40, "e" * 40), HUMAN)
    assert (failure.category, failure.side) == (Category.GIT_WORKTREE_FAILED, Role.HUMAN)
    assert failure.blame is Blame.ENVIRONMENT


def test_a_repository_that_is_not_configured(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend:
        failure = failure_of(backend, Commit("vllm", commit.human, commit.parent))
    assert failure.category is Category.GIT_WORKTREE_FAILED
    assert "[repos.vllm]" in str(failure.hint)


def test_an_import_root_that_is_not_there(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path, 'import_root = "python"')) as backend:
        failure = failure_of(backend, commit)
    assert (failure.category, failure.stage) == (Category.WRONG_TARGET, Stage.PREPARE)
    assert "python" in failure.reason


def test_a_patch_that_cannot_be_read(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend:
        failure = failure_of(backend, commit, PATCHED, tmp_path / "absent.diff")
    assert failure.category is Category.AGENT_NO_PATCH


def test_an_empty_patch_needs_no_worktree(tmp_path: Path, commit: Commit) -> None:
    (tmp_path / "empty.diff").write_text("")
    config = make_config(tmp_path)
    with opened(config) as backend:
        failure = failure_of(backend, commit, PATCHED, tmp_path / "empty.diff")
        assert not list((config.cache / "sessions").glob("*/w/*"))
    assert failure.category is Category.PATCH_INVALID


def test_an_interpreter_that_is_not_there(tmp_path: Path, commit: Commit) -> None:
    with (
        opened(make_config(tmp_path, 'python = "venv/bin/python"')) as backend,
        pytest.raises(WorkspaceFailure, match=r"\[repos\.pkg\] python: .*venv/bin/python is not there") as refused,
        backend.workspace(commit, BASELINE, None),
    ):
        pytest.fail("it could be prepared")
    assert refused.value.failure.blame is Blame.ENVIRONMENT


def test_a_configuration_that_finds_no_package_is_nobodys_patch(tmp_path: Path, commit: Commit) -> None:
    with (
        opened(make_config(tmp_path, 'packages = ["nothing", "of.this"]')) as backend,
        pytest.raises(WorkspaceFailure, match=r"no package nothing or of\.this") as refused,
        backend.workspace(commit, BASELINE, None),
    ):
        pytest.fail("it could be prepared")
    assert (refused.value.failure.category, refused.value.failure.blame) == (Category.WRONG_TARGET, Blame.ENVIRONMENT)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("#!/bin/sh\necho no python here >&2; exit 3\n", "no working Python.*no python here"),
        ('#!/bin/sh\necho \'{"version_info": [3, 7], "python": "3.7.9"}\'\n', r"Python 3\.7\.9"),
    ],
)
def test_an_interpreter_that_is_none(tmp_path: Path, commit: Commit, program: str, message: str) -> None:
    fake = tmp_path / "fake-python"
    fake.write_text(program)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    with (
        opened(make_config(tmp_path, 'python = "./fake-python"')) as backend,
        pytest.raises(WorkspaceFailure, match=message),
        backend.workspace(commit, BASELINE, None),
    ):
        pytest.fail("it could be prepared")


@pytest.mark.parametrize("lines", ['env = { PYTHONPATH = "." }', 'pass_env = ["PYTHONHOME"]'])
def test_variables_that_act_before_the_worker_are_refused(tmp_path: Path, commit: Commit, lines: str) -> None:
    with (
        pytest.raises(UsageError, match=r"\[repos\.pkg\] PYTHON(PATH|HOME) must not reach"),
        opened(make_config(tmp_path, lines)),
    ):
        pytest.fail("it was accepted")


# --- building -----------------------------------------------------------------------------------------------------

WRITES = "build = [[\"python\", \"-c\", \"open('pkg/built.txt', 'a').write(open('pkg/core.py').read())\"]]"
FAILS_WITH_PATCH = (
    'build = [["python", "-c", "import sys; sys.exit(\'cannot compile\' if \'n - 1\' in '
    "open('pkg/core.py').read() else 0)\"]]"
)


def test_build_steps_run_after_the_patch_and_once_in_a_shared_tree(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path, WRITES)) as backend:
        for _ in range(2):
            with backend.workspace(commit, BASELINE, None) as workspace:
                assert (workspace.root / "pkg/built.txt").read_text() == SLOW
        with backend.workspace(commit, PATCHED, tmp_path / "patches/good.diff") as workspace:
            assert "n - 1" in (workspace.root / "pkg/built.txt").read_text()


@pytest.mark.parametrize(
    ("side", "category", "blame"),
    [
        (PATCHED, Category.PATCHED_EXCEPTION, Blame.AGENT),
        (HUMAN, Category.BASELINE_EXCEPTION, Blame.ENVIRONMENT),
    ],
)
def test_a_build_that_fails(tmp_path: Path, commit: Commit, side: Side, category: Category, blame: Blame) -> None:
    patch = tmp_path / "patches/good.diff" if side == PATCHED else None
    with opened(make_config(tmp_path, FAILS_WITH_PATCH)) as backend:
        with backend.workspace(commit, BASELINE, None):
            pass
        failure = failure_of(backend, commit, side, patch)
    assert (failure.category, failure.blame, failure.stage) == (category, blame, Stage.PREPARE)
    assert "build step" in failure.reason
    assert "exited with 1" in failure.reason
    assert "cannot compile" in failure.evidence["stderr"]


def test_a_build_that_takes_too_long(tmp_path: Path, commit: Commit) -> None:
    config = make_config(tmp_path, 'build = [["python", "-c", "import time; time.sleep(99)"]]')
    file = config.file
    file.write_text(file.read_text().replace("[repos.pkg]", "timeout_s = 0.3\n[repos.pkg]"))
    from pytest_perfagents.config import load_config

    with opened(load_config(file)) as backend:
        failure = failure_of(backend, commit)
    assert failure.category is Category.BASELINE_TIMEOUT
    assert "0.3 s" in failure.reason


def test_a_build_program_that_is_not_there(tmp_path: Path, commit: Commit) -> None:
    with (
        opened(make_config(tmp_path, 'build = ["no-such-program --now"]')) as backend,
        pytest.raises(UsageError, match=r"\[repos\.pkg\] build: no-such-program"),
        backend.workspace(commit, BASELINE, None),
    ):
        pytest.fail("it could be prepared")


def test_a_failed_build_is_tried_again(tmp_path: Path, commit: Commit) -> None:
    flag = tmp_path / "flag"
    step = f'build = [["python", "-c", "import os, sys; sys.exit(not os.path.exists({str(flag)!r}))"]]'
    with opened(make_config(tmp_path, step)) as backend:
        failure_of(backend, commit)
        flag.write_text("")
        with backend.workspace(commit, BASELINE, None) as workspace:
            assert workspace.root.is_dir()


def test_the_overlay_is_laid_over(tmp_path: Path, commit: Commit) -> None:
    installed = tmp_path / "site-packages" / "pkg"
    installed.mkdir(parents=True)
    (installed / "_C.so").write_text("compiled")
    (installed / "core.py").write_text("raise ImportError('the installed one')")
    with opened(make_config(tmp_path, 'overlay = "site-packages"')) as backend:
        for _ in range(2):
            with backend.workspace(commit, BASELINE, None) as workspace:
                assert (workspace.root / "pkg/_C.so").read_text() == "compiled"
                assert (workspace.root / "pkg/core.py").read_text() == SLOW


def test_a_package_that_is_not_at_the_root(tmp_path: Path, commit: Commit) -> None:
    repo = tmp_path / "repo"
    (repo / "python").mkdir()
    (repo / "pkg").rename(repo / "python" / "pkg")
    moved = commit_all(repo, "move")
    with (
        opened(make_config(tmp_path, 'import_root = "python"')) as backend,
        backend.workspace(Commit("pkg", moved, moved), HUMAN, None) as workspace,
    ):
        run = workspace.run_program(tmp_path / "scripts/script.py", (), PATIENCE_S, {})
        assert run.modules["pkg.core"] == str(workspace.root / "python/pkg/core.py")


def test_the_interpreter_is_described(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        facts = workspace.describe()
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["executable"] == sys.executable
    assert facts["packages"]["numpy"]
