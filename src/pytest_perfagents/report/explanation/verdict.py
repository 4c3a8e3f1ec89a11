"""The verdict on a measured run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.analysis.tables import Kind
from pytest_perfagents.figures import in_words, times
from pytest_perfagents.model import Comparison, Outcome
from pytest_perfagents.records import hint_of
from pytest_perfagents.report.calibration import machine_lines
from pytest_perfagents.report.cells import shown
from pytest_perfagents.report.counts import count_line
from pytest_perfagents.report.explanation.parts import facts, heading
from pytest_perfagents.report.terminal import Line, calibrated, line_of


def verdict_part(outcome: Outcome) -> Iterator[RenderableType]:
    """Speedup with interval, change, what could have been seen, the human's; nothing of what was not measured."""
    comparison = outcome.comparison
    if comparison is None:
        return
    line = line_of(outcome, Counter())
    yield from heading("Verdict")
    yield from facts(
        [
            ("verdict", Text(line.verdict, style=line.style)),
            ("speedup", _speedup(comparison, line)),
            ("change", _change(comparison)),
            ("detects", _detects(comparison, line)),
            ("human", _human(outcome, line)),
            ("counts", count_line(outcome.counts) if outcome.counts else None),
            ("next", hint_of(outcome)),
        ]
    )
    yield from calibrated([outcome])
    yield from (Text(each, style="yellow") for each in machine_lines([outcome.environment.get("state", {})]))


def _speedup(comparison: Comparison, line: Line) -> str:
    if comparison.recorded:
        medians = f", {times(comparison.median)} by the medians" if comparison.median else ""
        return f"{line.speedup} as recorded{medians}; no interval: nobody kept the samples"
    if line.interval == "-":
        starts = f"{comparison.starts} starts, too few for an interval"
        return f"{line.speedup} the baseline's speed, {starts}, {comparison.clock} clock"
    return (
        f"{line.speedup} the baseline's speed, {100 * comparison.confidence:g} % interval {line.interval}, "
        f"{comparison.starts} starts, {comparison.clock} clock"
    )


def _change(comparison: Comparison) -> str | None:
    if comparison.recorded:
        return None
    by = " by counted instructions" if comparison.decided_by == "instructions" else ""
    p = shown(comparison.p_value, Kind.PROBABILITY)
    return f"{comparison.change}{by}, p {p if p.startswith('<') else f'= {p}'}"


def _detects(comparison: Comparison, line: Line) -> str | None:
    if comparison.detectable is None:
        return None
    return f"{line.detects}: nine of ten such measurements would find an effect of that size"


def _human(outcome: Outcome, line: Line) -> str:
    human = outcome.human
    if human is None:
        return "not measured"
    share = f"; the agent has {line.share} of the human's gain" if line.share != "-" else ""
    if human.recorded:
        return f"{line.human} as recorded{share}"
    return f"{in_words(human.point, human.low, human.high)}, {human.change}{share}"
