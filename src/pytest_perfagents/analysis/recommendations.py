"""What to do next, ordered by how many runs it could bring back; all numbers are counted from the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pytest_perfagents.analysis.entries import Entry, grouped
from pytest_perfagents.analysis.missing import error_message, missing_module, missing_revision
from pytest_perfagents.analysis.tables import Kind, Row, Section, many, share, table
from pytest_perfagents.diagnosis.causes import cause_in_words
from pytest_perfagents.diagnosis.modules import is_compiled
from pytest_perfagents.model import Category

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
    module = missing_module(entry)
    if entry.category in _IMPORTS and module:
        return "module", _unit(entry, module)
    if missing_revision(entry):
        return "fetch", entry.repo
    if entry.category is Category.NO_TEST_SCRIPT:
        return "script", entry.repo
    if entry.is_agents or not entry.left_patch:
        return "agent", entry.category.value
    return entry.category.value, entry.cause


def _unit(entry: Entry, module: str) -> str:
    """What is installed or built in one go: a package with all its modules, but for what a build makes."""
    return module if is_compiled(module) or entry.hint is None else f"{module.split('.')[0]} {entry.hint}"


def _words(members: Sequence[Entry]) -> str:
    entry, commits = members[0], len({member.place for member in members})
    module = missing_module(entry)
    if entry.category in _IMPORTS and module:
        if is_compiled(module):
            return f"build {module}"
        if entry.hint is None or "pip install" in entry.hint:
            return f"install {_packages(members)}"
    if missing_revision(entry):
        bases = len({missing_revision(member) for member in members})
        return f"fetch {many(bases, 'commit')} of {entry.repo}"
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
    hints = Counter(entry.hint for entry in members if entry.hint)
    if not hints:
        return None
    first, more = hints.most_common(1)[0][0], len(hints) - 1
    return f"{first} (and {more} more like it)" if more else first
