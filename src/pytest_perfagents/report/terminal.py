"""The section "perf agents": speedups, then failures by cause, then counts. ASCII but for others' words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_perfagents.diagnosis.causes import Cause, group_causes, recoverable
from pytest_perfagents.diagnosis.kinds import SHOW
from pytest_perfagents.figures import interval as of_starts
from pytest_perfagents.figures import share, times
from pytest_perfagents.model import Category, Change, Outcome
from pytest_perfagents.records import beyond_looks, outcome_from_json
from pytest_perfagents.report.calibration import machine_lines
from pytest_perfagents.report.cells import clean, printable
from pytest_perfagents.report.consoles import Screen, console_for, text_of
from pytest_perfagents.report.counts import count_line
from pytest_perfagents.report.totals import runs_of, totals_line, waited_line

FEW_RUNS = 3
MOST_ROWS = 200
TITLES = ("commit", "agent", "speedup", "interval", "verdict", "human", "of human", "detects", "result")
FALSE_DISCOVERIES = 0.05
STYLES = {
    Category.SUCCESS_IMPROVEMENT: "green",
    Category.SUCCESS_REGRESSION: "red",
    Category.SUCCESS_INCONCLUSIVE: "yellow",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of one measured run."""

    commit: str
    agent: str
    speedup: str
    interval: str
    verdict: str
    human: str
    share: str
    detects: str
    checks: str
    style: str


def render(
    records: Sequence[Mapping[str, Any]],
    screen: Screen,
    *,
    where: str | None = None,
    not_run: int = 0,
    resumed: int = 0,
) -> str:
    """The section's text without its title; ``records`` as `records.outcome_to_json` makes them."""
    outcomes = [outcome_from_json(record) for record in sorted(records, key=lambda record: str(record["id"]))]
    console = console_for(screen)
    for part in _parts(outcomes, console.width, is_stored=where is not None):
        is_command = isinstance(part, Text) and part.no_wrap is True  # to be copied, so never broken up
        console.print(part, soft_wrap=is_command)
    waited = waited_line(records)
    if waited is not None:
        console.print(Text(waited))
    console.print(Text(_told(totals_line(records, not_run=not_run, resumed=resumed)), style="bold"))
    if where is not None:
        console.print(Text(f"results: {_told(where)}"), soft_wrap=True)
    return text_of(console, screen)


def _parts(outcomes: Sequence[Outcome], width: int, *, is_stored: bool) -> Iterable[RenderableType]:
    lines = _lines(outcomes)
    if lines:
        shown = lines[:MOST_ROWS]
        yield from [_table(shown)] if _width(shown) <= width else map(_stacked, shown)
        if len(lines) > MOST_ROWS:
            yield Text(f"... and {len(lines) - MOST_ROWS} more in the results")
        yield from undecided(outcomes)
        yield from _unreached(outcomes)
        yield from _flags(outcomes)
        yield from _discoveries(outcomes)
        yield from _counted(outcomes)
        yield from calibrated(outcomes)
        states = [outcome.environment.get("state", {}) for outcome in outcomes if outcome.comparison is not None]
        yield from (Text(_told(line), style="yellow") for line in machine_lines(states))
        yield Text("")
    causes = group_causes(outcomes)
    by_id = {outcome.case.id: outcome for outcome in outcomes}
    for cause in causes:
        yield from _failed(cause, [by_id[run] for run in cause.runs], is_stored=is_stored)
    if recoverable(causes):
        yield Text(f"mending scripts and environments would bring back {runs_of(recoverable(causes))}")
    if causes:
        yield Text("")


def _failed(cause: Cause, runs: Sequence[Outcome], *, is_stored: bool) -> Iterable[RenderableType]:
    """What the runs have in common, why in the first one's words, what to do, and which they are."""
    blame = f", {cause.blame}" if cause.blame else ""
    yield Text(_told(f"{cause.text} ({cause.category}{blame})"), style="cyan")
    if cause.reasons:
        more = f" (and {len(cause.reasons) - 1} more like it)" if len(cause.reasons) > 1 else ""
        yield _indented(clean(cause.reasons[0]) + more)
    if cause.hint:
        first = runs[0].case.run
        named = f"perfagents show {first.commit.short} --agent {first.alias}"
        yield Text(f"    hint: {_told(cause.hint.replace(SHOW, named) if is_stored else cause.hint)}", no_wrap=True)
    few = len(cause.runs) <= FEW_RUNS
    yield _indented(f"in {_some([_label(run) for run in runs] if few else [*map(_told, cause.commits)])}")


# Measured runs


def _lines(outcomes: Sequence[Outcome]) -> list[Line]:
    measured = [outcome for outcome in outcomes if outcome.comparison is not None]
    labels = Counter(label for outcome in measured for label in _labels(outcome))
    return [line_of(outcome, labels) for outcome in measured]


def _labels(outcome: Outcome) -> list[tuple[str, str]]:
    """The commit's name with what tells its runs apart, the shortest first."""
    run = outcome.case.run
    names = (run.alias, f"{run.alias} {run.run}", f"{run.alias} {run.item}")
    return [(_told(run.commit.name), _told(name)) for name in names]


def line_of(outcome: Outcome, labels: Mapping[tuple[str, str], int]) -> Line:
    """What is shown of a measured outcome; ``labels`` counts the runs that a label means."""
    comparison, human = outcome.comparison, outcome.human
    assert comparison is not None
    names = _labels(outcome)
    commit, agent = next((label for label in names if labels[label] == 1), names[-1])
    return Line(
        commit=commit,
        agent=agent,
        speedup=times(comparison.point),
        interval="recorded" if comparison.recorded else of_starts(comparison.low, comparison.high),
        verdict=_verdict(outcome),
        human=times(human.point) if human is not None else "-",
        share=_share_of_human(outcome),
        detects=share(comparison.detectable),
        checks=_checks(outcome),
        style=STYLES.get(outcome.category, ""),
    )


def _verdict(outcome: Outcome) -> str:
    """The category's word, and the proven change where the word does not say it."""
    assert outcome.comparison is not None
    word = outcome.category.removeprefix("SUCCESS_").lower()
    change = outcome.comparison.change
    says_it = outcome.category in (Category.SUCCESS_IMPROVEMENT, Category.SUCCESS_REGRESSION)
    return word if says_it or change in (Change.SAME, Change.UNCLEAR) else f"{word}, {change}"


def _share_of_human(outcome: Outcome) -> str:
    """How much of the human's gain in speed the agent has, where the human's change is a proven gain."""
    human, mine = outcome.human, outcome.comparison
    if human is None or mine is None or human.category is not Category.SUCCESS_IMPROVEMENT:
        return "-"
    return f"{round(100 * (mine.point - 1) / (human.point - 1))} %"


def _checks(outcome: Outcome) -> str:
    count = len(outcome.integrity.flags)
    flags = f", {count} flag{'s' if count > 1 else ''}" if count else ""
    word = outcome.integrity.equivalence
    by = " by structure" if outcome.integrity.equivalence_by == "structure" else ""
    fresh = ", fresh too" if outcome.integrity.fresh_inputs == "equal" else ""
    return _told(word + by + fresh + flags)


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.commit,
        line.agent,
        line.speedup,
        line.interval,
        line.verdict,
        line.human,
        line.share,
        line.detects,
        line.checks,
    )


def _width(lines: Sequence[Line]) -> int:
    """Columns that the table needs; on a narrower screen a run takes two lines instead of one row."""
    columns = zip(TITLES, *map(_cells, lines), strict=True)
    return sum(max(map(len, column)) + 2 for column in columns)


def _table(lines: Sequence[Line]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in TITLES:
        table.add_column(title, justify="right" if title in ("speedup", "human", "of human", "detects") else "left")
    for line in lines:
        commit, agent, speedup, interval, verdict, *rest = _cells(line)
        table.add_row(commit, agent, speedup, interval, Text(verdict, style=line.style), *rest)
    return table


def _stacked(line: Line) -> RenderableType:
    text = Text(f"{line.commit} {line.agent}\n", style="bold")
    human = f", human {line.human}" + (f" ({line.share} of it)" if line.share != "-" else "")
    text.append(f"  {line.speedup} {line.interval} ", style="not bold")
    text.append(line.verdict, style=f"not bold {line.style}")
    detects = f", detects {line.detects}" if line.detects != "-" else ""
    text.append(f"{human if line.human != '-' else ''}{detects}, {line.checks}", style="not bold")
    return text


def undecided(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """What would decide the inconclusive runs, by commit: its runs are measured together.

    "Or more", since the spread over the starts is itself known from a few.
    """
    wanted: dict[str, tuple[int, int, Sequence[int]]] = {}
    for outcome in outcomes:
        comparison, protocol = outcome.comparison, outcome.protocol
        if comparison is None or outcome.category is not Category.SUCCESS_INCONCLUSIVE:
            continue
        if protocol.get("needed_budget_s"):
            asked = int(protocol["needed_budget_s"]), comparison.needed_starts or 0, protocol.get("looks") or ()
            commit = _told(outcome.case.run.commit.name)
            wanted[commit] = max(wanted.get(commit, asked), asked)
    for commit, (seconds, starts, looks) in wanted.items():
        line = f"inconclusive: {commit} wants about --perf-budget {seconds}, or more{beyond_looks(starts, looks)}"
        yield Text(line, style="yellow", no_wrap=True)


def _unreached(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """The commits whose budget ended before the first planned look, with the starts that fitted."""
    short: dict[str, tuple[int, int]] = {}
    for outcome in outcomes:
        comparison, looks = outcome.comparison, outcome.protocol.get("looks")
        if comparison is not None and not comparison.recorded and looks and comparison.starts < looks[0]:
            commit = _told(outcome.case.run.commit.name)
            short[commit] = min(short.get(commit, (comparison.starts, looks[0])), (comparison.starts, looks[0]))
    for commit, (starts, first_look) in short.items():
        ended = f"{starts} start{'' if starts == 1 else 's'} fitted the budget of {commit}"
        yield Text(f"{ended}; the first look is after {first_look}", style="yellow")


def _flags(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """What was noticed about measured runs, each thing once."""
    seen: dict[str, list[str]] = {}
    for outcome in outcomes:
        for flag in outcome.integrity.flags if outcome.comparison is not None else ():
            seen.setdefault(flag, []).append(f"{outcome.case.run.commit.name} {outcome.case.run.alias}")
    for flag, runs in sorted(seen.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        yield Text(_told(f"flag: {flag} ({_some(runs)})"), style="yellow")


def _discoveries(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """How many changes hold when all comparisons of the suite are counted as tries."""
    compared = [each.comparison for each in outcomes if each.comparison is not None and not each.comparison.recorded]
    changed = [
        comparison.change in (Change.FASTER, Change.SLOWER) and comparison.decided_by == "time"
        for comparison in compared
    ]
    if len(compared) < 2 or not any(changed):
        return
    from pytest_perfagents.judgement.stats import false_discovery_adjusted

    adjusted = false_discovery_adjusted([comparison.p_value for comparison in compared])
    hold = sum(is_change and p <= FALSE_DISCOVERIES for is_change, p in zip(changed, adjusted, strict=True))
    yield Text(
        f"{hold} of {sum(changed)} proven changes hold at a false discovery rate of 5 % over these {len(compared)} runs"
    )


def _counted(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """Instruction counts, where they were asked for."""
    for outcome in outcomes:
        if outcome.comparison is not None and outcome.counts:
            by_counts = outcome.comparison.decided_by == "instructions"
            decided = f", which makes it {outcome.comparison.change}" if by_counts else ""
            yield Text(f"{_label(outcome)}: {_told(count_line(outcome.counts))}{decided}")


def calibrated(outcomes: Sequence[Outcome]) -> Iterable[RenderableType]:
    """What ``--perf-calibrate`` found on this machine for the commits that were measured."""
    known = {
        outcome.case.run.commit.name: outcome.protocol["calibration"]
        for outcome in outcomes
        if outcome.comparison is not None and outcome.protocol.get("calibration")
    }
    for commit, found in sorted(known.items()):
        accused = f"; identical code was called {found['accusation']} there" if found["accusation"] else ""
        line = (
            f"calibrated: {commit} noise floor {share(found['noise_floor'])}, detects {share(found['detectable'])} "
            f"in {found['starts']} starts ({found['recorded_at'][:10]}, one draw){accused}"
        )
        yield Text(_told(line), style="yellow" if accused else "")


# Words


def _told(text: str) -> str:
    """On one line, and without what a terminal would obey: names, reasons, hints and flags are others' words."""
    return printable(text.replace("\n", " "))


def _label(outcome: Outcome) -> str:
    run = outcome.case.run
    return _told(f"{run.commit.name} {run.alias} {run.item}")


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _indented(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, 4))
