"""Script mode: every run stores its result, the baseline's code looks at it; calls and imports are inspected."""

from __future__ import annotations

import io
import json
import os
import pickle
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from random import Random

import numpy as np
import pytest
from backends.sides import PATCHED, make_config, make_files, opened

from pytest_perfagents.backends.base import Workspace
from pytest_perfagents.config import ProtocolConfig
from pytest_perfagents.judgement.schedule import StartPlan
from pytest_perfagents.measurement.arena import Arena, Patience, Track, Unequal
from pytest_perfagents.measurement.finishing import Finish
from pytest_perfagents.measurement.inspecting import Inspection, memory_flag
from pytest_perfagents.measurement.keeping import ProgramResults, first_run, results_of, rule_first
from pytest_perfagents.measurement.pickled import named_by
from pytest_perfagents.measurement.probing import Probe
from pytest_perfagents.measurement.programs import program_start
from pytest_perfagents.model import BASELINE

SCRIPT = """
import argparse, json, os, sys, time
from pkg.core import work

parser = argparse.ArgumentParser()
parser.add_argument("--eqcheck", action="store_true")
parser.add_argument("--reference", action="store_true")
parser.add_argument("--prefix", default="")
options = parser.parse_args()
began = time.perf_counter()
for _ in range(5):
    result = work(20_000)
elapsed = time.perf_counter() - began
if options.reference:
    with open(options.prefix + "_ref.json", "w") as file:
        json.dump(result, file)
    QUIET
if options.eqcheck:
    with open(options.prefix + "_ref.json") as file:
        stored = json.load(file)
    assert abs(stored - result) <= 1, f"{stored} is not {result}"
print("Execution time:", elapsed / 5)
"""
RIGHT = "def work(n):\n    return n * (n - 1) // 2\n"


class House:
    """A baseline and a patched side of worktrees, whose code a test writes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        commit = make_files(folder)
        self.script = folder / "scripts" / "program.py"
        self.script.parent.mkdir(exist_ok=True)
        self.write_script()
        self.patches = ""
        backend = stack.enter_context(opened(make_config(folder)))
        self.baseline: Workspace = stack.enter_context(backend.workspace(commit, BASELINE, None))
        self.patched: Workspace = stack.enter_context(
            backend.workspace(commit, PATCHED, folder / "patches" / "good.diff")
        )
        self.patience = Patience(60.0, time.monotonic() + 600, time.monotonic)

    def write_script(self, quiet: str = "pass") -> None:
        self.script.write_text(SCRIPT.replace("QUIET", quiet))

    def patch(self, code: str) -> None:
        self.patches += "#"  # bytecode is known by date and size
        (self.patched.root / "pkg" / "core.py").write_text(textwrap.dedent(code) + self.patches)

    def results(self) -> ProgramResults:
        results, verdict = results_of(self.baseline, self.script, "program", self.patience, Finish(is_reported=True))
        assert results is not None
        assert verdict.equal is True, verdict.message
        return results

    def arena(self) -> Arena:
        sides = {BASELINE: self.baseline, PATCHED: self.patched}
        arena = Arena(sides, self.script, ProtocolConfig(), self.patience, nullcontext)
        arena.tracks = {side: Track() for side in sides}
        return arena


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(tmp_path, stack)


def rounds(house: House, results: ProgramResults, count: int) -> Arena:
    arena = house.arena()
    for number in range(count):
        sides = [side for side in arena.workspaces if side not in arena.lost]
        plan = StartPlan(number, tuple(range(len(sides))), number + 2, (0,) * len(sides))
        program_start(arena, "program", results, sides, plan)
    results.finish(arena)
    return arena


def test_nothing_of_the_baseline_lies_where_a_timed_run_is_told_to_store(house: House) -> None:
    house.patch(
        """
        import glob, sys
        def work(n):
            near = [file for word in sys.argv[1:] for file in glob.glob(word + "*")]
            return float("nan") if near or "--eqcheck" in sys.argv else n * (n - 1) // 2
        """
    )
    results = house.results()
    assert not list(house.baseline.scratch.iterdir())
    kept = first_run(results, PATCHED, house.patched)
    assert rule_first(results, PATCHED, house.patched, kept).equal is True
    arena = rounds(house, results, 2)
    assert not arena.lost
    assert [len(track.wall_s) for track in arena.tracks.values()] == [2, 2]
    assert results.flag(PATCHED) is None


def test_what_is_not_the_same_is_given_to_the_script_in_a_process_of_the_baseline(house: House) -> None:
    house.patch("def work(n):\n    return n * (n - 1) // 2 + 1\n")
    results = house.results()
    assert rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched)).equal is True
    house.patch("def work(n):\n    return n * (n - 1) // 2 + 2\n")
    verdict = rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched))
    assert verdict.equal is False
    assert "199990002 is not 199990000" in verdict.message


@pytest.mark.parametrize("wrong", ["os.environ['PYTHONHASHSEED'] == '2'", "os.environ['PYTHONHASHSEED'] == '4'"])
def test_the_first_and_the_last_timed_results_are_looked_at(house: House, wrong: str) -> None:
    """The other ones vary, so that they are not known and are left to chance, which never asks here."""
    house.patch(
        f"""
        import os
        def work(n):
            return n * (n - 1) // 2 + (9 if {wrong} else int(os.environ["PYTHONHASHSEED"]) / 100)
        """
    )
    results = house.results()
    results.chance = type("Never", (Random,), {"random": lambda self: 0.99})()
    arena = rounds(house, results, 3)
    assert isinstance(arena.lost[PATCHED], Unequal)


def test_a_middle_result_is_looked_at_by_chance(house: House) -> None:
    house.patch(
        """
        import os
        def work(n):
            seed = int(os.environ["PYTHONHASHSEED"])
            return n * (n - 1) // 2 + (9 if seed == 3 else seed / 100)
        """
    )
    results = house.results()
    results.chance = type("Always", (Random,), {"random": lambda self: 0.0})()
    assert isinstance(rounds(house, results, 3).lost[PATCHED], Unequal)


def test_a_baseline_that_its_own_check_refuses_accuses_nobody(house: House) -> None:
    core = house.baseline.root / "pkg" / "core.py"
    core.write_text("import os\ndef work(n):\n    return hash('a') % 10_000\n")
    house.patch("def work(n):\n    return -5\n")
    results = house.results()
    verdict = rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched))
    assert verdict.equal is None
    assert "is not" in str(results.doubt)


def test_who_stores_nothing_gives_another_result(house: House) -> None:
    house.patch("import builtins, io\nbuiltins.open = lambda *_: io.StringIO()\n" + RIGHT)
    results = house.results()
    verdict = rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched))
    assert (verdict.equal, verdict.message) == (False, "it stored no result")


def test_what_runs_where_it_is_read_is_not_read(house: House) -> None:
    text = house.script.read_text().replace("json", "pickle").replace('"w"', '"wb"')
    house.script.write_text(
        text.replace('_ref.pickle") as file:\n        stored', '_ref.pickle", "rb") as file:\n        stored')
    )
    house.patch(
        """
        class Answer:
            def __reduce__(self):
                return exec, ("import os; os.write(1, b'Execution time: 1.0'); os._exit(0)",)
        def work(n):
            return Answer()
        """
    )
    results = house.results()
    kept = first_run(results, PATCHED, house.patched)
    verdict = rule_first(results, PATCHED, house.patched, kept)
    assert (verdict.equal, verdict.message.rpartition(" ")[2]) == (None, "builtins.exec")
    assert kept.files is not None
    asked = results._asked(kept.files, 1)  # were it read, it would not help to leave early
    assert (asked.equal, asked.message) == (False, "the check of what it stored did not come to its end")


def test_names_in_pickles_are_read_and_not_loaded() -> None:
    files = [io.BytesIO() for _ in range(2)]
    np.save(files[0], np.array([{1}, print], dtype=object))
    np.savez(files[1], np.array([print], dtype=object))
    assert ["builtins.print" in named_by({"f": each.getvalue()}) for each in files] == [True, True]
    assert named_by({"f": pickle.dumps(print)}) == {"builtins.print"}
    assert named_by({"f": pickle.dumps(print, 0)}) != set()
    assert named_by({"f": json.dumps([1, 2]).encode(), "g": b"", "h": b"PK"}) == set()


def test_where_storing_gives_no_time_sides_check_themselves_and_that_is_said(house: House) -> None:
    house.write_script("sys.exit(0)")
    house.patch(RIGHT)
    results = house.results()
    assert rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched)).equal is True
    assert results.flag(PATCHED) == (
        "the patched process could read the baseline's result: where the script stores its result, it gives no time"
    )
    assert not rounds(house, results, 1).lost
    house.patch("def work(n):\n    return 0\n")
    assert rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched)).equal is False
    assert isinstance(rounds(house, results, 1).lost[PATCHED], Unequal)


def test_a_result_that_cannot_be_stored_is_checked_where_it_is_and_that_is_said(house: House) -> None:
    house.patch("from fractions import Fraction\ndef work(n):\n    return Fraction(n * (n - 1), 2)\n")
    results = house.results()
    assert rule_first(results, PATCHED, house.patched, first_run(results, PATCHED, house.patched)).equal is True
    assert "Fraction is not JSON serializable" in str(results.flag(PATCHED))
    assert results.flag(BASELINE) is None


def inspect(house: House) -> Inspection:
    probe = Probe("program", modules={"pkg": "", "pkg.core": ""})
    return Inspection(house.arena(), "program", {BASELINE: probe, PATCHED: probe})


def test_calls_are_seen_one_by_one(house: House) -> None:
    house.patch(
        """
        known = {}
        def work(n):
            if n not in known:
                known[n] = sum(list(range(n)))
            return known[n]
        """
    )
    inspection = inspect(house)
    assert "comes with repetition" in str(inspection.first_calls(PATCHED))
    assert inspection.seen[BASELINE][0]["pkg/core.py:work"]["calls"] == 5
    house.patch("from functools import lru_cache\n@lru_cache\ndef work(n):\n    return sum(list(range(n)))\n")
    assert "of 5 calls of pkg/core.py:work on the baseline 1 come to run" in str(inspect(house).first_calls(PATCHED))
    house.patch("import sys\nsys.setprofile(None)\n" + RIGHT)
    assert "none of its calls can be looked at" in str(inspect(house).first_calls(PATCHED))
    house.patch(RIGHT)
    assert inspect(house).first_calls(PATCHED) is None


def test_a_function_of_another_name_says_nothing() -> None:
    seen = {"calls": 5, "first_ns": 10**7, "later_ns": 10**7}
    assert memory_flag([{"a:f": seen}], [{"a:g": seen | {"later_ns": 1}}]) is None
    assert memory_flag([{"a:f": seen | {"calls": 2}}], [{}]) is None
    assert memory_flag([{}], [{}]) is None
    assert "repetition" in str(memory_flag([{"a:f": seen}], [{"a:f": seen | {"later_ns": 1}}]))


def test_imports_are_timed_apart_from_the_script_and_its_end_from_the_process(house: House) -> None:
    house.patch("import atexit, time\ntime.sleep(0.3)\natexit.register(time.sleep, 0.2)\n" + RIGHT)
    wall_s, cpu_s = inspect(house).dearer_imports(PATCHED)
    assert wall_s > 0.25
    assert cpu_s < wall_s
    run = house.patched.run_program(house.script, [], 60.0, dict(os.environ))
    assert 0.2 <= run.after_s < run.execution.duration_s - 0.3
