"""A record becomes an outcome, by the rules that judge live runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_perfagents import diagnosis
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.diagnosis.kinds import kind_of, raised_in_words
from pytest_perfagents.diagnosis.preparing import not_prepared
from pytest_perfagents.diagnosis.serving import no_numbers
from pytest_perfagents.diagnosis.standins import stand_in
from pytest_perfagents.diagnosis.tracebacks import chain_in_text
from pytest_perfagents.diagnosis.types import Evidence
from pytest_perfagents.model import (
    BASELINE,
    Blame,
    Case,
    Category,
    Ending,
    Execution,
    Failure,
    Integrity,
    Outcome,
    Role,
    Side,
    Stage,
)
from pytest_perfagents.parsers.script_output import ScriptReport
from pytest_perfagents.recorded.comparing import (
    RULE,
    THRESHOLD,
    contradiction,
    recorded_comparison,
    recorded_ratio,
    side_of,
)
from pytest_perfagents.recorded.files import TOO_LARGE
from pytest_perfagents.recorded.limits import is_late, limit_s
from pytest_perfagents.recorded.records import Evaluation, Half, Origin, Record

Packages = Mapping[str, Sequence[str]]
"""The measured packages of each repository; one that is not there has its own name."""

Scripts = Mapping[str, Path]
"""The perf scripts of commits, by the short human commit, as records name them."""

_NO_PATCH = re.compile(r"(?i)\bno (?:model_)?patch\b|patch (?:file )?(?:not found|missing|does not exist)")
_NO_SCRIPT = re.compile(r"(?i)no (?:test|perf) ?script|(?:test|perf) script (?:is )?(?:not found|missing)")
# The evaluation's own words for "it printed no result": they say nothing of why.
_GENERIC = re.compile(
    r"(?i)^(?:(?:baseline|patched|child|parent)\b[^\n:]*(?:failed|no output)[^\n:]*|unknown error|error|failed)?$"
)
_OF_A_SIDE = re.compile(r"(?i)\b(?:baseline|patched|child|parent|test|script|worktree)\b")
_OBJECT = re.compile(r'\{(?=\s*")')
_TRACEBACK = "Traceback (most recent call last)"
_UNEQUAL = re.compile(
    r"(?i)\b(?:not equivalent|equivalence\b[^\n]{0,30}\bfail)|\b(?:results?|outputs?) (?:differ|do not match)"
)
_IN_CHECK = re.compile(r"line \d+, in check_equivalence\b")
_LINE_CHARACTERS = 300
_MOST_OBJECTS = 200


def scripts_named(records: Iterable[object]) -> Scripts:
    """The scripts that the records name of commits that they ran them on."""
    ran = (each for each in records if isinstance(each, Evaluation) and not _lacks_script(each))
    return {each.origin.run.commit.short: each.origin.script for each in ran if each.origin.script is not None}


def judge_evaluation(record: Evaluation, packages: Packages, scripts: Scripts) -> Outcome:
    """What the run says of itself first, then the baseline, then the patched side, then the times."""
    failure = _of_the_run(record, scripts) or _of_the_record(record) or _of_the_baseline(record, packages)
    failure = failure or _of_the_patch(record, packages)
    if failure is not None:
        return outcome_of(record.origin, failure, status=record.status, error=record.error)
    return _measured(record)


def _lacks_script(record: Evaluation) -> bool:
    return record.status == "no_test" or bool(_NO_SCRIPT.search(record.error))


def _of_the_run(record: Evaluation, scripts: Scripts) -> Failure | None:
    """No patch, no script: that was so before anything was run, whatever the baseline did then."""
    origin, is_measured = record.origin, bool(record.baseline.seconds and record.patched.seconds)
    is_missing = record.status == "no_patch" and origin.has_patch is None and not is_measured
    if origin.has_patch is False or is_missing:
        return diagnosis.agent_failure(replace(origin.run, has_patch=False), _of_the_agent(record))
    if is_measured:
        return None
    if record.status == "no_patch" or (not record.status and _NO_PATCH.search(record.error)):
        return failures.patch_refused(record.error)
    if _lacks_script(record):
        commit = origin.run.commit
        script = scripts.get(commit.short)
        return failures.script_not_found(commit, script) if script else failures.no_script(commit, ())
    return None


def _of_the_agent(record: Evaluation) -> str:
    """The evaluation's message, where it can be about the agent: nothing was run that it could be about."""
    was_run = record.baseline != Half() or record.status not in ("no_patch", "error", "")
    return "" if was_run or _OF_A_SIDE.search(record.error) else record.error


def _of_the_record(record: Evaluation) -> Failure | None:
    """What the evaluation could not prepare; and a record too damaged to tell anything."""
    prepared = not_prepared(record.error, record.origin.run.commit) if record.error else None
    if record.status == "patch_failed":
        return prepared if prepared and prepared.side is Role.PATCHED else failures.patch_not_applied(record.error)
    side = record.patched if prepared and prepared.side is Role.PATCHED else record.baseline
    if prepared is not None and side == Half(code=side.code):
        return prepared
    return unreadable(record.origin) if _says_nothing(record) else None


def _says_nothing(record: Evaluation) -> bool:
    """Nothing tells what became of the baseline: an empty record, or one that breaks off before that."""
    if record.error or record.stdout or record.stderr or record.baseline.seconds is not None:
        return False
    report = record.baseline.report
    if record.origin.damage:
        return report is None or report.error is None
    return not record.status and report is None


def unreadable(origin: Origin) -> Failure:
    """Nothing in the file says how the run ended."""
    what = origin.damage or "says nothing of how the run ended"
    mend = "shorten its outputs" if what.startswith(TOO_LARGE) else "put the whole file back"
    return Failure(
        Category.BASELINE_UNKNOWN,
        Stage.DISCOVER,
        f"the record {what}, so nothing shows how the run ended",
        blame=Blame.ENVIRONMENT,
        hint=f"evaluate the run again, or {mend}: {origin.file}",
        evidence={"cause": "have a damaged record"},
    )


def _of_the_baseline(record: Evaluation, packages: Packages) -> Failure | None:
    half = record.baseline
    late = is_late(record.status, record.error) and half.seconds is None
    if half.seconds is None or late or _not_reached(half):
        return _diagnosed(record, Role.BASELINE, half, record.stdout, packages, late=late)
    return stand_in(half.report, record.stderr, Role.BASELINE)


def _of_the_patch(record: Evaluation, packages: Packages) -> Failure | None:
    half = record.patched
    if half.seconds is None and record.origin.damage and half == Half():
        return replace(unreadable(record.origin), category=Category.PATCHED_UNKNOWN, side=Role.PATCHED)
    if said := _unequal(record):
        return failures.unequal(said, Role.PATCHED)
    if half.seconds is None or _not_reached(half):
        stdout = _after(record.stdout, record.baseline.report)
        return _diagnosed(record, Role.PATCHED, half, stdout, packages, late=is_late(record.status, record.error))
    return stand_in(half.report, record.stderr, Role.PATCHED) or _incomparable(record)


def _incomparable(record: Evaluation) -> Failure | None:
    """One side states a median alone, the other a mean alone."""
    if recorded_ratio(record.baseline, record.patched) is not None:
        return None
    is_median = record.baseline.report is not None and record.baseline.report.is_median
    one, other = ("median", "mean") if is_median else ("mean", "median")
    reason = f"the record has only a {one} of the baseline and only a {other} of the patched side"
    return no_numbers(reason, Role.PATCHED, "evaluate the run again, and record mean and median of both sides")


def _unequal(record: Evaluation) -> str:
    """What tells that the patched side gave another result: words or fields of the evaluation, a check that raised."""
    if _UNEQUAL.search(record.error) or _UNEQUAL.search(record.status.replace("_", " ")):
        return record.error or f"its status is {record.status}"
    if record.unequal:
        return f"the record says {record.unequal}"
    last = record.stderr[record.stderr.rfind(_TRACEBACK) :] if _TRACEBACK in record.stderr else ""
    return last.strip().splitlines()[-1] if record.patched.seconds is None and _IN_CHECK.search(last) else ""


def _not_reached(half: Half) -> bool:
    return half.report is not None and half.report.opt_path_hit is False


def _diagnosed(record: Evaluation, role: Role, half: Half, stdout: str, packages: Packages, *, late: bool) -> Failure:
    """By the rule table, from what the record holds of that side."""
    repo = record.origin.run.commit.repo
    report, stderr = half.report, record.stderr
    told = _told(record.error, f"{stderr}\n{stdout}") if report is None and record.error else None
    is_silent = not chain_in_text(stderr) or bool(chain_in_text(record.error))
    if told is not None or (report is None and is_silent and not _GENERIC.match(record.error)):
        report, stderr = told, f"{stderr}\n{record.error}\n"
    code = None if late else half.code
    ending = Ending.TIMED_OUT if late else Ending.SIGNALED if code is not None and code < 0 else Ending.EXITED
    stated_s = limit_s(record.error) if late else None
    execution = Execution((), ending, code, stdout, stderr, stated_s or record.origin.duration_s)
    evidence = Evidence(execution=execution, report=report)
    named = packages.get(repo, (repo,))
    return diagnosis.diagnose(evidence, role, packages=named, repo=repo, names_in=lambda _: ())


def _told(error: str, output: str) -> ScriptReport | None:
    """The evaluation's message as the script's, where it names an exception and nothing else that is recorded does."""
    raised = raised_in_words(error)
    is_named = bool(raised.type) or kind_of(raised) != "EXCEPTION"
    return ScriptReport(error=error) if is_named and _TRACEBACK not in f"{error}{output}" else None


def _after(stdout: str, report: ScriptReport | None) -> str:
    """What was printed after the baseline's report: the output of both sides stands in one text."""
    decoder = json.JSONDecoder()
    for found in islice(_OBJECT.finditer(stdout) if report else (), _MOST_OBJECTS):
        try:
            value, end = decoder.raw_decode(stdout, found.start())
        except (ValueError, RecursionError):
            continue
        if report is not None and value == report.raw:
            return stdout[end:]
    return stdout


def _measured(record: Evaluation) -> Outcome:
    case = Case(record.origin.run, record.origin.script)
    patched = Side(Role.PATCHED, case.id)
    sides = {"baseline": side_of(BASELINE, record.baseline), "patched": side_of(patched, record.patched)}
    ratio = recorded_ratio(record.baseline, record.patched)
    assert ratio is not None
    comparison = recorded_comparison(patched, ratio.point, ratio.by_medians)
    flags = [flag for flag in (ratio.flag, contradiction(comparison), *record.origin.contradictions) if flag]
    if record.origin.damage:
        flags.append(f"its record {record.origin.damage}")
    raw = record.patched.report.raw if record.patched.report else {}
    return Outcome(
        case=case,
        comparison=comparison,
        failure=None,
        sides=sides,
        integrity=Integrity(flags=tuple(flags)),
        environment={name: raw[name] for name in ("device", "dtype") if name in raw},
        protocol=protocol_of(record.origin, status=record.status, error=record.error),
        duration_s=record.origin.duration_s,
        started_at=record.origin.started_at,
    )


def harness_failed(record: Record, error: Exception) -> Outcome:
    """The last net: what our own code could not judge."""
    return outcome_of(record.origin, failures.harness_error(error), status=record.status, error=record.error)


def outcome_of(origin: Origin, failure: Failure, *, status: str, error: str, **more: Any) -> Outcome:
    """A failure as the outcome of the record's run."""
    told = {
        "record": str(origin.file),
        "recorded_status": status[:_LINE_CHARACTERS],
        "recorded_error": error[:_LINE_CHARACTERS],
    }
    evidence = {**failure.evidence, **{name: value for name, value in told.items() if value}}
    return Outcome(
        case=Case(origin.run, origin.script),
        comparison=None,
        failure=replace(failure, evidence=evidence),
        protocol=protocol_of(origin, status=status, error=error, **more),
        duration_s=origin.duration_s,
        started_at=origin.started_at,
    )


def protocol_of(origin: Origin, *, status: str, error: str, **more: Any) -> dict[str, Any]:
    """How it came about: not by us."""
    recorded = {
        "file": str(origin.file.absolute()),
        "kind": origin.kind.value,
        "status": status[:_LINE_CHARACTERS],
        "error": error[:_LINE_CHARACTERS],
        "damage": origin.damage,
        "contradictions": list(origin.contradictions),
        **more,
    }
    return {
        "recorded": {name: value for name, value in recorded.items() if value},
        "rule": RULE,
        "threshold": THRESHOLD,
    }
