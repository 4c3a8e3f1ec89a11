"""Did anybody write where nobody should while the sides were measured? Trees are looked at before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_perfagents.backends.base import Backend, Workspace
from pytest_perfagents.gitrepo.snapshots import (
    Snapshot,
    compare,
    is_cache,
    is_importable,
    standing,
    take,
    take_files,
)
from pytest_perfagents.model import BASELINE, Commit, Role, Side


@dataclass(slots=True)
class _Tree:
    """A side's tree as it was handed out (``fresh``), after its admission (``settled``), and at the end."""

    root: Path
    fresh: Snapshot
    settled: Snapshot
    last: Snapshot = field(default_factory=dict)

    def disturbed(self, *, is_confined: bool) -> list[str]:
        """Files that only somebody else can have written, sources first.

        A confined neighbour can do no more than change their dates and modes, which makes imports slow.
        """
        difference = compare(standing(self.fresh, self.settled), self.last)
        found = [*difference.changed, *difference.removed]
        if is_confined:
            found = [path for path in found if is_importable(path) or is_cache(path)]
        else:
            found += [path for path in compare(self.settled, self.last).created if is_importable(path)]
        return sorted(found, key=is_cache)

    def written(self) -> list[str]:
        """Files that were written or removed since it was handed out; caches of imports only where they changed."""
        since = compare(self.fresh, self.last)
        caches = compare(standing(self.fresh, self.settled), self.last).changed
        found = [*since.changed, *(path for path in since.created if not is_cache(path)), *since.removed, *caches]
        return list(dict.fromkeys(found))


@dataclass(slots=True)
class Guard:
    """A backend that looks at the trees it hands out, at the script and at what of the harness the sides run."""

    backend: Backend
    script: Path
    trees: dict[Side, _Tree] = field(default_factory=dict)
    ours: dict[str, Snapshot] = field(default_factory=dict)

    def renew(self) -> None:
        """As the backend."""
        self.backend.renew()

    @contextmanager
    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> Iterator[Workspace]:
        """The backend's, after a look at its tree."""
        with self.backend.workspace(commit, side, patch) as workspace:
            fresh = take(workspace.root)
            self.trees[side] = _Tree(workspace.root, fresh, fresh)
            self.ours.setdefault("script", take_files([self.script]))
            self.ours.setdefault("worker", take_files(workspace.harness_files))
            yield workspace

    def settle(self, side: Side) -> None:
        """The side has run for the first time: what it wrote until now it may write again."""
        if side in self.trees:
            self.trees[side].settled = take(self.trees[side].root)

    def disturbance(self, *, is_confined: bool) -> str | None:
        """What was written that belongs to none of those who could be measured; call it before the trees go.

        A patched side may have written to its own tree. Where there are several that nothing confines, it may as well
        have been another.
        """
        for tree in self.trees.values():
            tree.last = take(tree.root)
        for what, before in self.ours.items():
            after = take_files(map(Path, before))
            if after != before:
                return f"the {what} {Path(next(iter(before))).name}"
        alone = is_confined or sum(side.role is Role.PATCHED for side in self.trees) == 1
        for side, tree in self.trees.items():
            files = [] if alone and side.role is Role.PATCHED else tree.disturbed(is_confined=is_confined)
            if files:
                return f"{files[0]} in the tree of the {side.role} side"
        return None

    def flags(self, side: Side) -> Sequence[str]:
        """That a patched side wrote to its own tree, where the baseline did not do the same."""
        if side not in self.trees or BASELINE not in self.trees:
            return ()
        by_script = set(self.trees[BASELINE].written())
        files = [path for path in self.trees[side].written() if path not in by_script]
        more = f" and {len(files) - 1} more file{'s'[: len(files) > 2]}" if len(files) > 1 else ""
        return (f"it wrote {files[0]}{more} into its own tree while it was measured",) if files else ()
