"""A script that runs to its end in one process of ``worker.py``, which reports over a private descriptor."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any

from pytest_perfagents.backends.base import ProgramRun
from pytest_perfagents.processes.process import Command, run

REPORT_BYTES = 64 * 1024 * 1024


def run_once(command: Command, spec: Mapping[str, Any]) -> ProgramRun:
    """Run ``command`` with the spec (mode ``program`` or ``run_test``) as its last argument.

    The report goes to a file without a name, so that neither side ever waits for the other. In the
    execution stands the command as a person would type it.
    """
    with tempfile.TemporaryFile() as file:
        nonce = token_hex(8)
        full = json.dumps({**spec, "id": nonce, "report_fd": file.fileno()})
        execution = run(
            replace(command, argv=(*command.argv, full)),
            pass_fds=(file.fileno(),),
        )
        file.seek(0)
        report = _report(file.read(REPORT_BYTES), nonce)
    arguments = spec["arguments"] if isinstance(spec["arguments"], list) else []
    return ProgramRun(
        replace(execution, command=(command.argv[0], spec["script"], *arguments)),
        report.get("modules") or {},
        report.get("targets") or {},
        report.get("error"),
        report.get("returned"),
        confined=report.get("confined"),
        intact=report.get("intact") or {},
    )


def _report(data: bytes, nonce: str) -> dict[str, Any]:
    """The report among whatever else was written there; empty where there is none."""
    for line in reversed(data.splitlines()):
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(report, dict) and report.get("id") == nonce:
            return report
    return {}
