"""What every backend must do. A new backend is one more entry in ``BACKENDS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from backends.sides import PATCHED, scripted_backend, worktree_backend

from pytest_perfagents.backends.base import Backend, Worker, WorkerEnded, Workspace, WorkspaceFailure
from pytest_perfagents.model import BASELINE, HUMAN, Category, Commit, Ending, Side, Stage

PATIENCE_S = 30.0
BACKENDS: dict[str, Callable[[Path], Any]] = {"worktree": worktree_backend, "scripted": scripted_backend}


class Bench:
    """A backend over the repository of ``sides.py``, with its script and patches as real files."""

    def __init__(self, backend: Backend, folder: Path, commit: Commit) -> None:
        self.backend, self.commit = backend, commit
        self.script = folder / "scripts" / "script.py"
        self.patches = folder / "patches"

    @contextmanager
    def workspace(self, side: Side = BASELINE, patch: str = "") -> Iterator[Workspace]:
        with self.backend.workspace(self.commit, side, self.patches / patch if patch else None) as workspace:
            yield workspace

    @contextmanager
    def worker(self, side: Side = BASELINE, patch: str = "") -> Iterator[Worker]:
        with self.workspace(side, patch) as workspace:
            worker = workspace.start_worker(seed=1, padding=64)
            try:
                yield worker
            finally:
                worker.close()

    @contextmanager
    def loaded(self, side: Side = BASELINE, patch: str = "") -> Iterator[Worker]:
        with self.worker(side, patch) as worker:
            assert worker.request("load", PATIENCE_S, script=str(self.script)).ok
            yield worker


@pytest.fixture(scope="module", params=BACKENDS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp(request.param)
    with BACKENDS[request.param](folder) as (backend, commit):
        yield Bench(backend, folder, commit)


def test_a_workspace_says_what_it_is(bench: Bench) -> None:
    with bench.workspace(PATCHED, "good.diff") as workspace:
        assert workspace.side == PATCHED
        assert workspace.scratch.is_dir()
        assert workspace.describe()["python"]
        scratch = workspace.scratch
        with bench.workspace(BASELINE) as other:
            assert len(str(other.root)) == len(str(workspace.root))
            assert other.root != workspace.root
            assert other.scratch != scratch


def test_every_side_can_be_entered_again(bench: Bench) -> None:
    for side, patch in ((BASELINE, ""), (HUMAN, ""), (PATCHED, "good.diff")) * 2:
        with bench.loaded(side, patch) as worker:
            assert worker.request("turn", PATIENCE_S).ok


def test_a_worker_greets(bench: Bench) -> None:
    with bench.worker() as worker:
        assert worker.pid > 0
        assert {"python", "implementation", "executable", "platform"} <= worker.hello.keys()


def test_load_describes_the_script(bench: Bench) -> None:
    with bench.worker() as worker:
        reply = worker.request("load", PATIENCE_S, script=str(bench.script), env={"IMPL_TAG": "x"})
        assert reply.ok
        assert reply.error is None
        assert reply.value["style"] == "driven"
        assert {"setup", "experiment"} <= set(reply.value["has"])
        assert reply.value["import_s"] >= 0
        assert reply.value["gpu"] is False
        assert reply.value["targets"]["pkg.core"]["error"] is None


def test_a_turn_is_timed_inside_and_outside(bench: Bench) -> None:
    with bench.loaded() as worker:
        before_s = worker.cpu_s()
        reply = worker.request("turn", PATIENCE_S, iterations=3, setups=1)
        assert reply.ok
        inside_s = (reply.value["wall_ns"] + reply.value["setup_ns"]) / 1e9
        assert 0 < inside_s <= reply.wall_s + 1e-6
        assert reply.cpu_s is not None
        assert 0 < reply.value["cpu_ns"] / 1e9 <= reply.cpu_s + 1e-6
        assert reply.ready_s is None or 0 <= reply.ready_s <= reply.wall_s
        assert (reply.value["threads"], reply.value["children"], reply.value["cuda_ms"]) == (1, 0, None)
        after_s = worker.cpu_s()
        assert before_s is not None
        assert after_s is not None
        assert after_s - before_s >= reply.value["cpu_ns"] / 1e9 - 1e-6


def test_requests_can_be_posted_before_they_are_waited_for(bench: Bench) -> None:
    with bench.worker(BASELINE) as one, bench.worker(HUMAN) as two:
        for worker in (one, two):
            worker.send("load", script=str(bench.script))
        for worker in (two, one):
            assert worker.wait(PATIENCE_S).value["style"] == "driven"


def test_results_are_stored_and_checked_across_sides(bench: Bench) -> None:
    with bench.workspace(BASELINE) as place, bench.loaded(BASELINE) as reference:
        path = str(place.scratch / "reference")
        reference.request("turn", PATIENCE_S)
        assert reference.request("store", PATIENCE_S, path=path).value["stored"] is True
        for patch, equal in (("good.diff", True), ("wrong.diff", False)):
            with bench.loaded(Side(PATCHED.role, patch), patch) as worker:
                worker.request("turn", PATIENCE_S)
                answer = worker.request("check", PATIENCE_S, path=path).value
                assert answer["equal"] is equal
                assert bool(answer["message"]) != equal


def test_results_are_described_and_judged_in_a_process_of_the_baseline(bench: Bench) -> None:
    with bench.workspace(BASELINE) as place, bench.loaded(BASELINE) as reference:
        path = str(place.scratch / "reference")
        reference.request("turn", PATIENCE_S)
        assert reference.request("store", PATIENCE_S, path=path).value["stored"] is True
        for patch, equal in (("good.diff", True), ("wrong.diff", False)):
            structure = place.scratch / patch
            with bench.loaded(Side(PATCHED.role, patch), patch) as worker:
                assert not worker.request("describe", PATIENCE_S, path=str(structure)).ok
                worker.request("turn", PATIENCE_S)
                answer = worker.request("describe", PATIENCE_S, path=str(structure), seed=1, place=0).value
            assert answer["whole"] is True
            assert answer["bytes"] == structure.stat().st_size
            assert answer["sha256"] == sha256(structure.read_bytes()).hexdigest()
            with bench.loaded(BASELINE) as judge:
                arguments = {"candidate": str(structure), "reference": path}
                verdict = judge.request("judge", PATIENCE_S, **arguments).value
            assert (verdict["equal"], verdict["faithful"], bool(verdict["message"])) == (equal, True, not equal)


def test_modules_and_their_files(bench: Bench) -> None:
    with bench.loaded() as worker:
        worker.request("turn", PATIENCE_S)
        seen = worker.request("modules", PATIENCE_S).value
        assert seen["modules"]["pkg.core"].endswith("pkg/core.py")
        assert seen["targets"]["pkg.core"]["file"] == seen["modules"]["pkg.core"]


def test_lines_that_ran(bench: Bench) -> None:
    with bench.worker(PATCHED, "good.diff") as worker:
        assert worker.request("trace", PATIENCE_S, files={"pkg/core.py": [1, 2]}).ok
        worker.request("load", PATIENCE_S, script=str(bench.script))
        worker.request("turn", PATIENCE_S)
        traced = worker.request("traced", PATIENCE_S).value
        assert {phase: lines["pkg/core.py"] for phase, lines in traced.items()} == {
            "executable": [1, 2],
            "import": [1],
            "setup": [],
            "call": [2],
        }


def test_an_exception_comes_back_as_a_reply_and_the_worker_lives(bench: Bench) -> None:
    with bench.loaded(Side(PATCHED.role, "raises.diff"), "raises.diff") as worker:
        for _ in range(2):
            reply = worker.request("turn", PATIENCE_S)
            assert not reply.ok
            assert reply.value == {}
            assert reply.error is not None
            assert (reply.error["type"], reply.error["message"]) == ("RuntimeError", "boom")
            assert reply.error["phase"] == "experiment"
            assert reply.error["traceback"].endswith("RuntimeError: boom\n")
            assert reply.error["chain"] == []


def test_a_refused_request_is_a_reply(bench: Bench) -> None:
    with bench.worker() as worker:
        assert worker.request("turn", PATIENCE_S).error is not None
    with bench.loaded() as worker:
        assert worker.request("store", PATIENCE_S, path="x").error is not None
        assert worker.request("check", PATIENCE_S, path="x").error is not None


def test_a_death_ends_the_worker(bench: Bench) -> None:
    with bench.loaded(Side(PATCHED.role, "dies.diff"), "dies.diff") as worker:
        with pytest.raises(WorkerEnded) as ended:
            worker.request("turn", PATIENCE_S)
        assert ended.value.op == "turn"
        assert (ended.value.execution.ending, ended.value.execution.code) == (Ending.EXITED, 7)
        assert "last words" in ended.value.execution.stderr
        with pytest.raises(WorkerEnded):
            worker.request("modules", PATIENCE_S)
        worker.send("modules")
        with pytest.raises(WorkerEnded):
            worker.wait(PATIENCE_S)
        assert worker.close() == ended.value.execution
        assert worker.cpu_s() is None


def test_silence_ends_the_worker(bench: Bench) -> None:
    with bench.loaded(Side(PATCHED.role, "hangs.diff"), "hangs.diff") as worker:
        with pytest.raises(WorkerEnded) as ended:
            worker.request("turn", 0.3)
        assert (ended.value.execution.ending, ended.value.execution.code) == (Ending.TIMED_OUT, None)


def test_close_may_be_called_again(bench: Bench) -> None:
    with bench.loaded() as worker:
        ended = worker.close()
        assert (ended.ending, ended.code) == (Ending.EXITED, 0)
        assert worker.close() == ended


def test_programs(bench: Bench) -> None:
    with bench.workspace() as workspace:
        run = workspace.run_program(bench.script, ["--prefix", "p"], PATIENCE_S, {"IMPL_TAG": "x"}, seed=3)
        assert (run.execution.ending, run.execution.code) == (Ending.EXITED, 0)
        assert run.execution.stdout == "Execution time: 1.5s\n"
        assert run.modules["pkg.core"] is not None
        assert run.error is None
        assert run.returned is None


def test_run_test(bench: Bench) -> None:
    with bench.workspace() as workspace:
        run = workspace.call_run_test(bench.script, {"prefix": "p"}, PATIENCE_S, {}, padding=10)
        assert run.returned is not None
        assert run.returned["value"] == 1.5
        assert run.returned["wall_ns"] > 0
        assert run.returned["cpu_ns"] > 0


def test_a_side_that_cannot_be_prepared(bench: Bench) -> None:
    side = Side(PATCHED.role, "conflict.diff")
    with pytest.raises(WorkspaceFailure) as failed, bench.workspace(side, "conflict.diff"):
        pytest.fail("there was nothing to enter")
    failure = failed.value.failure
    assert (failure.category, failure.stage) == (Category.PATCH_APPLY_FAILED, Stage.PREPARE)
    assert failure.side is PATCHED.role
