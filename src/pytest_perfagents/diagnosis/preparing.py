"""What container engines, git and patch say where a side could not be prepared: one ordered table, first match wins."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either, one_line, sought
from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.model import Category, Commit, Failure, Role

_READ_CHARACTERS = 400_000
_LINE_CHARACTERS = 240

# Category, what shows it, the reason and the hint; {0} in them is the line that was found, {name} the pattern's group.
RULES: tuple[tuple[Category, re.Pattern[str], str, str], ...] = (
    (
        Category.IMAGE_UNAVAILABLE,
        either(
            r"manifest for (?P<image>\S+) not found|manifest (?:unknown|invalid)|no such image",
            r"pull access denied|denied: requested access|repository does not exist or may require",
            r"toomanyrequests|error pulling image|failed to (?:pull|register layer)|image (?:pull|not found)",
            r"error response from daemon: (?:get|head) ",
            flags=re.IGNORECASE,
        ),
        "has no container image: {0}",
        "build or pull the image, or log in to where it lies, then run it again",
    ),
    (
        Category.IMAGE_UNAVAILABLE,
        either(
            r"cannot connect to the docker daemon|docker(?:\.sock)?: (?:command )?not found",
            r"(?:docker|daemon|layer|image)[^\n]*no space left on device",
            r"no space left on device[^\n]*(?:docker|overlay|layer)",
            r"(?:docker|daemon|pull)[^\n]*(?:deadline exceeded|handshake timeout)",
            flags=re.IGNORECASE,
        ),
        "has no container: {0}",
        "see that the container engine runs and has disk space (docker system df), then run it again",
    ),
    (
        Category.IMAGE_UNAVAILABLE,
        re.compile(r"(?i)missing parent_commit|cannot determine (?:the )?baseline image"),
        "has no container image, since nothing says which commit it is: {0}",
        "give parent_commit of this commit{known} in benchmark_mode_mapping.json, then run it again",
    ),
    (
        Category.GIT_WORKTREE_FAILED,
        either(
            r"fatal: (?:invalid reference|not a valid object name|bad object|reference is not a tree|bad revision)",
            r"fatal: ambiguous argument|unknown revision or path",
            r"fatal: (?:not a git repository|could not get object)",
            r"(?:fail\w*|could not|cannot|unable|error)[^\n]{0,30}(?:creat|add)\w*[^\n]{0,20}work ?tree",
            r"(?:fail\w*|could not|cannot|unable) (?:to )?check ?out",
            r"git (?:worktree|checkout)[^\n]{0,60}(?:failed|error|returned non-zero)|worktree\S* already exists",
            flags=re.IGNORECASE,
        ),
        "has no worktree: {0}",
        "git -C <the clone of {repo}> fetch origin {parent}",
    ),
    (
        Category.PATCH_INVALID,
        either(
            r"corrupt patch at|no valid patches in input|only garbage was found in the patch",
            r"patch fragment without header|unrecognized input|(?:patch|diff) (?:file )?(?:is|was) (?:empty|invalid)",
            flags=re.IGNORECASE,
        ),
        "carries a patch that is no diff: {0}",
        "look at the patch: the agent wrote something else",
    ),
    (
        Category.PATCH_APPLY_FAILED,
        either(
            r"patch failed: |patch does not apply|Hunk #\d+ FAILED|hunks? FAILED|does not exist in index",
            r"can't find file to patch|(?i:fail\w* to apply (?:the |agent )?patch|patch (?:apply|application) failed)",
        ),
        "carries a patch that does not apply: {0}",
        "check that the baseline is the commit that the agent worked on (commits.pre of its journal)",
    ),
)


def not_prepared(text: str, commit: Commit) -> Failure | None:
    """Why a side of ``commit`` could not be prepared, as ``text`` tells, or ``None``: it does not."""
    text = "\n".join(sought(line) for line in text[-_READ_CHARACTERS:].split("\n"))
    for category, pattern, reason, hint in RULES:
        if found := pattern.search(text):
            start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
            line = one_line(text[start : end if end >= 0 else None], _LINE_CHARACTERS)
            known = f", which another record says is {commit.parent}," if commit.parent else ""
            names = {"repo": commit.repo, "parent": _missing(line, commit), "known": known}
            at = _at(text, found) if category is Category.PATCH_APPLY_FAILED else ""
            return Failure(
                category,
                default_stage(category),
                f"{_SIDES[category]} {reason.replace('{0}', line)}{at}",
                Role(_SIDES[category]),
                default_blame(category),
                hint.format(**names),
                {"line": line, "cause": _cause(category, found, names)},
            )
    return None


# A commit as git names it where it does not have it.
_NAMED = re.compile(
    r"(?i)(?:invalid reference|valid object name|bad object|not a tree|bad revision|ambiguous argument):?\s+"
    r"['\"]?(?P<commit>[0-9a-f]{7,64})\b"
)
# What patch(1) says of the file that it is at, dry or not, and of one that it does not find.
_FILE = re.compile(r"(?m)^(?:patching|checking) file '?(?P<file>[^'\n]{1,300}?)'?$")
_NO_FILE = re.compile(r"can't find file to patch\b")
_HEADER = re.compile(r"(?m)^\|?(?P<mark>diff --git|---|\+\+\+) (?:[ab]/)?(?P<file>\S{1,300})")
_HEADER_CHARACTERS = 2_000


def _missing(line: str, commit: Commit) -> str:
    """The commit that git says it lacks, else the one before the human's."""
    named = _NAMED.search(line)
    if named is None:
        return commit.parent[:8] or commit.short
    full = next((each for each in (commit.parent, commit.human) if each.startswith(named["commit"][:40])), "")
    return full[:8] or named["commit"]


def _at(text: str, found: re.Match[str]) -> str:
    """The file that patch(1) was at, and the one that it did not find, in words; empty where the log names none."""
    lost = _NO_FILE.search(text)
    files = [each["file"] for each in _FILE.finditer(text, 0, found.start())]
    at = f" in {files[-1]}" if files and (lost is None or lost.start() != found.start()) else ""
    name = _sought_file(text[lost.end() : lost.end() + _HEADER_CHARACTERS]) if lost else ""
    return f"{at}; {name} is not there" if name else at


def _sought_file(header: str) -> str:
    """The file in the head of a hunk, as patch(1) repeats it: the new name, unless the patch removes the file."""
    name = ""
    for found in _HEADER.finditer(header):
        name = found["file"] if found["file"] != "/dev/null" else name
        if found["mark"] == "+++":
            break
    return name


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
