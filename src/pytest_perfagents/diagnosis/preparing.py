"""What container engines, git and patch say where a side could not be prepared: one ordered table, first match wins."""

from __future__ import annotations

import re
from typing import NamedTuple

from pytest_perfagents.diagnosis.kinds import raised_in_words
from pytest_perfagents.diagnosis.patchlines import at_file
from pytest_perfagents.diagnosis.patterns import either, one_line, sought
from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.diagnosis.tracebacks import chain_in_text
from pytest_perfagents.diagnosis.types import Raised
from pytest_perfagents.model import Category, Commit, Failure, Role

_READ_CHARACTERS = 400_000
_LINE_CHARACTERS = 240
_MULTILINE = re.IGNORECASE | re.MULTILINE


class _Rule(NamedTuple):
    """``tool`` is what the tool itself prints, in the form of its own lines; ``words`` what an evaluation says of it.

    {0} in the reason is the line that was found; {name} in both texts the pattern's group.
    """

    category: Category
    tool: re.Pattern[str]
    words: re.Pattern[str]
    reason: str
    hint: str


# What a container engine begins its line with; nothing else does.
_ENGINE = r"(?:docker: |error response from daemon: |error: (?:initializing source|copying) )[^\n]*"
_COMMIT = r"(?:the |a |its )?(?:base\w*|parent|pre|human|agent|commit|revision|branch|tag|[0-9a-f]{7,40})\b"
RULES: tuple[_Rule, ...] = (
    _Rule(
        Category.IMAGE_UNAVAILABLE,
        either(
            _ENGINE + r"(?:manifest for (?P<image>\S+) not found|manifest (?:unknown|invalid)|no such image)",
            _ENGINE + r"(?:pull access denied|denied: |repository does not exist|unauthorized|toomanyrequests)",
            r"error response from daemon: (?:get|head) |manifest for \S+ not found: manifest unknown",
            r"^(?:docker: |\w+: )?(?:error pulling image|failed to register layer: )",
            r"^(?:error: )?no such image: \S+$|^toomanyrequests: |^(?:error: )?pull access denied for ",
            flags=_MULTILINE,
        ),
        either(
            r"(?:docker|container|base(?:line)?) image[^\n]{0,80}(?:not found|does not exist|unavailable|missing)",
            r"image (?:not found|unavailable): [\w.-]+(?:/[\w.-]+|:[\w.-]*\d)\S*(?<!\.jpg)(?<!\.png)$",
            r"no such image|failed to pull |image pull|toomanyrequests|pull access denied|manifest unknown",
            r"denied: requested access|repository does not exist or may require",
            flags=_MULTILINE,
        ),
        "has no container image: {0}",
        "build or pull the image, or log in to where it lies, then run it again",
    ),
    _Rule(
        Category.IMAGE_UNAVAILABLE,
        either(
            r"cannot connect to the docker daemon at|docker(?:\.sock)?: (?:command )?not found",
            _ENGINE + r"(?:no space left on device|deadline exceeded|handshake timeout)",
            r"no space left on device[^\n]*(?:docker|overlay)",
            r"/(?:docker|overlay2?|containerd)/[^\n]*: no space left on",
            flags=_MULTILINE,
        ),
        either(
            r"cannot connect to (?:the )?docker",
            r"(?:docker|daemon|layer|image)[^\n]*no space left on device",
            r"(?:docker|daemon|pull)[^\n]*(?:deadline exceeded|handshake timeout)",
            flags=_MULTILINE,
        ),
        "has no container: {0}",
        "see that the container engine runs and has disk space (docker system df), then run it again",
    ),
    _Rule(
        Category.IMAGE_UNAVAILABLE,
        re.compile(r"(?i)missing parent_commit - cannot determine (?:the )?baseline image"),
        re.compile(r"(?i)missing parent_commit|cannot determine (?:the )?baseline image"),
        "has no container image, since nothing says which commit it is: {0}",
        "give parent_commit of this commit{known} in benchmark_mode_mapping.json, then run it again",
    ),
    _Rule(
        Category.GIT_WORKTREE_FAILED,
        either(
            r"fatal: (?:invalid reference|not a valid object name|bad object|reference is not a tree|bad revision)",
            r"fatal: ambiguous argument '|fatal: could not (?:get object|create work ?tree)",
            r"fatal: '[^'\n]+' (?:already exists|is already (?:checked out|used by worktree))",
            r"error: pathspec '[^'\n]+' did not match",
            flags=_MULTILINE,
        ),
        either(  # a log may tell of no repository, too: that of a package without one, which asks for its version
            r"fatal: not a git repository|unknown revision or path",
            r"(?:fail\w*|could not|cannot|unable|error)[^\n]{0,30}(?:creat|add)\w*[^\n]{0,20}work ?tree",
            rf"(?:fail\w*|could not|cannot|unable) (?:to )?check ?out {_COMMIT}",
            r"git (?:worktree|checkout)[^\n]{0,60}(?:failed|error|returned non-zero)|worktree\S* already exists",
            flags=_MULTILINE,
        ),
        "has no worktree: {0}",
        "git -C <the clone of {repo}> fetch origin {parent}",
    ),
    _Rule(
        Category.PATCH_INVALID,
        either(
            r"error: corrupt patch at|error: no valid patches in input|only garbage was found in the patch input",
            r"error: patch fragment without header|error: unrecognized input",
            flags=_MULTILINE,
        ),
        either(
            r"corrupt patch|no valid patches|(?:patch|diff) (?:file )?(?:is|was) (?:empty|invalid)",
            flags=_MULTILINE,
        ),
        "carries a patch that is no diff: {0}",
        "look at the patch: the agent wrote something else",
    ),
    _Rule(
        Category.PATCH_APPLY_FAILED,
        either(
            r"error: patch failed: [^\n:]+:\d+|error: [^\n:]+: (?:patch does not apply|does not exist in index)",
            r"Hunk #\d+ FAILED|\d+ out of \d+ hunks? FAILED|^can't find file to patch",
            flags=re.MULTILINE,
        ),
        either(
            r"patch does not apply|fail\w* to apply (?:the |agent |model |agent's )*patch",
            r"(?<!monkey )(?<!monkey-)patch (?:apply|application) failed",
            flags=_MULTILINE,
        ),
        "carries a patch that does not apply: {0}",
        "check that the baseline is the commit that the agent worked on (commits.pre of its journal)",
    ),
)
# Exceptions of what runs the tools: their text is the tools', or names the command that failed.
_WRAPPERS = frozenset({"CalledProcessError", "GitCommandError", "ImageNotFound", "DockerException", "APIError"})


def not_prepared(said: str, commit: Commit, log: str = "") -> Failure | None:
    """Why a side of ``commit`` could not be prepared, or ``None``: nothing tells of that.

    ``said`` is an evaluation's own message, ``log`` what was printed. In both the lines of git, patch and container
    engines count; where an exception ended the run, only those in its own text. Words in a sentence count in ``said``
    alone, and where that names no exception.
    """
    ended = _exceptions(said, log)
    is_raised = any(raised.type not in _WRAPPERS for raised in ended)
    told = "\n".join(raised.line for raised in ended) if is_raised else f"{said}\n{log}"
    lines = _bounded(told)
    for rule in RULES:
        if found := rule.tool.search(lines):
            return _failure(rule, found, lines, commit)
    words = "" if is_raised else _bounded(said)
    for rule in RULES:
        if found := rule.words.search(words):
            return _failure(rule, found, words, commit)
    return None


def _exceptions(said: str, log: str) -> tuple[Raised, ...]:
    """What a traceback ends in, in the log or the message, or what the message names as an exception."""
    chain = chain_in_text(log) or chain_in_text(said)
    named = raised_in_words(said) if not chain else Raised("", "")
    return (named,) if named.type else chain


def _bounded(text: str) -> str:
    return "\n".join(sought(line) for line in text[-_READ_CHARACTERS:].split("\n"))


def _failure(rule: _Rule, found: re.Match[str], text: str, commit: Commit) -> Failure:
    start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
    line = one_line(text[start : end if end >= 0 else None], _LINE_CHARACTERS)
    known = f", which another record says is {commit.parent}," if commit.parent else ""
    names = {"repo": commit.repo, "parent": _missing(line, commit), "known": known}
    category = rule.category
    at = at_file(text, found) if category is Category.PATCH_APPLY_FAILED else ""
    return Failure(
        category,
        default_stage(category),
        f"{_SIDES[category]} {rule.reason.replace('{0}', line)}{at}",
        Role(_SIDES[category]),
        default_blame(category),
        rule.hint.format(**names),
        {"line": line, "cause": _cause(category, found, names)},
    )


# A commit as git names it where it does not have it.
_NAMED = re.compile(
    r"(?i)(?:invalid reference|valid object name|bad object|not a tree|bad revision|ambiguous argument):?\s+"
    r"['\"]?(?P<commit>[0-9a-f]{7,64})\b"
)


def _missing(line: str, commit: Commit) -> str:
    """The commit that git says it lacks, else the one before the human's."""
    named = _NAMED.search(line)
    if named is None:
        return commit.parent[:8] or commit.short
    full = next((each for each in (commit.parent, commit.human) if each.startswith(named["commit"][:40])), "")
    return full[:8] or named["commit"]


_SIDES = {
    Category.IMAGE_UNAVAILABLE: Role.BASELINE,
    Category.GIT_WORKTREE_FAILED: Role.BASELINE,
    Category.PATCH_INVALID: Role.PATCHED,
    Category.PATCH_APPLY_FAILED: Role.PATCHED,
}


def _cause(category: Category, found: re.Match[str], names: dict[str, str]) -> str:
    """What such runs have in common: the image or the commit that is missing."""
    if category is Category.GIT_WORKTREE_FAILED:
        return f"need commit {names['parent']} in the clone of {names['repo']}"
    image = found.groupdict().get("image")
    return f"need the image {image}" if image else ""
