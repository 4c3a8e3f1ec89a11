"""Looking over the shoulder of a start: when each turn was asked for and answered, without touching the protocol."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_perfagents.backends.base import Reply, Worker, Workspace


@dataclass(slots=True)
class Tap:
    """Per turn: when it was asked for, when the answer was there, and the seconds that passed inside the script."""

    turns: list[tuple[float, float, float]] = field(default_factory=list)

    def timed(self, count: int) -> tuple[float, float]:
        """``(elapsed, inside)`` seconds from the question to the first of the last ``count`` turns to the last answer.

        ``inside`` is spent in ``experiment()`` and ``setup()``; the rest is the harness's: pipe, JSON, bookkeeping on
        either side. Raises ValueError where there were fewer turns.
        """
        if not 0 < count <= len(self.turns):
            raise ValueError(f"{count} turns are asked for, and {len(self.turns)} were seen")
        turns = self.turns[-count:]
        return turns[-1][1] - turns[0][0], sum(inside for _, _, inside in turns)


class TappedWorker:
    """A worker whose turns are noted."""

    def __init__(self, worker: Worker, tap: Tap) -> None:
        self._worker, self._tap = worker, tap
        self._op, self._began = "", 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)

    def send(self, op: str, **arguments: Any) -> None:
        """Post, and note when."""
        self._op, self._began = op, time.perf_counter()
        self._worker.send(op, **arguments)

    def wait(self, timeout_s: float, expected_s: float | None = None, then: Callable[[], None] | None = None) -> Reply:
        """The answer, and a note of it where it is a turn's."""
        reply = self._worker.wait(timeout_s, expected_s, then)
        if self._op == "turn" and reply.ok:
            inside_s = (reply.value["wall_ns"] + reply.value["setup_ns"]) / 1e9
            self._tap.turns.append((self._began, time.perf_counter(), inside_s))
        return reply

    def request(self, op: str, timeout_s: float, **arguments: Any) -> Reply:
        """Both, as a worker does it."""
        self.send(op, **arguments)
        return self.wait(timeout_s)


class TappedWorkspace:
    """A workspace whose workers are tapped."""

    def __init__(self, workspace: Workspace, tap: Tap) -> None:
        self._workspace, self._tap = workspace, tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)

    def start_worker(self, **how: Any) -> TappedWorker:
        """A tapped worker."""
        return TappedWorker(self._workspace.start_worker(**how), self._tap)
