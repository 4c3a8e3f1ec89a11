"""The command that repeats a run, also where the record has none."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_perfagents.model import Outcome, Stage
from pytest_perfagents.report.explanation.types import Again
from pytest_perfagents.session.naming import named_cases


def again(outcome: Outcome, record: Mapping[str, Any], file: Path) -> Again:
    """What to type to have the run evaluated again, or why there is nothing; ``file`` is the configuration."""
    told = record.get("evidence", {}).get("command")
    if isinstance(told, str) and told.startswith("pytest "):  # elder records have a command of git or a script there
        return Again(told)
    recorded = outcome.protocol.get("recorded")
    if isinstance(recorded, Mapping) and recorded.get("file"):
        return _judged_again(Path(str(recorded["file"])))
    if outcome.failure is not None and outcome.failure.stage is Stage.DISCOVER:
        return Again("", "nothing of it was run, so there is nothing to repeat")
    ((commit, item, _),) = named_cases([outcome.case])
    node = shlex.join(["pytest", f"{file}::{commit}::{item}"])
    return Again(node, "the record has no command; this one takes the configuration as it is now")


def _judged_again(record: Path) -> Again:
    """Of a recorded evaluation. Elder records have a path that means something in the folder of the import alone."""
    note = "judges the record; it runs nothing"
    if not record.is_absolute() and not record.exists():
        note += "; the path is relative to the folder where it was imported, and is not here"
        return Again(shlex.join(["perfagents", "import", str(record)]), note)
    return Again(shlex.join(["perfagents", "import", str(record.absolute())]), note)
