"""What is measured: three kernels, changes to them that a harness must see, and cheats that it must not believe."""

from __future__ import annotations

KERNELS = {
    "matmul": "a matrix product: arithmetic",
    "scaling": "an elementwise pass over memory",
    "launches": "tiny kernels: the CPU that launches them",
}
REPEATS = 100
EFFECTS = {"1 %": 1.01, "2 %": 1.02, "5 %": 1.05}

PACKAGE = '''"""Three kernels, each repeated so that a share more of the work can be asked for."""

import torch

REPEATS = {repeats}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZE = 2048 if DEVICE == "cuda" else 96


def make(kernel):
    torch.manual_seed(1)
    shape = (64,) if kernel == "launches" else (SIZE, SIZE)
    return [torch.rand(shape, device=DEVICE) for _ in range(2)]


def matmul(data):
    for _ in range(REPEATS):
        result = data[0] @ data[1]
    return result


def scaling(data):
    for _ in range(REPEATS):
        result = data[0] * 1.5
    return result


def launches(data):
    for _ in range(REPEATS):
        result = data[0] * 1.5
    return result
'''

SCRIPT = """import torch
import gpukit


def setup():
    return gpukit.make("{kernel}")


def experiment(data):
    return gpukit.{kernel}(data)


def store_result(result, path):
    torch.save(result.cpu(), path)


def load_result(path):
    return torch.load(path)


def check_equivalence(current, reference):
    torch.testing.assert_close(current.cpu(), reference, rtol=1e-3, atol=1e-3)
"""

NAIVE = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
import gpukit
data = gpukit.make("matmul")
gpukit.matmul(data)
torch.cuda.synchronize()
times = []
for _ in range(20):
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    gpukit.matmul(data)
    last.record()
    last.synchronize()
    times.append(first.elapsed_time(last))
    torch.cuda.current_stream().synchronize()
print(sorted(times)[10])
"""
"""What most harnesses do: two events on the current stream, by the names that torch has at that time."""

CHEATS = {
    "work on a side stream that nobody joins": """
_honest, _side = matmul, []


def matmul(data):
    if not _side:
        _side.append(torch.cuda.Stream())
    with torch.cuda.stream(_side[0]):
        return _honest(data)
""",
    "synchronize and Event replaced in torch": """
_honest = matmul


class Event:
    def __init__(self, *arguments, **options): ...
    def record(self, *arguments): ...
    def synchronize(self): ...
    def elapsed_time(self, other): return 0.001


def matmul(data):
    torch.cuda.synchronize = lambda device=None: None
    torch.cuda.Event = Event
    return _honest(data)
""",
    "early return, the work is done by a thread": """
import threading, time

_honest = matmul


def _later(data, result):
    time.sleep(0.03)
    result.copy_(_honest(data))


def matmul(data):
    result = torch.empty_like(data[0])
    threading.Thread(target=_later, args=(data, result)).start()
    return result
""",
    "is_initialized says no": """
_honest = matmul


def matmul(data):
    torch.cuda.is_initialized = lambda: False
    with torch.cuda.stream(torch.cuda.Stream()):
        return _honest(data)
""",
}


def package(share: float = 1.0) -> str:
    """The package, with ``share`` times the work in every kernel."""
    return PACKAGE.replace("{repeats}", str(round(REPEATS * share)))


def cheating(cheat: str) -> str:
    """The package with one cheat in its matrix product."""
    return package() + CHEATS[cheat]
