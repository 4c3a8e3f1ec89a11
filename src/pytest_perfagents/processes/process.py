"""The only place that starts measured code: own session, deadline, bounded output, no survivors."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import IO, Any
from typing import Protocol as TypingProtocol

import psutil

from pytest_perfagents.model import Ending, Execution
from pytest_perfagents.processes import orphans
from pytest_perfagents.processes.capture import Capture
from pytest_perfagents.processes.company import cpu_of, open_run_delay, read_run_delay

AWAKE_S = 0.002
GRACE_S = 2.0
LINE_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, where, with which environment (the whole of it), and for how long."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout_s: float


class Process(TypingProtocol):
    """What a `Child` needs of a ``subprocess.Popen``."""

    pid: int
    returncode: Any
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and reap it; raises subprocess.TimeoutExpired."""
        ...


Spawn = Callable[[Mapping[str, str]], Process]
"""Starts a process in another way than by exec; gets the environment that it is to have."""


class ChannelClosed(Exception):  # noqa: N818
    """The child hung up: it died, or closed its end."""


def run(command: Command, *, pass_fds: Sequence[int] = (), grace_s: float = GRACE_S) -> Execution:
    """Run a command to its end, or to its timeout; nothing that it started survives, not on Ctrl-C either."""
    child = Child(command, channel=False, pass_fds=pass_fds, grace_s=grace_s)
    try:
        ended = child.wait(command.timeout_s)
        return child.end(timed_out=not ended)
    finally:
        child.end()


class Child:
    """A started process. Whoever makes one ends it, in a ``finally``.

    With ``channel`` its stdin and stdout are a private line channel (`send`, `receive`); without, stdin is
    empty and stdout is captured. stderr is captured. ``spawn`` may start it (with a channel). A program that cannot be
    started is one that ended: ``NOT_STARTED``.
    """

    def __init__(
        self,
        command: Command,
        *,
        channel: bool = True,
        pass_fds: Sequence[int] = (),
        grace_s: float = GRACE_S,
        spawn: Spawn | None = None,
    ) -> None:
        self.command = command
        self._grace_s = grace_s
        self._marker = token_hex(8)
        self._execution: Execution | None = None
        self._family: list[psutil.Process] = []
        self._pidfd: int | None = None
        self._run_delay: int | None = None
        self._buffer = bytearray()
        self._capture = Capture()
        self._ended_at: float | None = None
        self._began = time.perf_counter()
        self._process = self._start(channel, pass_fds) if spawn is None else spawn(self._environment())
        try:
            self._attach(channel)
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process's id; 0 where it was not started."""
        return self._process.pid if self._process is not None else 0

    @property
    def started(self) -> bool:
        """Whether there ever was a process."""
        return self._process is not None

    def send(self, line: str, deadline: float) -> None:
        """Write a line; raises ChannelClosed, and TimeoutError past the deadline (of ``time.monotonic``)."""
        if self._process is None or self._process.stdin is None or self._execution is not None:
            raise ChannelClosed
        pipe, data = self._process.stdin.fileno(), memoryview(line.encode() + b"\n")
        while data:
            try:
                data = data[os.write(pipe, data) :]
            except BlockingIOError:
                self._poll(deadline, pipe, select.POLLOUT)
            except OSError:
                raise ChannelClosed from None
            if data and time.monotonic() >= deadline:
                raise TimeoutError

    def receive(self, deadline: float, awake_at: float | None = None) -> str:
        """The next line; raises ChannelClosed, and TimeoutError past the deadline (of ``time.monotonic``).

        Around ``awake_at`` it asks again and again instead of sleeping.
        """
        if self._process is None or self._process.stdout is None or self._execution is not None:
            raise ChannelClosed
        pipe, searched = self._process.stdout.fileno(), 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE_LIMIT:
                raise ChannelClosed
            self._read_more(pipe, deadline, awake_at)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode("utf-8", "replace")

    def wait(self, timeout_s: float) -> bool:
        """Whether the process ended within this time; does not reap it, so that its number stays ours."""
        deadline = time.monotonic() + timeout_s
        while not self._has_ended and time.monotonic() < deadline:
            self._poll(deadline)
        if not self._has_ended:
            self._poll(0.0)
        return self._has_ended

    def end(self, *, timed_out: bool = False, grace_s: float | None = None, note: str = "") -> Execution:
        """TERM, grace, KILL to the group, then KILL to whatever left the group; may be called again.

        ``note`` is added to stderr: what the harness knows of the end.
        """
        if self._execution is None:
            self._execution = self._end(timed_out, self._grace_s if grace_s is None else grace_s, note)
        return self._execution

    @property
    def _has_ended(self) -> bool:
        return self._process is None or self._ended_at is not None

    def _start(self, channel: bool, pass_fds: Sequence[int]) -> Process | None:
        command = self.command
        try:
            return subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=self._environment(),
                stdin=subprocess.PIPE if channel else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except (OSError, ValueError) as error:
            message = f"{command.argv[0]} could not be started in {command.cwd}: {error}"
            duration_s = time.perf_counter() - self._began
            self._execution = Execution(command.argv, Ending.NOT_STARTED, None, "", message, duration_s)
            return None
        except BaseException:  # Ctrl-C between fork and return: there is no handle, so go by the marker
            orphans.kill_marked(orphans.CHILD_MARKER, self._marker)
            raise

    def _environment(self) -> dict[str, str]:
        return {**self.command.env, orphans.CHILD_MARKER: self._marker}

    def _attach(self, channel: bool) -> None:
        process = self._process
        if process is None:
            return
        with suppress(AttributeError, OSError):  # not Linux
            self._pidfd = os.pidfd_open(process.pid)
        self._run_delay = open_run_delay(process.pid)
        assert process.stdout is not None
        assert process.stderr is not None
        captured = {"stderr": process.stderr.fileno()}
        if channel:
            assert process.stdin is not None
            os.set_blocking(process.stdin.fileno(), False)
            os.set_blocking(process.stdout.fileno(), False)
        else:
            captured["stdout"] = process.stdout.fileno()
        self._capture.start(captured)

    def _read_more(self, pipe: int, deadline: float, awake_at: float | None) -> None:
        """Wait for bytes, or for the end of the process: a child of its own may hold the pipe open."""
        while True:
            had_ended = self._has_ended
            try:
                chunk = os.read(pipe, 1 << 16)
            except BlockingIOError:
                if had_ended:  # and there are no last words in the pipe
                    raise ChannelClosed from None
                if time.monotonic() >= deadline:
                    raise TimeoutError from None
                if awake_at is None or time.monotonic() > awake_at + AWAKE_S:
                    self._poll(deadline, pipe)
                elif time.monotonic() < awake_at - AWAKE_S:
                    self._poll(min(deadline, awake_at - AWAKE_S), pipe)
                continue
            if not chunk:
                raise ChannelClosed
            self._buffer += chunk
            return

    def _poll(self, deadline: float, pipe: int | None = None, event: int = select.POLLIN) -> None:
        """Sleep until the process has ended, the pipe is ready or the deadline is over."""
        assert self._process is not None
        waiting = select.poll()
        if pipe is not None:
            waiting.register(pipe, event)
        if self._pidfd is not None and self._ended_at is None:
            waiting.register(self._pidfd, select.POLLIN)
        left_s = max(0.0, deadline - time.monotonic())
        ready = dict(waiting.poll((left_s if self._pidfd is not None else min(left_s, 0.005)) * 1000))
        if self._ended_at is None and (
            self._pidfd in ready if self._pidfd is not None else self._process.poll() is not None
        ):
            self._ended_at = time.perf_counter()

    def run_delay_s(self) -> float | None:
        """Seconds for which its main thread could run and had no core; None where the kernel does not tell."""
        return read_run_delay(self._run_delay)

    def remember_family(self) -> None:
        """Note who descends from it, before it may go: a child in a session of its own is not found afterwards."""
        if self._process is not None and self._process.returncode is None:
            self._family = orphans.descendants(self._process.pid)

    def _end(self, timed_out: bool, grace_s: float, note: str) -> Execution:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + grace_s
        family: list[psutil.Process] = []
        try:
            family = self._family + ([] if self.wait(0) else orphans.descendants(process.pid))
            self._signal(signal.SIGTERM)
            self.wait(grace_s)
            orphans.await_gone(self._relatives(family), deadline)
        finally:  # also when Ctrl-C cuts the grace short
            self._signal(signal.SIGKILL)
            self.wait(orphans.GONE_S)
            orphans.kill_all(self._relatives(family))
            orphans.kill_marked(orphans.CHILD_MARKER, self._marker)
            cpu_s, ready_s = cpu_of(process.pid), self.run_delay_s()  # while it is not reaped
            with suppress(subprocess.TimeoutExpired):
                process.wait(orphans.GONE_S)
            texts = self._capture.finish()
            self._close()
        return replace(self._judge(process, timed_out, texts, note), cpu_s=cpu_s, ready_s=ready_s)

    def _relatives(self, family: list[psutil.Process]) -> list[psutil.Process]:
        """Who else is alive: known descendants and all with the marker; the leader is not among them."""
        assert self._process is not None
        known = {each.pid: each for each in family if orphans.is_alive(each)}
        for each in orphans.find_marked(orphans.CHILD_MARKER, self._marker):
            known.setdefault(each.pid, each)
        known.pop(self._process.pid, None)
        return list(known.values())

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.returncode is None:  # not reaped: the number of the group is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _close(self) -> None:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        for descriptor in (self._pidfd, self._run_delay):
            if descriptor is not None:
                os.close(descriptor)
        self._pidfd = self._run_delay = None

    def _judge(self, process: Process, timed_out: bool, texts: Mapping[str, str], note: str) -> Execution:
        code = process.returncode if process.returncode is not None else -signal.SIGKILL
        ending = Ending.TIMED_OUT if timed_out else Ending.SIGNALED if code < 0 else Ending.EXITED
        stderr = texts.get("stderr", "")
        if note:
            stderr = f"{stderr.rstrip()}\n[perfagents] {note}".lstrip()
        return Execution(
            self.command.argv,
            ending,
            None if timed_out else abs(code),
            texts.get("stdout", ""),
            stderr,
            (self._ended_at or time.perf_counter()) - self._began,
        )
