"""Which run a record is about: by its place, by what it says of itself, and by which of the two where they differ."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_perfagents.config import RepoConfig
from pytest_perfagents.discovery.aliases import alias_of, short_model, slug
from pytest_perfagents.discovery.repositories import Repositories
from pytest_perfagents.discovery.runfolders import Layout, is_timestamp, layout_of
from pytest_perfagents.model import AgentRun, Commit
from pytest_perfagents.recorded.files import word
from pytest_perfagents.recorded.trees import Found

UNKNOWN = "unknown"
_HASH = re.compile(r"[0-9a-f]{7,64}")
_ITEM_HASH = re.compile(r"_([0-9a-f]{8})$")
_ODD = re.compile(r"[^\w.+@=~-]+")
_AGENTS = ("claude_code", "codex_cli", "codex", "openhands", "trae")
_DAY = re.compile(r"_(\d{4})$")
_HIERARCHY = 5


@dataclass(slots=True)
class Names:
    """Names of runs; what many of them share is made once."""

    repos: Iterable[RepoConfig] = ()
    _commits: dict[tuple[str, str, str], Commit] = field(default_factory=dict)
    _repositories: Repositories = field(init=False)

    def __post_init__(self) -> None:
        self._repositories = Repositories(self.repos)

    def of_evaluation(
        self, found: Found, said: Mapping[str, Any], commits: tuple[str, str]
    ) -> tuple[AgentRun, list[str]]:
        """The run of a record in an item's folder, and what it says against its place: there the folder counts.

        ``said`` has repo, agent, model, timestamp, item_id and task_id; ``commits`` are the human's and the one before.
        """
        place, against = self._place(found), list[str]()
        told = {name: word(said.get(name)) for name in ("repo", "agent", "model", "timestamp", "item_id", "task_id")}
        agent = _settled("agent", place.agent, told["agent"], against)
        model = _settled("model", place.model, told["model"], against)
        repo = _settled("repository", place.repo, told["repo"], against)
        run = place.run if is_timestamp(place.run) else told["timestamp"] or place.run
        item = told["item_id"] or place.item
        human = self._human(commits[0], (item, place.item), against)
        name = self._repositories.resolve(repo, told["task_id"], item, run)
        return self._run(found, Commit(plain(name), "", ""), (human, commits[1]), (agent, model, run, item)), against

    def of_serving(self, found: Found, commits: tuple[str, str], texts: Iterable[str]) -> AgentRun:
        """The run of a three-way result: its folder names the agent, its file the commit."""
        agent, model, run = agent_in_folders(found.file.parent.absolute().parts[-4:])
        name = _package_in((str(found.file.parent), *texts))
        return self._run(found, Commit(plain(name), "", ""), commits, (agent, model, run, commits[0][:8]))

    def _place(self, found: Found) -> Layout:
        """What the names of the folders say: all five of them below the named folder, or around a timestamp."""
        above = found.file.parent.parts[-_HIERARCHY:]
        is_whole = len(found.parts) >= _HIERARCHY or (len(above) == _HIERARCHY and is_timestamp(above[-2]))
        layout = layout_of(above if is_whole else found.parts, lambda name: bool(self._repositories.named(name)))
        return layout if found.parts or is_whole else layout._replace(item=found.file.parent.name)

    def _human(self, said: str, items: Iterable[str], against: list[str]) -> str:
        """The commit that the record names, else the one in its item's name."""
        named = next((match[1] for match in map(_ITEM_HASH.search, items) if match), "")
        if said and named and not said.startswith(named[: len(said)]):
            against.append(f"it says commit {said[:8]}, its item {named}: the record counts")
        return said or named

    def _run(self, found: Found, repo: Commit, commits: tuple[str, str], names: tuple[str, ...]) -> AgentRun:
        agent, model, run, item = (sys.intern(plain(name) or UNKNOWN) for name in names)
        key = (repo.repo or UNKNOWN, *commits)
        commit = self._commits.setdefault(key, Commit(*key))
        alias = alias_of(agent, "" if model == UNKNOWN else model)
        return AgentRun(commit, agent, model, run, item, str(found.file.parent), alias, has_patch=True)


@lru_cache(4096)
def plain(name: str) -> str:
    """A name that can stand in an id."""
    return _ODD.sub("-", name).strip("-")


def revision(value: object, name: str, against: list[str]) -> str:
    """A commit as the record names it, lower case; empty where it is none."""
    text = word(value).lower()
    if not text or _HASH.fullmatch(text):
        return text
    against.append(f"{name} {text[:60]!r} is no commit: passed over")
    return ""


def _settled(what: str, place: str, said: str, against: list[str]) -> str:
    """The folder's word where it has one."""
    if place and said and slug(place) != slug(said) and not _is_alike(what, place, said):
        against.append(f"it says {what} {said}, its folder {place}: the folder counts")
    return place or said


def _is_alike(what: str, place: str, said: str) -> bool:
    """``sglan`` is a cut ``sglang``; ``us-anthropic-claude-sonnet-4-5-…`` and ``claude-sonnet-45`` are one model."""
    if what == "model":
        return short_model(place) == short_model(said)
    return what == "repository" and (place.startswith(said) or said.startswith(place))


def agent_in_folders(parts: Iterable[str]) -> tuple[str, str, str]:
    """Agent, model and run of three-way results by the names above them: ``…_3way_trae_gpt5_0123/results``."""
    below: list[str] = []
    for name in reversed(list(parts)):
        lower = name.lower().partition("3way_")[2] or name.lower()
        agent = next((agent for agent in _AGENTS if lower == agent or lower.startswith(f"{agent}_")), "")
        if agent:
            model = lower[len(agent) + 1 :]
            day = _DAY.search(f"_{model}")
            model = model[: len(model) - 5].rstrip("_") if day else model
            run = "-".join([*([day[1]] if day else []), *below]) or name
            return agent, model, run
        below.insert(0, name)
    return "", "", "-".join(below[-2:])


_OF_VLLM = re.compile(r"benchmarks?[/.]benchmark_(?:serving|throughput|latency|prefix_caching)")


def _package_in(texts: Iterable[str]) -> str:
    """Which of the two repositories the first text that speaks of one means; whose benchmarks a command runs."""
    for text in texts:
        counts = {
            name: len(re.findall(rf"(?<![a-z]){name}(?![a-z])", text[:200_000].lower())) for name in ("vllm", "sglang")
        }
        if any(counts.values()):
            return max(counts, key=lambda name: counts[name])
        if _OF_VLLM.search(text):
            return "vllm"
    return UNKNOWN


def script_of(value: object) -> Path | None:
    """The perf script's path as recorded: it may lie on another machine."""
    text = word(value)
    return Path(text) if text else None
