"""The scripted backend's own promises: a clock that only it moves, noise that repeats, mishaps on call."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_perfagents.backends.base import Worker, WorkerEnded
from pytest_perfagents.backends.scripted import Clock, Dies, Hangs, Raises, ScriptedBackend, ScriptedSide
from pytest_perfagents.model import BASELINE, Commit, Ending, Execution

COMMIT = Commit("pkg", "b" * 40, "a" * 40)


def start(side: ScriptedSide, folder: Path, clock: Clock | None = None, seed: int = 1) -> Worker:
    backend = ScriptedBackend({BASELINE: side}, folder, clock)
    with backend.workspace(COMMIT, BASELINE, None) as workspace:
        worker = workspace.start_worker(seed=seed, padding=0)
    worker.request("load", 60, script="script.py")
    return worker


def test_time_passes_as_described(tmp_path: Path) -> None:
    clock = Clock(100.0)
    worker = start(ScriptedSide(call_s=0.25, startup_s=1.0, import_s=2.0, setup_s=0.5), tmp_path, clock)
    assert clock() == 103.0
    reply = worker.request("turn", 60, iterations=4, setups=1)
    assert clock() == 104.5
    assert (reply.wall_s, reply.cpu_s) == (1.5, 1.5)
    assert (reply.value["wall_ns"], reply.value["setup_ns"]) == (10**9, 5 * 10**8)
    assert worker.request("turn", 60, iterations=4, setups=0).wall_s == 1.0


def test_times_may_depend_on_the_number_of_the_call(tmp_path: Path) -> None:
    worker = start(ScriptedSide(call_s=lambda number: 1.0 if number == 0 else 0.1), tmp_path)
    walls = [worker.request("turn", 60, iterations=n).value["wall_ns"] for n in (1, 2)]
    assert walls == [10**9, 2 * 10**8]


def test_noise_repeats_with_the_seed_and_differs_between_starts(tmp_path: Path) -> None:
    noisy = ScriptedSide(noise=0.1, start_noise=0.2)

    def walls(seed: int, folder: str) -> list[int]:
        worker = start(noisy, tmp_path / folder, seed=seed)
        return [worker.request("turn", 60).value["wall_ns"] for _ in range(3)]

    assert walls(1, "a") == walls(1, "b")
    assert walls(1, "c") != walls(2, "d")
    assert len(set(walls(1, "e"))) == 3


def test_a_clock_that_was_tampered_with_shows_outside(tmp_path: Path) -> None:
    worker = start(ScriptedSide(call_s=0.1, outside=3.0, cpu_share=0.5), tmp_path)
    reply = worker.request("turn", 60)
    assert reply.value["wall_ns"] == 10**8
    assert reply.wall_s == pytest.approx(0.3)
    assert reply.cpu_s == pytest.approx(0.15)


def test_mishaps_strike_at_their_turn(tmp_path: Path) -> None:
    mishaps = {("turn", 1): Raises("ImportError", "no", {"module": "x"}), ("turn", 2): Dies(Ending.SIGNALED, 9)}
    worker = start(ScriptedSide(mishaps=mishaps), tmp_path)
    assert worker.request("turn", 60).ok
    error = worker.request("turn", 60).error
    assert error is not None
    assert (error["type"], error["module"]) == ("ImportError", "x")
    with pytest.raises(WorkerEnded) as ended:
        worker.request("turn", 60)
    assert (ended.value.execution.ending, ended.value.execution.code) == (Ending.SIGNALED, 9)


def test_a_worker_may_not_even_start(tmp_path: Path) -> None:
    with pytest.raises(WorkerEnded) as ended:
        start(ScriptedSide(mishaps={"start": Dies(code=3)}), tmp_path)
    assert (ended.value.op, ended.value.execution.code) == ("start", 3)


def test_hanging_and_slowness_cost_the_timeout(tmp_path: Path) -> None:
    for folder, side in (("a", ScriptedSide(mishaps={"turn": Hangs()})), ("b", ScriptedSide(call_s=50.0))):
        clock = Clock()
        worker = start(side, tmp_path / folder, clock)
        before = clock()
        with pytest.raises(WorkerEnded) as ended:
            worker.request("turn", 5.0)
        assert ended.value.execution.ending is Ending.TIMED_OUT
        assert clock() - before == pytest.approx(5.0)


def test_a_program_that_takes_longer_than_allowed(tmp_path: Path) -> None:
    side = ScriptedSide(program=Execution(("x",), Ending.EXITED, 0, "begun", "", 9.0))
    with ScriptedBackend({BASELINE: side}, tmp_path).workspace(COMMIT, BASELINE, None) as workspace:
        ended = workspace.run_program(Path("x"), (), 2.0, {}).execution
    assert (ended.ending, ended.code, ended.duration_s) == (Ending.TIMED_OUT, None, 2.0)
