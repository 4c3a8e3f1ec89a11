"""A live worker: it answers until the harness hangs up."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from pytest_perfagents.worker.channel import make_channel, take_channel
from pytest_perfagents.worker.confining import confine, set_limits
from pytest_perfagents.worker.errors import make_describe
from pytest_perfagents.worker.importing import new_module
from pytest_perfagents.worker.operations import Script
from pytest_perfagents.worker.streams import make_flush

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def serve(spec: Mapping[str, Any]) -> None:
    """Answer requests until the harness hangs up."""
    own_pid, getpid, leave, flush = os.getpid(), os.getpid, os._exit, make_flush()
    receive, send = make_channel(*take_channel())
    set_limits(spec)
    confined = confine(spec)
    script = Script(spec)
    operations = {
        name: getattr(script, name)
        for name in ("trace", "load", "turn", "store", "check", "describe", "judge", "modules", "shared", "traced")
    }
    operations["intact"] = script.intact
    describe = make_describe()
    new_module("__main__", None)
    send({"id": spec["id"], "ok": True, "value": identity(confined)})
    while True:
        request = receive()
        if request is None or request["op"] == "exit":
            break
        reply: dict[str, Any] = {"id": request["id"], "ok": False}
        try:
            reply["value"] = operations[request["op"]](**request["arguments"])
            reply["ok"] = True
        except BaseException as error:
            reply["error"] = describe(error, script._phase)
            flush()
        if getpid() != own_pid:
            leave(1)  # a process that the script forked, come back to where it was forked
        send(reply)
        del request, reply
    flush()
    leave(0)


def identity(confined: bool) -> dict[str, Any]:
    """The greeting."""
    return {
        "confined": confined,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": " ".join(os.uname()[each] for each in (0, 2, 4)),
    }
