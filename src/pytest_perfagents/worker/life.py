"""What the process is to be, by the first argument that it is started with."""

from __future__ import annotations

import json
import os
import sys
import types
from typing import TYPE_CHECKING

from pytest_perfagents.worker.confining import confine, set_limits
from pytest_perfagents.worker.forking import serve_forks
from pytest_perfagents.worker.keeping import run_kept
from pytest_perfagents.worker.serving import serve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def become(spec: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Take on limits and confinement, which outlive exec, then be ``command``: a counter around another worker.

    Valgrind knows no Landlock, so that the worker inside could not confine itself.
    """
    set_limits(spec)
    confine(spec)
    os.execv(spec["command"][0], [*spec["command"], *arguments])


def main() -> None:
    """``SPEC``: mode (serve, program, run_test), id, root, import_root, packages, parent, memory_bytes, confine.

    The latter two modes also have script, arguments, report_fd, name_fd and keeper_fd, and no id. ``template`` has
    control_fd and parent alone. ``become`` has parent, confine and command.
    """
    spec = json.loads(sys.argv[1])
    if spec["mode"] == "serve":
        serve(spec)
    elif spec["mode"] == "template":
        serve_forks(spec)
    elif spec["mode"] == "become":
        become(spec, sys.argv[2:])
    else:
        run_kept(spec)


if __name__ == "__main__":
    # Python 3.8 and 3.9 look at __builtins__ of the globals only where a call changes globals.
    types.FunctionType(main.__code__, dict(globals()))()
