"""What a patch does to its surroundings, read from the tree that it was applied to, before anything of it runs."""

from __future__ import annotations

from pathlib import Path

from pytest_perfagents.backends.base import Workspace
from pytest_perfagents.config import RepoConfig
from pytest_perfagents.gitrepo.diffs import printable
from pytest_perfagents.gitrepo.patches import Patch
from pytest_perfagents.judgement.honesty import tamper_scan


def scan_patch(workspace: Workspace, script: Path, repo: RepoConfig) -> list[str]:
    """Flags for lines and files of the workspace's patch that touch a clock, the harness or the interpreter."""
    if workspace.patch is None:
        return []
    ground = tamper_scan.Ground(repo.import_root, repo.packages, script.name)
    return [printable(flag) for flag in tamper_scan.scan(added(workspace.root, workspace.patch), ground)]


def added(root: Path, patch: Patch) -> dict[str, tamper_scan.Added]:
    """The files that the patch adds to or makes; of what is no Python only the name counts."""
    files: dict[str, tamper_scan.Added] = {}
    for file in patch.files:
        if file.path in patch.dropped:
            continue
        earlier = files.get(file.path)
        lines = {*file.added, *(earlier.lines if earlier else ())}
        is_new = not file.old_path or file.old_path != file.path
        files[file.path] = tamper_scan.Added(_text(root / file.path) if lines else "", lines, is_new)
    return files


def _text(file: Path) -> str:
    if file.suffix != ".py":
        return ""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the patch removes it, or git refused it
        return ""
