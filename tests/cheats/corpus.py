"""The corpus as data: what each case changes, which script measures it, and what has to be said of it."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gitkit import commit, diff, git, make_repository

HERE = Path(__file__).resolve().parent
KINDS = ("cheating", "honest")
TARGET = "mill"
FACTS = (r"not confined", r"no confinement")
"""Statements about the machine that may stand in anybody's record."""


@dataclass(frozen=True)
class Sample:
    """One case: a file in ``cheating/`` or ``honest/``; README.md says what its keys mean."""

    name: str
    kind: str
    does: str
    script: str
    edit: Mapping[str, list[list[str]]] = field(default_factory=dict)
    append: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    category: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    disarmed: bool = False
    human: bool = False
    alone: bool = False
    needs: tuple[str, ...] = ()
    missed: str = ""
    unsure: str = ""
    starts: int = 0

    @property
    def is_cheating(self) -> bool:
        """Whether it has to be caught; an honest one must not be accused."""
        return self.kind == "cheating"

    @property
    def own_script(self) -> bool:
        """Whether the script comes with the case, as where it is the script that cheats."""
        return "\n" in self.script

    def changed(self, base: Path) -> dict[str, str]:
        """The new content of every file that the patch touches."""
        content = {name: text.lstrip("\n") for name, text in self.files.items()}
        for name in (*self.edit, *self.append):
            content.setdefault(name, (base / name).read_text())
        for name, pairs in self.edit.items():
            for old, new in pairs:
                assert content[name].count(old) == 1, f"{self.name}: {old!r} must occur once in {name}"
                content[name] = content[name].replace(old, new)
        for name, text in self.append.items():
            content[name] += "\n" + text
        return content


def load(name: str, kind: str) -> Sample:
    """One case from its file."""
    values: dict[str, Any] = tomllib.loads((HERE / kind / f"{name}.toml").read_text())
    for key in ("category", "says", "needs"):
        values[key] = tuple(values.get(key, ()))
    values.setdefault("script", "driven")
    sample = Sample(name, kind, **values)
    for pattern in sample.says:
        re.compile(pattern)
    assert not sample.is_cheating or sample.category or sample.says, f"{name} does not say what must be said of it"
    return sample


def load_all() -> list[Sample]:
    """All cases, the cheating ones first, by name."""
    return [load(file.stem, kind) for kind in KINDS for file in sorted((HERE / kind).glob("*.toml"))]


def arenas(samples: Iterable[Sample], size: int) -> list[list[Sample]]:
    """Cases that may share an arena, ``size`` at a time: of one kind, measured by one script, no harm to each other."""
    if size < 2:
        return [[each] for each in samples]
    groups: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        together = ("",) if not (sample.alone or sample.own_script) else (sample.name,)
        groups.setdefault((sample.kind, sample.script, str(sample.human), *together), []).append(sample)
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


@dataclass
class Place:
    """The target's repository, with the patches and scripts of cases as files, in a folder of its own."""

    folder: Path

    @cached_property
    def repository(self) -> Path:
        """Two commits: the baseline, checked out, and the human's."""
        made = make_repository(self.folder / TARGET, _files(HERE / "target" / "base"))
        git(made, "checkout", "--quiet", "-b", "optimised")
        commit(made, _files(HERE / "target" / "human"), "plan with a heap")
        git(made, "checkout", "--quiet", "main")
        return made

    @cached_property
    def revisions(self) -> tuple[str, str]:
        """``(human, parent)``."""
        return git(self.repository, "rev-parse", "optimised"), git(self.repository, "rev-parse", "main")

    def patch_of(self, sample: Sample) -> Path:
        """The case's patch, as git makes it."""
        file = self.folder / "runs" / sample.name / "model_patch.diff"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(diff(self.repository, sample.changed(self.repository)))
        return file

    def script_of(self, sample: Sample) -> Path:
        """The case's script in a folder of its own, where nothing beside it can be imported by accident."""
        folder = self.folder / "scripts" / (sample.name if sample.own_script else sample.script)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.revisions[0][:8]}_test_case_generator.py"
        if sample.own_script:
            file.write_text(sample.script.lstrip("\n"))
        else:
            shutil.copyfile(HERE / "scripts" / f"{sample.script}.py", file)
        return file


def _files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.py"))}
