"""A backend without processes: its sides answer from a description, on a clock that only they move.

For tests of the harness and the plugin, which then never sleep and never depend on the machine's speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends.base import Company, ProgramRun, Reply, WorkerEnded, WorkspaceFailure
from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.model import Commit, Ending, Execution, Failure, Side
from pytest_perfagents.worker.structure import StructureWriter
from pytest_perfagents.worker.structure_reading import StructureReader

if TYPE_CHECKING:
    from pytest_perfagents.gitrepo.patches import Patch

LinesByFile = Mapping[str, Sequence[int]]


@dataclass(slots=True)
class Clock:
    """Time as the scripted sides spend it; call it for the seconds so far."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Seconds so far, like ``time.monotonic``."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@dataclass(frozen=True, slots=True)
class Dies:
    """The process ends during a request."""

    ending: Ending = Ending.EXITED
    code: int | None = 1
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Hangs:
    """A request is never answered."""


@dataclass(frozen=True, slots=True)
class Raises:
    """The script raises: ``error`` as in `Reply.error`; what it leaves out is filled in."""

    type: str = "RuntimeError"
    message: str = "boom"
    more: Mapping[str, Any] = field(default_factory=dict)

    def described(self, phase: str) -> dict[str, Any]:
        """As a worker would describe it."""
        trace = f"Traceback (most recent call last):\n{self.type}: {self.message}\n"
        return {
            "type": self.type, "message": self.message, "bases": [self.type, "Exception"], "phase": phase,
            "where": None, "traceback": trace, "chain": [], **self.more,
        }  # fmt: skip


Mishap = Dies | Hangs | Raises


@dataclass(frozen=True, slots=True)
class Moment:
    """When a scripted side gives its result: the process's hash seed, the shift of random data, calls so far."""

    seed: int
    shift: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class ScriptedSide:
    """How one side behaves.

    ``call_s`` is the time of one call, or a function of its number in the process (0 is the first). ``noise`` is the
    relative spread of a turn, ``start_noise`` that of a whole process. ``cpu_share`` is CPU time per wall time;
    ``outside`` what an honest clock reads per second that the worker claims. ``child_cpu_share`` is CPU per second of
    each of its ``children``, ``hidden_cpu_s`` what a turn spends beside its calls; ``intact`` answers `intact`.
    ``mishaps`` maps an operation (``start`` too) to what happens instead, ``("turn", 3)`` to what happens at its fourth
    time in a process, ``fork_mishaps`` the same for forks; ``shared`` is what it loads from outside,
    ``settings`` are variables that its import sets.
    ``equal`` answers ``check``; ``result`` is what it gives and ``judged`` what a script's check
    says of that in a process of the baseline, None: as ``equal``; both may be functions of the `Moment`.
    ``shifted_call_s`` is the time of a call with other random data, where it is another one. ``lines`` answers
    ``traced``. ``program`` answers `run_program`, ``returned`` is what ``run_test`` gives. ``cuda``: it uses a GPU,
    whose clock reads ``gpu_clock`` per second of wall time; a share ``side_stream`` of its work ends after the default
    stream. ``failure`` keeps the side from being prepared. ``instructions`` are those of one call, as valgrind would
    count them.
    """

    call_s: float | Callable[[int], float] = 0.01
    noise: float = 0.0
    start_noise: float = 0.0
    startup_s: float = 0.05
    import_s: float = 0.02
    setup_s: float = 0.0
    cpu_share: float = 1.0
    outside: float = 1.0
    threads: int = 1
    children: int = 0
    child_cpu_share: float = 0.0
    hidden_cpu_s: float = 0.0
    intact: Mapping[str, Any] = field(default_factory=dict)
    cuda: bool = False
    side_stream: float = 0.0
    gpu_clock: float = 1.0
    gpu_bytes: int | None = None
    style: str = "driven"
    equal: bool | None = True
    message: str = ""
    result: Any = 7
    shifted_call_s: float | None = None
    judged: bool | Callable[[Moment], bool] | None = None
    stores: bool = True
    mishaps: Mapping[str | tuple[str, int], Mishap] = field(default_factory=dict)
    fork_mishaps: Mapping[str | tuple[str, int], Mishap] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str | None] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, LinesByFile] = field(default_factory=dict)
    program: Execution | None = None
    returned: float | None = None
    flags: tuple[str, ...] = ()
    failure: Failure | None = None
    patch: Patch | None = None
    instructions: float | None = None


class ScriptedWorker:
    """A worker that answers from a `ScriptedSide`."""

    def __init__(self, side: ScriptedSide, clock: Clock, pid: int, random: Random, seed: int = 1) -> None:
        self._side, self._clock, self._random = side, clock, random
        self._pid, self._seed = pid, seed
        self._shift: int | None = None
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

    def _turn(self, iterations: int = 1, setups: int = 1) -> dict[str, Any]:
        if not self._loaded or self._side.style not in ("driven", "benchmark"):
            raise Refused("a turn needs a loaded script")
        setup_s = self._side.setup_s * (setups or not self._result)
        self._spend(setup_s)
        call_s = self._side.call_s
        if self._shift is not None and self._side.shifted_call_s is not None:
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
        return {"equal": self._side.equal, "message": self._side.message}

    def _describe(self, path: str, seed: int = 0, place: int = -1, stored: str | None = None) -> dict[str, Any]:
        self._need_result()
        side = self._side
        now = Moment(self._seed, self._shift, self._calls)
        result, judged = [each(now) if callable(each) else each for each in (side.result, side.judged)]
        data = StructureWriter(seed=seed).take((result, side.equal if judged is None else judged, side.message))
        Path(path).write_bytes(data)
        return {"bytes": len(data), "sha256": sha256(data).hexdigest(), "whole": True}

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


class Refused(Exception):  # noqa: N818
    """A request that makes no sense now."""


class ScriptedTemplate:
    """A process that can be forked."""

    def close(self) -> Execution:
        """It ends."""
        return Execution(("template",), Ending.EXITED, 0, "", "", 0.0)


@dataclass(frozen=True, slots=True)
class ScriptedWorkspace:
    """A side as described; only ``scratch`` is real."""

    root: Path
    side: Side
    flags: tuple[str, ...]
    patch: Patch | None
    scratch: Path
    behaviour: ScriptedSide
    clock: Clock
    pids: Iterator[int]
    live: list[ScriptedWorker]

    @property
    def harness_files(self) -> tuple[Path, ...]:
        """None."""
        return ()

    def describe(self) -> Mapping[str, Any]:
        """A made-up machine."""
        return {"python": "3.11.0", "platform": "scripted", "backend": "scripted"}

    def start_template(self, modules: Sequence[str], *, seed: int, timeout_s: float) -> ScriptedTemplate:
        """A template that needs nothing."""
        return ScriptedTemplate()

    def start_worker(self, *, seed: int, padding: int, template: object = None) -> ScriptedWorker:
        """A worker whose noise comes from the seed and the side."""
        random = Random(f"{seed}/{padding}/{self.side}")
        behaviour = self.behaviour
        if template is not None:
            behaviour = replace(behaviour, mishaps={**behaviour.mishaps, **behaviour.fork_mishaps})
        worker = ScriptedWorker(behaviour, self.clock, next(self.pids), random, seed)
        self.live.append(worker)
        return worker

    def start_counted(self, command: Sequence[str]) -> ScriptedWorker:
        """A worker that says at its end how many instructions it took, where that was described."""
        return self.start_worker(seed=1, padding=0)

    def run_program(
        self,
        script: Path,
        arguments: Sequence[str],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
    ) -> ProgramRun:
        """The execution that was described."""
        ended = self.behaviour.program or Execution((str(script),), Ending.EXITED, 0, "", "", 0.0)
        if ended.duration_s > timeout_s:
            ended = Execution(ended.command, Ending.TIMED_OUT, None, ended.stdout, ended.stderr, timeout_s)
        self.clock.advance(ended.duration_s)
        modules, targets = dict(self.behaviour.modules), dict(self.behaviour.targets)
        return ProgramRun(ended, modules, targets, intact=self.behaviour.intact)

    def call_run_test(
        self,
        script: Path,
        arguments: Mapping[str, Any],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
    ) -> ProgramRun:
        """The same, with what ``run_test`` was described to return (milliseconds), in a second and that."""
        run = self.run_program(script, (), timeout_s, env, seed=seed, padding=padding)
        if self.behaviour.returned is None:
            return run
        taken_ns = 10**9 + round(self.behaviour.returned * 1e6)
        returned = {"value": self.behaviour.returned, "wall_ns": taken_ns, "cpu_ns": taken_ns}
        return ProgramRun(run.execution, run.modules, run.targets, None, returned, intact=self.behaviour.intact)


class ScriptedBackend:
    """Sides by their `Side`; ``live`` lists every worker that was started, ``entered`` every workspace."""

    def __init__(self, sides: Mapping[Side, ScriptedSide], folder: Path, clock: Clock | None = None) -> None:
        """``folder`` is where ``scratch`` folders are made."""
        self.sides = sides
        self.clock = clock or Clock()
        self.live: list[ScriptedWorker] = []
        self.entered: list[Side] = []
        self._folder = folder
        self._pids, self._numbers = count(1), count(1)

    @contextmanager
    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> Iterator[ScriptedWorkspace]:
        """A side as described; raises WorkspaceFailure where that says so."""
        behaviour = self.sides[side]
        self.entered.append(side)
        if behaviour.failure is not None:
            raise WorkspaceFailure(behaviour.failure)
        root = self._folder / f"{next(self._numbers):06d}"
        scratch = self._folder / "scratch" / root.name
        scratch.mkdir(parents=True)
        yield ScriptedWorkspace(
            root,
            side,
            behaviour.flags,
            behaviour.patch,
            scratch,
            behaviour,
            self.clock,
            self._pids,
            self.live,
        )

    def renew(self) -> None:
        """Nothing is shared."""


def _spread(random: Random, relative: float) -> float:
    return random.lognormvariate(0.0, relative) if relative else 1.0
