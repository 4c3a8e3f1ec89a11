"""Why a run was not measured: what it is called, whose move it is, what mends it, and the end of what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.analysis.families import FAMILY_OF
from pytest_perfagents.model import Failure, Outcome
from pytest_perfagents.report.cells import clean, printable
from pytest_perfagents.report.explanation.parts import Fact, code_lines, facts, heading, whole

MOST_LINES = 14
LESS_LINES = 6
_OUTPUTS = {"traceback": "Traceback", "stderr": "Standard error", "stdout": "Standard output"}
_ELSEWHERE = {*_OUTPUTS, "command", "cause", "ran", "chain", "record", "recorded_status", "recorded_error"}
_SHOWN_CHAIN = 5
_ALIKE = 60
"""So many characters that stand in the reason, too, need no second line."""


def trouble_part(outcome: Outcome) -> Iterator[RenderableType]:
    """Nothing of a run that was measured."""
    failure = outcome.failure
    if failure is None:
        return
    yield from heading("Why it was not measured")
    side = f" on the {failure.side} side" if failure.side is not None else ""
    yield from facts(
        [
            ("reason", Text(printable(failure.reason), style="bold")),
            ("at", f"stage {failure.stage}{side}"),
            ("whose move", failure.blame.value if failure.blame is not None else "nobody's"),
            ("means", FAMILY_OF[failure.category].means),
            *_told(failure),
            ("chain", _chain(failure)),
        ]
    )
    if failure.hint:
        yield whole(printable(f"hint: {failure.hint}"), "cyan")
    if failure.evidence.get("ran"):
        yield whole(printable(f"ran: {failure.evidence['ran']}"))
    yield from _outputs(failure.evidence)


def _told(failure: Failure) -> Iterator[Fact]:
    """All that has no place of its own and does not stand in the reason, such as the exit code and what git said."""
    for name, value in failure.evidence.items():
        if name in _ELSEWHERE or value in (None, "", [], {}):
            continue
        said = value.get("message", value) if isinstance(value, Mapping) else value
        words = (", ".join(map(str, said)) if isinstance(said, list) else str(said)).strip()
        if isinstance(value, int) or "\n" in words or words[:_ALIKE] not in failure.reason:
            yield name.replace("_", " "), clean(words)


def _chain(failure: Failure) -> str | None:
    """The exceptions beneath the one that ended the run, the deepest last."""
    chain = failure.evidence.get("chain")
    if not isinstance(chain, list) or not chain:
        return None
    return "\n".join(clean(str(each)) for each in chain[-_SHOWN_CHAIN:])


def _outputs(evidence: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The end of what came out: of the first kind more lines than of the next one, and no third."""
    there = [name for name in _OUTPUTS if isinstance(evidence.get(name), str) and evidence[name].strip()]
    for name, most in zip(there, (MOST_LINES, LESS_LINES), strict=False):
        lines = code_lines(evidence[name].strip("\n"))
        cut = f", the last {most} of {len(lines)} recorded lines (--format json has all)" if len(lines) > most else ""
        yield Text("")
        yield Text(f"{_OUTPUTS[name]}{cut}", style="bold")
        yield from (whole(f"  {line}") for line in lines[-most:])
