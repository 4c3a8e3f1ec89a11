"""One look at each side before any timing: does it import, is it the workspace's code, is its result right?

A probe is cheap beside a measurement and most runs end here, so everything that can fail is tried once, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_perfagents.backends.base import Reply, Worker, WorkerEnded, Workspace
from pytest_perfagents.measurement.arena import Patience, Trouble, error_in
from pytest_perfagents.model import Stage

PROBE_HASH_SEED = 1
LONG_CALL_S = 5.0
DRIVEN_STYLES = ("driven", "benchmark")


@dataclass(frozen=True, slots=True)
class Probe:
    """What one side showed in one process. Seconds; ``call_s`` is of a call after the first."""

    style: str
    startup_s: float = 0.0
    first_s: float = 0.0
    call_s: float = 0.0
    setup_s: float = 0.0
    modules: Mapping[str, str | None] | None = None
    targets: Mapping[str, Mapping[str, Any]] | None = None
    equal: bool | None = None
    message: str = ""


@dataclass(slots=True)
class _Conversation:
    """A worker that is asked things in turn; a refusal or a death becomes Trouble."""

    worker: Worker
    patience: Patience

    def ask(self, op: str, stage: Stage, **arguments: Any) -> Reply:
        try:
            reply = self.worker.request(op, self.patience.left_s, **arguments)
        except WorkerEnded as end:
            raise Trouble(stage, execution=end.execution) from None
        error = error_in(reply)
        if error is not None:
            raise Trouble(stage, error=error, execution=self.worker.close())
        return reply


def probe(
    workspace: Workspace,
    script: Path,
    *,
    reference: Path,
    is_reference: bool,
    patience: Patience,
) -> Probe:
    """Load the script, call its experiment, see what was loaded, and store (baseline) or check (others) the result.

    A side that is itself the reference checks its own result too: a check that refuses that proves nothing about
    others, so ``equal`` is False there and nobody is accused. A script that is no driven one is only recognised.
    Raises Trouble.
    """
    began = patience.clock()
    worker = _start(workspace)
    try:
        ask = _Conversation(worker, patience).ask
        loaded = ask("load", Stage.IMPORT, script=str(script)).value
        startup_s = patience.clock() - began
        if loaded["style"] not in DRIVEN_STYLES:
            return Probe(loaded["style"], startup_s)
        first = ask("turn", Stage.RUN, iterations=1, setup=True).value
        later = first
        if first["wall_ns"] / 1e9 < LONG_CALL_S:
            later = ask("turn", Stage.RUN, iterations=1, setup=False).value
        seen = ask("modules", Stage.CHECK).value
        equal, message = _verify(ask, reference, is_reference)
    finally:
        worker.close()
    return Probe(
        loaded["style"],
        startup_s,
        first["wall_ns"] / 1e9,
        later["wall_ns"] / 1e9,
        first["setup_ns"] / 1e9,
        seen["modules"],
        seen["targets"],
        equal,
        message,
    )


def trace(
    workspace: Workspace, script: Path, added: Mapping[str, Sequence[int]], patience: Patience
) -> Mapping[str, Mapping[str, list[int]]]:
    """Which ``added`` lines hold code (``executable``), and ran at ``import``, in ``setup``, in the ``call``.

    In a process of its own, since tracing slows code down; a timeout here says nothing about the patch. Raises Trouble.
    """
    worker = _start(workspace)
    try:
        ask = _Conversation(worker, patience).ask
        ask("trace", Stage.CHECK, files={path: list(lines) for path, lines in added.items()})
        ask("load", Stage.CHECK, script=str(script))
        ask("turn", Stage.CHECK, iterations=1, setup=True)
        return ask("traced", Stage.CHECK).value
    finally:
        worker.close()


def _start(workspace: Workspace) -> Worker:
    try:
        return workspace.start_worker(seed=PROBE_HASH_SEED, padding=0)
    except WorkerEnded as end:
        raise Trouble(Stage.IMPORT, execution=end.execution) from None


def _verify(ask: Any, reference: Path, is_reference: bool) -> tuple[bool | None, str]:
    """What the script's own check says; an exception that comes out of it is a no."""
    try:
        if is_reference:
            stored = ask("store", Stage.VERIFY, path=str(reference)).value
            if not stored.get("stored", True):
                return None, str(stored.get("message") or "")
        elif not reference.exists():
            return None, "the baseline stored no reference"
        checked = ask("check", Stage.VERIFY, path=str(reference)).value
    except Trouble as trouble:
        if trouble.error is None:
            raise
        return False, f"{trouble.error.get('type')}: {trouble.error.get('message')}"
    return checked.get("equal"), str(checked.get("message") or "")
