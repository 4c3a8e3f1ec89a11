"""Which of the runs in the results ``perfagents show`` was asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.analysis.entries import Entry
from pytest_perfagents.analysis.tables import many
from pytest_perfagents.config import Config
from pytest_perfagents.discovery.selection import LISTED, Selection, select
from pytest_perfagents.model import AgentRun, Commit, UsageError
from pytest_perfagents.tables import did_you_mean

OPTIONS = {"agents": "--agent", "commits": "commit"}
"""What the parts of a selection are called here."""

_HASH = re.compile(r"[0-9a-fA-F*?\[\]!-]+")
_ID_SLASHES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """``run`` is a commit's hash or its beginning, or a whole run's id; ``agents`` are as ``--agent`` takes them.

    ``places`` are the results that were named.
    """

    run: str = ""
    agents: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.run or self.agents)


def wanted(words: Sequence[str], agents: Sequence[str]) -> Wanted:
    """The words of a command line: what is there on the disk is results, and else a hash or a run's id.

    Raises:
        UsageError: two runs are named.
    """
    named = [word for word in words if not Path(word).exists() and (_HASH.fullmatch(word) or _is_id(word))]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)}: show explains one commit at a time; leave out all but one")
    places = tuple(Path(word) for word in words if word not in named)
    return Wanted("".join(named), Selection(agents=tuple(agents)).agents, places)


def _is_id(word: str) -> bool:
    return word.count("/") >= _ID_SLASHES and word[0] not in "/."


def choose(entries: Sequence[Entry], want: Wanted, config: Config) -> list[Entry]:
    """The runs that are wanted, of one commit where one was asked for.

    Raises:
        UsageError: there is none, or the hash begins several commits; says what there is.
    """
    if not entries:
        raise UsageError("no outcome that can be read lies there; evaluate runs with pytest --agent NAME")
    if _is_id(want.run or "."):
        return _by_id(entries, want.run)
    of_commit = _selected(entries, Selection(commits=(want.run,) if want.run else ()), config)
    try:
        chosen = _selected(of_commit, Selection(agents=want.agents), config)
    except UsageError as error:
        names = sorted({_name(entry) for entry in of_commit})
        raise UsageError(f"{names[0]}: {error}" if len(names) == 1 else str(error)) from None
    commits = Counter(map(_name, chosen))
    if want.run and len(commits) > 1:
        there = ", ".join(f"{name} ({many(count, 'run')})" for name, count in sorted(commits.items())[:LISTED])
        more = f", ... {len(commits) - LISTED} more" if len(commits) > LISTED else ""
        raise UsageError(f"{want.run} means {len(commits)} commits; type more of the hash\nthere is: {there}{more}")
    return chosen


def _by_id(entries: Sequence[Entry], run: str) -> list[Entry]:
    found = [entry for entry in entries if entry.id == run]
    if not found:
        near = did_you_mean(run, [entry.id for entry in entries])
        raise UsageError(f"{run}: no results are there, and no run has this id{near}; perfagents show HASH lists ids")
    return found


def _selected(entries: Sequence[Entry], selection: Selection, config: Config) -> list[Entry]:
    by_id = {entry.id: entry for entry in entries}
    return [by_id[run.folder] for run in select(map(_as_run, entries), selection, config, OPTIONS)]


def _as_run(entry: Entry) -> AgentRun:
    """What a selection looks at; the folder is the entry's id."""
    human = entry.commit if re.fullmatch(r"[0-9a-f]*", entry.commit) else ""
    commit = Commit(entry.repo, human, "")
    return AgentRun(commit, entry.agent, entry.model, entry.run, entry.item, entry.id, entry.alias, has_patch=True)


def _name(entry: Entry) -> str:
    return f"{entry.repo}-{entry.short}"
