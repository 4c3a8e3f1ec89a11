"""Data that are made anew lie elsewhere than the last ones did."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PLACES = """
import ctypes, json, sys
from pytest_perfagents.worker.scattering import make_scatter

scatter = make_scatter() if sys.argv[1] == "scattered" else lambda: None
data, places = None, []
for _ in range(40):
    data = None
    scatter()
    data = bytearray(70_000)
    places.append(ctypes.addressof(ctypes.c_char.from_buffer(data)))
print(json.dumps(places))
"""
WITHOUT_CTYPES = """
import sys

sys.modules["ctypes"] = None
from pytest_perfagents.worker.scattering import allocator, make_scatter

take, _ = allocator()
scatter = make_scatter()
scatter()
scatter()
print(take is bytes)
"""


def said(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("how", "is_moved"), [("scattered", True), ("left", False)])
def test_data_made_anew_lie_elsewhere_each_time_and_at_every_quarter_of_a_cache_line(how, is_moved):
    places = json.loads(said(PLACES, how))
    assert (len(set(places)) > 20) == is_moved
    assert ({place % 64 // 16 for place in places} == {0, 1, 2, 3}) == is_moved


def test_a_python_without_ctypes_scatters_too():
    assert said(WITHOUT_CTYPES) == "True\n"
