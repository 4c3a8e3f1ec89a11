"""A three-way record becomes an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_perfagents.diagnosis.serving import ServedLog, no_numbers, not_served, not_supported, served_nothing
from pytest_perfagents.metrics import by_metric, deciding
from pytest_perfagents.model import HUMAN, Case, Commit, Failure, Integrity, Outcome, Role, Side
from pytest_perfagents.recorded.comparing import recorded_comparison
from pytest_perfagents.recorded.judging import Packages, outcome_of, protocol_of, unreadable
from pytest_perfagents.recorded.ratios import ratios
from pytest_perfagents.recorded.records import Serving

_GIVEN_UP = ("incompatible", "version_bug", "skipped")


def judge_serving(record: Serving, packages: Packages) -> Outcome:
    """The failure that its log shows, else the agent's numbers against the baseline's."""
    failure = _failure(record, packages)
    if failure is not None:
        return outcome_of(record.origin, failure, status=record.status, error=record.error, **_kept(record))
    return _compared(record)


def _kept(record: Serving) -> dict[str, Any]:
    metrics = {side: dict(numbers) for side, numbers in record.metrics.items()}
    return {"metrics": metrics, "served": record.served, "plan": dict(record.plan)}


def _failure(record: Serving, packages: Packages) -> Failure | None:
    origin, own = record.origin, record.metrics.get("agent", {})
    commit = origin.run.commit
    named = packages.get(commit.repo, (commit.repo,))
    if not (record.status or record.error or record.output or own):
        return unreadable(origin)
    if record.baseline is not None:
        return _of_the_baseline(record.baseline, commit, named)
    if _is_nothing(record.metrics.get("baseline", {})):
        return served_nothing("", Role.BASELINE)
    if record.status != "success":
        log = ServedLog(record.status, record.error, record.output)
        return _unserved(log, commit, named, baseline_served=bool(record.metrics.get("baseline")))
    if _is_nothing(own):
        return served_nothing(record.output)
    if not own:
        why = f"the record {origin.damage}" if origin.damage else "no number is recorded"
        return no_numbers(
            f"its status is success, and {why}", Role.PATCHED, "run the benchmark again, and keep its JSON file"
        )
    if record.failed_requests and not own.get("completed", 1):
        return served_nothing(record.output)
    return _incomparable(record) if ratios(record.metrics) is None else None


def _is_nothing(numbers: Mapping[str, float]) -> bool:
    """Whether there are figures of speed, and every one is zero."""
    figures = [value for _, value in by_metric(numbers).values()]
    return bool(figures) and not any(figures)


def _incomparable(record: Serving) -> Failure:
    own, base = record.metrics["agent"], record.metrics.get("baseline")
    if base:
        reason = f"the baseline ({_shown(base)}) and the agent's side ({_shown(own)}) have no metric in common"
        return no_numbers(reason, Role.PATCHED, "run the same benchmark on both sides")
    reason = f"the agent's side was served ({_shown(own)}), and no number of the baseline is recorded"
    hint = f"import the folder that holds {record.origin.run.commit.short}_baseline_result.json, too"
    return no_numbers(reason, Role.BASELINE, hint)


def _of_the_baseline(log: ServedLog, commit: Commit, packages: Sequence[str]) -> Failure:
    """The baseline is judged before the patch: where it gave no number, nothing can be said of the agent."""
    if log.status == "success" or not (log.status or log.output):
        reason = log.error or "the baseline's result says success, and it holds no number"
        return no_numbers(reason, Role.BASELINE, "run the baseline's benchmark again, and keep its JSON file")
    return _unserved(log, commit, packages, Role.BASELINE)


def _unserved(
    log: ServedLog,
    commit: Commit,
    packages: Sequence[str],
    side: Role = Role.PATCHED,
    *,
    baseline_served: bool = False,
) -> Failure:
    """What the log shows; where that is nothing, that the evaluation gave it up."""
    failure = not_served(log, commit, packages, side, baseline_served=baseline_served)
    given_up = log.status in _GIVEN_UP and failure.category.value in ("NO_METRICS", "SERVER_CRASHED")
    return not_supported(f"{log.status}: {log.error or 'no reason is recorded'}", side) if given_up else failure


def _compared(record: Serving) -> Outcome:
    case = Case(record.origin.run, None)
    patched = Side(Role.PATCHED, case.id)
    found = ratios(record.metrics)
    assert found is not None
    protocol = protocol_of(
        record.origin, status=record.status, error=record.error, metric=found.metric, **_kept(record)
    )
    flags = [*found.flags, *record.origin.contradictions]
    flags += [f"its record {record.origin.damage}"] if record.origin.damage else []
    flags += ["some requests failed"] if record.failed_requests else []
    return Outcome(
        case=case,
        comparison=recorded_comparison(patched, found.agent),
        failure=None,
        human=recorded_comparison(HUMAN, found.human) if found.human else None,
        integrity=Integrity(flags=tuple(flags)),
        protocol=protocol,
        started_at=record.origin.started_at,
        duration_s=record.origin.duration_s,
    )


def _shown(numbers: Mapping[str, float]) -> str:
    name = next((name for _, name, _ in deciding(numbers)), next(iter(numbers)))
    return f"{name} {numbers[name]:g}"
