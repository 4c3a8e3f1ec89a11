"""What one pytest process knows of the runs to evaluate, read when it is first needed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_perfagents.model import Case
from pytest_perfagents.session.options import replayed_places
from pytest_perfagents.session.settings import Settings, gather_settings

if TYPE_CHECKING:
    from pytest_perfagents.recorded.importing import Recordings


class Plan:
    """One configuration file and what the options make of it; nothing is read before it is asked for."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self.config = config
        self.file = file
        self.notes: list[str] = []
        """Folders among the runs that were not looked into, and why; filled with `cases`."""

    @cached_property
    def settings(self) -> Settings:
        """Raises UsageError where the file or an option is wrong."""
        return gather_settings(self.config, self.file)

    @cached_property
    def replayed(self) -> tuple[Path, ...]:
        """The folders of ``--perf-replay``, absolute; none where runs are measured."""
        return replayed_places(self.config)

    @cached_property
    def recordings(self) -> Recordings:
        """What those folders hold; raises UsageError where that is nothing."""
        from pytest_perfagents.recorded.importing import read_records

        found = read_records(self.replayed, self.settings.config)
        self.notes += [str(note).encode("utf-8", "backslashreplace").decode() for note in found.notes]
        return found

    @cached_property
    def cases(self) -> list[Case]:
        """The selected cases, by id; raises UsageError where a name means no run."""
        if self.replayed:
            return self._replayed_cases()
        from pytest_perfagents.discovery.finding import cases

        return cases(self.settings.config, self.settings.selection, self.notes)

    def _replayed_cases(self) -> list[Case]:
        from pytest_perfagents.discovery.selection import select

        cases = {case.id: case for case in self.recordings.cases()}
        config = replace(self.settings.config, runs=self.replayed)
        kept = select([case.run for case in cases.values()], self.settings.selection, config)
        return [cases[run.id] for run in kept]

    def is_under(self, case: Case, place: Path) -> bool:
        """Whether a replayed case belongs to ``place``: the first of the named folders that holds it."""
        folder = Path(case.run.folder)
        return next((named for named, top in self._tops if folder.is_relative_to(top)), None) == place

    @cached_property
    def _tops(self) -> list[tuple[Path, Path]]:
        return [(place, place.parent if place.is_file() else place) for place in self.replayed]

    def is_file(self, path: Path) -> bool:
        """Whether ``path`` is the configuration."""
        if path.name != self.file.name:
            return False
        return path == self.file or (self.file.exists() and path.samefile(self.file))


PLAN = pytest.StashKey[Plan]()
