"""A process that has imported what all sides share, and forks a worker for each of them."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pytest_perfagents.model import Execution
from pytest_perfagents.processes.process import Child, Command

ANSWER_S = 10.0
MESSAGE_BYTES = 1 << 20


class TemplateGone(Exception):  # noqa: N818
    """The template died, does not answer, or cannot be forked safely; workers can still be started without it."""


class Template:
    """Started like a worker (``worker/forking.py``, mode ``template``). Whoever makes one closes it, in a ``finally``.

    ``modules`` are imported in this order; what cannot be imported is left to the workers.
    """

    def __init__(self, command: Command, modules: Sequence[str]) -> None:
        """Wait until all is imported, at most ``command.timeout_s``. Raises TemplateGone."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            spec = {"mode": "template", "control_fd": theirs.fileno(), "parent": os.getpid()}
            self._child = Child(
                replace(command, argv=(*command.argv, json.dumps(spec))), channel=False, pass_fds=(theirs.fileno(),)
            )
        try:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_BYTES)
            told = self._ask({"modules": list(modules)}, command.timeout_s)
            if told.get("threads") != 1:
                raise TemplateGone(f"what all sides import starts threads, {told.get('threads')} in all")
            if told.get("shared"):
                raise TemplateGone(f"what all sides import has memory that forks would share: {told['shared'][0]}")
        except BaseException:
            self.close()
            raise

    def fork(self, spec: Mapping[str, Any], env: Mapping[str, str], cwd: Path, padding: int) -> Forked:
        """A new worker with pipes of its own. Raises TemplateGone."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
        ours = (pipes[0][1], pipes[1][0], pipes[2][0])
        request = {"spec": spec, "env": dict(env), "cwd": str(cwd), "padding": padding}
        try:
            told = self._ask(request, ANSWER_S, theirs)
        except BaseException:
            for end in ours:
                os.close(end)
            raise
        finally:
            for end in theirs:
                os.close(end)
        return Forked(self, int(told["pid"]), ours)

    def reap(self, pid: int) -> int:
        """The exit code of a fork that has ended, as Popen has it: negative for a signal."""
        try:
            return int(self._ask({"reap": pid}, ANSWER_S)["code"])
        except TemplateGone:
            return -9

    def close(self) -> Execution:
        """End it, and with it what it forked."""
        self._socket.close()
        return self._child.end()

    def _ask(self, request: Mapping[str, Any], timeout_s: float, pass_fds: Sequence[int] = ()) -> dict[str, Any]:
        try:
            self._socket.settimeout(timeout_s)
            socket.send_fds(self._socket, [json.dumps(request).encode()], list(pass_fds))
            answer = json.loads(self._socket.recv(MESSAGE_BYTES))
        except (OSError, ValueError) as error:
            raise TemplateGone(f"the template process does not answer: {error or type(error).__name__}") from None
        return answer if isinstance(answer, dict) else {}


class Forked:
    """A process that a template forked; offers what `Child` uses of ``subprocess.Popen``."""

    def __init__(self, template: Template, pid: int, pipes: tuple[int, int, int]) -> None:
        self._template = template
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = os.fdopen(pipes[0], "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(pipes[1], "rb", buffering=0)
        self.stderr: IO[bytes] | None = os.fdopen(pipes[2], "rb", buffering=0)
        self._pidfd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and let the template reap it. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            self.returncode = self._template.reap(self.pid)
            os.close(self._pidfd)
        return self.returncode
