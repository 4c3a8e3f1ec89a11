"""Looks at a script that runs to its end, in processes that are not timed: at its imports, at its calls one by one."""

from __future__ import annotations

import importlib
import sys
import time
from os.path import abspath, join
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

MOST_CALLS, MOST_NAMES = 10_000, 20


def time_imports(names: Sequence[str]) -> dict[str, int]:
    """Nanoseconds for importing these modules; one that fails takes as long as it takes to fail."""
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            continue
    return {"wall_ns": time.perf_counter_ns() - wall, "cpu_ns": time.process_time_ns() - cpu}


def watch_calls(root: str) -> Callable[[], dict[str, Any]]:
    """Times calls from outside into functions of the workspace, in this thread; slows everything down.

    ``report()`` ends that: by file and name, how many ``calls``, CPU nanoseconds of the first and, by the median, of
    later ones (``first_ns``, ``later_ns``). Those that take most come first.
    """
    clock, prefix, taken = time.thread_time_ns, join(abspath(root), ""), {}  # type: ignore[var-annotated]
    entered: list[Any] = [None, 0]

    def see(frame: Any, event: str, _: Any) -> None:
        if entered[0] is not None:
            if frame is entered[0] and event == "return":
                code = frame.f_code
                times = taken.setdefault((code.co_filename, code.co_name), [])
                if len(times) < MOST_CALLS:
                    times.append(clock() - entered[1])
                entered[0] = None
        elif event == "call" and frame.f_code.co_filename.startswith(prefix):
            entered[:] = [frame, clock()]

    def report() -> dict[str, Any]:
        sys.setprofile(None)
        most = sorted(taken.items(), key=lambda each: -sum(each[1]))[:MOST_NAMES]
        return {
            file[len(prefix) :] + ":" + name: {
                "calls": len(times),
                "first_ns": times[0],
                "later_ns": sorted(times[1:] or times)[(len(times) - 1) // 2],
            }
            for (file, name), times in most
            if name != "<module>"
        }

    sys.setprofile(see)
    return report
