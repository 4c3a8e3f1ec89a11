"""What is said of a scripted side: how fast it is, what it answers, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_perfagents.model import Ending, Execution, Failure

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
    says of that in a process of the baseline, None: as ``equal``; all three may be functions of the `Moment`.
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
    equal: bool | Callable[[Moment], bool] | None = True
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
