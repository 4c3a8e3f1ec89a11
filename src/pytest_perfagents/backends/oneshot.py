"""A script that runs to its end in one process of the worker, which reports over a private descriptor."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from typing import Any

from pytest_perfagents.backends.base import ProgramRun
from pytest_perfagents.processes.process import Command, run

REPORT_BYTES = 64 * 1024 * 1024


def run_once(command: Command, spec: Mapping[str, Any]) -> ProgramRun:
    """Run ``command`` with the spec (mode ``program`` or ``run_test``) as its last argument.

    The report goes to a file without a name, so that neither side ever waits for the other. It counts under a name
    that its writer reads from a pipe before the script runs. In the execution stands the command as a person would
    type it.
    """
    with tempfile.TemporaryFile() as file, _pipe_with(token_hex(8)) as (name, name_fd):
        full = json.dumps({**spec, "report_fd": file.fileno(), "name_fd": name_fd})
        began_s = time.perf_counter()
        execution = run(replace(command, argv=(*command.argv, full)), pass_fds=(file.fileno(), name_fd))
        file.seek(0)
        report = _report(file.read(REPORT_BYTES), name)
    arguments = spec["arguments"] if isinstance(spec["arguments"], list) else []
    return ProgramRun(
        replace(execution, command=(command.argv[0], spec["script"], *arguments)),
        report.get("modules") or {},
        report.get("targets") or {},
        report.get("error"),
        report.get("returned"),
        confined=report.get("confined"),
        intact=report.get("intact") or {},
        after_s=_after(report, "wall_ns", began_s, execution.duration_s),
        after_cpu_s=_after(report, "cpu_ns", 0.0, execution.cpu_s),
        calls=report.get("calls") or {},
    )


def _after(report: Mapping[str, Any], clock: str, began_s: float, taken_s: float | None) -> float:
    """Seconds from the script's end, by the process's own word, to that of the process; 0 where it says none."""
    ended = report.get("ended")
    ended_ns = ended.get(clock) if isinstance(ended, dict) else None
    if taken_s is None or not isinstance(ended_ns, int):
        return 0.0
    return min(max(0.0, taken_s - (ended_ns / 1e9 - began_s)), taken_s)


@contextmanager
def _pipe_with(name: str) -> Iterator[tuple[str, int]]:
    """The name, and where it can be read once."""
    reader, writer = os.pipe()
    try:
        os.write(writer, name.encode("ascii"))
        os.close(writer)
        yield name, reader
    finally:
        os.close(reader)


def _report(data: bytes, name: str) -> dict[str, Any]:
    """The report among whatever else was written there; empty where there is none."""
    for line in reversed(data.splitlines()):
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(report, dict) and report.get("id") == name:
            return report
    return {}
