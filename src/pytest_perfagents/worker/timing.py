"""The timed call, and who is there beside it."""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_perfagents.worker.gpu import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any


def make_timer(gpu: Gpu, quiet: Callable[[], None], loud: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    """``timed(call, args, kwargs, iterations)``: a block of calls -> results, wall_ns, cpu_ns, and `Gpu.read`.

    ``results`` are those of some calls and of the last. The calls are made in C, and which of them are chosen stands
    in no variable of any frame: what is called can find out neither that nor how many are still to come. The profiler
    and the like are off afterwards, until ``loud``.
    """
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    repeat, starmap, partial = itertools.repeat, itertools.starmap, functools.partial
    begin, end, read = gpu.begin, gpu.end, gpu.read
    last_of: Callable[[Iterable[Any]], Any] = functools.partial(collections.deque, maxlen=1)
    chosen = make_chosen()

    def timed(
        call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], iterations: int
    ) -> dict[str, Any]:
        loud()
        began = begin()
        calls = starmap(partial(call, **kwargs) if kwargs else call, repeat(args, iterations))
        wall = clock()
        cpu = cpu_clock()
        kept = list(map(last_of, chosen(calls, iterations)))
        quiet()
        end(began)
        cpu = cpu_clock() - cpu
        wall = clock() - wall
        results = [result for part in kept for result in part]
        return {"results": results, "wall_ns": wall, "cpu_ns": cpu, **read(began)}

    return timed


def make_chosen() -> Callable[[Iterator[Any], int], tuple[Iterable[Any], ...]]:
    """``chosen(calls, count)``: the calls cut in two to four parts, at places that the kernel's random numbers give."""
    urandom, islice, number_of = os.urandom, itertools.islice, int.from_bytes

    def chosen(calls: Iterator[Any], count: int) -> tuple[Iterable[Any], ...]:
        if count < 2:
            return (calls,)
        noise = urandom(16)
        cuts = sorted([number_of(noise[at : at + 4], "little") % count for at in (0, 4, 8)][: 1 + noise[12] % 3])
        ends = [0, *cuts]
        sizes = [end - begin for begin, end in zip(ends, cuts)]  # noqa: B905 - Python 3.8
        return (*[islice(calls, size) for size in sizes], calls)

    return chosen


def make_quiet() -> tuple[Callable[[], None], Callable[[], None]]:
    """``quiet()``: until ``loud()`` no signal handler, profiler, tracer or collection runs foreign code in this thread.

    So that nothing fills in a result between the end of the clock and a look at what was returned.
    """
    sigmask, setprofile, settrace = import_module("_signal").pthread_sigmask, sys.setprofile, sys.settrace
    held = {int(each) for each in range(1, signal.NSIG)}  # who would end the process meanwhile has SIGKILL
    block, restore = int(signal.SIG_BLOCK), int(signal.SIG_SETMASK)
    collects, collect, wait = gc.isenabled, gc.enable, gc.disable
    monitoring = getattr(sys, "monitoring", None)
    names = ("get_tool", "set_events")
    get_tool, set_events = [getattr(monitoring, name, None) for name in names]
    before: list[Any] = []

    def quiet() -> None:
        setprofile(None)
        settrace(None)
        if not before:
            before.append((sigmask(block, held), collects()))
            wait()
        if get_tool is not None and set_events is not None:
            for tool in range(6):
                if get_tool(tool) is not None:
                    set_events(tool, 0)

    def loud() -> None:
        if before:
            mask, was_collecting = before.pop()
            if was_collecting:
                collect()
            sigmask(restore, mask)

    return quiet, loud


def make_census() -> Callable[[], tuple[int, int]]:
    """``census() -> (threads, child processes)`` of this process, as the kernel counts them.

    Of a process with one thread nothing is opened for it: audit hooks would hear of that.
    """
    listdir, active, pid = os.listdir, threading.active_count, os.getpid()
    opener, pread = open, os.pread
    tasks = "/proc/" + str(pid) + "/task"
    files: list[int] = []
    try:
        for path in ("/proc/" + str(pid) + "/stat", tasks + "/" + str(pid) + "/children"):
            files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        files.clear()

    def census() -> tuple[int, int]:
        try:
            if files and pread(files[0], 4096, 0).rpartition(b")")[2].split()[17] == b"1":
                return 1, len(pread(files[1], 65536, 0).split())
        except (OSError, IndexError):
            files.clear()  # somebody closed them
        try:
            threads = listdir(tasks)
        except OSError:
            return active(), 0
        children = 0
        for thread in threads:
            try:
                with opener(tasks + "/" + thread + "/children") as file:
                    children += len(file.read().split())
            except OSError:
                continue
        return len(threads), children

    return census
