"""A worker that answers from the description of its side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from pytest_perfagents.backends.base import Company, Reply, WorkerEnded
from pytest_perfagents.backends.scripted.sides import Clock, Dies, Hangs, LinesByFile, Moment, Raises, ScriptedSide
from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.model import Ending, Execution
from pytest_perfagents.worker.structure import StructureWriter
from pytest_perfagents.worker.structure_reading import StructureReader


class Refused(Exception):  # noqa: N818
    """A request that makes no sense now."""


class ScriptedWorker:
    """A worker that answers from a `ScriptedSide`."""

    def __init__(self, side: ScriptedSide, clock: Clock, pid: int, random: Random, seed: int = 1) -> None:
        self._side, self._clock, self._random = side, clock, random
        self._pid, self._seed = pid, seed
        self._shift: int | None = None
        self._rests = False
        self._began_s = clock()
        self._cpu_s = 0.0
        self._factor = _spread(random, side.start_noise)
        self._done: dict[str, int] = {}
        self._calls = 0
        self._posted: tuple[str, dict[str, Any]] = ("start", {})
        self._ended: Execution | None = None
        self._loaded = False
        self._result = False
        self._spend(side.startup_s)
        self._mishap("start", 60.0)

    @property
    def pid(self) -> int:
        """A number that no process has."""
        return self._pid

    @property
    def hello(self) -> Mapping[str, Any]:
        """A made-up interpreter."""
        return {
            "python": "3.11.0",
            "implementation": "Scripted",
            "executable": "python",
            "platform": "scripted",
        }

    def put(self, place: Place) -> Mapping[str, Any]:
        """It gets what it is given."""
        return {"cpus": list(place.cpus), "nice": place.nice}

    def cpu_s(self) -> float | None:
        """CPU time spent so far."""
        return None if self._ended else self._cpu_s

    def company(self) -> Company:
        """As described; its processes compute all the time, as far as they compute."""
        cpu_s = self._side.child_cpu_share * (self._clock() - self._began_s)
        return Company(self._side.threads, dict.fromkeys(range(self._side.children), cpu_s))

    def send(self, op: str, **arguments: Any) -> None:
        """Post a request."""
        self._posted = op, arguments

    def wait(self, timeout_s: float, expected_s: float | None = None, then: Callable[[], None] | None = None) -> Reply:
        """Answer it."""
        op, arguments = self._posted
        if self._ended is not None:
            raise WorkerEnded(self._ended, op)
        wall_s, cpu_s = self._clock(), self._cpu_s
        error = self._mishap(op, timeout_s)
        value: Mapping[str, Any] = {}
        if error is None:
            try:
                value = getattr(self, f"_{op}")(**arguments)
            except Refused as refused:
                error = Raises("Refusal", str(refused)).described("harness")
        elapsed_s = self._clock() - wall_s
        if elapsed_s > timeout_s:
            self._clock.advance(timeout_s - elapsed_s)  # nobody waited for the rest
            self._end(Ending.TIMED_OUT, None, f"no answer to {op} in {timeout_s:g} s")
        if then is not None:
            then()
        return Reply(error is None, value, error, elapsed_s, self._cpu_s - cpu_s)

    def request(self, op: str, timeout_s: float, **arguments: Any) -> Reply:
        """Post and answer a request."""
        self.send(op, **arguments)
        return self.wait(timeout_s)

    def close(self) -> Execution:
        """End the worker."""
        if self._ended is None:
            self._ended = self._execution(Ending.EXITED, 0, self._counted())
        return self._ended

    def _load(self, script: str, env: Mapping[str, str] | None = None, shift: int | None = None) -> dict[str, Any]:
        self._spend(self._side.import_s)
        self._shift = shift
        self._loaded = True
        return {
            "style": self._side.style,
            "has": ["setup", "experiment"],
            "import_s": self._side.import_s,
            "python": "3.11.0",
            "gpu": self._side.cuda,
            "settings": list(self._side.settings.items()),
            "targets": dict(self._side.targets),
        }

    def _turn(self, iterations: int = 1, setups: int = 1, own: bool = False) -> dict[str, Any]:
        if not self._loaded or self._side.style not in ("driven", "benchmark"):
            raise Refused("a turn needs a loaded script")
        self._rests = own
        setup_s = self._side.setup_s * (setups or not self._result)
        self._spend(setup_s)
        call_s = self._side.call_s
        if self._shift is not None and not own and self._side.shifted_call_s is not None:
            call_s = self._side.shifted_call_s
        seconds = sum(call_s(self._calls + number) if callable(call_s) else call_s for number in range(iterations))
        self._calls += iterations
        seconds *= self._factor * _spread(self._random, self._side.noise)
        self._spend(seconds)
        self._cpu_s += self._side.hidden_cpu_s
        self._result = True
        return {
            "wall_ns": round(seconds * 1e9),
            "cpu_ns": round(seconds * self._side.cpu_share * 1e9),
            "setup_ns": round(setup_s * 1e9),
            "threads": self._side.threads,
            "children": self._side.children,
            "cuda_ms": seconds * 1e3 * self._side.gpu_clock if self._side.cuda else None,
            "stream_ms": seconds * 1e3 * (1 - self._side.side_stream) if self._side.cuda else None,
            "gpu_bytes": self._side.gpu_bytes,
        }

    def _shared(self) -> dict[str, Any]:
        return {"modules": list(self._side.shared)}

    def _store(self, path: str) -> dict[str, Any]:
        self._need_result()
        if self._side.stores:
            Path(path).write_text("scripted", encoding="utf-8")
        return {"stored": self._side.stores, "message": "" if self._side.stores else "no store_result()"}

    def _check(self, path: str) -> dict[str, Any]:
        self._need_result()
        return {"equal": self._now(self._side.equal), "message": self._side.message}

    def _describe(self, path: str, seed: int = 0, place: int = -1, stored: str | None = None) -> dict[str, Any]:
        self._need_result()
        side = self._side
        result, judged, equal = (self._now(each) for each in (side.result, side.judged, side.equal))
        data = StructureWriter(seed=seed).take((result, equal if judged is None else judged, side.message))
        Path(path).write_bytes(data)
        return {"bytes": len(data), "sha256": sha256(data).hexdigest(), "whole": True}

    def _now(self, value: Any) -> Any:
        """What a value that may be a function of the moment is now."""
        shift = None if self._rests else self._shift
        return value(Moment(self._seed, shift, self._calls)) if callable(value) else value

    def _judge(self, candidate: str, reference: str) -> dict[str, Any]:
        _, judged, message = StructureReader(Path(candidate).read_bytes()).read().value
        return {"equal": judged.value, "message": message.value, "faithful": True}

    def _modules(self, retry: bool = True) -> dict[str, Any]:
        return {"modules": dict(self._side.modules), "targets": dict(self._side.targets)}

    def _trace(self, files: LinesByFile) -> dict[str, Any]:
        return {}

    def _intact(self, libraries: bool = True) -> dict[str, Any]:
        return {"replaced": [], "gc": True, **self._side.intact}

    def _traced(self) -> dict[str, Any]:
        return {name: dict(self._side.lines.get(name, {})) for name in ("executable", "import", "setup", "call")}

    def _need_result(self) -> None:
        if not self._result:
            raise Refused("there is no result before a turn")

    def _spend(self, seconds: float) -> None:
        self._clock.advance(seconds * self._side.outside)
        self._cpu_s += seconds * self._side.cpu_share * self._side.outside

    def _mishap(self, op: str, timeout_s: float) -> dict[str, Any] | None:
        """The error that the operation raises this time, if any; raises WorkerEnded at the process's end."""
        number = self._done.get(op, 0)
        self._done[op] = number + 1
        match self._side.mishaps.get((op, number), self._side.mishaps.get(op)):
            case Raises() as raises:
                phase = {"load": "import", "turn": "experiment"}.get(op, op)
                return raises.described(phase)
            case Dies(ending, code, stderr):
                self._end(ending, code, stderr)
            case Hangs():
                self._clock.advance(timeout_s)
                self._end(Ending.TIMED_OUT, None, f"no answer to {op} in {timeout_s:g} s")
        return None

    def _end(self, ending: Ending, code: int | None, stderr: str) -> None:
        self._ended = self._execution(ending, code, stderr)
        raise WorkerEnded(self._ended, self._posted[0])

    def _counted(self) -> str:
        each = self._side.instructions
        return "" if each is None else f"==1== I   refs:      {round(1e9 + self._calls * each):,}\n"

    def _execution(self, ending: Ending, code: int | None, stderr: str) -> Execution:
        return Execution(("python", "worker"), ending, code, "", stderr, self._clock() - self._began_s)


def _spread(random: Random, relative: float) -> float:
    return random.lognormvariate(0.0, relative) if relative else 1.0
