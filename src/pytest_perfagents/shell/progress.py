"""One transient line that says where a long evaluation is; gone before pytest's own line goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import pytest


class ProgressLine:
    """On a terminal only: silent under ``-q``, in files, on a dumb terminal, in workers of pytest-xdist."""

    def __init__(self, config: pytest.Config, total: int) -> None:
        self._config = config
        self._total = total
        self._number = 0
        self._is_open = False
        self._file = _terminal_of(config)

    @contextmanager
    def shown(self, number: int) -> Iterator[None]:
        """For the time of one arena; ``number`` is that of its first case."""
        self._number = number
        try:
            yield
        finally:
            self._erase()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._file is None:
            return
        writer = self._config.get_terminal_writer()
        line = f"[{self._number}/{max(self._total, self._number)}] {text}"[: writer.fullwidth - 1]
        self._write(("\r\x1b[K" if self._is_open else "\n") + line)
        self._is_open = True

    def _erase(self) -> None:
        """Clear the line and put the cursor back to where pytest left it."""
        if self._is_open:
            writer = self._config.get_terminal_writer()
            column = writer.width_of_current_line % writer.fullwidth
            self._write("\r\x1b[K\x1b[A" + (f"\x1b[{column}C" if column else ""))
            self._is_open = False

    def _write(self, text: str) -> None:
        assert self._file is not None
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            print(text, end="", file=self._file, flush=True)
            return
        with capture.global_and_fixture_disabled():
            print(text, end="", file=self._file, flush=True)


def _terminal_of(config: pytest.Config) -> TextIO | None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.option.verbose < 0:
        return None
    file = getattr(config.get_terminal_writer(), "_file", None)
    is_terminal = file is not None and file.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return file if is_terminal else None
