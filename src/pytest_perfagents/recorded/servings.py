"""Three-way results: `<commit>_agent_result.json` and its kin, with the benchmark plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_perfagents.diagnosis.serving import ServedLog
from pytest_perfagents.parsers.benchmarks import read_benchmark
from pytest_perfagents.parsers.bounds import is_possible_figure
from pytest_perfagents.parsers.numbers import number
from pytest_perfagents.recorded.files import Content, read_json, table, text_of, word
from pytest_perfagents.recorded.impossible import brief, impossible_duration, impossible_figures, recorded_duration
from pytest_perfagents.recorded.naming import UNKNOWN, Names, revision
from pytest_perfagents.recorded.records import Kind, Note, Origin, Serving
from pytest_perfagents.recorded.trees import PLAN, Found

Plans = Mapping[str, Mapping[str, Any]]

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")
_MODEL = re.compile(r"--model[ =](?P<model>\S+)")
_SERVES = re.compile(r"benchmark_serving|bench[_ ]serv")
_UNREAD = re.compile(r"(?i)^no (?:metrics|numbers)")
_SHORT = 40
_BASELINE = "baseline"
_SIDES = (_BASELINE, "human", "agent")
_FAILED = ("failed", "failed_requests", "num_failed")


def read_serving(found: Found, content: Content, names: Names, plans: Plans) -> Serving:
    """The record in a three-way result of one agent."""
    fields = {**content.fields, **table(content.fields.get("result"))}
    against: list[str] = []
    human = next(filter(None, (revision(fields.get(name), name, against) for name in _HUMAN)), found.commit)
    if not human.startswith(found.commit) and not found.commit.startswith(human):
        against.append(f"it says commit {human[:8]}, its name {found.commit}: the record counts")
    plan = plans.get(human[:8], {})
    parent = revision(fields.get("parent_commit") or plan.get("parent_commit"), "parent_commit", against)
    log, metrics = _log(fields), _metrics(fields)
    unread = _in_its_output(fields) if "agent" not in metrics else {}
    if unread:
        metrics, log = metrics | {"agent": unread}, replace(log, status="success")
        against.append("its numbers were read from its output: the record lists none")
    impossible = (*impossible_figures(fields), *impossible_duration(fields))
    said = (word(plan.get("perf_command")), text_of(fields.get("raw_output")), log.error, _own_words(fields))
    run = names.of_serving(found, (human, parent), said)
    origin = Origin(
        file=found.file,
        kind=Kind.SERVING,
        rank=found.rank,
        run=replace(run, status=log.status),
        damage=content.damage,
        contradictions=brief((*against, *_against_plan(plan, word(fields.get("model"))), *impossible)),
        started_at=_time(fields.get("timestamp")),
        duration_s=recorded_duration(fields),
    )
    return Serving(
        origin=origin,
        status=log.status,
        error=log.error,
        output=log.output,
        metrics=metrics,
        failed_requests=any((number(table(fields.get("metrics")).get(name)) or 0) > 0 for name in _FAILED),
        served=word(fields.get("model")),
        plan=plan,
    )


_HUMAN = ("human_commit_full", "full_commit", "commit_hash", "human_commit", "commit")


def _own_words(fields: Mapping[str, Any]) -> str:
    return " ".join(word(fields.get(name)) for name in ("error", "subject", "perf_command", "baseline_version"))


def _metrics(fields: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The numbers of each side; what names no side is the agent's."""
    found = {side: _numbers(fields.get(f"{side}_metrics")) for side in _SIDES}
    own = _numbers(fields.get("metrics")) or {
        name: value
        for name, value in _numbers(fields).items()
        if name.startswith(("ttft", "tpot", "itl", "throughput"))
    }
    found["agent"] = found["agent"] or own
    return {side: numbers for side, numbers in found.items() if numbers}


def _in_its_output(fields: Mapping[str, Any]) -> dict[str, float]:
    """What the benchmark printed where the evaluation found no numbers in it; nothing of one that failed otherwise."""
    log = _log(fields)
    if log.status != "success" and not _UNREAD.search(log.error):
        return {}
    benchmark = read_benchmark(text_of(fields.get("raw_output")))
    return _numbers(dict(benchmark.numbers)) if benchmark is not None else {}


def _numbers(value: object) -> dict[str, float]:
    told = {name: figure for name, item in table(value).items() if (figure := number(item)) is not None}
    return {name: figure for name, figure in told.items() if is_possible_figure(figure)}


def _time(value: object) -> str:
    found = _TIME.search(word(value))
    return f"{found[1]}T{found[2]}" if found else ""


def load_plans(files: Iterable[Path], notes: list[Note]) -> dict[str, Mapping[str, Any]]:
    """The entries of all benchmark plans by short commit; the first file that has one counts."""
    plans: dict[str, Mapping[str, Any]] = {}
    for file in dict.fromkeys(files):
        content = read_json(file)
        if content.damage:
            notes.append(Note(str(file), content.damage, f"{len(content.fields)} entries could be read"))
        for commit, entry in content.fields.items():
            plans.setdefault(commit.lower()[:8], table(entry))
    return plans


def _against_plan(plan: Mapping[str, Any], model: str) -> list[str]:
    """What a plan says against itself, or a result against its plan."""
    command = word(plan.get("perf_command"))
    against = []
    named = _MODEL.search(command)
    for whose, other in (("its plan", word(plan.get("model"))), ("the record", model)):
        if named and other and other != named["model"]:
            against.append(f"{whose} says model {other}, the command of {PLAN} {named['model']}: both are kept")
    mode = word(plan.get("benchmark_mode"))
    if plan and not mode:
        against.append(f"{PLAN} has no benchmark_mode for it")
    elif mode == "standalone" and _SERVES.search(command):
        against.append(f"{PLAN} calls a serving command standalone")
    full = word(plan.get("commit_full"))
    if plan and len(full) < _SHORT:
        against.append(f"commit_full of {PLAN} is {full!r}, which is no full commit")
    return against


def with_sides(
    served: Sequence[tuple[Found, Serving]], others: Sequence[tuple[Found, Content]]
) -> tuple[list[Serving], list[Note]]:
    """The agents' records with the numbers of the baseline's and the human's results of the same commit.

    A result of those sides that no agent's record lies beside is noted: it is no outcome of an agent. Of two results
    of one side the first that has numbers counts, else the first.
    """
    notes, known = [], dict[tuple[str, str], Mapping[str, float]]()
    numberless: dict[str, ServedLog] = {}
    agents = {found.commit[:8] for found, _ in served}
    for found, content in others:
        numbers = _numbers(content.fields.get("metrics")) or _in_its_output(content.fields)
        if content.damage:
            notes.append(
                Note(
                    str(found.file), content.damage, f"{len(numbers)} numbers of the {found.side}'s side could be read"
                )
            )
        said = word(content.fields.get("error")) or word(content.fields.get("status")) or "nothing"
        if found.commit[:8] not in agents:
            what = f"is a result of the {found.side}'s side (it says: {said}) without an agent's"
            notes.append(Note(str(found.file), what, "no outcome"))
        elif numbers:
            known.setdefault((found.commit[:8], found.side), numbers)
        elif found.side == _BASELINE:
            numberless.setdefault(found.commit[:8], _numberless(content))
        else:
            what = f"is a result of the {found.side}'s side without numbers (it says: {said})"
            notes.append(Note(str(found.file), what, f"no speedup of the {found.side}'s"))
    completed = [_completed(found, serving, known, numberless) for found, serving in served]
    return _in_one_repository(completed), notes


def _numberless(content: Content) -> ServedLog:
    log = _log(content.fields)
    return replace(log, error=f"its result {content.damage}") if content.damage and not log.error else log


def _log(fields: Mapping[str, Any]) -> ServedLog:
    """What a result says of its end."""
    output = "\n".join(filter(None, (text_of(fields.get("raw_output")), text_of(fields.get("server_logs")))))
    error = text_of(fields.get("error") or fields.get("skip_reason")).strip()
    return ServedLog(word(fields.get("status")).lower(), error, output)


def _in_one_repository(records: list[Serving]) -> list[Serving]:
    """A record that speaks of no repository is about that of all others that do, if that is one."""
    known = {record.origin.run.commit.repo for record in records} - {UNKNOWN}
    if len(known) != 1:
        return records
    repo = known.pop()
    return [record if record.origin.run.commit.repo == repo else _moved(record, repo) for record in records]


def _moved(record: Serving, repo: str) -> Serving:
    run = record.origin.run
    return replace(record, origin=replace(record.origin, run=replace(run, commit=replace(run.commit, repo=repo))))


def _completed(
    found: Found,
    serving: Serving,
    known: Mapping[tuple[str, str], Mapping[str, float]],
    numberless: Mapping[str, ServedLog],
) -> Serving:
    commit = found.commit[:8]
    more = {side: known[commit, side] for side in (_BASELINE, "human") if (commit, side) in known}
    metrics = {**more, **serving.metrics}
    return replace(serving, metrics=metrics, baseline=None if _BASELINE in metrics else numberless.get(commit))
