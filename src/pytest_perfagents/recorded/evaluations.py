"""`test_results.json`, and the ``evaluation`` of a `run_summary.json`, as an `Evaluation`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_perfagents.discovery.runfolders import PATCH
from pytest_perfagents.parsers.bounds import possible_time
from pytest_perfagents.parsers.numbers import number
from pytest_perfagents.parsers.script_output import ScriptReport, parse_output, report_from_json
from pytest_perfagents.recorded.contradictions import against_itself
from pytest_perfagents.recorded.files import Content, table, text_of, word
from pytest_perfagents.recorded.impossible import (
    brief,
    exit_code,
    impossible_duration,
    impossible_times,
    recorded_duration,
)
from pytest_perfagents.recorded.naming import Names, revision, script_of
from pytest_perfagents.recorded.records import Evaluation, Half, Kind, Origin
from pytest_perfagents.recorded.trees import Found

_CODE = re.compile(r"(?i)(?:exit(?:ed)?|return(?:ed)?)[ _-]?(?:with )?(?:code|status|value)?\s*[:=]?\s*(-?\d{1,3})\b")
_CODE_KEYS = ("exit_code", "returncode", "return_code", "exitcode", "exit_status", "rc")
# Fields in which an evaluation or a script says whether the results are equal, and their words for "no".
_EQUAL = re.compile(r"(?:is_)?equivalent|equivalence(?:_passed|_ok|_check|_status)?|eq_(?:level|passed|ok|check)")
_NO = re.compile(r"(?i)false|no|mis-?match(?:ed)?|fail(?:ed|ure)?|differ(?:s|ent)?|unequal|not[ _](?:equal|equivalent)")


def read_evaluation(found: Found, content: Content, names: Names) -> Evaluation:
    """The record in a `test_results.json`. Nothing in it is believed to be there, or of its type."""
    fields = content.fields
    said, result = table(fields.get("metadata")), table(fields.get("result"))
    flat = not result and "status" in fields  # a broken file, of which only the scalars could be saved
    said, result = (said or fields) if flat else said, fields if flat else result
    against: list[str] = []
    commits = tuple(revision(said.get(name), name, against) for name in ("human_commit", "pre_commit"))
    run, contradictions = names.of_evaluation(found, said, (commits[0], commits[1]))
    run = replace(run, status=word(said.get("agent_status")).lower(), patch_file=_file_name(said.get("patch_path")))
    has_patch = _has_patch(said, against)
    origin = Origin(
        file=found.file,
        kind=Kind.EVALUATION,
        rank=found.rank,
        run=replace(run, has_patch=has_patch is not False),
        has_patch=has_patch,
        script=script_of(said.get("test_script_path")),
        damage=content.damage or ("" if result else "holds no result"),
        contradictions=(*against, *contradictions),
        duration_s=recorded_duration(result),
        folders=(found.file.parent, *_folder_of(said.get("patch_path"))),
    )
    return _evaluation(origin, result, "error_message")


def read_summary(found: Found, content: Content, names: Names) -> Evaluation | None:
    """The record in a `run_summary.json`; None where it says that nothing was evaluated, and there was a patch."""
    fields = content.fields
    meta, agent, result = (table(fields.get(name)) for name in ("meta", "agent", "evaluation"))
    against: list[str] = []
    told = table(fields.get("commits"))
    commits = tuple(revision(told.get(name), f"commits.{name}", against) for name in ("human", "pre"))
    run, contradictions = names.of_evaluation(found, meta, (commits[0], commits[1]))
    has_patch = agent["patch_generated"] if isinstance(agent.get("patch_generated"), bool) else None
    if not result and not content.damage and has_patch is not False:
        return None
    run = replace(run, status=word(agent.get("status")).lower(), duration_s=number(agent.get("duration_s")))
    origin = Origin(
        file=found.file,
        kind=Kind.SUMMARY,
        rank=found.rank,
        run=replace(run, has_patch=has_patch is not False),
        has_patch=has_patch,
        damage=content.damage,
        contradictions=(*against, *contradictions),
        duration_s=recorded_duration(result),
        folders=(found.file.parent,),
    )
    return _evaluation(origin, result, "error")


def _folder_of(path: object) -> tuple[Path, ...]:
    """Where the patch lay, if that can be told from here: beside the agent's trajectory."""
    file = Path(word(path))
    return (file.parent,) if file.is_absolute() else ()


def _has_patch(said: Mapping[str, Any], against: list[str]) -> bool | None:
    """Whether there was a patch: a path says yes, null no; None where nothing is said, or nothing that is a path."""
    path = said.get("patch_path")
    if path is None or isinstance(path, str):
        return bool(word(path)) if "patch_path" in said else None
    against.append(f"patch_path is {repr(path)[:60]}, which is no path: passed over")
    return None


def _file_name(path: object) -> str:
    return word(path).rpartition("/")[2] or PATCH


@dataclass(frozen=True, slots=True)
class _Side:
    """What a result says of one side."""

    result: Mapping[str, Any]
    name: str

    def half(self) -> Half:
        output = self.result.get(f"{self.name}_output")
        report = report_from_json(output) if isinstance(output, dict) else None
        if report is None and isinstance(output, str):
            report = parse_output(output)
        ms = number(self.result.get(f"{self.name}_ms"))
        if report is None and ms is not None and possible_time(ms / 1000) is None:
            report = ScriptReport(raw={f"{self.name}_ms": ms})  # a zero is no measurement, nor is less
        return Half(ms, report, self._code(table(output)))

    def _code(self, output: Mapping[str, Any]) -> int | None:
        own = (exit_code(self.result.get(f"{self.name}_{key}")) for key in _CODE_KEYS)
        told = (exit_code(output.get(key)) for key in _CODE_KEYS)
        return next((code for code in (*own, *told) if code is not None), None)


def _evaluation(origin: Origin, result: Mapping[str, Any], error_key: str) -> Evaluation:
    baseline, patched = _Side(result, "baseline").half(), _Side(result, "patched").half()
    error = text_of(result.get(error_key)) or text_of(result.get("error"))
    code = _code_of(result, error)
    if code is not None:
        if baseline.seconds is None and baseline.code is None:
            baseline = replace(baseline, code=code)
        elif baseline.seconds is not None and patched.seconds is None and patched.code is None:
            patched = replace(patched, code=code)
    speedup = number(result.get("speedup"))
    status = word(result.get("status")).lower()
    unpatched = _against_no_patch(origin, baseline, patched)
    against = against_itself(result, "" if unpatched else status, {"baseline": baseline, "patched": patched}, speedup)
    against += unpatched
    impossible = (*impossible_times(result, baseline, patched), *impossible_duration(result))
    return Evaluation(
        origin=replace(origin, contradictions=brief((*origin.contradictions, *against, *impossible))),
        status=status,
        error=error.strip(),
        baseline=baseline,
        patched=patched,
        speedup=speedup,
        unequal=_unequal(result, patched),
        stdout=text_of(result.get("stdout")),
        stderr=text_of(result.get("stderr")),
    )


def _against_no_patch(origin: Origin, baseline: Half, patched: Half) -> list[str]:
    if origin.has_patch is not False or baseline.seconds is None or patched.seconds is None:
        return []
    return ["it says that there is no patch, and both sides have a time: nothing of a patch was measured"]


def _unequal(result: Mapping[str, Any], patched: Half) -> str:
    """The fields that say so; nothing of a side that did not run, where such a field may only be a default."""
    if patched == Half() or (patched.report is not None and patched.report.blames):
        return ""
    said = {**result, **(patched.report.raw if patched.report else {})}
    told = {key: value for key, value in said.items() if _EQUAL.fullmatch(key)}
    return ", ".join(f"{key}: {str(value).lower()}" for key, value in told.items() if _NO.fullmatch(str(value).strip()))


def _code_of(result: Mapping[str, Any], error: str) -> int | None:
    """How the failing process ended, by a field or in the words of the evaluation."""
    told = next((code for key in _CODE_KEYS if (code := exit_code(result.get(key))) is not None), None)
    if told is not None:
        return told
    found = _CODE.search(error)
    return int(found[1]) if found else None
