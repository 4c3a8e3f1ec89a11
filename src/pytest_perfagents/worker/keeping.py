"""A keeper: it starts the script's process, waits for its end, and ends what that leaves behind."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

from pytest_perfagents.worker.confining import set_limits
from pytest_perfagents.worker.forking import kill_children
from pytest_perfagents.worker.programs import run_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PARTING_S = 1.5
"""For helpers that end by themselves when they hear that their process has, as those of ``multiprocessing`` do."""


def run_kept(spec: Mapping[str, Any]) -> None:
    """`run_once` in a child. This process runs no foreign code: it adopts all that the script leaves, says to
    ``keeper_fd`` what the child took, and ends as the child did.
    """
    keeper_fd = spec["keeper_fd"]
    set_limits(spec)
    keeper, began = os.getpid(), time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(keeper_fd)
        os.setsid()
        run_once(dict(spec, parent=keeper))
        return
    for descriptor in (spec["report_fd"], spec["name_fd"]):
        os.close(descriptor)
    signal.signal(signal.SIGTERM, lambda *_: pass_on(child))
    seen = attend(child)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    seen.update(began_s=began, wall_s=time.perf_counter() - began)
    status = os.waitpid(child, 0)[1]
    seen["left_behind"] = end_orphans()
    os.write(keeper_fd, json.dumps(seen).encode())
    end_like(status)


def pass_on(child: int) -> None:
    """Tell the script's process that it is to end, and whatever is in its group."""
    try:
        os.killpg(child, signal.SIGTERM)
    except OSError:
        os.kill(child, signal.SIGTERM)  # it has no group of its own yet; it is not reaped, so the number is its own


def attend(child: int) -> dict[str, Any]:
    """Wait for the child's end. ``cpu_s`` and ``ready_s`` as the kernel counts them, None where it does not tell."""
    seen: dict[str, Any] = {"cpu_s": None, "ready_s": None}
    if not hasattr(os, "waitid"):
        return seen
    try:
        delay = os.open("/proc/" + str(child) + "/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        delay = -1
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        seen["cpu_s"] = time.clock_gettime((~child << 3) | 2)
        seen["ready_s"] = int(os.pread(delay, 100, 0).split()[1]) / 1e9
    except (OSError, ValueError, IndexError, OverflowError):
        pass
    return seen


def end_orphans() -> int:
    """Give what the child has left a moment, then end it; how many there were after that moment."""
    deadline = time.monotonic() + PARTING_S
    while is_left() and time.monotonic() < deadline:
        time.sleep(0.002)
    left = len(find_children())
    kill_children(but=())
    return left


def is_left() -> bool:
    """Whether somebody is there who has not ended; whoever has is reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def find_children() -> list[str]:
    """Their numbers, where the kernel tells."""
    try:
        with open("/proc/self/task/" + str(os.getpid()) + "/children") as file:
            return file.read().split()
    except OSError:
        return []


def end_like(status: int) -> None:
    """With the same exit status, or by the same signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
