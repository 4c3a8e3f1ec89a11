"""An agent's patch: read, classified, and refused where there is nothing in it to measure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_perfagents.gitrepo.diffs import Diff, FileDiff, MalformedDiff, parse_diff, printable
from pytest_perfagents.gitrepo.kinds import Kind, kind_of, package_places
from pytest_perfagents.model import Blame, Category, Failure, Role, Stage

if TYPE_CHECKING:
    from pytest_perfagents.config import RepoConfig

MAX_BYTES = 64_000_000


class PatchFailure(Exception):  # noqa: N818 - it carries a Failure
    """The patch cannot be measured: PATCH_INVALID, PATCH_APPLY_FAILED or NEEDS_BUILD."""

    def __init__(
        self,
        category: Category,
        reason: str,
        hint: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        *,
        needs_baseline: bool = False,
    ):
        """``needs_baseline``: a wrong configuration would look alike, so see first whether the baseline is sound."""
        super().__init__(f"{category}: {reason}")
        self.needs_baseline = needs_baseline
        self.category = category
        self.reason = reason
        self.hint = hint
        self.evidence = dict(evidence or {})

    def failure(self, side: Role = Role.PATCHED) -> Failure:
        """The same as an outcome's failure."""
        blame = Blame.ENVIRONMENT if self.category is Category.NEEDS_BUILD else Blame.AGENT
        return Failure(self.category, Stage.PREPARE, self.reason, side, blame, self.hint, self.evidence)


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that has something to measure. ``text`` is what git gets, ``sha256`` is of the text as it came.

    ``dropped`` are scratch files that are not applied: caches, and binary sections without their data.
    ``padding`` counts the blank lines that were put back where the text was cut off.
    """

    text: bytes
    sha256: str
    strip: int
    files: tuple[FileDiff, ...]
    kinds: Mapping[str, Kind]
    dropped: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    padding: int = 0

    def paths(self, kind: Kind) -> tuple[str, ...]:
        """The files of one kind."""
        return tuple(path for path, its_kind in self.kinds.items() if its_kind is kind)

    @property
    def added_lines(self) -> dict[str, tuple[int, ...]]:
        """Numbers of the added lines in the new file, for each changed module of the packages."""
        return self._lines_of_modules(lambda file: file.added)

    @property
    def lines_beside(self) -> dict[str, tuple[int, ...]]:
        """In the same form, the lines next to those that it deletes without a replacement."""
        return self._lines_of_modules(lambda file: file.beside)

    def _lines_of_modules(self, of: Callable[[FileDiff], tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        lines: dict[str, tuple[int, ...]] = {}
        for file in self.files:
            if self.kinds[file.path] is Kind.PYTHON and of(file):
                lines[file.path] = (*lines.get(file.path, ()), *of(file))
        return lines

    @property
    def has_data_files(self) -> bool:
        """Whether it changes more than lines of modules: data files of a package, or compiled sources."""
        return Kind.DATA in self.kinds.values() or Kind.COMPILED in self.kinds.values()


def read_patch(text: bytes, repo: RepoConfig) -> Patch:
    """Read and classify a patch.

    Raises:
        PatchFailure: PATCH_INVALID (empty, no diff, nothing that the measured code could load),
            PATCH_APPLY_FAILED (paths outside of the repository, binary content left out) or NEEDS_BUILD.
    """
    diff = _parse(text)
    for file in diff.files:
        _check_paths(file)
    kinds = {file.path: kind_of(file.path, repo) for file in diff.files}
    for file in diff.files:  # a module moved out of the package is a change of the package
        if file.old_path and kinds[file.path] is Kind.SCRATCH:
            kinds[file.path] = kind_of(file.old_path, repo)
    _check_kinds(kinds, repo)
    digest = hashlib.sha256(text).hexdigest()
    patch = Patch(diff.text, digest, diff.strip, diff.files, kinds, flags=diff.flags, padding=diff.padding)
    return _without_dropped(patch)


def _parse(text: bytes) -> Diff:
    if not text.strip():
        raise PatchFailure(Category.PATCH_INVALID, "the patch is empty", "the agent changed nothing")
    if len(text) > MAX_BYTES:
        raise PatchFailure(
            Category.PATCH_INVALID,
            f"the patch is {len(text) / 1e6:.0f} MB large, more than {MAX_BYTES / 1e6:.0f} MB",
            "it holds generated files or data; export the agent's change without them",
        )
    try:
        return parse_diff(text)
    except MalformedDiff as error:
        head = text[:200].decode(errors="replace")
        hint = "export the agent's change again with git diff --binary"
        raise PatchFailure(Category.PATCH_INVALID, f"the patch is no diff: {error}", hint, {"head": head}) from error


def _check_paths(file: FileDiff) -> None:
    for path in (file.path, file.old_path):
        parts = path.split("/")
        if path.startswith("/") or ".." in parts:
            what = "leads out of the repository"
        elif any(part.lower().rstrip(" .") == ".git" for part in parts):
            what = "lies in the repository's .git"
        elif "\0" in path or (not path and path == file.path):
            what = "names no file"
        else:
            continue
        raise PatchFailure(
            Category.PATCH_APPLY_FAILED,
            f"the path {printable(path)!r} in the patch {what}",
            "nothing was applied; remove that file from the patch",
            {"path": printable(path)},
        )


def _check_kinds(kinds: Mapping[str, Kind], repo: RepoConfig) -> None:
    compiled = [path for path, kind in kinds.items() if kind is Kind.COMPILED]
    if compiled and not repo.build:
        raise PatchFailure(
            Category.NEEDS_BUILD,
            f"the patch touches compiled sources: {_some(compiled)}",
            f"configure `build` of [repos.{repo.name}] in perfagents.toml",
            {"compiled": [printable(path) for path in compiled]},
        )
    if all(kind is Kind.SCRATCH for kind in kinds.values()):
        places = ", ".join(f"{place}/" for place in package_places(repo))
        raise PatchFailure(
            Category.PATCH_INVALID,
            f"the patch has no file that the measured code could load, only {_some(list(kinds))}",
            f"loadable is what lies in {places}; see `packages` and `import_root` of [repos.{repo.name}]",
            {"files": [printable(path) for path in kinds]},
            needs_baseline=True,
        )


def _without_dropped(patch: Patch) -> Patch:
    """Leave out scratch that cannot be applied or must not be: binary sections without data, bytecode."""
    dropped, flags = [], list(patch.flags)
    for file in patch.files:
        scratch = patch.kinds[file.path] is Kind.SCRATCH
        if "__pycache__" in file.path.split("/") or (scratch and file.path.endswith((".pyc", ".pyo"))):
            flags.append(f"bytecode in the patch left out: {printable(file.path)}")
        elif file.binary == "no data" and scratch:
            flags.append(f"binary section without data left out: {printable(file.path)}")
        elif file.binary == "no data":
            raise PatchFailure(
                Category.PATCH_APPLY_FAILED,
                f"the patch changes the binary file {printable(file.path)} and does not hold its content",
                "export the agent's change again with git diff --binary",
                {"path": printable(file.path)},
            )
        else:
            continue
        dropped.append(file.path)
    return replace(patch, dropped=tuple(dict.fromkeys(dropped)), flags=tuple(flags))


def _some(paths: list[str]) -> str:
    """A few of the paths, and how many more there are."""
    names = ", ".join(printable(path) for path in paths[:3])
    return names if len(paths) <= 3 else f"{names} and {len(paths) - 3} more"
