from __future__ import annotations

from pathlib import Path

import pytest
from gitkit import diff, git, make_repository, snapshot, tree, write

from pytest_perfagents.config import RepoConfig
from pytest_perfagents.gitrepo.applying import apply_patch
from pytest_perfagents.gitrepo.overlay import copy_overlay
from pytest_perfagents.gitrepo.patches import read_patch
from pytest_perfagents.model import BackendError, UsageError

WHEEL: dict[str, str | bytes] = {
    "pkg/__init__.py": "installed = True\n",
    "pkg/core.py": "installed = True\n",
    "pkg/later.py": "a module that the commit does not have\n",
    "pkg/_C.abi3.so": b"\x7fELF",
    "pkg/_version.py": "version = '1.0'\n",
    "pkg/made/by_build.py": "ignored = True\n",
    "pkg/proto/x_pb2.py": "generated = True\n",
    "pkg/lib/libz.so.1": b"\x7fELF",
    "pkg/__pycache__/core.cpython-311.pyc": b"\x00",
    "pkg/tracked.so": b"of the wheel",
    "pkg.libs/libgomp.so": b"\x7fELF",
    "other/_C.so": b"not ours",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {
        ".gitignore": "*.so\n__pycache__/\npkg/made/\n",
        "pkg/__init__.py": "",
        "pkg/core.py": "installed = False\n",
        "pkg/tracked.so": b"of git",
    }
    return make_repository(tmp_path / "clone", files)


@pytest.fixture
def repo(tmp_path: Path) -> RepoConfig:
    write(tmp_path / "site-packages", WHEEL)
    return RepoConfig("demo", tmp_path / "clone", packages=("pkg",), overlay=tmp_path / "site-packages")


def test_what_a_build_would_have_made_is_copied(clone: Path, repo: RepoConfig) -> None:
    before = tree(clone)
    copied = copy_overlay(clone, repo)
    assert copied == [
        "pkg.libs/libgomp.so",
        "pkg/_C.abi3.so",
        "pkg/_version.py",
        "pkg/lib/libz.so.1",
        "pkg/made/by_build.py",
        "pkg/proto/x_pb2.py",
    ]
    after = tree(clone)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == set(copied)
    assert after["pkg/made/by_build.py"] == b"ignored = True\n"


def test_a_copy_can_be_changed_without_changing_the_wheel(clone: Path, repo: RepoConfig) -> None:
    assert repo.overlay is not None
    before = snapshot(repo.overlay)
    copy_overlay(clone, repo)
    for path in ("pkg/_C.abi3.so", "pkg/_version.py"):
        assert not (clone / path).is_symlink()
        (clone / path).write_bytes(b"overwritten")
    assert snapshot(repo.overlay) == before


def test_what_is_there_already_stays(clone: Path, repo: RepoConfig) -> None:
    write(clone, {"pkg/_version.py": "mine"})
    (clone / "pkg/_C.abi3.so").symlink_to("nowhere")
    copied = copy_overlay(clone, repo)
    assert (clone / "pkg/_version.py").read_text() == "mine"
    assert (clone / "pkg/_C.abi3.so").readlink() == Path("nowhere")
    assert not {"pkg/_version.py", "pkg/_C.abi3.so"} & set(copied)
    assert copy_overlay(clone, repo) == []


def test_what_the_patch_deleted_does_not_come_back(clone: Path, repo: RepoConfig) -> None:
    text = diff(clone, {"pkg/tracked.so": None, "pkg/_version.py": "version = 'patched'\n"})
    apply_patch(clone, read_patch(text, repo))
    copy_overlay(clone, repo)
    assert not (clone / "pkg/tracked.so").exists()
    assert (clone / "pkg/_version.py").read_text() == "version = 'patched'\n"


def test_an_import_root(tmp_path: Path, repo: RepoConfig) -> None:
    clone = make_repository(tmp_path / "nested", {"python/pkg/__init__.py": ""})
    nested = RepoConfig("demo", clone, import_root="python", packages=("pkg",), overlay=repo.overlay)
    copied = copy_overlay(clone, nested)
    assert "python/pkg/_C.abi3.so" in copied
    assert "python/pkg.libs/libgomp.so" in copied
    assert all(path.startswith("python/") for path in copied)


def test_nothing_is_written_through_a_link(clone: Path, repo: RepoConfig, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (clone / "pkg/lib").symlink_to(outside)
    with pytest.raises(BackendError, match="symbolic link"):
        copy_overlay(clone, repo)
    assert list(outside.iterdir()) == []


def test_no_overlay_and_one_without_the_packages(clone: Path, repo: RepoConfig, tmp_path: Path) -> None:
    assert copy_overlay(clone, RepoConfig("demo", clone, packages=("pkg",))) == []
    with pytest.raises(UsageError, match=r"repos\.demo\.overlay: .* no files of absent"):
        copy_overlay(clone, RepoConfig("demo", clone, packages=("absent",), overlay=repo.overlay))
    assert git(clone, "status", "--porcelain") == ""
