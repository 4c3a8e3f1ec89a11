"""A script that says itself that it measures a mock in place of its target."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.taxonomy import default_stage
from pytest_perfagents.model import Blame, Category, Failure, Role
from pytest_perfagents.parsers.script_output import ScriptReport

_WORDS = either(
    r"\busing_(?:mock|stub)\w*(?![\"']?\s*[:=]\s*[\"']?(?:false|0|no|none|null)\b)",
    r"\busing (?:a |the )?(?:mock|stub|stand-in)\b",
    r"\bfall(?:ing|s)? back to (?:a |the )?(?:mock|stub)\b",
    flags=re.IGNORECASE,
)
_KEYS = ("using_mock", "using_stub", "mocked", "is_mock")


def stand_in(report: ScriptReport | None, stderr: str, side: Role) -> Failure | None:
    """The failure of a side with a time that its script took of a mock, or ``None``: ``opt_path_hit`` does not help."""
    said = next((f"{key} is true" for key in _KEYS if report and report.raw.get(key) is True), "")
    found = None if said else _WORDS.search(stderr)
    if found is not None:
        start, end = stderr.rfind("\n", 0, found.start()) + 1, stderr.find("\n", found.end())
        said = " ".join(stderr[start : end if end >= 0 else None].split())[:200]
    if not said:
        return None
    return Failure(
        Category.WRONG_TARGET,
        default_stage(Category.WRONG_TARGET),
        f"{side} measured a stand-in for the target, as the script says: {said}",
        side,
        Blame.SCRIPT,
        "let the script report why its target cannot be imported instead of standing in for it",
        {"line": said, "cause": "time a mock in place of their target"},
    )
