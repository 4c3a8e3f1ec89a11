"""A template: it imports what all sides share, and forks a worker for each of them."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_perfagents.worker.confining import SIGKILL, set_limits
from pytest_perfagents.worker.serving import serve
from pytest_perfagents.worker.settings import changed, make_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

MESSAGE_BYTES = 1 << 20


def serve_forks(spec: Mapping[str, Any]) -> None:
    """Import what the first message names, then fork a worker for each further one; its pipes come with it.

    The script and the workspace are not seen here: they are imported by the worker, after the fork.
    """
    import socket

    set_limits(spec)
    control = socket.socket(fileno=spec["control_fd"])
    settings = make_settings()
    before = settings()
    for name in json.loads(control.recv(MESSAGE_BYTES))["modules"]:
        try:
            import_module(name)
        except BaseException:
            continue
    inherited = dict(changed(before, settings()))
    told = {"threads": len(os.listdir("/proc/self/task")), "shared": shared_memory()}
    control.send(json.dumps(told).encode())
    forks: set[int] = set()
    while True:
        message, received, _, _ = control.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(3 * 4))
        if not message:
            os._exit(0)
        pipes = [pipe for _, _, data in received for pipe in memoryview(data).cast("i")]
        request = json.loads(message)
        if "reap" in request:
            status = os.waitpid(request["reap"], 0)[1]
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            forks.discard(request["reap"])
            kill_children(but=forks)
            control.send(json.dumps({"code": code}).encode())
            continue
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            control.close()
            request["spec"]["settings"] = inherited
            become_worker(request, pipes, parent)
        forks.add(pid)
        for pipe in pipes:
            os.close(pipe)
        control.send(json.dumps({"pid": pid}).encode())


def shared_memory() -> list[str]:
    """What of this process's memory its forks would write to in common, as ``/proc/self/maps`` names it."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        regions = [line.split(None, 5) for line in file]
    return [region[-1].strip() for region in regions if region[1][1] == "w" and region[1][3] == "s"]


def kill_children(but: Iterable[int]) -> None:
    """End what forks that are gone left behind: it has become our child. Whoever forks faster is tried for long."""
    for _ in range(1000):
        try:
            with open("/proc/self/task/" + str(os.getpid()) + "/children") as file:
                strangers = set(map(int, file.read().split())) - set(but)
            if not strangers:
                return
            for pid in strangers:
                os.kill(pid, SIGKILL)
                os.waitpid(pid, 0)
        except OSError:
            return  # the kernel does not tell


def become_worker(request: Mapping[str, Any], pipes: Sequence[int], parent: int) -> None:
    """In a fork: take the pipes, the environment and the place of a worker of its own, and serve.

    What a new process would draw is drawn anew where that can be done: NumPy's random state, the places of heap
    and stack.
    """
    os.setsid()
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    ballast = bytes(request["padding"])

    def deeper(levels: int) -> None:
        if levels:
            list(map(deeper, (levels - 1,)))  # a call through C: it takes some of the C stack
        serve(dict(request["spec"], parent=parent))

    try:
        deeper(len(ballast) // 512)
    finally:
        os._exit(1)
