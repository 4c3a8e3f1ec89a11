"""Read what processes print without ever blocking them, and keep its head and its tail."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Mapping
from contextlib import suppress

HEAD_BYTES = 64 * 1024
TAIL_BYTES = 256 * 1024
LAST_WORDS_S = 0.5


class BoundedText:
    """The first and the last bytes of a stream, and how many were left out between them."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._limits = head_bytes, tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        head_bytes, tail_bytes = self._limits
        room = head_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * tail_bytes:
            self._trim()

    def text(self) -> str:
        """All of a short stream; of a long one its head, a note of what was left out, and its tail."""
        self._trim()
        note = b"\n[... %d bytes left out ...]\n" % self._left_out if self._left_out else b""
        return bytes(self._head + note + self._tail).decode("utf-8", "replace")

    def _trim(self) -> None:
        excess = len(self._tail) - self._limits[1]
        if excess > 0:
            self._left_out += excess
            del self._tail[:excess]


class Capture:
    """A thread that drains pipes until they end, or until it is told that nobody will write any more.

    The pipe of a process that is gone can stay open in a grandchild, so the end of the pipe is not waited
    for long.
    """

    def __init__(self) -> None:
        self._streams: dict[int, tuple[str, BoundedText]] = {}
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None

    def start(self, pipes: Mapping[str, int]) -> None:
        """Drain these descriptors, each under its name."""
        self._streams = {pipe: (name, BoundedText()) for name, pipe in pipes.items()}
        for pipe in self._streams:
            os.set_blocking(pipe, False)
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._drain, name="perfagents-capture", daemon=True)
        self._thread.start()

    def finish(self) -> dict[str, str]:
        """What was read, by name; stops the thread. The descriptors are the caller's to close."""
        if self._thread is not None and self._wake is not None:
            self._thread.join(LAST_WORDS_S)
            os.close(self._wake[1])
            self._thread.join()
            os.close(self._wake[0])
            self._thread = self._wake = None
        return {name: text.text() for name, text in self._streams.values()}

    def _drain(self) -> None:
        assert self._wake is not None
        waiting, told = select.poll(), self._wake[0]
        waiting.register(told, select.POLLIN)
        open_pipes = set(self._streams)
        for pipe in open_pipes:
            waiting.register(pipe, select.POLLIN)
        while open_pipes:
            ready = [pipe for pipe, _ in waiting.poll()]
            for pipe in open_pipes.intersection(ready):
                if self._read(pipe) is None:
                    open_pipes.remove(pipe)
                    waiting.unregister(pipe)
            if told in ready:
                for pipe in open_pipes:
                    while self._read(pipe):
                        pass
                return

    def _read(self, pipe: int) -> int | None:
        """How many bytes there were; None at the end of the stream."""
        data = None
        with suppress(BlockingIOError):
            data = os.read(pipe, 1 << 16)
        if data is None:
            return 0
        self._streams[pipe][1].add(data)
        return len(data) or None
