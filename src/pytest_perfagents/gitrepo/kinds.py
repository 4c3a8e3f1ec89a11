"""What a file of a patch is to the measured code. Two rules, by name and by place, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_perfagents.config import RepoConfig

# By name alone, wherever the file lies: a build may pick it up from anywhere.
_C_FAMILY = (
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".cu",
    ".cuh",
    ".h",
    ".hh",
    ".hpp",
    ".hxx",
    ".inl",
    ".hip",
    ".m",
    ".mm",
)
_OTHERS = (".pyx", ".pxd", ".pxi", ".rs", ".s", ".asm", ".f", ".f90", ".metal", ".proto", ".cmake")
_COMPILED_SUFFIXES = frozenset((*_C_FAMILY, *_OTHERS))
_BUILD_FILES = frozenset(("cmakelists.txt", "setup.py", "cargo.toml", "cargo.lock", "meson.build"))
_NEVER_LOADED = frozenset((".md", ".rst", ".pyi", ".pyc", ".pyo", ".orig", ".rej", ".diff", ".patch"))


class Kind(StrEnum):
    """What a file of a patch is to the measured code."""

    PYTHON = "python"  # a module of one of the repository's packages
    DATA = "data"  # another file inside of one of them: a tuned configuration, say
    COMPILED = "compiled"  # a source or a recipe that takes effect after a build
    SCRATCH = "scratch"  # everything else: tests, benchmarks, documents, the agent's own leavings


def kind_of(path: str, repo: RepoConfig) -> Kind:
    """What ``path``, relative to the repository's root, is to the measured code."""
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    if suffix in _COMPILED_SUFFIXES or pure.name.lower() in _BUILD_FILES:
        return Kind.COMPILED
    if suffix in _NEVER_LOADED or "__pycache__" in pure.parts:
        return Kind.SCRATCH
    places = package_places(repo)
    if not any(pure.is_relative_to(place) or pure == place.with_name(f"{place.name}.py") for place in places):
        return Kind.SCRATCH
    return Kind.PYTHON if suffix == ".py" else Kind.DATA


def package_places(repo: RepoConfig) -> list[PurePosixPath]:
    """The folders of the repository's packages, relative to its root."""
    return [PurePosixPath(repo.import_root, package.replace(".", "/")) for package in repo.packages]
