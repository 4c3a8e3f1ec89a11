"""The domain: commits, agent runs, sides, samples, outcomes. Standard library only, frozen, validated at birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any


class UsageError(Exception):
    """The user or the machine is at fault; the text names the thing, the cause and the next step."""


class BackendError(UsageError):
    """A backend cannot work at all (no git, no Docker): nothing about one run, so no outcome can carry it."""


class Role(StrEnum):
    """The three kinds of tree that are measured."""

    BASELINE = "baseline"
    HUMAN = "human"
    PATCHED = "patched"


class Stage(StrEnum):
    """How far a run came."""

    DISCOVER = "discover"
    PREPARE = "prepare"
    IMPORT = "import"
    CHECK = "check"
    RUN = "run"
    VERIFY = "verify"
    MEASURE = "measure"
    SERVE = "serve"


class Blame(StrEnum):
    """Whose move it is."""

    AGENT = "agent"
    SCRIPT = "script"
    ENVIRONMENT = "environment"
    HARNESS = "harness"


class Ending(StrEnum):
    """How a process ended: a fact, never an interpretation."""

    EXITED = "exited"
    SIGNALED = "signaled"
    TIMED_OUT = "timed out"
    NOT_STARTED = "not started"


class Change(StrEnum):
    """Did it change? Answered apart from what it is called."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    UNCLEAR = "unclear"


_SIDE_FAILURES = (
    "IMPORT_ERROR",
    "ATTRIBUTE_ERROR",
    "TYPE_ERROR",
    "RUNTIME_ERROR",
    "ASSERTION",
    "OOM",
    "CUDA_ERROR",
    "EXCEPTION",
    "UNKNOWN",
    "NO_OUTPUT",
    "TIMEOUT",
)


class Category(StrEnum):
    """What a run is called; ``taxonomy.py`` says when, and what pytest shows for it."""

    SUCCESS_IMPROVEMENT = "SUCCESS_IMPROVEMENT"
    SUCCESS_REGRESSION = "SUCCESS_REGRESSION"
    SUCCESS_NEUTRAL = "SUCCESS_NEUTRAL"
    SUCCESS_INCONCLUSIVE = "SUCCESS_INCONCLUSIVE"
    AGENT_NO_PATCH = "AGENT_NO_PATCH"
    AGENT_TIMEOUT = "AGENT_TIMEOUT"
    AGENT_INFRA_ERROR = "AGENT_INFRA_ERROR"
    NO_TEST_SCRIPT = "NO_TEST_SCRIPT"
    HARDWARE_UNAVAILABLE = "HARDWARE_UNAVAILABLE"
    PATCH_INVALID = "PATCH_INVALID"
    PATCH_APPLY_FAILED = "PATCH_APPLY_FAILED"
    NEEDS_BUILD = "NEEDS_BUILD"
    GIT_WORKTREE_FAILED = "GIT_WORKTREE_FAILED"
    IMAGE_UNAVAILABLE = "IMAGE_UNAVAILABLE"
    TEST_IMPORT_ERROR = "TEST_IMPORT_ERROR"
    TARGET_NOT_RESOLVED = "TARGET_NOT_RESOLVED"
    WRONG_TARGET = "WRONG_TARGET"
    OPT_PATH_NOT_HIT = "OPT_PATH_NOT_HIT"
    BASELINE_IMPORT_ERROR = "BASELINE_IMPORT_ERROR"
    BASELINE_ATTRIBUTE_ERROR = "BASELINE_ATTRIBUTE_ERROR"
    BASELINE_TYPE_ERROR = "BASELINE_TYPE_ERROR"
    BASELINE_RUNTIME_ERROR = "BASELINE_RUNTIME_ERROR"
    BASELINE_ASSERTION = "BASELINE_ASSERTION"
    BASELINE_OOM = "BASELINE_OOM"
    BASELINE_CUDA_ERROR = "BASELINE_CUDA_ERROR"
    BASELINE_EXCEPTION = "BASELINE_EXCEPTION"
    BASELINE_UNKNOWN = "BASELINE_UNKNOWN"
    BASELINE_NO_OUTPUT = "BASELINE_NO_OUTPUT"
    BASELINE_TIMEOUT = "BASELINE_TIMEOUT"
    PATCHED_IMPORT_ERROR = "PATCHED_IMPORT_ERROR"
    PATCHED_ATTRIBUTE_ERROR = "PATCHED_ATTRIBUTE_ERROR"
    PATCHED_TYPE_ERROR = "PATCHED_TYPE_ERROR"
    PATCHED_RUNTIME_ERROR = "PATCHED_RUNTIME_ERROR"
    PATCHED_ASSERTION = "PATCHED_ASSERTION"
    PATCHED_OOM = "PATCHED_OOM"
    PATCHED_CUDA_ERROR = "PATCHED_CUDA_ERROR"
    PATCHED_EXCEPTION = "PATCHED_EXCEPTION"
    PATCHED_UNKNOWN = "PATCHED_UNKNOWN"
    PATCHED_NO_OUTPUT = "PATCHED_NO_OUTPUT"
    PATCHED_TIMEOUT = "PATCHED_TIMEOUT"
    PATCHED_TARGET_NOT_RESOLVED = "PATCHED_TARGET_NOT_RESOLVED"
    EQUIVALENCE_FAILED = "EQUIVALENCE_FAILED"
    TIMER_TAMPERED = "TIMER_TAMPERED"
    SERVER_CRASHED = "SERVER_CRASHED"
    NO_METRICS = "NO_METRICS"
    BENCHMARK_TIMEOUT = "BENCHMARK_TIMEOUT"
    HARNESS_ERROR = "HARNESS_ERROR"

    @property
    def measured(self) -> bool:
        """Whether there are times to show."""
        return self.value.startswith("SUCCESS_")

    @classmethod
    def for_side(cls, role: Role, kind: str) -> Category:
        """``for_side(Role.BASELINE, "OOM")`` is ``BASELINE_OOM``; the human's side reads as the baseline does."""
        if kind not in _SIDE_FAILURES:
            raise ValueError(f"{kind!r} is no failure of one side; there are {', '.join(_SIDE_FAILURES)}")
        return cls[f"{'PATCHED' if role is Role.PATCHED else 'BASELINE'}_{kind}"]


@dataclass(frozen=True, slots=True)
class Commit:
    """One performance commit: the task that agents were given.

    ``human`` and ``parent`` are revisions as the run recorded them, full or abbreviated, lower-case hex.
    """

    repo: str
    human: str
    parent: str

    def __post_init__(self) -> None:
        for what, revision in (("human", self.human), ("parent", self.parent)):
            if revision and not all(c in "0123456789abcdef" for c in revision):
                raise ValueError(f"{self.repo}: {what} commit {revision!r} is not hexadecimal")

    @property
    def short(self) -> str:
        """The first eight characters of the human commit, as file names and people write it."""
        return self.human[:8]

    @property
    def arena(self) -> str:
        """The same for every run of this task, whether it recorded full or abbreviated revisions."""
        return f"{self.repo}/{self.short}/{self.parent[:8]}"

    @property
    def name(self) -> str:
        """``minivllm-1a2b3c4d``."""
        return f"{self.repo}-{self.short}"


@dataclass(frozen=True, slots=True)
class AgentRun:
    """One agent's attempt at one commit, as found on disk.

    ``run`` is the timestamp or run id of the folder; ``status`` is the agent's own word, lower case;
    ``trouble`` is what discovery saw amiss (unreadable journal, no commit, …), empty when nothing;
    ``returncode``, ``duration_s`` and ``time_budget_minutes`` come from the journal's agent block.
    """

    commit: Commit
    agent: str
    model: str
    run: str
    item: str
    folder: str
    alias: str
    has_patch: bool
    status: str = ""
    trouble: str = ""
    returncode: int | None = None
    duration_s: float | None = None
    time_budget_minutes: float | None = None
    patch_file: str = "model_patch.diff"

    @property
    def id(self) -> str:
        """``minivllm/1a2b3c4d/trae/claude-sonnet-45/2026-01-01_00-00-00/minivllm_core-0000``: unique, stable."""
        return f"{self.commit.repo}/{self.commit.short}/{self.agent}/{self.model}/{self.run}/{self.item}"

    @property
    def patch(self) -> Path:
        """The file that holds the patch, if there is one: a diff, or a ``prediction.jsonl``."""
        return Path(self.folder, self.patch_file)


@dataclass(frozen=True, slots=True)
class Case:
    """What one pytest item evaluates: an agent run and the script that measures it (``None``: there is none)."""

    run: AgentRun
    script: Path | None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id


@dataclass(frozen=True, slots=True)
class Side:
    """One tree of a commit: ``run`` is the agent run's id where the role is PATCHED, empty otherwise."""

    role: Role
    run: str = ""

    def __post_init__(self) -> None:
        if (self.role is Role.PATCHED) != bool(self.run):
            raise ValueError(f"a patched side names its run and no other side does, got {self.role} {self.run!r}")

    def __str__(self) -> str:
        return f"{self.role}({self.run})" if self.run else str(self.role)


BASELINE = Side(Role.BASELINE)
HUMAN = Side(Role.HUMAN)


@dataclass(frozen=True, slots=True)
class Execution:
    """How a process ran and ended. ``stdout`` and ``stderr`` are bounded: a head and a tail of what was written.

    ``cpu_s`` is of the process alone, as the kernel counted it, ``ready_s`` the time for which it could run and another
    one had the core; None where nobody could ask.
    """

    command: tuple[str, ...]
    ending: Ending
    code: int | None
    stdout: str
    stderr: str
    duration_s: float
    cpu_s: float | None = None
    ready_s: float | None = None


@dataclass(frozen=True, slots=True)
class StatedTimes:
    """What a recorded evaluation states of a side, in seconds per call, where nobody kept the samples."""

    mean_s: float | None = None
    median_s: float | None = None


@dataclass(frozen=True, slots=True)
class SideSamples:
    """Times of one side: for each process start its turns, in seconds per call of the experiment.

    ``cpu_s`` and ``wall_s`` have the same shape: starts x turns. So has ``ready_s``, the time for which the process
    could have run and another one had the core, where the machine tells it; it is empty elsewhere. ``memory_bytes`` is
    what a process had in use at most, ``gpu_memory_bytes`` what torch held on the GPU in a turn. A recorded side has
    no starts, and ``stated`` in their place.
    """

    side: Side
    iterations: int
    wall_s: tuple[tuple[float, ...], ...]
    cpu_s: tuple[tuple[float, ...], ...]
    ready_s: tuple[tuple[float, ...], ...] = ()
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    stated: StatedTimes | None = None

    def __post_init__(self) -> None:
        shapes = [[len(turns) for turns in times] for times in (self.wall_s, self.cpu_s, self.ready_s or self.wall_s)]
        if not shapes[0] == shapes[1] == shapes[2]:
            raise ValueError(f"{self.side}: wall and CPU times differ in shape")
        for turns in (*self.wall_s, *self.cpu_s, *self.ready_s):
            for seconds in turns:
                if not (isfinite(seconds) and seconds >= 0):
                    raise ValueError(f"{self.side}: a sample must be finite and not negative, got {seconds}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One side against the baseline. ``point``, ``low``, ``high`` are speedups: 1.2 is a fifth more per second.

    ``confidence`` is that of ``low``..``high`` (a claim asks for more, see ``judge.Rule``), which are 0 and infinity
    where there were too few starts for it; ``p_value`` is two-sided against "no change"; ``clock`` is ``cpu``,
    ``wall``, ``cuda`` or ``script``; ``change`` says whether it changed at all, ``category`` what that is called;
    ``needed_starts`` estimates the starts that would decide an inconclusive comparison; ``detectable`` is the smallest
    effect (0.01: 1 %) that nine of ten such measurements would find; ``decided_by`` says whether ``change`` rests on
    ``time`` or, as a tie-break, on counted ``instructions``. ``recorded``: read from a record, by the old rule that a
    change beyond the threshold counts; it has no interval (0 to infinity), no confidence and no p-value, and
    ``median`` is what the sides' medians say where the record holds them.
    """

    baseline: Side
    candidate: Side
    starts: int
    point: float
    low: float
    high: float
    confidence: float
    p_value: float
    clock: str
    change: Change
    category: Category
    needed_starts: int | None = None
    detectable: float | None = None
    decided_by: str = "time"
    recorded: bool = False
    median: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.point <= self.high:
            raise ValueError(f"an interval must hold its point, got {self.low} {self.point} {self.high}")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing was measured: on which side, at which stage, whose move it is, and what mends it."""

    category: Category
    stage: Stage
    reason: str
    side: Role | None = None
    blame: Blame | None = None
    hint: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.category.measured:
            raise ValueError(f"{self.category} is no failure")
        if "\n" in self.reason or not self.reason:
            raise ValueError(f"a reason is one line, got {self.reason!r}")


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was proven of the measured side; ``None`` where it could not be looked at.

    ``equivalence`` and ``fresh_inputs`` (the same comparison with other random data) are ``equal``, ``different`` or
    ``unchecked``; ``equivalence_by`` says what compared: the ``script``'s own check or the results' ``structure``.
    ``confined`` says whether the kernel kept the side from other trees and processes.
    """

    loaded_from_workspace: bool | None = None
    patched_lines: int | None = None
    patched_lines_executed: int | None = None
    equivalence: str = "unchecked"
    equivalence_by: str = ""
    fresh_inputs: str = "unchecked"
    confined: bool | None = None
    clock_ratio: float | None = None
    first_call_speedup: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an agent's model read and wrote in one run, in tokens; None where its trajectory does not say.

    ``input`` was read at the full price: neither from a cache (``cached_input``) nor into one (``cache_write``).
    ``output`` holds the reasoning. ``total`` is all of them, and the only one where one number is told. ``at_least``:
    the trajectory breaks off, or does not tell of every call.
    """

    total: int
    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    at_least: bool = False

    def __post_init__(self) -> None:
        if self.total <= 0 or any(part is not None and part < 0 for part in self.parts):
            raise ValueError(f"tokens are counted from 0, and unknown where there are none, got {self}")

    @property
    def parts(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Input, cached input, cache writes and output, as far as they are known."""
        return self.input, self.cached_input, self.cache_write, self.output


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case: a comparison, or a failure. ``results/`` holds one line for each.

    ``sides`` maps ``baseline``/``human``/``patched`` to their samples. ``counts`` are instructions per call where they
    were asked for, ``tokens`` what the agent's run took of its model, None where nothing tells. ``fingerprint`` changes
    when the patch, the script, the commits, the environment or the protocol does; ``patch_sha256`` is of the patch's
    file, as evaluated.
    """

    case: Case
    comparison: Comparison | None
    failure: Failure | None
    human: Comparison | None = None
    sides: Mapping[str, SideSamples] = field(default_factory=dict)
    integrity: Integrity = field(default_factory=Integrity)
    environment: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    patch_sha256: str = ""
    started_at: str = ""
    duration_s: float = 0.0
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        if (self.comparison is None) == (self.failure is None):
            raise ValueError(f"{self.case.id}: an outcome is a comparison or a failure")

    @property
    def category(self) -> Category:
        """The one word for it."""
        if self.failure is not None:
            return self.failure.category
        assert self.comparison is not None
        return self.comparison.category
