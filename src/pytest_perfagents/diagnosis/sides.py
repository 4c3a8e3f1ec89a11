"""Why one side could not be measured: facts in, one ``Failure`` out, by an ordered table of rules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from pytest_perfagents.diagnosis.advice import MODULE, advise, by_knowledge
from pytest_perfagents.diagnosis.installing import pip_failed
from pytest_perfagents.diagnosis.kinds import HARDWARE, hint_of_kind, kind_of, raised_in_words
from pytest_perfagents.diagnosis.loglines import without_colours, without_sources
from pytest_perfagents.diagnosis.names import asking_first, misspelling, misspelt_function, names_in_file, wants_data
from pytest_perfagents.diagnosis.patterns import one_line, sought
from pytest_perfagents.diagnosis.reports import (
    category_of_import,
    category_of_install,
    is_surroundings,
    path_not_hit,
    reported,
    target_not_resolved,
    tells_all,
)
from pytest_perfagents.diagnosis.signals import ending_signal, killed, signal_name
from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.diagnosis.tracebacks import Told, chain_of_error, ended_by, exceptions_in
from pytest_perfagents.diagnosis.types import Evidence, Facts, Finding, Place, Raised
from pytest_perfagents.diagnosis.unavailable import unavailable_module
from pytest_perfagents.diagnosis.versions import of_versions
from pytest_perfagents.model import Blame, Category, Ending, Execution, Failure, Role, Stage
from pytest_perfagents.parsers.script_output import parse_output

_TAIL_CHARACTERS = 2_000
_LINE_CHARACTERS = 500
_WORDS_CHARACTERS = 100_000
_TIMEOUT_CODE = 124

# They tell of trouble and go on, so they decide nothing.
_WARNING = re.compile(r"(?m)^[^\n]*Warning: [^\n]*(?:\nNo module named [^\n]*)?(?:\n {2}\S[^\n]*)?$")
_TRACEBACK = r"Traceback[^\n]*\n(?: [^\n]*\n)*[^\n]*"
_IGNORED = re.compile(
    rf"(?m)^(?:Exception ignored in[^\n]*|--- Logging error ---)\n(?:{_TRACEBACK}"
    rf"(?:\n+(?:During handling|The above exception)[^\n]*\n+{_TRACEBACK})*)?"
    r"(?:\nCall stack:\n(?: [^\n]*\n)*Message:[^\n]*(?:\nArguments:[^\n]*)?)?"
)
_TROUBLE = re.compile(r"(?i)error|exception|fail|cannot|could not|unable|no attribute|out of memory")
_NO_SUCH_NAME = re.compile(r"module '[\w.]+' has no attribute '")
# Without a module it takes another road, which is no trouble; but a stand-in for the target is.
_GOES_ON = re.compile(
    r"(?i)Failed to import from [\w.]+ with \w+\("
    r"|No module named '?[\w.]+'?[^\n]*(?:\b(?:using|use|falling back|fall back|fallback|disabl\w+|skipping|ignor\w+"
    r"|defaulting|instead)\b|will not be (?:used|available))(?![^\n]*\b(?:mock|stub|dummy|stand-in))"
)
_LOG = re.compile(r"(?m)^[^\n]*\b(?:WARNING|WARN|INFO|DEBUG)\b[^\n]*$")


def diagnose(
    evidence: Evidence,
    role: Role,
    *,
    packages: Sequence[str] = (),
    repo: str = "",
    names_in: Callable[[str], Collection[str]] = names_in_file,
) -> Failure:
    """The failure that ``evidence`` shows on the side ``role``.

    ``packages`` are the measured packages, ``repo`` is the repository's name in the configuration. The category
    follows what ended the run; reason, hint and blame follow the deepest cause that is understood. ``names_in`` is
    asked which names a source has, where one that was wanted may be misspelt.
    """
    place = Place(role, repo, tuple(packages), evidence.baseline_worked)
    facts = _read(_plain(evidence), place, names_in)
    finding = next(finding for rule in RULES if (finding := rule(facts)) is not None)
    reason, hint = finding.reason, finding.hint
    if finding.advice is not None:
        reason, hint = "; ".join(filter(None, (finding.advice.reason, reason))), finding.advice.hint
    spelling = misspelling(facts, finding)
    hint = spelling.hint or asking_first(spelling.question, hint)
    return Failure(
        category=finding.category,
        stage=_stage(finding.category, evidence.stage),
        side=role,
        blame=spelling.blame or _blame(finding, place),
        reason=one_line(f"{role.value} {reason}", _LINE_CHARACTERS),
        hint=one_line(hint, _LINE_CHARACTERS) or None,
        evidence=_evidence(facts, finding),
    )


def _plain(evidence: Evidence) -> Evidence:
    """The evidence without the colours of terminals in what was printed."""
    execution = evidence.execution
    if execution is None:
        return evidence
    stdout, stderr = without_colours(execution.stdout), without_colours(execution.stderr)
    return replace(evidence, execution=replace(execution, stdout=stdout, stderr=stderr))


def _read(evidence: Evidence, place: Place, names_in: Callable[[str], Collection[str]]) -> Facts:
    execution, report = evidence.execution, evidence.report
    if report is None and execution is not None:
        report = parse_output(execution.stdout) or parse_output(execution.stderr)
    told = Told()
    if evidence.error is not None:
        told = Told(chain_of_error(evidence.error))
    elif execution is not None:
        rank = by_knowledge(place)
        told = exceptions_in(execution.stderr, rank)
        told = told if told.chain else exceptions_in(execution.stdout, rank)
    signal = ending_signal(execution) if evidence.error is None else None
    return Facts(evidence, place, report, told.chain, signal, names_in, told.others, told.went_on)


def _stage(category: Category, seen: Stage | None) -> Stage:
    """Where it happened; a category that means a stage (an import that failed) keeps its own."""
    own = default_stage(category)
    return seen or own if own is Stage.RUN else own


def _blame(finding: Finding, place: Place) -> Blame | None:
    """The baseline is never the agent's fault; once it worked, what the patched side does is."""
    category = finding.category
    if finding.advice is not None and finding.advice.whoever:
        return finding.advice.blame
    if place.role is Role.PATCHED and default_blame(category) is Blame.AGENT:
        return Blame.AGENT if place.baseline_worked else finding.blame or Blame.ENVIRONMENT
    if category is Category.HARDWARE_UNAVAILABLE:
        return Blame.ENVIRONMENT
    return (finding.advice.blame if finding.advice else None) or finding.blame or default_blame(category)


def _timed_out(facts: Facts) -> Finding | None:
    execution = facts.execution
    if execution is None or facts.evidence.error is not None or not (_stopped_by_us(execution) or _by_timeout(facts)):
        return None
    hint = "give it more time (timeout_s of [perfagents]), or make the script's workload smaller"
    if facts.place.patch_did_it:
        hint = "the baseline took less: the patch hangs or became far slower"
    within = f"within {_seconds(execution.duration_s)} s" if execution.duration_s else "in time"
    reason = f"gave no result {within} and was stopped"
    if not _stopped_by_us(execution):
        reason = f"ended with exit code {_TIMEOUT_CODE}, which timeout(1) gives to what it stops"
    advice = advise(facts.raised, facts.place, facts.log)
    return Finding(facts.place.category("TIMEOUT"), reason, facts.raised, advice, hint)


def _seconds(duration_s: float) -> str:
    """Three figures, and no power of ten."""
    return f"{duration_s:.0f}" if duration_s >= 100 else f"{duration_s:.3g}"


def _stopped_by_us(execution: Execution) -> bool:
    return execution.ending is Ending.TIMED_OUT


def _by_timeout(facts: Facts) -> bool:
    """Whether it was the command timeout(1), and nothing that the script said."""
    code = facts.execution.code if facts.execution is not None else None
    return code == _TIMEOUT_CODE and not facts.raised and facts.report is None


def _raised(facts: Facts) -> Finding | None:
    """An exception came out."""
    if not facts.raised or facts.left:
        return None
    chain = (*facts.raised, *_swallowed_beneath(facts))
    ended, kind, advice = chain[0], kind_of(ended_by(chain)), advise(chain, facts.place, facts.log)
    if advice is None or advice.blame is not Blame.ENVIRONMENT:
        advice = of_versions(facts, chain) or advice
    if kind == HARDWARE:
        ended = ended_by(chain)
    kind = kind_of(ended)
    category = Category.HARDWARE_UNAVAILABLE if kind == HARDWARE else facts.place.category(kind)
    reason = f"ended in {ended}"
    if advice is None and len(chain) > 1:
        reason += f", beneath it {chain[-1]}"
    if advice and len(chain) == 1 and tells_all(advice, ended.message):
        reason = ""
    if facts.others:
        count = len(facts.others)
        reason = "; ".join(filter(None, (reason, f"{count} other exception{'s' * (count > 1)} in its group")))
    return Finding(category, reason, chain, advice, hint_of_kind(kind, facts.place, ended.line))


def _swallowed_beneath(facts: Facts) -> tuple[Raised, ...]:
    """A swallowed import is the cause of what stumbles over its absence."""
    ended = facts.raised[0]
    stumbled = ended.type == "NameError" or "NoneType" in ended.message
    errors = facts.evidence.swallowed.values() if stumbled else ()
    return tuple(raised for error in errors for raised in chain_of_error(error))


def _swallowed(facts: Facts) -> Finding | None:
    """The script kept a failed import of its target to itself: what it would time is not the workspace."""
    for module, error in facts.evidence.swallowed.items():
        chain, place = chain_of_error(error), facts.place
        category = place.category("IMPORT_ERROR") if place.patch_did_it else Category.WRONG_TARGET
        reason = f"hides that its import of {module} failed ({chain[0]}), and would time a stand-in"
        hint = "let the script report a failed import instead of standing in for it"
        return Finding(category, reason, chain, advise(chain, place, facts.log), hint, Blame.SCRIPT)
    return None


def _not_started(facts: Facts) -> Finding | None:
    execution = facts.execution
    if execution is None or execution.ending is not Ending.NOT_STARTED:
        return None
    program = execution.command[0] if execution.command else "the program"
    reason = f"could not be started: {_last_line(execution.stderr) or program}"
    hint = f"set python of [repos.{facts.place.repo}] to an interpreter that runs; this one does not: {program}"
    return Finding(facts.place.category("NO_OUTPUT"), reason, hint=hint, blame=Blame.ENVIRONMENT)


def _said_in_words(facts: Facts) -> Finding | None:
    """No report and no traceback, but a line such as ``Failed to import the engine: No module named 'X'``.

    A missing module is sought before all other exceptions in words.
    """
    execution = facts.execution
    if execution is None or (facts.report is not None and facts.report.seconds is not None):
        return None
    text = _without_logs(without_sources(f"{execution.stderr}\n{execution.stdout}"[-_WORDS_CHARACTERS:]))
    lines = [line.strip() for line in text.splitlines() if not _GOES_ON.search(sought(line))]
    modules = [line for line in lines if MODULE.search(line)]
    if modules:
        said = Raised("ModuleNotFoundError", modules[-1])
        advice = advise((said,), facts.place, facts.log)
        return Finding(category_of_import(said, facts.place), f"says: {modules[-1]}", (said,), advice)
    return _other_words(facts, [line for line in lines if _TROUBLE.search(line)])


def _other_words(facts: Facts, lines: Sequence[str]) -> Finding | None:
    """The last of the lines that names an exception: an import that fails, or any other."""
    place = facts.place
    for line in reversed(lines):
        said = raised_in_words(line)
        kind = kind_of(said)
        module = unavailable_module(line) if kind == "EXCEPTION" else None
        if module is not None:
            said, kind = Raised("ModuleNotFoundError", line, module), "IMPORT_ERROR"
        if not said.type and kind == "EXCEPTION":
            continue
        advice = advise((said,), place, facts.log)
        category = place.category(kind) if kind != HARDWARE else Category.HARDWARE_UNAVAILABLE
        if is_surroundings(advice):
            category = category_of_install(place) if kind == "IMPORT_ERROR" else category
        elif kind == "IMPORT_ERROR" or _NO_SUCH_NAME.search(line):
            category = target_not_resolved(place)
        return Finding(category, f"says: {line}", (said,), advice, hint_of_kind(kind, place, said.line))
    return None


def _no_measurement(facts: Facts) -> Finding | None:
    report, execution = facts.report, facts.execution
    if report is None:
        return None
    if report.seconds is None:
        reason = f"reported no time above zero (iters: {report.raw.get('iters', 'not said')})"
        hint = "see why the script skips its measurement: its report says no more"
        return Finding(facts.place.category("NO_OUTPUT"), reason, hint=hint)
    code = f"with exit code {execution.code}" if execution and execution.code is not None else "in an unknown way"
    reason = f"reported a time and then ended {code}"
    return Finding(facts.place.category("UNKNOWN"), reason, hint="see the last lines of its output")


def _no_output(facts: Facts) -> Finding | None:
    execution = facts.execution
    if execution is None and not facts.left:
        return None
    code = _exit_code(facts)
    words = ""
    if execution is not None:
        words = _last_line(_without_logs(execution.stderr)) or _last_line(_without_logs(execution.stdout))
    hint = (
        "it prints no time and offers nothing to call: it needs setup() and experiment(data), or run_test(), or a main "
        "block that prints its result; a generated script may have been cut off"
    )
    if wants_data(facts):
        hint = "experiment() wants data and there is no setup(): add a setup() that returns it"
    hint = asking_first(misspelt_function(facts), hint)
    if code or (code is None and words and not facts.left):
        hint = (
            f"its last words were: {words}" if words else "it said nothing: run the script in a checkout of the commit"
        )
    told = f"exit code {code or 0}" if facts.left or code is not None else "its exit code is not recorded"
    reason = f"ended without a result ({told})"
    return Finding(facts.place.category("NO_OUTPUT"), reason, hint=hint)


def _unknown(facts: Facts) -> Finding:
    hint = "run the script by hand, in a checkout of the commit"
    return Finding(facts.place.category("UNKNOWN"), "failed, and nothing shows why", hint=hint)


RULES: tuple[Callable[[Facts], Finding | None], ...] = (
    _timed_out,
    killed,
    reported,
    pip_failed,
    _raised,
    _swallowed,
    path_not_hit,
    _not_started,
    _said_in_words,
    _no_measurement,
    _no_output,
    _unknown,
)


def _exit_code(facts: Facts) -> Any:
    """What the script left with; a worker that was closed after an error has an exit code that says nothing."""
    error = facts.evidence.error
    if error is not None:
        return error.get("code", error.get("message")) if facts.left else None
    return facts.execution.code if facts.execution else None


def _without_logs(text: str) -> str:
    return _LOG.sub("", _WARNING.sub("", _IGNORED.sub("", text)))


def _last_line(text: str) -> str:
    return next((line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "")


def _evidence(facts: Facts, finding: Finding) -> dict[str, Any]:
    """What a person needs to check the judgement; only what there is. ``ran`` is a script that ran as a program."""
    execution, error, advice = facts.execution, facts.evidence.error, finding.advice
    chain = finding.chain or facts.raised
    found: dict[str, Any] = {
        "exception": chain[0].type if chain else None,
        "chain": [str(raised) for raised in chain] if len(chain) > 1 else None,
        "others": [str(raised) for raised in facts.others] or None,
        "module": advice.module if advice else None,
        "cause": advice.cause if advice else None,
        "traceback": _tail(str(error.get("traceback") or "")) if error else None,
        "stdout": _tail(execution.stdout) if execution else None,
        "stderr": _tail(execution.stderr) if execution else None,
        "exit_code": _exit_code(facts),
        "signal": signal_name(facts.signal) if facts.signal is not None else None,
        "ran": shlex.join(facts.program),
    }
    return {key: value for key, value in found.items() if value not in (None, "")}


def _tail(text: str) -> str:
    return text.strip()[-_TAIL_CHARACTERS:]
