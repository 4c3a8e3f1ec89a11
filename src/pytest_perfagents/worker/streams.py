"""Where the process prints to: the streams as they were before foreign code ran."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def make_flush() -> Callable[[], None]:
    """``flush()`` the streams as they were before foreign code ran."""
    streams = [each for each in (sys.stdout, sys.stderr) if each is not None]

    def flush() -> None:
        for stream in streams:
            try:
                stream.flush()
            except BaseException:
                continue

    return flush


def make_aside() -> Callable[[Callable[[], object]], None]:
    """``aside(action)``: run it while what is printed goes to stderr."""
    dup, dup2, close, flush = os.dup, os.dup2, os.close, make_flush()

    def aside(action: Callable[[], object]) -> None:
        try:
            kept = dup(1)
            dup2(2, 1)
        except OSError:
            action()
            return
        action()
        flush()
        dup2(kept, 1)
        close(kept)

    return aside


def with_no_fuss(action: Callable[[], object]) -> None:
    """Do it; that a descriptor was closed by the script is no reason to fail."""
    try:
        action()
    except OSError:
        pass
