"""Which outcomes a report tells together: one table, and every category stands in it once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_perfagents.model import Category


@dataclass(frozen=True, slots=True)
class Family:
    """Outcomes of one section. ``group`` is their line in the overview, ``means`` what they have in common."""

    title: str
    group: str
    means: str
    categories: tuple[Category, ...]


def _beginning(prefix: str) -> tuple[Category, ...]:
    return tuple(category for category in Category if category.startswith(prefix))


_NO_PATCH, _BASELINE = "agent left no patch", "baseline gave no result"
_ENVIRONMENT, _GIT = "test environment: module, target or path missing", "git or infrastructure"
_SCRIPT, _PATCH = "no test script", "patch unusable, or it broke the run"
_SERVING, _OURS = "serving benchmark", "bug of the harness"

FAMILIES: tuple[Family, ...] = (
    Family(
        "Measured",
        "measured, with performance data",
        "The patch was there, applied, ran and kept the result, and both sides were timed.",
        _beginning("SUCCESS_"),
    ),
    Family(
        "Agent left no patch",
        _NO_PATCH,
        "There was nothing to evaluate. Of an expired token or a quota the environment is to blame, not the agent.",
        (Category.AGENT_NO_PATCH, Category.AGENT_TIMEOUT, Category.AGENT_INFRA_ERROR),
    ),
    Family(
        "Baseline gave no result",
        _BASELINE,
        "The script failed on the unpatched code: no agent's fault, and nothing to compare with.",
        _beginning("BASELINE_"),
    ),
    Family(
        "Module not installed",
        _ENVIRONMENT,
        "The script reports that a module is missing.",
        (Category.TEST_IMPORT_ERROR,),
    ),
    Family(
        "Target not resolved",
        _ENVIRONMENT,
        "What is to be measured is not there at this commit: renamed, moved, or not yet written.",
        (Category.TARGET_NOT_RESOLVED,),
    ),
    Family(
        "Optimised path not reached",
        _ENVIRONMENT,
        "The script ran, and the code that the patch changes did not.",
        (Category.OPT_PATH_NOT_HIT,),
    ),
    Family(
        "Something else was measured",
        _ENVIRONMENT,
        "The measured module came from elsewhere than the workspace, or was a stand-in.",
        (Category.WRONG_TARGET,),
    ),
    Family(
        "Hardware or build missing",
        _ENVIRONMENT,
        "The run needs hardware that was not there, or a build step that is not configured.",
        (Category.HARDWARE_UNAVAILABLE, Category.NEEDS_BUILD),
    ),
    Family(
        "No worktree",
        _GIT,
        "The code before the patch could not be checked out.",
        (Category.GIT_WORKTREE_FAILED,),
    ),
    Family("No image", _GIT, "The container image could not be had.", (Category.IMAGE_UNAVAILABLE,)),
    Family("No test script", _SCRIPT, "No script measures the commit.", (Category.NO_TEST_SCRIPT,)),
    Family(
        "Patch is no patch of the code",
        _PATCH,
        "The patch is empty, no diff, or has no file that the measured code could load.",
        (Category.PATCH_INVALID,),
    ),
    Family(
        "Patch does not apply",
        _PATCH,
        "The patch conflicts with the baseline, or names files that are not there.",
        (Category.PATCH_APPLY_FAILED,),
    ),
    Family(
        "Patch broke the run",
        _PATCH,
        "The baseline worked, and the patched side failed, changed the result or gave times that cannot be believed.",
        (*_beginning("PATCHED_"), Category.EQUIVALENCE_FAILED, Category.TIMER_TAMPERED),
    ),
    Family(
        "Serving benchmark failed",
        _SERVING,
        "The server ended, or the benchmark gave no usable numbers.",
        (Category.SERVER_CRASHED, Category.NO_METRICS, Category.BENCHMARK_TIMEOUT),
    ),
    Family("Harness failed", _OURS, "A bug of pytest-perfagents: report it.", (Category.HARNESS_ERROR,)),
)

FAMILY_OF: Mapping[Category, Family] = {category: family for family in FAMILIES for category in family.categories}
