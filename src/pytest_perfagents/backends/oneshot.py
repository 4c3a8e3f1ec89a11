"""A script that runs to its end in one process of the worker, which reports over a private socket."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any

from pytest_perfagents.backends.base import ProgramRun
from pytest_perfagents.model import Execution
from pytest_perfagents.processes.process import Command, run

REPORT_BYTES = 64 * 1024 * 1024


def run_once(command: Command, spec: Mapping[str, Any]) -> ProgramRun:
    """Run ``command`` with the spec (mode ``program`` or ``run_test``) as its last argument.

    The report counts under a name that its writer reads from a pipe before the script runs, and that stands in the
    output where the script's own ends. What the process took is said by its keeper, which runs no foreign code. In the
    execution stands the command as a person would type it.
    """
    name = token_hex(16)
    with _pipe_with(name) as name_fd, Inbox() as reports, Inbox() as keeper:
        full = {**spec, "report_fd": reports.theirs, "name_fd": name_fd, "keeper_fd": keeper.theirs}
        argv = (*command.argv, json.dumps(full))
        execution = run(replace(command, argv=argv), pass_fds=(reports.theirs, name_fd, keeper.theirs))
        found = _reports(reports.finish(), name)
        kept = next(iter(_objects(keeper.finish())), {})
    report, whole = found[0] if found and kept else {}, _as_kept(execution, kept)
    arguments = spec["arguments"] if isinstance(spec["arguments"], list) else []
    before, mark, late = execution.stdout.partition(name)
    typed = (command.argv[0], spec["script"], *arguments)
    return ProgramRun(
        replace(whole, command=typed, stdout=before + late),
        report.get("modules") or {},
        report.get("targets") or {},
        report.get("error"),
        report.get("returned"),
        confined=report.get("confined"),
        intact=report.get("intact") or {},
        after_s=_after(report, "wall_ns", kept.get("began_s", 0.0), whole.duration_s),
        after_cpu_s=_after(report, "cpu_ns", 0.0, whole.cpu_s),
        calls=report.get("calls") or {},
        left=tuple(report.get("left") or ()),
        late=late if mark else None,
        reports=len(found),
        left_behind=kept.get("left_behind", 0),
    )


def _after(report: Mapping[str, Any], clock: str, began_s: float, taken_s: float | None) -> float:
    """Seconds from the script's end, by the process's own word, to that of the process; 0 where it says none."""
    ended = report.get("ended")
    ended_ns = ended.get(clock) if isinstance(ended, dict) else None
    if taken_s is None or not isinstance(ended_ns, int):
        return 0.0
    return min(max(0.0, taken_s - (ended_ns / 1e9 - began_s)), taken_s)


def _as_kept(execution: Execution, kept: Mapping[str, Any]) -> Execution:
    """The script's own process, and not its keeper, which starts before and waits for what that leaves behind."""
    duration_s = kept.get("wall_s", execution.duration_s)
    return replace(execution, duration_s=duration_s, cpu_s=kept.get("cpu_s"), ready_s=kept.get("ready_s"))


class Inbox:
    """A socket that others write to and we read, in a thread, so that neither side ever waits for the other.

    Nobody who has their end, ``theirs``, reads from it, or opens it once more as can be done with files and pipes.
    """

    def __init__(self) -> None:
        self._ours, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ours.shutdown(socket.SHUT_WR)
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, name="perfagents-inbox", daemon=True)

    @property
    def theirs(self) -> int:
        """The descriptor to write to."""
        return self._writer.fileno()

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self._ours.close()

    def finish(self) -> bytes:
        """All that was written until now; from here on nothing can be."""
        self._writer.close()
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RD)
        self._thread.join()
        return bytes(self._data)

    def _read(self) -> None:
        while chunk := self._ours.recv(1 << 16):
            self._data += chunk[: REPORT_BYTES - len(self._data)]


@contextmanager
def _pipe_with(name: str) -> Iterator[int]:
    """Where the name can be read once."""
    reader, writer = os.pipe()
    try:
        os.write(writer, name.encode("ascii"))
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _reports(data: bytes, name: str) -> list[dict[str, Any]]:
    """The reports under the name, among whatever else was written there."""
    return [each for each in _objects(data) if each.get("id") == name]


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value
