"""The patch on a screen: a diff, coloured where colours are welcome, and shortened where it is long."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.gitrepo.diffs import MalformedDiff, parse_diff, printable
from pytest_perfagents.report.explanation.parts import code_lines, facts, heading, whole
from pytest_perfagents.report.explanation.types import PatchText

MOST_LINES = 30
_FILES = 4
_STYLES = (
    ("diff ", "bold"),
    ("--- ", "bold"),
    ("+++ ", "bold"),
    ("@@", "cyan"),
    ("+", "green"),
    ("-", "red"),
)


def patch_part(patch: PatchText, how: str) -> Iterator[RenderableType]:
    """Where it lies and what it is; ``how`` is ``short``, ``full`` or ``none``: as much of it is shown."""
    yield from heading("Patch")
    state = Text(patch.state, style="bold yellow" if patch.is_doubtful else "")
    yield from facts([("file", patch.file), ("state", state), ("changes", _changes(patch.text))])
    if patch.text is None or how == "none":
        return
    lines = code_lines(patch.text)
    shown = lines if how == "full" else lines[:MOST_LINES]
    yield Text("")
    for line in shown:
        yield whole(line, next((style for start, style in _STYLES if line.startswith(start)), ""))
    if len(shown) < len(lines):
        yield Text(f"... {len(lines) - len(shown)} of {len(lines)} lines more; --patch full shows all", style="cyan")


def _changes(text: str | None) -> str | None:
    """``2 files, 14 lines added: a.py, b.py``."""
    if text is None:
        return None
    if not text.strip():
        return "it is empty"
    try:
        files = parse_diff(text.encode()).files
    except MalformedDiff as error:
        return f"it is no diff: {error}"
    names = ", ".join(printable(file.path) for file in files[:_FILES])
    more = f" and {len(files) - _FILES} more" if len(files) > _FILES else ""
    added = sum(len(file.added) for file in files)
    return f"{len(files)} file{'s'[: len(files) != 1]}, {added} line{'s'[: added != 1]} added: {names}{more}"
