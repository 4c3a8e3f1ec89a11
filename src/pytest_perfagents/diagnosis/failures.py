"""Failures that the harness itself finds, as against those that ``diagnosis`` reads from an exception. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_perfagents.diagnosis import taxonomy
from pytest_perfagents.model import Blame, Category, Commit, Failure, Role


def failure(
    category: Category,
    reason: str,
    *,
    side: Role | None = None,
    hint: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    blame: Blame | None = None,
) -> Failure:
    """A failure of this category with the stage and, where none is given, the blame that the table gives it."""
    return Failure(
        category,
        taxonomy.default_stage(category),
        " ".join(reason.split()),
        side,
        blame or taxonomy.default_blame(category),
        hint,
        evidence or {},
    )


def unknown_repository(commit: Commit, config_file: str) -> Failure:
    """No ``[repos.…]`` means the repository that the run names."""
    name = commit.repo or "the run's repository"
    return failure(
        Category.GIT_WORKTREE_FAILED,
        f"{name} is not configured",
        hint=f"add [repos.{commit.repo}] with its path to {config_file}, or this name to the 'match' of another",
    )


def no_script(commit: Commit, folders: Sequence[Path]) -> Failure:
    """No perf script measures this commit."""
    places = " or ".join(folder.name for folder in folders) or "a scripts folder"
    return failure(
        Category.NO_TEST_SCRIPT,
        f"there is no perf script for commit {commit.short}",
        hint=f"write {commit.short}_test_case_generator.py in {places}",
    )


def script_not_found(commit: Commit, script: Path) -> Failure:
    """A recorded evaluation found no perf script, and another one ran the commit's."""
    return failure(
        Category.NO_TEST_SCRIPT,
        f"the evaluation found no perf script for commit {commit.short}, and another record names one: {script.name}",
        hint=f"a script for it exists: run the evaluation with it ({script.parent.name}/{script.name})",
        evidence={"cause": "have a script that their evaluation did not find"},
        blame=Blame.ENVIRONMENT,
    )


def patch_refused(said: str) -> Failure:
    """A recorded evaluation that calls a patch none, though there is one."""
    return failure(
        Category.PATCH_INVALID,
        f"the evaluation took its patch for none{f' ({said[:200]})' if said else ''}: empty, no diff, or no Python",
        side=Role.PATCHED,
        hint="look at the patch; evaluate the run again to see which it is",
    )


def patch_not_applied(said: str) -> Failure:
    """A recorded evaluation whose patch did not apply."""
    return failure(
        Category.PATCH_APPLY_FAILED,
        f"its patch did not apply{f': {said[:300]}' if said else ''}",
        side=Role.PATCHED,
        hint="check that the baseline is the commit that the agent worked on (commits.pre of its journal)",
    )


def unreadable_patch(patch: Path, error: OSError) -> Failure:
    """The patch was there at discovery and cannot be read now."""
    reason = f"the patch cannot be read: {error.strerror or error}"
    hint, blame = f"make {patch} readable, then run it again", Blame.ENVIRONMENT
    return failure(Category.AGENT_NO_PATCH, reason, side=Role.PATCHED, hint=hint, blame=blame)


def not_drivable(script: str, style: str) -> Failure:
    """``--perf-mode driven`` on a script that offers nothing to drive."""
    return failure(
        Category.BASELINE_NO_OUTPUT,
        f"{script} has no setup() and experiment() to drive (it is of style {style})",
        side=Role.BASELINE,
        hint="measure it with --perf-mode script, or give it setup() and experiment(data)",
    )


def wrong_target(problem: str, cause: Mapping[str, Any] | None, side: Role, hint: str | None) -> Failure:
    """The measured code is not the workspace's."""
    return failure(
        Category.WRONG_TARGET,
        problem,
        side=side,
        hint=hint or "look at import_root and packages of the repository, and at how the script imports its target",
        evidence={"hidden_error": dict(cause)} if cause else {},
    )


def unequal(message: str, side: Role, *, by: str = "script") -> Failure:
    """The result is not the baseline's, as the ``script``'s check says or its ``structure`` shows."""
    said = message.strip().splitlines()[0] if message.strip() else "the results differ"
    hints = {
        "script": "compare the results of the script's check_equivalence on both sides",
        "structure": "compare both results, or give the script a check_equivalence that allows for the difference",
    }
    return failure(
        Category.EQUIVALENCE_FAILED,
        f"the result changed: {said}",
        side=side,
        hint=hints[by],
        evidence={"message": message},
    )


def right_for_one_input(message: str, side: Role) -> Failure:
    """The result is the baseline's for the script's own random data, and not for others."""
    said = message.strip().splitlines()[0] if message.strip() else "the results differ"
    return failure(
        Category.EQUIVALENCE_FAILED,
        f"the result is right for the script's own input only, not for other random data: {said}",
        side=side,
        hint="look in the patch for answers that it knows by heart; --perf-json has the message",
        evidence={"message": message},
    )


def remembers_other_input(message: str, side: Role) -> Failure:
    """The result is the baseline's in a process of its own, and not where a call with other random data came before."""
    said = message.strip().splitlines()[0] if message.strip() else "the results differ"
    return failure(
        Category.EQUIVALENCE_FAILED,
        f"the result is wrong once a call with other data came before in the same process: {said}",
        side=side,
        hint="look in the patch for an answer that is kept without asking for which input; --perf-json has the message",
        evidence={"message": message},
    )


def path_not_hit(lines: int) -> Failure:
    """The script never reaches what the patch changed."""
    return failure(
        Category.OPT_PATH_NOT_HIT,
        f"none of the {lines} changed lines that hold code ran",
        side=Role.PATCHED,
        hint="the script does not reach the patched code: extend its experiment(), or leave this run out",
        evidence={"patched_lines": lines},
    )


def harness_error(error: Exception) -> Failure:
    """A bug of ours, with its traceback: whoever met it goes on with the next run."""
    text = str(error).splitlines() or [""]
    return failure(
        Category.HARNESS_ERROR,
        f"{type(error).__name__}: {text[0]}",
        hint="a bug of pytest-perfagents; please report it with the traceback",
        evidence={"traceback": "".join(traceback.format_exception(error))},
    )


def tampered(what: str) -> Failure:
    """The times cannot be believed; ``what`` says why in one line."""
    return failure(
        Category.TIMER_TAMPERED,
        what,
        side=Role.PATCHED,
        hint="look in the patch for threads, processes or clock functions",
    )


def left_early(why: str, role: Role) -> Failure:
    """A process printed a time and did not come to its end as the baseline did; ``why`` in one line."""
    return failure(
        Category.TIMER_TAMPERED,
        why,
        side=role,
        hint="look in the patch for os._exit(), sys.exit(), exec() and atexit: the baseline comes to its end without",
    )


def disturbed(what: str) -> Failure:
    """Somebody wrote to what the other sides run."""
    return failure(
        Category.TIMER_TAMPERED,
        f"{what} changed while the patch was measured",
        side=Role.PATCHED,
        hint="look in the patch for code that writes outside of its own tree; if you changed the file, run it again",
    )


def no_start(timeout_s: float) -> Failure:
    """Not one start of all sides came to its end in time."""
    return failure(
        Category.BASELINE_TIMEOUT,
        "the time was over before every side had run once",
        side=Role.BASELINE,
        hint=f"give it more than {timeout_s:.0f} s (--perf-timeout), or make the script's workload smaller",
    )
