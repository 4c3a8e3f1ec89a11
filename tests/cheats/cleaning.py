"""What a cheat that was not confined may leave behind outside of the session's folders."""

from __future__ import annotations

import ctypes
import shutil
from contextlib import suppress
from pathlib import Path

PLACES = ("/dev/shm", "/tmp", "/var/tmp", "/run/lock")
IPC_RMID = 0


def shared_memory_key(session_id: str) -> int:
    """The key that cases use for System V shared memory."""
    return int(session_id[:7], 16)


def clean_up(session_id: str) -> None:
    """Remove files named after the session, and its shared memory."""
    for place in PLACES:
        for left in Path(place).glob(f"mill-{session_id}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        segment = libc.shmget(shared_memory_key(session_id), 0, 0)
        if segment != -1:
            libc.shmctl(segment, IPC_RMID, None)
