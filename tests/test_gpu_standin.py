"""How the worker times GPUs, on a stand-in for the CUDA driver whose clock is its own (``cuda_standin.c``)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from test_worker import PATIENCE_S, Place, ask

from pytest_perfagents.backends.channel import ChannelWorker

SOURCE = Path(__file__).with_name("cuda_standin.c")
LATENCY_MS = 0.05  # of the calls themselves: the stand-in's clock moves a microsecond with each

GPU = """
    import ctypes
    library = ctypes.CDLL("libcuda.so.1")
    library.standin_journal.restype = ctypes.c_char_p
    wake, stream, join, fail = (getattr(library, "standin_" + name) for name in ("wake", "stream", "join", "fail"))
    def launch(ms, stream=0, device=0, _launch=library.standin_launch, _us=ctypes.c_double):
        _launch(device, stream, _us(ms * 1000))
    def take(megabytes): library.standin_use_memory(ctypes.c_long(megabytes << 20))
    def journal():
        said = library.standin_journal().decode()
        library.standin_forget()
        return said
"""
SCRIPT = """\
from pkg import gpu
{before}
def setup(): {setup}
def experiment(d): {experiment}
def store_result(result, path): open(path, "w").write(gpu.journal())
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a compiled stand-in."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler for the stand-in of the CUDA driver")
    folder = tmp_path_factory.mktemp("driver")
    flags = ["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-fvisibility=hidden"]
    subprocess.run([compiler, *flags, "-o", folder / "libcuda.so.1", SOURCE], check=True)
    return folder


class GpuPlace(Place):
    """A workspace on a machine with two (stand-in) GPUs."""

    def run(self, experiment: str, *, setup: str = "gpu.wake(0)", before: str = "") -> ChannelWorker:
        """A worker that has loaded a script of these lines."""
        script = SCRIPT.format(before=dedent(before), setup=setup, experiment=experiment)
        return self.load(script)

    def journal(self, started: ChannelWorker) -> list[str]:
        """What the driver was asked since the last time; a script's own ``kernel`` and ``side`` among it."""
        file = self.folder / "journal"
        ask(started, "store", path=str(file))
        return file.read_text().split()


@pytest.fixture
def place(tmp_path: Path, driver: Path) -> Iterator[GpuPlace]:
    place = GpuPlace(tmp_path)
    place.env["LD_LIBRARY_PATH"] = str(driver)
    place.write("pkg/gpu.py", GPU)
    try:
        yield place
    finally:
        for each in place.workers:
            each.close()


def turn(started: ChannelWorker, **arguments: Any) -> Mapping[str, Any]:
    return ask(started, "turn", **arguments)


def test_a_process_without_gpu_work_is_left_asleep(place: GpuPlace) -> None:
    started = place.run("7", setup="None")
    assert place.loaded["gpu"] is False
    assert [turn(started)[name] for name in ("cuda_ms", "stream_ms", "gpu_bytes")] == [None, None, None]
    assert place.journal(started) == []


def test_work_is_waited_for_and_timed_by_events(place: GpuPlace) -> None:
    started = place.run("gpu.launch(30)", before="gpu.wake(0)")
    assert place.loaded["gpu"] is True
    taken = turn(started, iterations=2)
    assert taken["cuda_ms"] == pytest.approx(60, abs=LATENCY_MS)
    assert taken["stream_ms"] == pytest.approx(60, abs=LATENCY_MS)
    assert [each for each in place.journal(started) if each != "wait"] == [
        "record", "kernel", "kernel", "record", "record",
    ]  # fmt: skip


def test_the_turn_that_wakes_the_gpu_waits_for_it(place: GpuPlace) -> None:
    started = place.run("gpu.wake(0); gpu.launch(30)", setup="None")
    assert turn(started)["cuda_ms"] is None
    assert place.journal(started) == ["kernel", "wait"]
    assert turn(started)["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)


def test_work_on_a_side_stream_counts_and_shows(place: GpuPlace) -> None:
    started = place.run("gpu.launch(30, side)", before="gpu.wake(0); side = gpu.stream(0, 0)")
    taken = turn(started)
    assert taken["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)
    assert taken["stream_ms"] == pytest.approx(0, abs=LATENCY_MS)


def test_a_side_stream_that_was_joined_is_no_finding(place: GpuPlace) -> None:
    before = "gpu.wake(0); side = gpu.stream(0, 0)"
    started = place.run("gpu.launch(30, side); gpu.launch(10); gpu.join(0, side)", before=before)
    taken = turn(started)
    assert taken["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)
    assert taken["stream_ms"] == pytest.approx(30, abs=LATENCY_MS)


def test_work_on_another_gpu_counts(place: GpuPlace) -> None:
    started = place.run("gpu.launch(30, device=1)", before="gpu.wake(0); gpu.wake(1)")
    assert turn(started)["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)


def test_a_gpu_that_is_woken_to_hide_work_is_waited_for(place: GpuPlace) -> None:
    started = place.run("gpu.wake(1); gpu.launch(30, device=1)")
    assert turn(started)["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)


def test_what_setup_left_running_is_no_part_of_the_call(place: GpuPlace) -> None:
    started = place.run("gpu.launch(1)", setup="gpu.wake(0); gpu.launch(500)")
    for _ in range(2):
        assert turn(started)["cuda_ms"] == pytest.approx(1, abs=LATENCY_MS)
    journal = place.journal(started)
    assert journal[:2] == ["kernel", "wait"]
    assert journal.index("record") > 1


TAMPER = """
    import builtins, ctypes, sys, time, types
    gpu.wake(0)
    torch = sys.modules["torch"] = types.ModuleType("torch")
    torch.cuda = types.ModuleType("torch.cuda")
    torch.cuda.is_available = torch.cuda.is_initialized = lambda: False
    torch.cuda.synchronize = lambda *a: None
    class Event:
        def __init__(self, **k): pass
        def record(self): pass
        def elapsed_time(self, end): return 0.001
    torch.cuda.Event = Event
    ctypes.CDLL = ctypes.byref = ctypes.c_float = ctypes.c_void_p = None
    builtins.next = builtins.iter = builtins.range = builtins.float = lambda *a: 0
"""


def test_what_is_replaced_in_torch_ctypes_and_builtins_changes_nothing(place: GpuPlace) -> None:
    started = place.run("gpu.launch(30)", before=TAMPER)
    assert turn(started)["cuda_ms"] == pytest.approx(30, abs=LATENCY_MS)
    assert ask(started, "turn")["stream_ms"] == pytest.approx(30, abs=LATENCY_MS)


def test_code_that_failed_on_the_gpu_is_an_error_in_the_words_of_torch(place: GpuPlace) -> None:
    started = place.run("gpu.launch(1); gpu.fail(0)")
    reply = started.request("turn", PATIENCE_S)
    assert reply.error is not None
    assert reply.error["message"].startswith("CUDA error: an illegal memory access was encountered")
    assert (reply.error["type"], reply.error["phase"]) == ("RuntimeError", "experiment")


def test_clocks_are_warmed_up_once_and_outside_of_the_time(place: GpuPlace) -> None:
    place.spec["gpu_warmup_s"] = 0.01
    started = place.run("gpu.launch(1)")
    assert turn(started)["cuda_ms"] == pytest.approx(1, abs=LATENCY_MS)
    first = place.journal(started)
    assert first.count("memset") >= 8
    assert "memset" not in first[first.index("record") :]
    assert first.index("alloc") < first.index("free") < first.index("record")
    turn(started)
    assert not {"memset", "alloc"} & set(place.journal(started))


def test_the_cache_is_flushed_before_every_turn_where_that_is_asked(place: GpuPlace) -> None:
    place.spec["l2_flush"] = True
    started = place.run("gpu.launch(1)")
    for _ in range(2):
        assert turn(started, iterations=3)["cuda_ms"] == pytest.approx(3, abs=LATENCY_MS)
        journal = place.journal(started)
        assert journal.count("memset") == 1
        assert journal.index("reset") < journal.index("memset") < journal.index("record")


def test_a_full_gpu_is_not_warmed_up_and_says_that_it_cannot_be_flushed(place: GpuPlace) -> None:
    place.spec["gpu_warmup_s"] = 0.01
    started = place.run("gpu.launch(1)", before="gpu.wake(0); gpu.take(63)")
    assert turn(started)["cuda_ms"] == pytest.approx(1, abs=LATENCY_MS)
    place.spec["l2_flush"] = True
    reply = place.run("gpu.launch(1)", before="gpu.wake(0); gpu.take(63)").request("turn", PATIENCE_S)
    assert reply.error is not None
    assert "l2_flush wants 2 MB" in reply.error["message"]


def test_a_benchmark_test_adds_up_its_rounds(place: GpuPlace) -> None:
    started = place.load("""
        from pkg import gpu
        gpu.wake(0)
        side = gpu.stream(0, 0)
        def work(): gpu.launch(2); gpu.launch(5, side)
        def test_it(benchmark): benchmark.pedantic(work, setup=lambda: gpu.launch(100))
    """)
    taken = turn(started, iterations=3)
    assert taken["cuda_ms"] == pytest.approx(15, abs=3 * LATENCY_MS)
    assert taken["stream_ms"] == pytest.approx(6, abs=3 * LATENCY_MS)


TORCH = """
    import sys, types
    class Allocator:
        held = peak = 0
        def _cuda_resetPeakMemoryStats(self, device): self.peak = self.held
        def _cuda_memoryStats(self, device): return {"allocated_bytes": {"all": {"peak": self.peak}}}
        def take(self, size):
            self.held += size
            self.peak = max(self.peak, self.held)
    torch = sys.modules["torch"] = types.ModuleType("torch")
    torch._C = Allocator()
    gpu.wake(0)
    torch._C.take(100)
    torch._C.take(-40)
"""


def test_the_high_water_mark_of_memory_is_that_of_the_turn(place: GpuPlace) -> None:
    started = place.run("torch._C.take(30), torch._C.take(-30)", before=TORCH)
    assert turn(started, iterations=2)["gpu_bytes"] == 90


def test_the_stand_in_is_what_its_comment_says(place: GpuPlace) -> None:
    """Streams overlap, the default one waits for blocking ones alone, and time between open events is refused."""
    code = (
        indent(dedent(GPU), "    ")
        + """
    events = [ctypes.c_void_p() for _ in range(2)]
    context, ms = ctypes.c_void_p(), ctypes.c_float()
    assert library.cuCtxSynchronize() == 3
    wake(0)
    assert library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    assert library.cuCtxPushCurrent_v2(context) == 0
    for event in events: library.cuEventCreate(ctypes.byref(event), 0)
    blocking, free = stream(0, 1), stream(0, 0)
    library.cuEventRecord(events[0], None)
    launch(4, free)
    launch(2, blocking)
    launch(1)
    library.cuEventRecord(events[1], None)
    assert library.cuEventElapsedTime(ctypes.byref(ms), *events) == 600
    library.cuCtxSynchronize()
    assert library.cuEventElapsedTime(ctypes.byref(ms), *events) == 0
    print(round(ms.value))
    """
    )
    run = place.program(dedent(code))
    assert run.execution.stdout == "3\n", run.execution.stderr
