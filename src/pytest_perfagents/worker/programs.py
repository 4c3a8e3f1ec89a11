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

    Outcome = tuple[dict[str, Any] | None, SystemExit | None]


def run_once(spec: Mapping[str, Any]) -> None:
    """Run the script to its end, as ``__main__`` or by its ``run_test``; report to ``report_fd``, a socket.

    Its exit status is this process's; its stdout is this process's, and behind the script's own lines stands the name
    under which the report counts: what is printed later is none of the script's.
    """
    import fcntl

    set_limits(spec)
    confined = confine(spec)
    writer = fcntl.fcntl(spec["report_fd"], fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    os.close(spec["report_fd"])
    run, finish = make_run(confined), make_finish(writer)
    # While the script runs, the name lies on this frame's stack alone: it is no variable, and the call goes through C,
    # so that neither frames nor the garbage collector lead to it.
    finish(read_name(spec["name_fd"]), next(map(run, (spec,))))


def read_name(name_fd: int) -> str:
    """The name under which the report counts; nobody reads it twice."""
    name = os.read(name_fd, 64).decode("ascii")
    os.close(name_fd)
    return name


def make_run(confined: bool) -> Callable[[Mapping[str, Any]], Outcome]:
    """``run(spec)``: the script to its end, whichever it is; raises nothing.

    It gives the report (None in a process that the script forked) and what this process is to end with.
    """
    describe, own_pid, getpid, write, flush = make_describe(), os.getpid(), os.getpid, os.write, make_flush()
    aside, lines_of, clock, cpu_clock = make_aside(), make_lines_of(), time.perf_counter_ns, time.process_time_ns

    def run(spec: Mapping[str, Any]) -> Outcome:
        targets, originals = Targets(spec["packages"], describe), Originals(spec["root"])
        report: dict[str, Any] = {"error": None, "returned": None, "confined": confined, "left": []}
        end: SystemExit | None = None
        watched = watch_calls(spec["root"]) if spec.get("look") == "calls" else None
        try:
            report["returned"] = run_script(spec, targets, originals)
        except SystemExit as error:
            end, report["left"] = error, lines_of(error, spec["script"])
            if error.code not in (None, 0):
                report["error"] = describe(error, "import" if spec["mode"] == "program" else "experiment")
        except BaseException as error:
            report["error"] = describe(error, "import" if spec["mode"] == "program" else "experiment")
            flush()
            with_no_fuss(lambda: write(2, report["error"]["traceback"].encode("utf-8", "replace")))
            end = SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1)
        if getpid() != own_pid:
            return None, end
        report["ended"] = {"wall_ns": clock(), "cpu_ns": cpu_clock()}
        report["calls"] = watched() if watched is not None else {}
        flush_own()
        flush()
        report["intact"] = originals.report()
        # an import that is tried once more must not print into the script's output
        aside(lambda: report.update(modules=targets.loaded(), targets=targets.report("all")))
        return report, end

    return run


def flush_own() -> None:
    """Of a stream that the script has put in the place of its stdout: what it holds back belongs to the output."""
    try:
        sys.stdout.flush()
    except BaseException:
        return


def make_lines_of() -> Callable[[BaseException, str], list[int]]:
    """``lines_of(error, script)``: the lines of the script that it came through, the outermost first."""
    traceback_of = BaseException.__dict__["__traceback__"].__get__

    def lines_of(error: BaseException, script: str) -> list[int]:
        lines, place = [], traceback_of(error)
        while place is not None:
            if place.tb_frame.f_code.co_filename == script:
                lines.append(place.tb_lineno)
            place = place.tb_next
        return lines

    return lines_of


def make_finish(writer: int) -> Callable[[str, Outcome], None]:
    """``finish(name, outcome)``: send the report, after which nobody can send more, and end as the script did."""
    import _socket

    _, send = make_channel(0, writer)
    write, kind, family = os.write, _socket.socket, _socket.AF_UNIX

    def shut() -> None:
        channel = kind(family, 1, 0, writer)  # SOCK_STREAM
        channel.shutdown(1)  # SHUT_WR, for every process and every descriptor that has it
        channel.close()

    def finish(name: str, outcome: Outcome) -> None:
        report, end = outcome
        if report is not None:
            with_no_fuss(lambda: send({"id": name, **report}))
            with_no_fuss(shut)
            with_no_fuss(lambda: write(1, name.encode("ascii")))
        if end is not None:
            raise end from None

    return finish


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
