"""The one table that decides what pytest shows for a category, at which stage it stands, whose move it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_perfagents.model import PYTEST_OUTCOMES, Blame, Category, Role, Stage


@dataclass(frozen=True, slots=True)
class Row:
    """One category. ``runs`` says what its runs did or lack, as in "24 runs <left no patch>"."""

    outcome: str
    stage: Stage
    blame: Blame | None
    runs: str

    def __post_init__(self) -> None:
        if self.outcome not in PYTEST_OUTCOMES:
            raise ValueError(f"pytest knows {', '.join(PYTEST_OUTCOMES)}, not {self.outcome!r}")


_SIDE_ROWS: dict[str, tuple[Stage, Blame, str]] = {
    "IMPORT_ERROR": (Stage.IMPORT, Blame.ENVIRONMENT, "failed at an import"),
    "ATTRIBUTE_ERROR": (Stage.RUN, Blame.SCRIPT, "ended in an AttributeError"),
    "TYPE_ERROR": (Stage.RUN, Blame.SCRIPT, "ended in a TypeError"),
    "RUNTIME_ERROR": (Stage.RUN, Blame.SCRIPT, "ended in a RuntimeError"),
    "ASSERTION": (Stage.RUN, Blame.SCRIPT, "failed an assertion"),
    "OOM": (Stage.RUN, Blame.ENVIRONMENT, "ran out of memory"),
    "CUDA_ERROR": (Stage.RUN, Blame.ENVIRONMENT, "ended in a CUDA error"),
    "EXCEPTION": (Stage.RUN, Blame.SCRIPT, "ended in an exception"),
    "UNKNOWN": (Stage.RUN, Blame.SCRIPT, "failed without a known cause"),
    "NO_OUTPUT": (Stage.RUN, Blame.SCRIPT, "ended without a result"),
    "TIMEOUT": (Stage.RUN, Blame.SCRIPT, "ran out of time"),
}


def _side_rows() -> dict[Category, Row]:
    """The failures of one side: the baseline is never the agent's fault, the patched side by default is."""
    rows = {}
    for kind, (stage, blame, runs) in _SIDE_ROWS.items():
        rows[Category.for_side(Role.BASELINE, kind)] = Row("xfailed", stage, blame, f"{runs} on the baseline")
        rows[Category.for_side(Role.PATCHED, kind)] = Row("xfailed", stage, Blame.AGENT, f"{runs} once patched")
    return rows


TABLE: Mapping[Category, Row] = {
    Category.SUCCESS_IMPROVEMENT: Row("passed", Stage.MEASURE, None, "became faster"),
    Category.SUCCESS_REGRESSION: Row("passed", Stage.MEASURE, Blame.AGENT, "became slower"),
    Category.SUCCESS_NEUTRAL: Row("passed", Stage.MEASURE, None, "stayed as fast"),
    Category.SUCCESS_INCONCLUSIVE: Row("passed", Stage.MEASURE, None, "ended undecided"),
    Category.AGENT_NO_PATCH: Row("skipped", Stage.DISCOVER, Blame.AGENT, "left no patch"),
    Category.AGENT_TIMEOUT: Row("skipped", Stage.DISCOVER, Blame.AGENT, "used up the agent's time budget"),
    Category.AGENT_INFRA_ERROR: Row(
        "skipped", Stage.DISCOVER, Blame.ENVIRONMENT, "met trouble with the agent's service"
    ),
    Category.NO_TEST_SCRIPT: Row("skipped", Stage.DISCOVER, Blame.SCRIPT, "need a test script"),
    Category.HARDWARE_UNAVAILABLE: Row("skipped", Stage.PREPARE, Blame.ENVIRONMENT, "need hardware that is not here"),
    Category.PATCH_INVALID: Row("xfailed", Stage.PREPARE, Blame.AGENT, "carried a patch that changes no code"),
    Category.PATCH_APPLY_FAILED: Row("xfailed", Stage.PREPARE, Blame.AGENT, "carried a patch that does not apply"),
    Category.NEEDS_BUILD: Row("xfailed", Stage.PREPARE, Blame.ENVIRONMENT, "need a build step"),
    Category.GIT_WORKTREE_FAILED: Row("xfailed", Stage.PREPARE, Blame.ENVIRONMENT, "have no worktree"),
    Category.IMAGE_UNAVAILABLE: Row(
        "xfailed", Stage.PREPARE, Blame.ENVIRONMENT, "need a container image that is not here"
    ),
    Category.TEST_IMPORT_ERROR: Row("xfailed", Stage.IMPORT, Blame.ENVIRONMENT, "need a module that is not installed"),
    Category.TARGET_NOT_RESOLVED: Row("xfailed", Stage.IMPORT, Blame.SCRIPT, "name a target that is not there"),
    Category.WRONG_TARGET: Row("xfailed", Stage.CHECK, Blame.ENVIRONMENT, "would not measure the workspace's code"),
    Category.OPT_PATH_NOT_HIT: Row("xfailed", Stage.CHECK, Blame.SCRIPT, "never reached the changed code"),
    **_side_rows(),
    Category.PATCHED_TARGET_NOT_RESOLVED: Row("xfailed", Stage.IMPORT, Blame.AGENT, "lost the target once patched"),
    Category.EQUIVALENCE_FAILED: Row("xfailed", Stage.VERIFY, Blame.AGENT, "changed the result"),
    Category.TIMER_TAMPERED: Row("xfailed", Stage.VERIFY, Blame.AGENT, "gave times that cannot be believed"),
    Category.SERVER_CRASHED: Row("xfailed", Stage.SERVE, Blame.ENVIRONMENT, "lost the server"),
    Category.NO_METRICS: Row("xfailed", Stage.SERVE, Blame.SCRIPT, "reported no usable numbers"),
    Category.BENCHMARK_TIMEOUT: Row("xfailed", Stage.SERVE, Blame.SCRIPT, "ran out of time while serving"),
    Category.HARNESS_ERROR: Row("failed", Stage.CHECK, Blame.HARNESS, "met a bug of pytest-perfagents"),
}


def pytest_outcome(category: Category, overrides: Mapping[str, str] | None = None) -> str:
    """``passed``, ``skipped``, ``xfailed`` or ``failed``; ``overrides`` (``[outcomes]``) go first."""
    return (overrides or {}).get(category.value) or TABLE[category].outcome


def default_stage(category: Category) -> Stage:
    """Where a run of this category stopped, unless the failure knows better."""
    return TABLE[category].stage


def default_blame(category: Category) -> Blame | None:
    """Whose move it is, unless the evidence says otherwise."""
    return TABLE[category].blame
