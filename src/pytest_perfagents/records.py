"""Outcomes as JSON and back: ``perfagents/outcome/1``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from enum import Enum
from itertools import accumulate, pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.figures import in_words, share, times
from pytest_perfagents.gates import shown_as
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    AgentRun,
    Blame,
    Case,
    Category,
    Change,
    Commit,
    Comparison,
    Failure,
    Integrity,
    Outcome,
    Role,
    Side,
    SideSamples,
    Stage,
    StatedTimes,
    Tokens,
)

SCHEMA = "perfagents/outcome/1"
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What `outcome_from_json` raises of a record that is damaged, or of another version."""
REPORT_SCHEMA = "perfagents/report/1"

Json = dict[str, Any]

_RUN_FACTS = (
    "folder",
    "has_patch",
    "status",
    "trouble",
    "returncode",
    "duration_s",
    "time_budget_minutes",
    "patch_file",
)
_DEEPEST = 50
_SPEEDUP = {
    Change.FASTER: "faster",
    Change.SLOWER: "slower",
    Change.SAME: "the same",
    Change.UNCLEAR: "unclear",
}


def outcome_to_json(outcome: Outcome, overrides: Mapping[str, str] | None = None, gates: Iterable[str] = ()) -> Json:
    """One line of ``outcomes.jsonl``: plain JSON types only, and all that `outcome_from_json` needs.

    ``overrides`` (configuration ``[outcomes]``) and ``gates`` (``--perf-fail-on``) decide ``pytest_outcome``.
    """
    run, failure, comparison = outcome.case.run, outcome.failure, outcome.comparison
    clock = comparison.clock if comparison else "wall"
    return {
        "schema": SCHEMA,
        "id": outcome.case.id,
        "repo": run.commit.repo,
        "commit": run.commit.human,
        "pre_commit": run.commit.parent,
        "agent": run.agent,
        "model": run.model,
        "alias": run.alias,
        "run": run.run,
        "item": run.item,
        "pytest_outcome": shown_as(outcome, overrides or {}, gates),
        "category": outcome.category.value,
        "stage": (failure.stage if failure else default_stage(outcome.category)).value,
        "side": failure.side.value if failure and failure.side else None,
        "blame": _blame(outcome),
        "reason": reason_of(outcome),
        "hint": hint_of(outcome),
        "evidence": plain(failure.evidence) if failure else {},
        "speedup": comparison_to_json(comparison),
        "human_speedup": comparison_to_json(outcome.human),
        "sides": {role: _side_to_json(samples, clock) for role, samples in outcome.sides.items()},
        "integrity": plain(asdict(outcome.integrity)),
        "environment": plain(outcome.environment),
        "protocol": plain(outcome.protocol),
        "counts": plain(outcome.counts),
        "started_at": outcome.started_at,
        "duration_s": outcome.duration_s,
        "tokens": asdict(outcome.tokens) if outcome.tokens else None,
        "fingerprint": outcome.fingerprint,
        "patch_sha256": outcome.patch_sha256,
        "script": str(outcome.case.script) if outcome.case.script else None,
        "source": {name: getattr(run, name) for name in _RUN_FACTS},
    }


def outcome_from_json(record: Mapping[str, Any]) -> Outcome:
    """The outcome that `outcome_to_json` wrote.

    Raises:
        ValueError: another schema, or a record whose fields contradict each other.
        KeyError: a field is missing.
    """
    if record.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"{record['schema']!r} is not {SCHEMA!r}")
    commit = Commit(record["repo"], record["commit"], record["pre_commit"])
    names = {name: record[name] for name in ("agent", "model", "run", "item", "alias")}
    case = Case(AgentRun(commit, **names, **record["source"]), Path(record["script"]) if record["script"] else None)
    patched = Side(Role.PATCHED, case.id)
    sides = {Role.BASELINE: BASELINE, Role.HUMAN: HUMAN, Role.PATCHED: patched}
    return Outcome(
        case=case,
        comparison=_comparison_from_json(record["speedup"], patched),
        failure=None if record["speedup"] else _failure_from_json(record),
        human=_comparison_from_json(record["human_speedup"], HUMAN),
        sides={role: _side_from_json(side, sides[Role(role)]) for role, side in record["sides"].items()},
        integrity=Integrity(**{**record["integrity"], "flags": tuple(record["integrity"]["flags"])}),
        environment=record["environment"],
        protocol=record["protocol"],
        counts=record.get("counts", {}),
        fingerprint=record["fingerprint"],
        patch_sha256=record.get("patch_sha256", ""),
        started_at=record["started_at"],
        duration_s=record["duration_s"],
        tokens=Tokens(**record["tokens"]) if record.get("tokens") else None,
    )


def without_samples(record: Mapping[str, Any]) -> Json:
    """The record with its medians and without its thousands of times."""
    kept = ("median_s", "stated")
    sides = {role: {name: side[name] for name in kept if name in side} for role, side in record["sides"].items()}
    return {**record, "sides": sides}


def reason_of(outcome: Outcome) -> str:
    """One line: the failure's reason, or the speedup in words."""
    if outcome.failure is not None:
        return outcome.failure.reason
    assert outcome.comparison is not None
    comparison = outcome.comparison
    if comparison.recorded:
        medians = "" if comparison.median is None else f" ({times(comparison.median)} by the medians)"
        return f"{times(comparison.point)} of the baseline's speed as recorded{medians}, without an interval"
    return (
        f"{in_words(comparison.point, comparison.low, comparison.high)} of the baseline's speed, "
        f"{_SPEEDUP[comparison.change]}, {comparison.starts} starts{_too_few(outcome)}, {comparison.clock} clock"
        f"{_detects(comparison)}"
    )


def _too_few(outcome: Outcome) -> str:
    """Why a speedup far from 1 may be no verdict: fewer starts than the first look has claim nothing."""
    comparison, looks = outcome.comparison, outcome.protocol.get("looks")
    if comparison is None or not comparison.needed_starts or not looks or comparison.starts >= looks[0]:
        return ""
    return f" (too few for a claim: the first look is after {looks[0]})"


def _detects(comparison: Comparison) -> str:
    return "" if comparison.detectable is None else f", detects {share(comparison.detectable)}"


def hint_of(outcome: Outcome) -> str | None:
    """One line that a person can act on, or None."""
    if outcome.failure is not None:
        return outcome.failure.hint
    if outcome.comparison is not None and outcome.comparison.needed_starts:
        budget = outcome.protocol.get("needed_budget_s", "")
        starts = outcome.comparison.needed_starts
        wanted = f"about {starts} starts or more would decide; raise --perf-budget {budget}".rstrip()
        return wanted + beyond_looks(starts, outcome.protocol.get("looks") or ())
    return None


def beyond_looks(starts: int, looks: Sequence[int]) -> str:
    """What else it takes to judge after so many starts: no budget leads beyond the last planned look."""
    last = max(looks, default=starts)
    if starts <= last:
        return ""
    return f", and a look after {starts} starts or more (looks of [perfagents.protocol] end at {last})"


def _blame(outcome: Outcome) -> str | None:
    blame = outcome.failure.blame if outcome.failure else default_blame(outcome.category)
    return blame.value if blame else None


def comparison_to_json(comparison: Comparison | None) -> Json | None:
    """One side's speedup; None for none."""
    if comparison is None:
        return None
    is_judged = not comparison.recorded
    return {
        "point": comparison.point,
        "low": comparison.low if is_judged else None,
        "high": _finite(comparison.high),
        "confidence": comparison.confidence if is_judged else None,
        "starts": comparison.starts,
        "change": comparison.change.value,
        "clock": comparison.clock,
        "category": comparison.category.value,
        "p_value": comparison.p_value if is_judged else None,
        "needed_starts": comparison.needed_starts,
        "detectable": comparison.detectable,
        "decided_by": comparison.decided_by,
        "recorded": comparison.recorded,
        "median": comparison.median,
    }


def _comparison_from_json(value: Mapping[str, Any] | None, candidate: Side) -> Comparison | None:
    if value is None:
        return None
    high = float("inf") if value["high"] is None else value["high"]
    if value.get("recorded"):
        value = {**value, "low": 0.0, "confidence": 0.0, "p_value": 1.0}
    change, category = Change(value["change"]), Category(value["category"])
    return Comparison(
        **{
            **value,
            "baseline": BASELINE,
            "candidate": candidate,
            "high": high,
            "change": change,
            "category": category,
        }
    )


def _failure_from_json(record: Mapping[str, Any]) -> Failure:
    return Failure(
        category=Category(record["category"]),
        stage=Stage(record["stage"]),
        reason=record["reason"],
        side=Role(record["side"]) if record["side"] else None,
        blame=Blame(record["blame"]) if record["blame"] else None,
        hint=record["hint"],
        evidence=record["evidence"],
    )


def _side_to_json(samples: SideSamples, clock: str) -> Json:
    """``samples_s``: the turns' times by the verdict's clock; ``turns``: how many of them each start has."""
    other = "wall" if clock == "cpu" else "cpu"
    times, stated = flat_samples(samples, clock), samples.stated
    return {
        "median_s": median(times) if times else stated.median_s if stated else None,
        "clock": clock,
        "iterations": samples.iterations,
        "turns": [len(start) for start in samples.wall_s],
        "samples_s": times,
        f"{other}_s": flat_samples(samples, other),
        "ready_s": [seconds for start in samples.ready_s for seconds in start],
        "memory_bytes": samples.memory_bytes,
        "gpu_memory_bytes": samples.gpu_memory_bytes,
        **({"stated": asdict(stated)} if stated else {}),
    }


def _side_from_json(value: Mapping[str, Any], side: Side) -> SideSamples:
    clock, turns = "cpu" if value["clock"] == "cpu" else "wall", value["turns"]
    other = "wall" if clock == "cpu" else "cpu"
    times = {clock: _by_start(value["samples_s"], turns), other: _by_start(value[f"{other}_s"], turns)}
    ready_s = _by_start(value["ready_s"], turns) if value.get("ready_s") else ()
    peaks = value.get("memory_bytes"), value.get("gpu_memory_bytes")
    stated = StatedTimes(**value["stated"]) if value.get("stated") else None
    return SideSamples(side, value["iterations"], times["wall"], times["cpu"], ready_s, *peaks, stated=stated)


def flat_samples(samples: SideSamples, clock: str) -> list[float]:
    """All turns of all starts, seconds per call of the experiment."""
    return [seconds for start in (samples.cpu_s if clock == "cpu" else samples.wall_s) for seconds in start]


def _by_start(times: Sequence[float], turns: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    ends = accumulate(turns, initial=0)
    return tuple(tuple(times[start:end]) for start, end in pairwise(ends))


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None


def plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's own types; what has no such form becomes its text, and what lies too deep ``...``."""
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _finite(value)
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value), depth)
    return str(value) if isinstance(value, Path) else repr(value)
