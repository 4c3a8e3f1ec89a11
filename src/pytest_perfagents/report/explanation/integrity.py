"""Whether what was measured is what it claims to be."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.figures import times
from pytest_perfagents.gates import doubts
from pytest_perfagents.model import Integrity, Outcome
from pytest_perfagents.report.cells import printable
from pytest_perfagents.report.explanation.parts import facts, heading

_YES = {True: "yes", False: "no"}


def integrity_part(outcome: Outcome) -> Iterator[RenderableType]:
    """What was looked at; nothing where nothing was, as of a run that did not come so far."""
    found = outcome.integrity
    if found == Integrity():
        return
    yield from heading("Integrity")
    yield from facts(
        [
            ("result", _result(found)),
            ("ran", _executed(found)),
            ("own tree", _own_tree(found)),
            ("first call", _first_call(found)),
            ("clocks", _clocks(found)),
        ]
    )
    suspicious = doubts(found.flags, outcome.protocol) if outcome.comparison is not None else list(found.flags)
    for flag in found.flags:
        doubtful = flag in suspicious
        yield Text(printable(f"flag: {flag}" if doubtful else f"note: {flag}"), style="yellow" if doubtful else "")


def _result(found: Integrity) -> str:
    by = {"script": " by the script's check", "structure": " by the structure of the results"}
    fresh = "" if found.fresh_inputs == "unchecked" else f"; with other random data {found.fresh_inputs}"
    said = "not compared with the baseline's" if found.equivalence == "unchecked" else f"{found.equivalence}"
    return f"{said}{by.get(found.equivalence_by, '') if found.equivalence != 'unchecked' else ''}{fresh}"


def _executed(found: Integrity) -> str | None:
    """The changed lines that hold code, and how many of them ran."""
    if found.patched_lines is None:
        return None
    ran = "?" if found.patched_lines_executed is None else found.patched_lines_executed
    return f"{ran} of {found.patched_lines} patched lines that hold code"


def _own_tree(found: Integrity) -> str | None:
    if found.loaded_from_workspace is None:
        return None
    confined = "" if found.confined is None else f"; confined by the kernel: {_YES[found.confined]}"
    return f"loaded from it: {_YES[found.loaded_from_workspace]}{confined}"


def _first_call(found: Integrity) -> str | None:
    speedup = found.first_call_speedup
    return None if speedup is None else f"{times(speedup)} the speed of the baseline's first calls"


def _clocks(found: Integrity) -> str | None:
    ratio = found.clock_ratio
    return None if ratio is None else f"{ratio:.3g}: the time inside the process over the time outside of it"
