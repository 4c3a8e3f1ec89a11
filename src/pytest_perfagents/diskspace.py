"""Disk space of worktrees: counted per session in a ledger file, bounded over all sessions of a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_LEDGER = "worktrees.bytes"
_ATTEMPTS, _PAUSE_S = 5, 0.05


class Ledger:
    """How much the worktrees of a cache take: each session writes its own sum, and reads everybody's."""

    def __init__(self, cache: Path, session_folder: Path):
        self._sessions = cache / "sessions"
        self._own = session_folder / _LEDGER

    def write(self, own_bytes: int) -> None:
        """State this session's sum."""
        with suppress(FileNotFoundError):  # the session's folder is gone, and with it what it used
            self._own.write_text(str(own_bytes), encoding="utf-8")

    def others(self) -> int:
        """The sum of all other sessions, those that were killed and not swept yet among them."""
        total = 0
        for ledger in self._sessions.glob(f"*/{_LEDGER}"):
            if ledger.parent.name != self._own.parent.name:
                with suppress(FileNotFoundError, ValueError):  # it has just ended, or is writing
                    total += int(ledger.read_text(encoding="utf-8"))
        return total


def disk_bytes(folder: Path) -> int:
    """What a folder takes on disk, in allocated blocks."""
    total, open_folders = 0, [str(folder)]
    while open_folders:
        with suppress(FileNotFoundError, PermissionError), os.scandir(open_folders.pop()) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    open_folders.append(entry.path)
    return total


def delete_folder(folder: Path) -> None:
    """Remove a folder, also one whose parts were made read-only, or where something still writes.

    Raises:
        OSError: it is still there after several attempts.
    """
    for _ in range(_ATTEMPTS):
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except RecursionError:  # folders in folders, more than Python can follow
            subprocess.run(["rm", "-rf", "--", folder], check=False, capture_output=True)
        if not folder.exists():
            return
        _make_writable(folder)
        time.sleep(_PAUSE_S)
    shutil.rmtree(folder)


def _make_writable(folder: Path) -> None:
    with suppress(OSError, RecursionError):  # it may be going as we look at it
        folder.chmod(0o700)
        for place, folders, _ in os.walk(folder):
            for name in folders:
                inner = Path(place, name)
                if not inner.is_symlink():
                    inner.chmod(0o700)
