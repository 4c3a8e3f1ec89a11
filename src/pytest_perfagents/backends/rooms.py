"""The private place of one process, new with it and gone after it; and a worker that lives in one.

A process sees neither the results of other sides nor its own earlier ones. So a path in a folder of results that it
is given (``store``, ``check``, ``--prefix``) is exchanged: a copy is handed in, what it writes there is taken out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from stat import S_ISDIR, S_ISREG
from typing import Any

from pytest_perfagents.backends.base import Reply
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.diskspace import delete_folder
from pytest_perfagents.model import Execution
from pytest_perfagents.processes.childenv import make_private
from pytest_perfagents.processes.confinement import Reach
from pytest_perfagents.processes.process import Command
from pytest_perfagents.processes.template import Template


@dataclass(frozen=True, slots=True)
class Room:
    """``folder`` holds HOME, TMP, ``in`` (to read) and ``out`` (to write); in ``shelves`` lie the results of all sides.

    Files are taken out as the process leaves them: regular files and folders, never links.
    """

    folder: Path
    shelves: Path
    _expected: list[tuple[Path, Path]] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, shelves: Path) -> Room:
        """Make the folders."""
        room = cls(make_private(folder), shelves)
        for inner in (room.inbox, room.outbox):
            inner.mkdir()
        return room

    @property
    def inbox(self) -> Path:
        """What is handed in."""
        return self.folder / "in"

    @property
    def outbox(self) -> Path:
        """What is handed out."""
        return self.folder / "out"

    def confined(self, reach: Reach | None) -> str | None:
        """The file for ``worker/confining.py``: ``reach``, and this room. None where nothing is confined."""
        if reach is None:
            return None
        file = self.folder / "reach.json"
        writable = [*map(self.folder.joinpath, ("home", "tmp")), self.outbox]
        reach.save(file, read=[self.inbox], write=writable)
        return str(file)

    def lend(self, arguments: Any, *, writes: bool = False) -> Any:
        """The arguments, with paths of results exchanged. ``writes``: the process makes new ones in their place."""
        if isinstance(arguments, Mapping):
            return {name: self.lend(value, writes=writes) for name, value in arguments.items()}
        if isinstance(arguments, list):
            return [self.lend(value, writes=writes) for value in arguments]
        if not isinstance(arguments, str) or not Path(arguments).is_relative_to(self.shelves):
            return arguments
        place = Path(arguments)
        there = [] if writes else _all_of(place)
        box = (self.inbox if there else self.outbox) / token_hex(4)
        box.mkdir()
        for each in there:
            _copy(each, box / each.name)
        if not there:
            self._expected.append((box, place))
        return str(box / place.name)

    def collect(self) -> None:
        """Take out what the process wrote."""
        while self._expected:
            box, place = self._expected.pop()
            for each in _all_of(box / place.name):
                with suppress(OSError):  # it may change as we look at it
                    _copy(each, place.with_name(each.name))

    def remove(self) -> None:
        """Remove it; what resists goes with the workspace."""
        with suppress(OSError):
            delete_folder(self.folder)


class RoomWorker(ChannelWorker):
    """A worker in a room of its own, which is gone when it is closed."""

    def __init__(
        self,
        command: Command,
        spec: Mapping[str, Any],
        room: Room,
        template: Template | None = None,
        padding: int = 0,
    ) -> None:
        """As `ChannelWorker`."""
        self._room = room
        try:
            super().__init__(command, spec, template, padding)
        except BaseException:
            room.remove()
            raise

    def send(self, op: str, **arguments: Any) -> None:
        """Post a request, with paths of results exchanged."""
        makes = op in ("store", "describe")
        lent = {name: self._room.lend(each, writes=makes and name == "path") for name, each in arguments.items()}
        super().send(op, **lent)

    def wait(self, timeout_s: float, expected_s: float | None = None, then: Callable[[], None] | None = None) -> Reply:
        """The answer; what was stored lies in its place then."""
        reply = super().wait(timeout_s, expected_s, then)
        self._room.collect()
        return reply

    def close(self) -> Execution:
        """End it, and clear its room."""
        try:
            return super().close()
        finally:
            self._room.remove()


def _all_of(place: Path) -> list[Path]:
    """The result at ``place`` and what belongs to it: scripts take the path for a prefix, too."""
    with suppress(OSError):
        return sorted(each for each in place.parent.iterdir() if each.name.startswith(place.name))
    return []


def _copy(source: Path, target: Path) -> None:
    """Copy a regular file, or a folder of such; anything else is left out."""
    mode = source.lstat().st_mode
    if S_ISDIR(mode):
        target.mkdir(exist_ok=True)
        for each in source.iterdir():
            _copy(each, target / each.name)
    elif S_ISREG(mode):
        with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as old:  # noqa: PTH123
            target.unlink(missing_ok=True)
            with target.open("xb") as new:
                shutil.copyfileobj(old, new)
