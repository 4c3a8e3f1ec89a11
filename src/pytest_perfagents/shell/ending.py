"""SIGTERM and SIGHUP end a session as Ctrl-C does: what it made is removed, and what was measured is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ending:
    """As long as a session has runs, and where nobody else handles these signals."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Callable[..., Any] | int | None] = {}

    def pytest_configure(self) -> None:
        """Handlers belong to a process's main thread; who runs pytest in another one keeps his own."""
        if threading.current_thread() is threading.main_thread():
            unhandled = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
            self._before = {number: signal.signal(number, self._interrupt) for number in unhandled}

    def pytest_unconfigure(self) -> None:
        """Put back what was there."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first signal interrupts; another one while all is cleared away kills, as ever."""
        self.pytest_unconfigure()
        raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")
