"""Run folders and scripts on disk -> agent runs and cases. No git, no process, nothing heavy."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path

from pytest_perfagents.config import Config
from pytest_perfagents.discovery.aliases import alias_of, short_model
from pytest_perfagents.discovery.journals import Facts, read_facts
from pytest_perfagents.discovery.repositories import Repositories
from pytest_perfagents.discovery.runfolders import PATCH, PREDICTION, Layout, Parts, RunFolder, Search, layout_of
from pytest_perfagents.discovery.scripts import ScriptIndex, index_scripts
from pytest_perfagents.discovery.selection import Selection, probe, select
from pytest_perfagents.model import AgentRun, Case, Commit, UsageError
from pytest_perfagents.parsers.prediction import load_patch

UNKNOWN = "unknown"
"""What an agent or a model is called that nothing names."""

_PLAIN = re.compile(r"[\w.+@=~-]*")
_ODD = re.compile(r"[^\w.+@=~-]+")
_MODEL_IN_NAME = re.compile(
    r"(?<![a-z0-9])(gpt-?\d\w*?|o\d(?:-?mini)?|(?:claude-)?(?:sonnet|opus|haiku)-?[\d-]*\d)(?=_|-|$)",
    re.IGNORECASE,
)


def discover(config: Config, selection: Selection | None = None, notes: list[str] | None = None) -> list[AgentRun]:
    """Every agent run under the configured roots, sorted by id, ids unique.

    With a ``selection``, folders whose place excludes them are not entered; other runs that it does not mean
    may be among the result. ``notes`` takes a line for each folder that could not be looked into.
    """
    found = _Discovery(config, selection or Selection(), [] if notes is None else notes).runs()
    return _unique(found, config.runs)


def cases(config: Config, selection: Selection, notes: list[str] | None = None) -> list[Case]:
    """What is to be evaluated: the selected runs, each with its script, sorted by id.

    Raises:
        UsageError: the selection names what is not there, or nothing.
    """
    try:
        runs = select(discover(config, selection, notes), selection, config)
    except UsageError:  # it may only have been passed by, and the message tells all that there is
        runs = select(discover(config), selection, config)
    scripts = find_scripts(config)
    return [Case(run, scripts.for_commit(run.commit.human)) for run in runs]


def find_scripts(config: Config) -> ScriptIndex:
    """The scripts of the configured folders."""
    return index_scripts(config.scripts)


@dataclass(slots=True)
class _Discovery:
    """One pass over the roots; shares what many runs have in common, so that 100,000 of them stay small."""

    config: Config
    selection: Selection
    notes: list[str]
    _repositories: Repositories = field(init=False)
    _commits: dict[tuple[str, str, str], Commit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._repositories = Repositories(self.config.repos.values())

    def runs(self) -> list[AgentRun]:
        search = Search(self._wanted(), self.notes)
        return [self._run(folder) for folder in search.run_folders(self.config.runs)]

    def _wanted(self) -> Callable[[Parts], bool]:
        may_hold = probe(self.selection, self.config)

        def wanted(parts: Parts) -> bool:
            layout = self._layout((*parts, ""))
            if not self.selection or not (layout.agent and layout.model):
                return True
            repo = Commit(self._repositories.named(layout.repo), "", "")
            agent, model = _plain(layout.agent), _plain(layout.model)
            return may_hold(AgentRun(repo, agent, model, layout.run, "", "", "", has_patch=False))

        return wanted

    def _layout(self, parts: Parts) -> Layout:
        return layout_of(parts, lambda name: bool(self._repositories.named(name)))

    def _run(self, folder: RunFolder) -> AgentRun:
        layout = self._layout(folder.parts)
        facts = read_facts(folder, named=bool(layout.agent and layout.model))
        agent = sys.intern(_plain(layout.agent or facts.agent or UNKNOWN))
        model = sys.intern(_plain(layout.model or facts.model or _guessed_model(agent, folder.parts, facts)))
        repo = self._repositories.resolve(layout.repo or facts.repo, facts.task, layout.item, layout.run)
        has_patch, patch_file, trouble = _patch(folder)
        return AgentRun(
            commit=self._commit(_plain(repo) or UNKNOWN, facts.human, facts.parent),
            agent=agent,
            model=model,
            run=sys.intern(_plain(layout.run)),
            item=_plain(layout.item),
            folder=folder.path,
            alias=alias_of(agent, model),
            has_patch=has_patch,
            status=sys.intern(facts.status),
            trouble="; ".join(filter(None, (facts.trouble, trouble))),
            returncode=facts.returncode,
            duration_s=facts.duration_s,
            time_budget_minutes=facts.time_budget_minutes,
            patch_file=patch_file,
        )

    def _commit(self, repo: str, human: str, parent: str) -> Commit:
        key = (repo, human, parent)
        if key not in self._commits:
            self._commits[key] = Commit(*key)
        return self._commits[key]


def _plain(name: str) -> str:
    """A name that can stand in an id: no separators, blanks, brackets or bytes that are no text."""
    return name if _PLAIN.fullmatch(name) else _ODD.sub("-", name)


def _guessed_model(agent: str, parts: Parts, facts: Facts) -> str:
    """The model where place and journal name none: by the folders' names, else by the summary."""
    told = facts.summary_model
    found = next(filter(None, map(_MODEL_IN_NAME.search, reversed(parts))), None)
    if found and short_model(found[1]) != short_model(told):
        return found[1]
    foreign = agent == "claude_code" and short_model(told).startswith("gpt")
    return told if told and not foreign else UNKNOWN


def _patch(folder: RunFolder) -> tuple[bool, str, str]:
    """Whether there is a patch, which file holds it, and the trouble with it."""
    is_file = folder.files.get(PATCH)
    trouble = f"{PATCH} is a folder" if is_file is False else ""
    if folder.files.get(PREDICTION):
        try:
            if (not is_file or Path(folder.path, PATCH).stat().st_size == 0) and _predicted(folder):
                return True, PREDICTION, trouble
        except OSError as error:
            trouble = f"{PREDICTION} cannot be read: {error.strerror}"
    return bool(is_file), PATCH, trouble


def _predicted(folder: RunFolder) -> bool:
    return bool(load_patch(Path(folder.path, PREDICTION)).strip())


def _unique(runs: list[AgentRun], roots: Sequence[Path]) -> list[AgentRun]:
    """Sorted by id. Of runs with one id, all but the first by root and place get ``~2``, ``~3``, …"""
    keyed = sorted(((run.id, run) for run in runs), key=itemgetter(0))
    taken = {key for key, _ in keyed}
    if len(taken) == len(keyed):
        return [run for _, run in keyed]
    unique: list[AgentRun] = []
    for _, group in groupby(keyed, key=itemgetter(0)):
        same = sorted((run for _, run in group), key=lambda run: _place(run, roots))
        unique.append(same[0])
        for run in same[1:]:
            others = (replace(run, item=f"{run.item}~{number}") for number in count(2))
            free = next(other for other in others if other.id not in taken)
            taken.add(free.id)
            unique.append(free)
    return sorted(unique, key=lambda run: run.id)


def _place(run: AgentRun, roots: Sequence[Path]) -> tuple[int, str]:
    for number, root in enumerate(map(str, roots)):
        if run.folder.startswith(f"{root}/"):
            return number, run.folder[len(root) :]
    return len(roots), run.folder
