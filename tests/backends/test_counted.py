"""Workers inside a counter of instructions: real processes under valgrind, in real worktrees."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from backends.sides import make_config, make_files, opened

from pytest_perfagents.measurement.arena import Patience
from pytest_perfagents.measurement.counting import NoCount, count_calls
from pytest_perfagents.model import BASELINE, HUMAN, Role, Side, UsageError
from pytest_perfagents.processes.counters import find_counter

CALLS = (50, 150)


@pytest.fixture(scope="module")
def counter():
    try:
        return find_counter()
    except UsageError as error:
        pytest.skip(f"no instructions can be counted here: {error}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("counted")


@pytest.fixture(scope="module")
def backend(folder):
    commit = make_files(folder)
    with opened(make_config(folder)) as backend:
        yield backend, commit


def patience() -> Patience:
    return Patience(100.0, time.monotonic() + 200, time.monotonic)


def counted(backend, counter, side: Side, script: Path) -> float:
    made, commit = backend
    with made.workspace(commit, side, None) as workspace:
        worker = workspace.start_worker(seed=1, padding=0)
        worker.request("load", 30.0, script=str(script))  # modules are compiled now, as they are after timing
        worker.close()
        return count_calls(counter, workspace, script, CALLS, patience())


def test_identical_code_counts_the_same_and_better_code_fewer(backend, counter, folder):
    script = folder / "scripts" / "script.py"
    baseline = counted(backend, counter, BASELINE, script)
    twin = counted(backend, counter, Side(Role.PATCHED, "twin"), script)
    human = counted(backend, counter, HUMAN, script)
    assert twin / baseline == pytest.approx(1.0, abs=0.001)
    assert baseline > 20_000  # an addition for each number, at least
    assert human < baseline / 20


def test_what_is_kept_from_other_workers_is_kept_from_counted_ones(backend, counter, folder):
    made, commit = backend
    script = folder / "scripts" / "nosy.py"
    secret = folder / "repo" / ".git" / "HEAD"
    script.write_text(
        f"def setup():\n    return open({str(secret)!r}).read()\ndef experiment(text):\n    return text\n"
    )
    with made.workspace(commit, BASELINE, None) as workspace:
        worker = workspace.start_worker(seed=1, padding=0)
        try:
            worker.request("load", 30.0, script=str(script))
            is_kept = not worker.request("turn", 30.0, iterations=1, setups=1).ok
        finally:
            worker.close()
        if not is_kept:
            pytest.skip("this kernel confines nothing")
        with pytest.raises(NoCount, match="PermissionError under"):
            count_calls(counter, workspace, script, CALLS, patience())


def test_a_counted_worker_that_never_answers_is_ended(backend, counter, folder):
    made, commit = backend
    script = folder / "scripts" / "hangs.py"
    script.write_text("import time\ndef setup(): ...\ndef experiment(_): time.sleep(99)\n")
    with made.workspace(commit, BASELINE, None) as workspace:
        short = Patience(4.0, time.monotonic() + 200, time.monotonic)
        with pytest.raises(NoCount, match="too slow under"):
            count_calls(counter, workspace, script, CALLS, short)
        assert all(worker.is_closed for worker in workspace.workers)
