"""The words that runs are told in: roles, stages, endings, categories."""

from __future__ import annotations

from enum import StrEnum


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


PYTEST_OUTCOMES = ("passed", "skipped", "xfailed", "failed")
"""What pytest can show for a run."""

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
