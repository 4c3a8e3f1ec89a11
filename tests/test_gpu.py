"""The worker on a real GPU, with a real torch. Skipped, with the reason, where either is not there."""

from __future__ import annotations

import ctypes
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_worker import PATIENCE_S, Place, ask

GPU_DIR = Path(__file__).resolve().parent.parent / "benchmarks" / "gpu"


@cache
def missing() -> str:
    """Why there is nothing to test, or nothing."""
    try:
        ctypes.CDLL("libcuda.so.1")  # wakes no GPU up, and spares most machines the import of torch
    except OSError:
        return "this machine has no NVIDIA driver (libcuda.so.1)"
    ask_torch = [sys.executable, "-c", "import torch; assert torch.cuda.is_available(), 'torch finds no GPU'"]
    done = subprocess.run(ask_torch, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["torch cannot be imported"])[-1] if done.returncode else ""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if missing():
        pytest.skip(missing())
    place = Place(tmp_path)
    try:
        yield place
    finally:
        for each in place.workers:
            each.close()


WORK = """
    import torch
    def data(): return torch.rand(4096, 4096, device="cuda")
    def work(matrix):
        for _ in range(20): result = matrix @ matrix
        return result
"""


def test_the_gpu_sleeps_until_it_is_used(place: Place) -> None:
    started = place.load("""
        import os, torch
        def setup(): return None
        def experiment(d):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if torch.ones(1, device="cuda").item() == 1 else 1)
            return os.waitpid(pid, 0)[1]
        def store_result(result, path): open(path, "w").write(str(result))
    """)
    assert place.loaded["gpu"] is False
    assert ask(started, "turn")["cuda_ms"] is None
    ask(started, "store", path=str(place.folder / "r"))
    assert (place.folder / "r").read_text() == "0"  # CUDA still works in a forked process


def test_all_work_lies_between_the_events(place: Place) -> None:
    place.write("pkg/core.py", WORK)
    started = place.load("from pkg.core import data as setup, work as experiment\n")
    for _ in range(3):
        taken = ask(started, "turn")
    assert 0 < taken["stream_ms"] <= taken["cuda_ms"]
    assert taken["stream_ms"] > taken["cuda_ms"] / 2
    assert taken["gpu_bytes"] >= 2 * 4 * 4096**2


def test_a_side_stream_hides_nothing(place: Place) -> None:
    place.write("pkg/core.py", WORK)
    started = place.load("""
        import torch
        from pkg.core import data as setup, work
        side = torch.cuda.Stream()
        def experiment(matrix):
            with torch.cuda.stream(side): return work(matrix)
    """)
    for _ in range(3):
        taken = ask(started, "turn")
    assert taken["stream_ms"] < taken["cuda_ms"] / 2


def test_what_is_replaced_in_torch_changes_nothing(place: Place) -> None:
    place.write("pkg/core.py", WORK)
    started = place.load("""
        import torch
        from pkg.core import data as setup, work as experiment
        torch.cuda.synchronize = lambda *a: None
        torch.cuda.is_initialized = lambda: False
        class Event:
            def __init__(self, **k): ...
            def record(self): ...
            def elapsed_time(self, other): return 0.001
        torch.cuda.Event = Event
        torch._C._cuda_synchronize = lambda: None
    """)
    for _ in range(3):
        taken = ask(started, "turn")
    assert taken["cuda_ms"] > 1  # twenty products of 4096 take 8 ms on the fastest of today
    assert taken["cuda_ms"] * 1e6 == pytest.approx(taken["wall_ns"], rel=0.1, abs=1e6)


def test_warming_up_and_flushing_work_and_are_not_counted(place: Place) -> None:
    place.write("pkg/core.py", WORK)
    place.spec |= {"gpu_warmup_s": 0.3, "l2_flush": True}
    started = place.load("""
        import torch
        def setup(): return torch.zeros(16, device="cuda")
        def experiment(d): d.add_(1)
    """)
    for _ in range(3):
        assert ask(started, "turn")["cuda_ms"] < 100


def test_a_kernel_that_fails_is_a_cuda_error(place: Place) -> None:
    started = place.load("""
        import torch
        def setup(): return torch.zeros(16, device="cuda")
        def experiment(d): d[torch.full((1,), 99, device="cuda")] = 1
    """)
    reply = started.request("turn", PATIENCE_S)
    assert reply.error is not None
    assert "CUDA error: " in reply.error["message"]


def test_the_programs_of_the_benchmark_are_python() -> None:
    kernels = runpy.run_path(str(GPU_DIR / "kernels.py"))
    texts = [kernels["package"](), kernels["NAIVE"], *map(kernels["cheating"], kernels["CHEATS"])]
    texts += [kernels["SCRIPT"].format(kernel=kernel) for kernel in kernels["KERNELS"]]
    assert all(compile(text, "kernels", "exec") for text in texts)
    assert [kernels["package"](share).count(f"REPEATS = {round(100 * share)}\n") for share in (1, 1.01, 1.05)] == [
        1
    ] * 3


def test_the_benchmark_says_where_there_is_no_gpu() -> None:
    if not missing():
        pytest.skip("there is a GPU: run benchmarks/gpu/timing.py")
    done = subprocess.run(
        [sys.executable, GPU_DIR / "timing.py"], capture_output=True, text=True, timeout=PATIENCE_S * 4, check=False
    )
    assert done.returncode == 77, done.stderr
    assert done.stdout.startswith("skipped: torch finds no GPU here")
