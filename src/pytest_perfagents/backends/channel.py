"""A worker at the other end of a child's channel: JSON lines, and clocks read from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any

from pytest_perfagents.backends.base import Company, Reply, WorkerEnded
from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.model import Ending, Execution
from pytest_perfagents.processes import company
from pytest_perfagents.processes.placing import put
from pytest_perfagents.processes.process import ChannelClosed, Child, Command
from pytest_perfagents.processes.template import Template, TemplateGone

EXIT_S = 2.0
SEND_S = 10.0


class ChannelWorker:
    """A worker in a process of ours. A reply counts only with the request's unguessable id in it."""

    def __init__(
        self, command: Command, spec: Mapping[str, Any], template: Template | None = None, padding: int = 0
    ) -> None:
        """Start ``command`` with the spec as its last argument, or fork a ``template``; nobody waits for it here.

        ``command.timeout_s`` is for the greeting. Raises WorkerEnded where the template is gone.
        """
        self._id = self._greeting_id = token_hex(8)
        self._op = "start"
        self._greeting_s = command.timeout_s
        self._hello: Mapping[str, Any] | None = None
        self._closed: Execution | None = None
        self._wall_s = time.perf_counter()
        self._cpu_s: float | None = None
        self._ready_s: float | None = None
        full = {**spec, "mode": "serve", "id": self._id}
        if template is None:
            self._child = Child(replace(command, argv=(*command.argv, json.dumps(full))))
        else:
            self._child = _forked(template, command, full, padding)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    @property
    def hello(self) -> Mapping[str, Any]:
        """What it said of itself; waits for it. Raises WorkerEnded."""
        if self._hello is None:
            answer, _ = self._answer("start", self._greeting_id, self._greeting_s)
            self._hello = answer["value"] if isinstance(answer.get("value"), dict) else {}
        return self._hello

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self._closed is not None

    def put(self, place: Place) -> Mapping[str, Any]:
        """Move it to CPUs and a priority."""
        return put(self._child.pid, place) if self._closed is None and self._child.pid else {}

    def cpu_s(self) -> float | None:
        """CPU time of all the process's threads, by its clock as the kernel keeps it (Linux)."""
        return None if self._closed is not None or not self._child.pid else company.cpu_of(self._child.pid)

    def company(self) -> Company:
        """Its threads and the processes below it, as the kernel counts them (Linux)."""
        if self._closed is not None or not self._child.pid:
            return Company()
        threads = company.threads_of(self._child.pid)
        below = company.cpu_below(self._child.pid, threads)
        return Company(len(threads), below, company.reaped_of(self._child.pid))

    def request(self, op: str, timeout_s: float, **arguments: Any) -> Reply:
        """Post a request and wait for its answer."""
        self.send(op, **arguments)
        return self.wait(timeout_s)

    def send(self, op: str, **arguments: Any) -> None:
        """Post a request; that nobody reads it is found by `wait`."""
        self._op, self._id = op, token_hex(8)
        line = json.dumps({"id": self._id, "op": op, "arguments": arguments})
        self._cpu_s, self._ready_s = self.cpu_s(), self._child.run_delay_s()
        self._wall_s = time.perf_counter()
        with suppress(ChannelClosed, TimeoutError):
            self._child.send(line, time.monotonic() + SEND_S)

    def wait(self, timeout_s: float, expected_s: float | None = None, then: Callable[[], None] | None = None) -> Reply:
        """The answer to the request posted last."""
        _ = self.hello
        passed_s = time.perf_counter() - self._wall_s
        awake_at = None if expected_s is None else time.monotonic() + expected_s - passed_s
        answer, wall_s = self._answer(self._op, self._id, timeout_s, awake_at)
        if then is not None:
            then()
        now = self.cpu_s()
        cpu_s = None if now is None or self._cpu_s is None else now - self._cpu_s
        delay_s = self._child.run_delay_s()
        ready_s = None if delay_s is None or self._ready_s is None else delay_s - self._ready_s
        value, error = answer.get("value"), answer.get("error")
        return Reply(
            answer["ok"] is True,
            value if isinstance(value, dict) else {},
            error if isinstance(error, dict) else None,
            wall_s,
            cpu_s,
            ready_s,
        )

    def close(self) -> Execution:
        """Ask it to exit, end what is left."""
        if self._closed is None:
            try:
                self._child.remember_family()
                self.send("exit")
                self._child.wait(EXIT_S)
            finally:
                self._closed = self._child.end()
        return self._closed

    def _answer(
        self, op: str, request_id: str, timeout_s: float, awake_at: float | None = None
    ) -> tuple[dict[str, Any], float]:
        """The answer to a request and when it was there, in seconds after the last request."""
        if self._closed is not None:
            raise WorkerEnded(self._closed, op)
        deadline = time.monotonic() + timeout_s
        try:
            answer = None
            while answer is None:
                line = self._child.receive(deadline, awake_at)
                wall_s = time.perf_counter() - self._wall_s
                answer = _read(line, request_id)
                if answer is None and time.monotonic() >= deadline:
                    raise TimeoutError
        except TimeoutError:
            self._closed = self._child.end(timed_out=True, note=f"no answer to {op} in {timeout_s:.3g} s")
            raise WorkerEnded(self._closed, op) from None
        except ChannelClosed:
            note = "" if self._child.wait(EXIT_S) else f"it closed its channel during {op} and was ended"
            self._closed = self._child.end(note=note)
            raise WorkerEnded(self._closed, op) from None
        return answer, wall_s


def _read(line: str, request_id: str) -> dict[str, Any] | None:
    """The line as an answer to the request; None if it is anything else."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.get("id") == request_id and "ok" in answer else None


def _forked(template: Template, command: Command, spec: Mapping[str, Any], padding: int) -> Child:
    try:
        return Child(command, spawn=lambda env: template.fork(spec, env, command.cwd, padding))
    except TemplateGone as gone:
        raise WorkerEnded(Execution(command.argv, Ending.NOT_STARTED, None, "", str(gone), 0.0), "start") from None
