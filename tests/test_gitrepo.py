from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitkit import ENV, commit, git, make_repository, snapshot, tree, write

from pytest_perfagents.config import RepoConfig
from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.gitrepo.cache import lock_of
from pytest_perfagents.gitrepo.command import run_git
from pytest_perfagents.gitrepo.worktrees import GitFailure, Worktrees, baseline_revision, prune_all
from pytest_perfagents.model import Category, Commit, Role
from pytest_perfagents.processes.leases import Session, sweep


class Place:
    """A clone with two commits, a cache, and one session's worktrees."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.clone = make_repository(folder / "clone")
        self.first = git(self.clone, "rev-parse", "HEAD")
        self.second = commit(self.clone, {"pkg/core.py": "VALUE = 2\n"}, "second")
        self.cache = folder / "cache"
        self.repo = RepoConfig("demo", self.clone, packages=("pkg",))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def worktrees(place: Place) -> Iterator[Worktrees]:
    with Session(place.cache) as session, Worktrees(place.cache, 20, session) as worktrees:
        yield worktrees


def failure_of(worktrees: Worktrees, repo: RepoConfig, revision: str) -> GitFailure:
    with pytest.raises(GitFailure) as caught:
        worktrees.add(repo, revision)
    assert caught.value.category is Category.GIT_WORKTREE_FAILED
    assert "\n" not in caught.value.reason + (caught.value.hint or "")
    return caught.value


def admin(place: Place) -> list[str]:
    """What our cache repositories know of worktrees."""
    return sorted(path.name for path in place.cache.glob("repos/*.git/worktrees/*"))


def test_a_worktree_holds_the_commit(place: Place, worktrees: Worktrees) -> None:
    first, second = worktrees.add(place.repo, place.first), worktrees.add(place.repo, place.second[:8])
    assert tree(first) == {"pkg/__init__.py": b"", "pkg/core.py": b"VALUE = 1\n"}
    assert tree(second)["pkg/core.py"] == b"VALUE = 2\n"
    assert git(first, "rev-parse", "HEAD") == place.first
    assert git(first, "status", "--porcelain") == ""
    assert len(str(first)) == len(str(second))


def test_the_users_clone_stays_as_it_was(place: Place) -> None:
    write(place.clone, {"pkg/core.py": "stashed\n"})
    git(place.clone, "stash")
    git(place.clone, "branch", "other", place.first)
    git(place.clone, "worktree", "add", "--quiet", "--detach", str(place.folder / "theirs"), place.first)
    (place.folder / "theirs").rename(place.folder / "moved")  # a prune would now forget it
    git(place.clone, "gc", "--quiet")
    write(place.clone, {"pkg/core.py": "edited\n", "pkg/new.py": "staged\n"})
    git(place.clone, "add", "pkg/new.py")
    before = snapshot(place.clone)
    with Session(place.cache) as session, Worktrees(place.cache, 20, session) as worktrees:
        path = worktrees.add(place.repo, place.second)
        write(path, {"pkg/core.py": "VALUE = 3\n"})
        with worktrees.shared(place.repo, place.first):
            pass
        worktrees.remove(path)
        failure_of(worktrees, place.repo, "ab" * 20)
    prune_all(place.cache)
    assert snapshot(place.clone) == before


def test_everything_of_ours_is_gone_at_the_end(place: Place) -> None:
    with Session(place.cache) as session, Worktrees(place.cache, 20, session) as worktrees:
        path = worktrees.add(place.repo, place.first)
        with worktrees.shared(place.repo, place.second) as shared:
            assert sorted(admin(place)) == sorted([path.name, shared.name])
    assert not path.exists()
    assert not shared.exists()
    assert admin(place) == []


def test_a_tree_is_removed_whatever_was_done_in_it(place: Place, worktrees: Worktrees) -> None:
    path = worktrees.add(place.repo, place.first)
    write(path, {"build/deep/file": "x"})
    (path / ".git").unlink()
    (path / "out").symlink_to(place.clone)
    (path / "build/deep").chmod(0o500)
    (path / "build").chmod(0o000)
    worktrees.remove(path)
    assert not path.exists()
    assert (place.clone / "pkg/core.py").exists()
    assert admin(place) == []


def test_a_shared_tree_is_made_once(place: Place, worktrees: Worktrees) -> None:
    with worktrees.shared(place.repo, place.first) as one:
        with worktrees.shared(place.repo, place.first[:10]) as two:
            assert one == two
        private = worktrees.add(place.repo, place.first)
        assert private != one
    with worktrees.shared(place.repo, place.first) as again:
        assert again == one


def test_hooks_filters_and_settings_of_the_user_change_nothing(place: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    hooks = home / "hooks"
    ran = tmp_path / "hook-ran"
    write(home, {"hooks/post-checkout": f"#!/bin/sh\ntouch {ran}\n", "attributes": "*.py filter=shout\n"})
    (hooks / "post-checkout").chmod(0o755)
    core = f"[core]\nhooksPath={hooks}\nautocrlf=true\nattributesFile={home}/attributes\n"
    filters = '[filter "shout"]\nsmudge=tr a-z A-Z\n[filter "lfs"]\nsmudge=false\nrequired=true\n'
    write(home, {".gitconfig": core + filters})
    at = commit(place.clone, {".gitattributes": "*.bin filter=lfs\n", "pkg/a.bin": "pointer\n"})
    code = (
        "import sys; from pathlib import Path\n"
        "from pytest_perfagents.config import RepoConfig\n"
        "from pytest_perfagents.gitrepo.worktrees import Worktrees\n"
        "from pytest_perfagents.processes.leases import Session\n"
        "cache = Path(sys.argv[1])\n"
        "with Session(cache) as session, Worktrees(cache, 20, session) as worktrees:\n"
        "    path = worktrees.add(RepoConfig('demo', Path(sys.argv[2])), sys.argv[3])\n"
        "    for name in ('core.py', 'a.bin'):\n"
        "        sys.stdout.buffer.write((path / 'pkg' / name).read_bytes())\n"
    )
    env = {**os.environ, "HOME": str(home), "GIT_DIR": "/elsewhere", "GIT_INDEX_FILE": "/elsewhere/index"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(place.cache), str(place.clone), at], env=env, capture_output=True
    )
    assert done.stdout == b"VALUE = 2\npointer\n", done.stderr.decode()
    assert not ran.exists()


def test_the_baseline_is_the_recorded_parent_or_the_first(place: Place, worktrees: Worktrees) -> None:
    assert baseline_revision(Commit("demo", place.second, place.first)) == place.first
    assert worktrees.resolve(place.repo, baseline_revision(Commit("demo", place.second, ""))) == place.first
    failure = failure_of(worktrees, place.repo, f"{place.first}^")
    assert "has no parent" in failure.reason


def test_a_commit_that_is_not_there(place: Place, worktrees: Worktrees, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "project").mkdir()
    monkeypatch.chdir(place.folder / "project")
    git(place.clone, "remote", "add", "origin", "https://example.org/demo.git")
    failure = failure_of(worktrees, place.repo, "067c34a1")
    assert failure.reason == "demo: commit 067c34a1 is not in the clone at ../clone"
    assert (failure.hint or "").startswith("run: git -C ../clone fetch origin 067c34a1")
    assert failure.failure(Role.BASELINE).side is Role.BASELINE
    full = failure_of(worktrees, place.repo, "067c34a1" * 5)
    assert full.hint == f"run: git -C ../clone fetch origin {'067c34a1' * 5}"


def test_the_hint_names_the_remote_that_there_is(place: Place, worktrees: Worktrees) -> None:
    git(place.clone, "remote", "add", "upstream", "https://example.org/demo.git")
    failure = failure_of(worktrees, place.repo, "067c34a1" * 5)
    assert f"fetch upstream {'067c34a1' * 5}" in (failure.hint or "")


def test_revisions_that_are_no_commits(place: Place, worktrees: Worktrees) -> None:
    tree_hash = git(place.clone, "rev-parse", "HEAD^{tree}")
    assert f"{tree_hash} is a tree, not a commit" in failure_of(worktrees, place.repo, tree_hash).reason
    for nonsense in ("main", "", "HEAD", "--help", "abc", "12345 "):
        assert "is no commit hash" in failure_of(worktrees, place.repo, nonsense).reason


def test_an_ambiguous_abbreviation(place: Place, worktrees: Worktrees) -> None:
    raw = git(place.clone, "cat-file", "commit", "HEAD")
    seen: set[str] = set()
    for number in range(2000):  # the dates are fixed, and so the hashes: always the same few hundred
        body = f"{raw}\n\n{number}\n".encode()
        made = git(place.clone, "hash-object", "-t", "commit", "-w", "--stdin", stdin=body)
        if made[:4] in seen:
            break
        seen.add(made[:4])
    failure = failure_of(worktrees, place.repo, made[:4])
    assert "is ambiguous" in failure.reason
    assert made[:7] in failure.reason
    assert "full hash" in (failure.hint or "")


def test_no_clone_no_repository_no_bundle(place: Place, worktrees: Worktrees, tmp_path: Path) -> None:
    absent = RepoConfig("demo", tmp_path / "absent")
    assert "there is no clone at" in failure_of(worktrees, absent, place.first).reason
    inside = place.clone / "pkg"  # a folder of a repository is not the repository
    assert "is no git repository" in failure_of(worktrees, RepoConfig("demo", inside), place.first).reason
    file = tmp_path / "file"
    file.write_text("no bundle")
    assert "is no git bundle" in failure_of(worktrees, RepoConfig("demo", file), place.first).reason


def test_a_damaged_clone(place: Place, worktrees: Worktrees) -> None:
    blob = git(place.clone, "rev-parse", "HEAD:pkg/core.py")
    file = place.clone / ".git/objects" / blob[:2] / blob[2:]
    file.chmod(0o600)
    file.write_bytes(b"garbage")
    failure = failure_of(worktrees, place.repo, place.second)
    assert "is damaged" in failure.reason
    assert "fsck" in (failure.hint or "")
    head = place.clone / ".git/objects" / place.first[:2] / place.first[2:]
    head.chmod(0o600)
    head.write_bytes(b"")
    assert "is damaged" in failure_of(worktrees, place.repo, place.first).reason


def test_a_clone_without_its_administration(place: Place, worktrees: Worktrees) -> None:
    (place.clone / ".git/config").write_text("[core\nnonsense")
    assert "config cannot be read" in failure_of(worktrees, place.repo, place.first).reason
    (place.clone / ".git/HEAD").unlink()
    assert "its .git is incomplete" in failure_of(worktrees, place.repo, place.first).reason


def test_a_shallow_clone(place: Place, worktrees: Worktrees, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", place.clone.as_uri(), "shallow")
    shallow = RepoConfig("demo", tmp_path / "shallow")
    assert tree(worktrees.add(shallow, place.second))["pkg/core.py"] == b"VALUE = 2\n"
    failure = failure_of(worktrees, shallow, f"{place.second}^")
    assert f"{place.first} is not in the shallow clone" in failure.reason
    command = (failure.hint or "").removeprefix("run: ")
    subprocess.run(command, shell=True, env=ENV, check=True, capture_output=True)
    with Session(place.cache) as session, Worktrees(place.cache, 20, session) as later:
        assert tree(later.add(shallow, f"{place.second}^"))["pkg/core.py"] == b"VALUE = 1\n"


def test_a_partial_clone(place: Place, worktrees: Worktrees, tmp_path: Path) -> None:
    git(place.clone, "config", "uploadpack.allowFilter", "true")
    git(place.clone, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", place.clone.as_uri(), "partial")
    partial = RepoConfig("demo", tmp_path / "partial")
    failure = failure_of(worktrees, partial, place.second)
    assert "is partial and lacks files" in failure.reason
    assert admin(place) == []
    command = (failure.hint or "").removeprefix("run: ")
    subprocess.run(command, shell=True, env=ENV, check=True, capture_output=True)
    assert tree(worktrees.add(partial, place.second))["pkg/core.py"] == b"VALUE = 2\n"


@pytest.mark.parametrize("options", [(), ("--depth=1",), ("--filter=blob:none", "--no-checkout")])
def test_missing_commits_are_fetched_where_configured(
    place: Place, worktrees: Worktrees, tmp_path: Path, options: tuple[str, ...]
) -> None:
    git(place.clone, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", *options, place.clone.as_uri(), "mine")
    third = commit(place.clone, {"pkg/core.py": "VALUE = 3\n"})
    before = snapshot(tmp_path / "mine")
    repo = RepoConfig("demo", tmp_path / "mine", fetch="origin")
    assert tree(worktrees.add(repo, third))["pkg/core.py"] == b"VALUE = 3\n"
    assert tree(worktrees.add(repo, f"{third}^"))["pkg/core.py"] == b"VALUE = 2\n"
    assert tree(worktrees.add(repo, place.first))["pkg/core.py"] == b"VALUE = 1\n"
    assert snapshot(tmp_path / "mine") == before


def test_fetching_by_abbreviation_and_in_vain(place: Place, worktrees: Worktrees, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", place.clone.as_uri(), "mine")
    third = commit(place.clone, {"pkg/core.py": "VALUE = 3\n"})
    repo = RepoConfig("demo", tmp_path / "mine", fetch=str(place.clone))
    assert worktrees.resolve(repo, third[:8]) == third
    failure = failure_of(worktrees, repo, "ab" * 20)
    assert f"nor at {place.clone}" in failure.reason
    nowhere = RepoConfig("demo", place.clone, fetch=str(tmp_path / "nowhere"))
    assert "could not be fetched from" in failure_of(worktrees, nowhere, "ab" * 20).reason


@pytest.mark.parametrize("what", [("--all",), ("HEAD",), ("main",)])
def test_a_bundle(place: Place, worktrees: Worktrees, tmp_path: Path, what: tuple[str, ...]) -> None:
    bundle = tmp_path / "demo.bundle"
    git(place.clone, "bundle", "create", str(bundle), *what)
    repo = RepoConfig("demo", bundle)
    assert tree(worktrees.add(repo, f"{place.second}^"))["pkg/core.py"] == b"VALUE = 1\n"
    third = commit(place.clone, {"pkg/core.py": "VALUE = 3\n"})
    assert "make a new bundle from a clone that holds" in (failure_of(worktrees, repo, third).hint or "")
    git(place.clone, "bundle", "create", str(bundle), "--all")  # replaced: taken in by the next session
    with Session(place.cache) as session, Worktrees(place.cache, 20, session) as later:
        assert tree(later.add(repo, third))["pkg/core.py"] == b"VALUE = 3\n"


def test_unusable_bundles(place: Place, worktrees: Worktrees, tmp_path: Path) -> None:
    bundle = tmp_path / "demo.bundle"
    git(place.clone, "bundle", "create", str(bundle), f"{place.first}..main")
    assert "incremental" in failure_of(worktrees, RepoConfig("demo", bundle), place.second).reason
    git(place.clone, "bundle", "create", str(bundle), "--all")
    bundle.write_bytes(bundle.read_bytes()[:-30])
    assert "is damaged" in failure_of(worktrees, RepoConfig("demo", bundle), place.second).reason


@pytest.mark.parametrize("kind", ["bare", "worktree", "borrowing", "borrowing relatively", "sha256"])
def test_every_kind_of_clone(place: Place, worktrees: Worktrees, tmp_path: Path, kind: str) -> None:
    at, path = place.second, tmp_path / "other"
    if kind == "bare":
        git(tmp_path, "clone", "--quiet", "--bare", str(place.clone), "other")
    elif kind == "worktree":
        git(place.clone, "worktree", "add", "--quiet", "--detach", str(path))
    elif kind == "sha256":
        path.mkdir()
        git(path, "init", "--quiet", "--object-format=sha256")
        at = commit(path, {"pkg/core.py": "VALUE = 2\n"})
    else:
        git(tmp_path, "clone", "--quiet", "--shared", str(place.clone), "other")
        if kind == "borrowing relatively":
            (path / ".git/objects/info/alternates").write_text("../../../clone/.git/objects\n")
    assert tree(worktrees.add(RepoConfig("demo", path), at))["pkg/core.py"] == b"VALUE = 2\n"


def test_the_disk_budget_is_kept(place: Place) -> None:
    large = commit(place.clone, {"pkg/large.bin": b"x" * 3_000_000})
    with Session(place.cache) as session, Worktrees(place.cache, 0.007, session) as worktrees:
        with worktrees.shared(place.repo, large) as idle:
            assert 3_000_000 <= worktrees.used_bytes < 3_500_000
        one = worktrees.add(place.repo, large)
        assert idle.exists()
        two = worktrees.add(place.repo, large)  # the idle one had to go
        assert not idle.exists()
        failure = failure_of(worktrees, place.repo, large)
        assert "disk_gb = 0.007" in failure.reason
        assert "`disk_gb` of [perfagents]" in (failure.hint or "")
        assert sorted(path for path in (session.folder / "w").iterdir()) == sorted([one, two])
        with Session(place.cache) as other, Worktrees(place.cache, 0.007, other) as theirs:
            failure_of(theirs, place.repo, large)  # the budget is the cache's, not a session's
        worktrees.remove(one)
        write(two, {"grown.bin": b"x" * 4_000_000})
        assert worktrees.recount(two) > 7_000_000
        failure_of(worktrees, place.repo, place.first)
        worktrees.remove(two)
        assert worktrees.used_bytes == 0


def test_a_first_tree_over_the_budget_is_removed_again(place: Place) -> None:
    large = commit(place.clone, {"pkg/large.bin": b"x" * 3_000_000})
    with Session(place.cache) as session, Worktrees(place.cache, 0.001, session) as worktrees:
        assert "disk_gb" in failure_of(worktrees, place.repo, large).reason
        assert list((session.folder / "w").iterdir()) == []
        assert worktrees.used_bytes == 0


def _use_the_cache(cache: Path, repo: RepoConfig, commits: list[str]) -> None:
    with Session(cache) as session, Worktrees(cache, 20, session) as worktrees:
        for _ in range(4):
            paths = [worktrees.add(repo, at) for at in commits]
            values = [(path / "pkg/core.py").read_text() for path in paths]
            assert values == ["VALUE = 1\n", "VALUE = 2\n"]
            for path in paths:
                worktrees.remove(path)
                assert not path.exists()


def test_two_processes_at_once(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    before = snapshot(place.clone)
    arguments = (place.cache, place.repo, [place.first, place.second])
    both = [context.Process(target=_use_the_cache, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(list(place.cache.glob("repos/*.git"))) == 1
    assert admin(place) == []
    assert snapshot(place.clone) == before


def test_changes_to_the_cache_repository_wait_for_their_turn(place: Place, worktrees: Worktrees) -> None:
    worktrees.resolve(place.repo, place.first)
    (repository,) = place.cache.glob("repos/*.git")
    made: list[Path] = []
    adding = threading.Thread(target=lambda: made.append(worktrees.add(place.repo, place.first)))
    with lock_of(repository):
        adding.start()
        adding.join(0.3)
        assert adding.is_alive()
        assert admin(place) == []
    adding.join(60)
    assert tree(made[0])["pkg/core.py"] == b"VALUE = 1\n"


def _add_and_wait(cache: Path, repo: RepoConfig, at: str) -> None:
    with Session(cache) as session, Worktrees(cache, 20, session) as worktrees:
        worktrees.add(repo, at)
        (cache / "ready").write_text("")
        time.sleep(120)


def test_a_killed_process_leaves_nothing_that_prune_does_not_find(place: Place, worktrees: Worktrees) -> None:
    live = worktrees.add(place.repo, place.second)
    process = multiprocessing.get_context("spawn").Process(
        target=_add_and_wait, args=(place.cache, place.repo, place.first)
    )
    process.start()
    deadline = time.monotonic() + 60
    while not (place.cache / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(admin(place)) == 2
    sweep(place.cache, prune=prune_all)
    assert admin(place) == [live.name]
    assert (live / "pkg/core.py").exists()


def test_an_interrupted_checkout_leaves_nothing(place: Place, worktrees: Worktrees) -> None:
    many = commit(place.clone, {f"data/{number}.txt": f"{number}\n" * 2000 for number in range(1500)})
    worktrees.resolve(place.repo, many)

    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            worktrees.add(place.repo, many)
            time.sleep(5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for left in list(worktrees._trees):  # it was quick enough to finish: remove it as its user would
        worktrees.remove(left)
    assert admin(place) == []
    assert not any((place.cache / "sessions").glob("*/w/*"))


def test_git_is_stopped_with_its_children_when_it_takes_too_long(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    slow = f"!sh -c 'sleep 1; touch {mark}' & wait"
    result = run_git(tmp_path, "-c", f"alias.slow={slow}", "slow", timeout_s=0.2)
    assert result.timed_out
    assert "took too long" in result.complaint
    time.sleep(1.2)
    assert not mark.exists()


def test_folders_deeper_than_python_can_follow_are_removed(tmp_path: Path) -> None:
    here, depth = os.open(tmp_path, os.O_RDONLY), 0
    try:
        while depth < 1500:
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here, depth = inner, depth + 1
    finally:
        os.close(here)
    delete_folder(tmp_path / "d")
    assert not (tmp_path / "d").exists()
