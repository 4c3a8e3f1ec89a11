"""What to do next, ordered by how many runs it could bring back; all numbers are counted from the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pytest_perfagents.analysis.entries import Entry, grouped
from pytest_perfagents.analysis.missing import error_message, missing_module, missing_revision
from pytest_perfagents.analysis.tables import Kind, Row, Section, many, share, table
from pytest_perfagents.diagnosis.causes import cause_in_words, hint_key, hints_in_words
from pytest_perfagents.diagnosis.modules import is_compiled
from pytest_perfagents.model import Blame, Category

_IMPORTS = (Category.TEST_IMPORT_ERROR, Category.BASELINE_IMPORT_ERROR)
_AGAIN = "run the agent again, or count it as a failure to optimise"


def recommendations(entries: Sequence[Entry]) -> Section:
    """One row for each thing to do. A run counts once, at the first thing that stands in its way."""
    failed = [entry for entry in entries if not entry.measured]
    groups = grouped(failed, _aim)
    rows: list[Row] = []
    for members in groups.values():
        rows.append(
            (
                _words(members),
                len(members),
                share(len(members), len(entries)),
                len({entry.place for entry in members}),
                Counter(entry.blame for entry in members).most_common(1)[0][0],
                _how(members),
            )
        )
    rows.sort(key=lambda row: (-int(row[1]), str(row[0])))  # type: ignore[arg-type]
    columns = {
        "what to do": Kind.TEXT,
        "runs": Kind.COUNT,
        "share": Kind.SHARE,
        "commits": Kind.COUNT,
        "whose move": Kind.TEXT,
        "how": Kind.TEXT,
    }
    line = (
        "Ordered by the runs that each could bring back, at most: behind what is mended another trouble may wait."
        if rows
        else "Nothing: every run was measured."
    )
    tables = (table("What it would recover", columns, rows, what="things"),) if rows else ()
    return Section("What to do next", (line,), tables)


def _aim(entry: Entry) -> tuple[str, str]:
    """Runs of one aim are brought back by one action."""
    module = _installable(entry)
    if module:
        return "module", _unit(entry, module)
    if missing_revision(entry):
        return "fetch", entry.repo
    if entry.category is Category.NO_TEST_SCRIPT:
        return entry.told or "script", entry.repo
    if entry.is_agents or not entry.left_patch:
        return "agent", entry.category.value
    if entry.told:
        return "cause", entry.told  # one fix, whatever the runs ended in
    return entry.category.value, f"{entry.cause} {hint_key(entry.hint)}"


def _installable(entry: Entry) -> str | None:
    """The module that a failed run lacks, where that is all that it lacks."""
    if entry.told and not entry.told.startswith("need"):
        return None
    is_told = isinstance(entry.evidence.module, str) and entry.blame is Blame.ENVIRONMENT
    return missing_module(entry) if entry.category in _IMPORTS or is_told else None


def _unit(entry: Entry, module: str) -> str:
    """What is installed or built in one go: a package with all its modules, but for what a build makes."""
    return module if is_compiled(module) or entry.hint is None else f"{module.split('.')[0]} {entry.hint}"


def _words(members: Sequence[Entry]) -> str:
    entry, commits = members[0], len({member.place for member in members})
    module = _installable(entry)
    if module:
        if is_compiled(module):
            return f"build {module}"
        if entry.hint is None or "pip install" in entry.hint:
            return f"install {_packages(members)}"
    if missing_revision(entry):
        bases = len({missing_revision(member) for member in members})
        return f"fetch {many(bases, 'commit')} of {entry.repo}"
    if entry.category is Category.NO_TEST_SCRIPT and entry.told:
        return f"evaluate {many(commits, 'commit')} of {entry.repo} again, with the scripts that there are"
    if entry.category is Category.NO_TEST_SCRIPT:
        return f"write scripts for {many(commits, 'commit')} of {entry.repo}"
    return _WORDS.get(entry.category, _mend)(members)


def _packages(members: Sequence[Entry]) -> str:
    """``outlines (outlines.fsm.regex)``: the package, and what of it is wanted."""
    names = sorted({missing_module(member) or "" for member in members})
    package = names[0].split(".")[0]
    return package if names == [package] else f"{package} ({', '.join(names)})"


def _mend(members: Sequence[Entry]) -> str:
    entry = members[0]
    told = "" if entry.is_agents else entry.told
    who = {"agent": "look at the patches", "script": "mend the script", "harness": "report the bug"}
    messages = set() if entry.is_agents or told else {error_message(member) for member in members}
    said = f" ({messages.pop()})" if len(messages) == 1 else ""
    what = cause_in_words(entry.category, told, len(members))
    return f"{who.get(str(entry.blame), 'mend the environment')}: {what}{said}"


def _again(members: Sequence[Entry]) -> str:
    return f"run the agents again: {cause_in_words(members[0].category, '', len(members))}"


_WORDS: dict[Category, Callable[[Sequence[Entry]], str]] = {
    Category.AGENT_NO_PATCH: _again,
    Category.AGENT_TIMEOUT: _again,
    Category.AGENT_INFRA_ERROR: _again,
}


def _how(members: Sequence[Entry]) -> str | None:
    return hints_in_words(entry.hint for entry in members)
