"""What is measured: five workloads in one small package whose work is an exact number of equal units.

A call of a workload does its unit ``REPEATS`` times. A slowdown is injected by a patch that raises this number, so its
size is known exactly: 201 units in place of 200 are half a per cent more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

PACKAGE = "calibrated"
UNITS = 200
"""Units of the baseline's call."""

_LOOP = """
def prepare():
    return list(range($size))


def work(numbers):
    total = 0
    for _ in range(REPEATS):
        for number in numbers:
            total += number * number % 7
    return total
"""
_MATMUL = """
import numpy


def prepare():
    made = numpy.random.default_rng(0)
    return made.standard_normal((96, 96)), made.standard_normal((96, 96))


def work(data):
    left, right = data
    for _ in range(REPEATS):
        product = left @ right
    return product
"""
_TORCH = """
import torch


def prepare():
    torch.manual_seed(0)
    return torch.randn(64, 256), torch.randn(256)


def work(data):
    values, weights = data
    for _ in range(REPEATS):
        normed = torch.nn.functional.layer_norm(values, (256,), weights)
    return normed
"""
_ALLOCATING = """
def prepare():
    return 60


def work(size):
    kept = [None] * 20
    for number in range(REPEATS):
        kept[number % 20] = [{"name": str(each), "at": (each, [each])} for each in range(size)]
    return len(kept)
"""
_SCRIPT = """
import json
import sys
from time import perf_counter

from $package import $module as workload


def setup():
    return workload.prepare()


def experiment(data):
    return workload.work(data)


def sequential(kept, least_s, warmups):
    data = setup()
    for _ in range(warmups):
        experiment(data)
    values = []
    began = perf_counter()
    while len(values) < kept or perf_counter() - began < least_s:
        before = perf_counter()
        experiment(data)
        values.append(perf_counter() - before)
    return {"values": values[:kept], "mean": sum(values) / len(values), "rounds": len(values)}


if __name__ == "__main__":
    print(json.dumps(sequential(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure; ``needs`` is a package that it cannot do without."""

    name: str
    title: str
    source: str
    kind: str = "python"
    needs: str = ""

    @property
    def module(self) -> str:
        """Its module in the package."""
        return self.name.replace("-", "_")

    @property
    def is_available(self) -> bool:
        """Whether what it needs is installed for this interpreter; nothing is imported."""
        return not self.needs or find_spec(self.needs) is not None


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("loop-1ms", "pure-Python loop, 1 ms", Template(_LOOP).substitute(size=150)),
        Workload("loop-20ms", "pure-Python loop, 20 ms", Template(_LOOP).substitute(size=2600)),
        Workload("matmul", "NumPy matrix product", _MATMUL, "numpy", "numpy"),
        Workload("torch-op", "torch layer norm", _TORCH, "torch", "torch"),
        Workload("allocating", "allocation-heavy loop", _ALLOCATING),
    )
}


def write_package(folder: Path) -> None:
    """The package of the baseline, for a commit."""
    package = folder / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"REPEATS = {UNITS}\n")
    for workload in WORKLOADS.values():
        text = f"from {PACKAGE} import REPEATS\n{workload.source}"
        (package / f"{workload.module}.py").write_text(text)


def patch_to(units: int) -> str:
    """The patch that makes a call do ``units`` units."""
    path = f"{PACKAGE}/__init__.py"
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -1 +1 @@\n-REPEATS = {UNITS}\n+REPEATS = {units}\n"
    )


def write_script(folder: Path, workload: Workload) -> Path:
    """The perf script of a workload, which can also be run as a program that times call after call."""
    script = folder / f"{workload.module}_script.py"
    script.write_text(Template(_SCRIPT).substitute(package=PACKAGE, module=workload.module).lstrip())
    return script


@dataclass(frozen=True, slots=True)
class Sequential:
    """What one process of a sequential protocol timed: its first values in seconds, and the mean of all rounds."""

    values: Sequence[float]
    mean: float
    rounds: int


def read_sequential(text: str) -> Sequential:
    """The last line that the script printed; raises ValueError where it is something else."""
    lines = text.strip().splitlines()
    if not lines:
        raise ValueError("the script printed nothing")
    return Sequential(**json.loads(lines[-1]))
