"""A script that runs to its end, as a program or by its ``run_test``."""

from __future__ import annotations

import os
import sys
import time
from os.path import join, normpath
from typing import TYPE_CHECKING

from pytest_perfagents.worker.calling import accepted, waits
from pytest_perfagents.worker.channel import CHANNEL_FD_MIN, make_channel
from pytest_perfagents.worker.confining import confine, set_limits
from pytest_perfagents.worker.errors import make_describe, text
from pytest_perfagents.worker.importing import SCRIPT_MODULE, new_module, set_import_path
from pytest_perfagents.worker.looking import time_imports, watch_calls
from pytest_perfagents.worker.originals import Originals
from pytest_perfagents.worker.script_text import read_script
from pytest_perfagents.worker.streams import make_aside, make_flush, with_no_fuss
from pytest_perfagents.worker.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def run_once(spec: Mapping[str, Any]) -> None:
    """Run the script to its end, as ``__main__`` or by its ``run_test``; report to ``report_fd``.

    Its exit status is this process's; its stdout is this process's.
    """
    import fcntl

    set_limits(spec)
    confined = confine(spec)
    writer = fcntl.fcntl(spec["report_fd"], fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    send = make_report(writer, spec["name_fd"])
    os.close(spec["report_fd"])
    describe, targets = make_describe(), Targets(spec["packages"], make_describe())
    originals = Originals(spec["root"])
    own_pid, getpid, write, flush, aside = os.getpid(), os.getpid, os.write, make_flush(), make_aside()
    report: dict[str, Any] = {"error": None, "returned": None, "confined": confined}
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    watched = watch_calls(spec["root"]) if spec.get("look") == "calls" else None
    try:
        report["returned"] = run_script(spec, targets, originals)
    except BaseException as error:
        if not (isinstance(error, SystemExit) and error.code in (None, 0)):
            report["error"] = describe(error, "import" if spec["mode"] == "program" else "experiment")
        if not isinstance(error, SystemExit):
            flush()
            with_no_fuss(lambda: write(2, report["error"]["traceback"].encode("utf-8", "replace")))
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
        raise
    finally:
        if getpid() == own_pid:
            report["ended"] = {"wall_ns": clock(), "cpu_ns": cpu_clock()}
            report["calls"] = watched() if watched is not None else {}
            flush()
            report["intact"] = originals.report()
            # an import that is tried once more must not print into the script's output
            aside(lambda: report.update(modules=targets.loaded(), targets=targets.report("all")))
            with_no_fuss(lambda: send(report))


def make_report(writer: int, name_fd: int) -> Callable[[dict[str, Any]], None]:
    """``send(report)`` under a name that is read here, before foreign code runs, and stands nowhere else."""
    _, send = make_channel(0, writer)
    name = os.read(name_fd, 64).decode("ascii")
    os.close(name_fd)
    return lambda report: send({"id": name, **report})


def run_script(spec: Mapping[str, Any], targets: Targets, originals: Originals) -> dict[str, Any] | None:
    """The script's own code; what ``run_test`` returned, and how long it took."""
    script, is_program = spec["script"], spec["mode"] == "program"
    import_root = normpath(join(spec["root"], spec["import_root"]))
    tree, code = read_script(script)
    targets.read(tree)
    os.chdir(import_root)
    set_import_path(import_root, script)
    if spec.get("look") == "imports":
        return time_imports(spec["arguments"])
    sys.argv[:] = [script, *(spec["arguments"] if is_program else [])]
    new_module("__main__", None)
    module = new_module("__main__" if is_program else SCRIPT_MODULE, script)
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    originals.read_script(tree, code, module.__dict__)
    exec(code, module.__dict__)
    if is_program:
        return None
    function = waits(vars(module)["run_test"])
    arguments = accepted(function, spec["arguments"])
    wall, cpu = clock(), cpu_clock()
    value = function(**arguments)
    return {"value": plain(value), "wall_ns": clock() - wall, "cpu_ns": cpu_clock() - cpu}


def plain(value: Any) -> Any:
    """A number of NumPy's or torch's as Python's own; what is no number as its text."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return text(value)
