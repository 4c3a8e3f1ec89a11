"""What a backend offers: workspaces, and workers that run a perf script in one of them.

A backend is one file in this package and passes ``tests/backends/test_conformance.py``. The code under test
never raises through these interfaces: it comes back as a `Reply` that is not ok, a `WorkerEnded` (the
process is gone) or a `WorkspaceFailure` (there is nothing to run). `UsageError` and `BackendError` are the
user's to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.model import Commit, Execution, Failure, Side

if TYPE_CHECKING:
    from pytest_perfagents.gitrepo.patches import Patch


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's answer to one request.

    ``value`` holds what the operation returns (see `Worker.request`), empty unless ``ok``; ``error`` is the
    exception that came out of the script: ``type``, ``message``, ``bases`` (names of its classes), ``module``
    (ImportError.name), ``code`` (SystemExit), ``phase`` (import, setup, experiment, check, …), ``where``
    (file, line, function of the innermost frame), ``traceback`` (at most 8 KB) and ``chain`` (causes and
    contexts as {type, message, module}, the deepest last).

    ``wall_s`` and ``cpu_s`` were read by the harness around the exchange, out of reach of the code under
    test; ``cpu_s`` is None where the process's clock cannot be read. ``ready_s`` is how long its main thread could have
    run and had no core meanwhile (the kernel's run delay); None where the kernel does not tell.
    """

    ok: bool
    value: Mapping[str, Any]
    error: Mapping[str, Any] | None
    wall_s: float
    cpu_s: float | None
    ready_s: float | None = None


@dataclass(frozen=True, slots=True)
class Company:
    """Who is there beside a worker's calls, read from outside: how many threads its process has, and seconds of CPU of
    every process below it by its id. Nobody where that cannot be read. ``reaped_s`` is the CPU of those that were
    below it, have ended and were waited for.
    """

    threads: int = 0
    cpu_s: Mapping[int, float] = field(default_factory=dict)
    reaped_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A script that ran to its end in a process of its own.

    ``modules`` (name: file) are those of the measured packages that were loaded, ``targets`` what became of
    the modules that the script names (as in `Worker.request`); both are empty where the process was killed
    or left through ``os._exit``. ``error`` is what ended it, in the form of `Reply.error`. ``returned`` is
    filled by `Workspace.call_run_test`: ``value``, ``wall_ns``, ``cpu_ns``. ``confined`` says whether the kernel
    kept it from other trees and processes, None where it did not come to say so. ``intact`` is as the operation of
    that name answers. ``left`` are the lines of the script through which SystemExit left it, the outermost first; none
    where it came to its last line. ``late`` is what was printed after the script's end (``execution.stdout`` has it,
    too), None where that cannot be told apart. ``reports`` are those that came under the harness's own name, and
    ``left_behind`` the processes that outlived the script's and were ended. ``after_s`` and ``after_cpu_s`` are the
    seconds that the process took after the script's end, by its own clocks. ``calls`` and, in ``returned``, the times
    of imports are there where it was looked at: see `Workspace.run_program`.
    """

    execution: Execution
    modules: Mapping[str, str | None] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    returned: Mapping[str, Any] | None = None
    confined: bool | None = None
    intact: Mapping[str, Any] = field(default_factory=dict)
    left: tuple[int, ...] = ()
    late: str | None = None
    reports: int = 1
    left_behind: int = 0
    after_s: float = 0.0
    after_cpu_s: float = 0.0
    calls: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def is_reported(self) -> bool:
        """Whether the harness's own code in the process came to speak at the end."""
        return self.confined is not None


class WorkerEnded(Exception):  # noqa: N818 - it is an event that callers expect, not an error of theirs
    """The worker died, or did not answer in time (``execution.ending``) while it was asked for ``op``."""

    def __init__(self, execution: Execution, op: str) -> None:
        super().__init__(f"the worker ended ({execution.ending}, {execution.code}) during {op}")
        self.execution = execution
        self.op = op


class WorkspaceFailure(Exception):  # noqa: N818
    """A side could not be prepared; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Worker(Protocol):
    """A live process with the script in it. Whoever starts one closes it, in a ``finally``."""

    @property
    def pid(self) -> int:
        """The process's id."""
        ...

    @property
    def hello(self) -> Mapping[str, Any]:
        """What it said of itself: ``python``, ``implementation``, ``executable``, ``platform``, ``confined``.

        Waits for it; raises `WorkerEnded`.
        """
        ...

    def send(self, op: str, **arguments: Any) -> None:
        """Post a request without waiting for its answer, so that several workers can load side by side."""
        ...

    def wait(self, timeout_s: float, expected_s: float | None = None, then: Callable[[], None] | None = None) -> Reply:
        """The answer to the request posted last; raises `WorkerEnded`.

        Where it is due ``expected_s`` after the request, this thread keeps its CPU awake around then: to be woken takes
        longer.
        ``then`` is called when an answer is there, before anybody looks at it.
        """
        ...

    def cpu_s(self) -> float | None:
        """CPU time of the process so far, read from outside; None where it cannot be read."""
        ...

    def put(self, place: Place) -> Mapping[str, Any]:
        """Move its main thread to CPUs and a priority; what it got: ``cpus``, ``nice``."""
        ...

    def company(self) -> Company:
        """Its threads and the processes below it, now."""
        ...

    def request(self, op: str, timeout_s: float, **arguments: Any) -> Reply:
        """Ask for one operation; raises `WorkerEnded`, also on every request after the end.

        ``trace`` files={path relative to the workspace: [lines]}; before ``load``
            records which of these lines run
        ``load`` script=path, env={name: value} (set before the script is imported), shift=None (a number: random
            data are made from other seeds, by that much)
            -> style (driven, benchmark, run_test, program), has [names], import_s, libraries (how
            many modules from outside of the packages are loaded), python, gpu (in use), settings (pairs: environment
            variables that the import set, removed or changed, and what they are now),
            targets {module: {file, loaded, names, error}}: the modules of the measured packages that the
            script names; ``error`` is what a swallowed import hides. A ``program`` is not imported.
        ``turn`` iterations=1, setups=1 (how often ``setup()`` makes new data, with an equal part of the calls after
            each; 0: the data of the last turn; a benchmark test sets up once by itself), own=False (True: seeds that
            ``load`` shifts are the script's own in this turn) -> wall_ns, cpu_ns (of the calls alone), setup_ns,
            setup_cpu_ns (giving up the last data is part of it), threads, children (processes), and of the GPU, None
            without one: cuda_ms (of all streams), stream_ms (until the default stream was done), gpu_bytes (most that
            torch held)
        ``store`` path -> stored, message: the last result through the script's ``store_result``
        ``check`` path -> equal (True, False, None: the script cannot tell), message
        ``describe`` path (of a new file), seed=0 (chooses the sample of large arrays), place=-1 (which of the results
            that were kept of the last turn, modulo their number; -1: that of the last call), stored=None (a path: what
            ``load_result`` reads there, in place of a result) -> bytes, sha256, whole: the structure of the result, see
            ``worker/structure.py``
        ``judge`` candidate=path of a structure, reference=path of a stored result -> as ``check``, and faithful:
            whether the candidate could be made again as it was. No result of this process is needed
        ``shared`` -> modules: names of what is loaded from outside the workspace, in order
        ``modules`` retry=True -> modules {name: file}, targets (as in ``load``, those inside functions too)
        ``intact`` libraries=True -> replaced [{name, file, line}]: clocks, builtins, functions of the script and (of
            NumPy, torch and the like, which takes milliseconds) ``libraries`` that are no longer what they were
            before foreign code ran; gc: whether garbage collection is on; children: whether the kernel counts what
            those use that have ended
        ``traced`` -> import, setup, call, executable: each {path: [lines]} of the lines asked for
        """
        ...

    def close(self) -> Execution:
        """End it, and whatever it started; may be called again."""
        ...


class Template(Protocol):
    """A process that has imported what the workers of all sides share, and can be forked into one."""

    def close(self) -> object:
        """End it, and what it forked; may be called again."""
        ...


class Workspace(Protocol):
    """One side of one commit, ready to run code."""

    @property
    def root(self) -> Path:
        """The tree; equally long for every workspace of a session."""
        ...

    @property
    def side(self) -> Side:
        """Which side it is."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """What was noticed while it was prepared, for `Integrity.flags`."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder outside the tree for result files, which stay there from one process to the next.

        Processes need not see it: a path in it that is handed to one means the file, and not the place.
        """
        ...

    @property
    def harness_files(self) -> tuple[Path, ...]:
        """What of the harness its processes run."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Interpreter, versions and platform, for the record."""
        ...

    @property
    def patch(self) -> Patch | None:
        """The agent's patch, where it is a patched side."""
        ...

    def start_template(self, modules: Sequence[str], *, seed: int, timeout_s: float) -> Template | None:
        """A process that has imported ``modules``, none of them the workspace's; None where that cannot be had."""
        ...

    def start_worker(self, *, seed: int, padding: int, template: Template | None = None) -> Worker:
        """Start a process, or fork the template; its greeting is waited for where it is first needed.

        ``seed`` makes the hash seed, ``padding`` (bytes) shifts the memory layout. Call it from a thread that
        outlives the worker: Linux ends a worker with the thread that started it. Raises `WorkerEnded`.
        """
        ...

    def start_counted(self, command: Sequence[str]) -> Worker:
        """As `start_worker`, always with the same seed and layout, inside ``command``.

        That is a counter of instructions: what it says stands in stderr of the execution that `Worker.close` returns.
        """
        ...

    def run_program(
        self,
        script: Path,
        arguments: Sequence[str],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
        look: str = "",
    ) -> ProgramRun:
        """Run the script as ``__main__`` with these arguments in a process of its own, to its end.

        ``look``: ``calls`` times calls into the workspace, which slows them down; ``imports`` does not run the script
        and times the import of the modules that the arguments name.
        """
        ...

    def call_run_test(
        self,
        script: Path,
        arguments: Mapping[str, Any],
        timeout_s: float,
        env: Mapping[str, str],
        *,
        seed: int = 1,
        padding: int = 0,
        look: str = "",
    ) -> ProgramRun:
        """Import the script in a process of its own; call its ``run_test`` with those arguments it takes."""
        ...


class Backend(Protocol):
    """Where code runs."""

    def workspace(self, commit: Commit, side: Side, patch: Path | None) -> AbstractContextManager[Workspace]:
        """Prepare one side; entering raises `WorkspaceFailure`, leaving removes all that it made."""
        ...

    def renew(self) -> None:
        """Somebody wrote to what sides share: make it anew for whoever asks next."""
        ...
