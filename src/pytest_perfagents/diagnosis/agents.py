"""Why an agent's run cannot be evaluated, as its folder shows before anything is run."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.taxonomy import default_blame
from pytest_perfagents.model import AgentRun, Category, Commit, Failure, Stage

_READ_CHARACTERS = 200_000
_TIMEOUT_CODE = 124
_TIMEOUT_STATUSES = frozenset({"timeout", "timed_out", "timedout"})
_STILLBORN_S = 10.0


# Trouble with the agent's service, not with its task. Only a run without a patch is searched for these.
TROUBLES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        either(
            r"\bSSO\b[^\n]{0,80}\b(?:expired|invalid|refresh failed)|Error loading SSO Token",
            r"SSOTokenLoadError|UnauthorizedSSOToken|TokenRetrievalError",
            r"ExpiredToken|security token[^\n]{0,40}expired",
            flags=re.IGNORECASE,
        ),
        "its AWS SSO token had expired",
        "aws sso login, then run the agent again",
    ),
    (
        either(
            r"insufficient_quota|exceeded your (?:current )?quota|quota exceeded|usage limit reached",
            r"credit balance is too low|billing_not_active",
            flags=re.IGNORECASE,
        ),
        "its quota was used up",
        "raise the quota of the agent's account, then run it again",
    ),
    (
        either(
            r"\bAuthentication(?:Error|_error)\b|invalid[_ ](?:x-)?api[_ -]key|incorrect api key",
            r"UnrecognizedClientException|InvalidClientTokenId|AccessDeniedException|PermissionDeniedError",
            r"NoCredentialsError|unable to locate credentials|api key[^\n]{0,30}(?:not set|missing|required)",
            r"(?:status|error|code)\D{0,12}\b401\b",
            flags=re.IGNORECASE,
        ),
        "it could not authenticate",
        "give the agent a valid key, then run it again",
    ),
    (
        either(
            r"\bRateLimitError\b|rate_limit_(?:error|exceeded)|ThrottlingException|Too Many Requests",
            r"(?:status|error|code)\D{0,12}\b429\b",
            flags=re.IGNORECASE,
        ),
        "its service limited the rate",
        "run the agent again with fewer at once",
    ),
    (
        either(
            r"overloaded_error|\bAPIConnectionError\b|ServiceUnavailable(?:Error|Exception)?\b",
            r"Could not connect to the endpoint URL|EndpointConnectionError",
            flags=re.IGNORECASE,
        ),
        "its service could not be reached",
        "run the agent again",
    ),
)


def agent_failure(run: AgentRun, stderr_tail: str | None = None) -> Failure | None:
    """Why ``run`` cannot be evaluated, or ``None``: there is a patch and a commit to try it on.

    ``stderr_tail`` is the end of what the agent wrote: ``*_stderr.txt``, ``*_stdout.txt``, the trajectory.
    """
    if run.has_patch:
        return _no_commit(run)
    trouble = _service_trouble(stderr_tail or "")
    if trouble is not None:
        what, hint, line = trouble
        return _failure(run, Category.AGENT_INFRA_ERROR, f"the agent left no patch: {what}", hint, line)
    if timeout := _timeout(run):
        hint = "give the agent a larger time budget, if that is fair to the others"
        return _failure(run, Category.AGENT_TIMEOUT, f"the agent left no patch: {timeout}", hint)
    return _failure(run, Category.AGENT_NO_PATCH, f"the agent left no patch{_circumstances(run)}", _no_patch_hint(run))


def _no_commit(run: AgentRun) -> Failure | None:
    """A patch whose commit nobody wrote down, or whose baseline is that very commit, cannot be tried on anything."""
    if _is_own_parent(run.commit):
        reason = f"commits.pre and commits.human are the same commit, {run.commit.short}: there is no baseline"
        hint = f"correct commits.pre in journal.json or run_summary.json in {run.folder}: the commit before the human's"
        return _failure(run, Category.GIT_WORKTREE_FAILED, reason, hint)
    if run.commit.human:
        return None
    reason = run.trouble or "the run does not say which commit it is for"
    hint = f"journal.json or run_summary.json in {run.folder} should hold commits.human and commits.pre"
    return _failure(run, Category.GIT_WORKTREE_FAILED, reason, hint)


def _is_own_parent(commit: Commit) -> bool:
    """Whether both hashes mean one commit; either may be abbreviated."""
    digits = min(len(commit.human), len(commit.parent))
    return digits > 0 and commit.human[:digits] == commit.parent[:digits]


def _service_trouble(text: str) -> tuple[str, str, str] | None:
    """What it was, what to do, and the line that says so."""
    text = text[-_READ_CHARACTERS:]
    for pattern, what, hint in TROUBLES:
        if found := pattern.search(text):
            start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
            return what, hint, text[start : end if end >= 0 else None].strip()[:400]
    return None


def _timeout(run: AgentRun) -> str:
    """How it ran out of time, in words; empty where it did not."""
    budget_s = None if run.time_budget_minutes is None else run.time_budget_minutes * 60
    if budget_s and run.duration_s is not None and run.duration_s >= budget_s:
        return f"it used up its {run.time_budget_minutes:g} minutes"
    if run.returncode == _TIMEOUT_CODE or run.status in _TIMEOUT_STATUSES:
        spent = "" if run.duration_s is None else f" after {run.duration_s:.0f} s"
        return f"it was stopped by its time limit{spent}"
    return ""


def _circumstances(run: AgentRun) -> str:
    told = [
        f"status {run.status}" if run.status else "",
        f"exit code {run.returncode}" if run.returncode else "",
    ]
    told += [f"{run.duration_s:.3g} s" if run.duration_s is not None else "", run.trouble]
    words = ", ".join(word for word in told if word)
    return f" ({words})" if words else ""


def _no_patch_hint(run: AgentRun) -> str:
    if run.returncode and run.duration_s is not None and run.duration_s < _STILLBORN_S:
        return "the agent ended before it could begin: see its *_stderr.txt, mend that and run it again"
    return "nothing to evaluate: run the agent again, or count it as a failure to optimise"


def _failure(run: AgentRun, category: Category, reason: str, hint: str, line: str = "") -> Failure:
    evidence = {
        "status": run.status,
        "exit_code": run.returncode,
        "duration_s": run.duration_s,
        "line": line,
        "trouble": run.trouble,
    }
    return Failure(
        category=category,
        stage=Stage.DISCOVER,
        blame=default_blame(category),
        reason=" ".join(reason.split()),
        hint=hint,
        evidence={key: value for key, value in evidence.items() if value not in (None, "")},
    )
