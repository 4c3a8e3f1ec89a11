"""What one pytest process knows of the runs to evaluate, read when it is first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pytest

from pytest_perfagents.model import Case
from pytest_perfagents.session.settings import Settings, gather_settings


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
    def cases(self) -> list[Case]:
        """The selected cases, by id; raises UsageError where a name means no run."""
        from pytest_perfagents.discovery.finding import cases

        return cases(self.settings.config, self.settings.selection, self.notes)

    def is_file(self, path: Path) -> bool:
        """Whether ``path`` is the configuration."""
        if path.name != self.file.name:
            return False
        return path == self.file or (self.file.exists() and path.samefile(self.file))


PLAN = pytest.StashKey[Plan]()
