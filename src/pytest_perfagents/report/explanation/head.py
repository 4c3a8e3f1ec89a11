"""What was evaluated, when, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pytest_perfagents.model import AgentRun, Outcome
from pytest_perfagents.report.cells import clean, duration
from pytest_perfagents.report.explanation.parts import Fact, facts
from pytest_perfagents.report.explanation.types import Explained

_PACKAGES = 4
_METRICS = 6


def head_part(told: Explained, style: str) -> Iterator[RenderableType]:
    """The title with the one word for it, then names, times and places."""
    outcome = told.outcome
    run, commit = outcome.case.run, outcome.case.run.commit
    title = Text(clean(f"{commit.name} {run.alias}:"), style="bold")
    yield title.append(f" {outcome.category.value}", style=style)
    before = f", on {commit.parent}" if commit.parent else ""
    yield from facts(
        [
            ("commit", f"{commit.human or 'unknown'}{before}"),
            ("agent", f"{run.agent}, model {run.model}"),
            ("run", f"{run.run}, item {run.item}"),
            ("its end", _end(run)),
            ("evaluated", _when(outcome)),
            ("pytest", str(told.record.get("pytest_outcome") or "")),
            ("machine", _machine(outcome.environment)),
            ("script", outcome.case.script or "none"),
            ("read from", told.file),
            ("replaces", _others(told.replaced)),
            *_recorded(outcome.protocol),
        ]
    )


def _end(run: AgentRun) -> str:
    """What the agent's run said of itself."""
    parts = [f"status {run.status}" if run.status else "", f"exit {run.returncode}" if run.returncode else ""]
    if run.duration_s:
        of = f" of {run.time_budget_minutes:g} min" if run.time_budget_minutes else ""
        parts.append(f"after {duration(run.duration_s)}{of}")
    return ", ".join(filter(None, [*parts, run.trouble]))


def _when(outcome: Outcome) -> str:
    took = f"in {duration(outcome.duration_s)}" if outcome.duration_s else ""
    if took and not outcome.protocol.get("recorded"):
        took += " with the commit's other runs of that session"
    return " ".join(filter(None, (outcome.started_at, took)))


def _machine(environment: Mapping[str, Any]) -> str:
    state, packages = environment.get("state") or {}, environment.get("packages") or {}
    python = f"Python {environment['python']}" if environment.get("python") else ""
    named = [f"{name} {version}" for name, version in list(packages.items())[:_PACKAGES]]
    return "; ".join(map(str, filter(None, [state.get("name"), python, environment.get("device"), ", ".join(named)])))


def _others(replaced: int) -> str:
    others = f"{replaced} other outcome{'s'[: replaced != 1]}"
    return f"{others} of this run; --run NAME looks at one" if replaced else ""


def _recorded(protocol: Mapping[str, Any]) -> Iterator[Fact]:
    """The file of a recorded evaluation, and what it says for itself."""
    recorded = protocol.get("recorded") or {}
    if recorded.get("file"):
        yield "recorded in", Path(str(recorded["file"]))
    for name in ("kind", "status", "error", "damage", "metric"):
        yield f"its {name}", clean(str(recorded.get(name) or ""))
    for side, numbers in (recorded.get("metrics") or {}).items():
        told = [f"{name} {value:g}" for name, value in list(numbers.items())[:_METRICS]]
        more = f" and {len(numbers) - _METRICS} more" if len(numbers) > _METRICS else ""
        yield f"its {side}", clean(", ".join(told) + more)
    for contradiction in recorded.get("contradictions") or ():
        yield "against it", clean(str(contradiction))
