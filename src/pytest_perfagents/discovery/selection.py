"""Which runs ``--agent``, ``--perf-model``, ``--perf-commit`` and ``--perf-repo`` mean. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache

from pytest_perfagents.config import Config
from pytest_perfagents.discovery.aliases import alias_of as alias_of
from pytest_perfagents.discovery.aliases import plain_model, short_model, slug
from pytest_perfagents.model import AgentRun, UsageError
from pytest_perfagents.tables import did_you_mean

OPTIONS = {"agents": "--agent", "models": "--perf-model", "commits": "--perf-commit", "repos": "--perf-repo"}
"""The option behind each part of a selection."""
LISTED = 40
"""So many names at most are listed in a message."""

_DATED = re.compile(r"(?P<name>.+)_(?P<day>\d{4})")
_TIMESTAMP = re.compile(r"\d{4}-(\d\d)-(\d\d)")

Test = Callable[[AgentRun], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for, as typed: a part means any of its names, comma lists allowed; an empty part all."""

    agents: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in fields(self):
            typed: Sequence[str] = getattr(self, part.name)
            terms = [term.strip() for value in typed for term in value.split(",")]
            if typed and not any(terms):
                raise UsageError(f"{OPTIONS[part.name]} {typed[0]!r} names nothing")
            object.__setattr__(self, part.name, tuple(dict.fromkeys(filter(None, terms))))

    def __bool__(self) -> bool:
        return bool(self.agents or self.models or self.commits or self.repos)


def select(
    runs: Iterable[AgentRun], selection: Selection, config: Config, options: Mapping[str, str] = OPTIONS
) -> list[AgentRun]:
    """The runs that every part of the selection means, in their order; ``options`` names the parts in messages.

    Raises:
        UsageError: a name that means no run (with what there is), or names that mean no run together.
    """
    runs = list(runs)
    parts = _parts(selection, config)
    for part, tests in parts.items():
        for term, test in tests.items():
            if not any(map(test, runs)):
                raise UsageError(_unknown(part, term, runs, config, options[part]))
    kept = [run for run in runs if _passes(run, parts.values())]
    if parts and not kept:
        raise UsageError(_nothing_together(parts, runs, options))
    return kept


def probe(selection: Selection, config: Config) -> Test:
    """Whether a folder can hold selected runs, asked with a run of which only the folders' names are known.

    Its commit is not looked at, nor an empty repository.
    """
    parts = _parts(selection, config)
    parts.pop("commits", None)
    named = list(parts.values())
    nameless = [tests for part, tests in parts.items() if part != "repos"]
    return lambda run: _passes(run, named if run.commit.repo else nameless)


def _passes(run: AgentRun, parts: Iterable[Mapping[str, Test]]) -> bool:
    return all(any(test(run) for test in tests.values()) for tests in parts)


def _parts(selection: Selection, config: Config) -> dict[str, dict[str, Test]]:
    """For each part that was asked for: its terms, each with the test whether a run is meant by it."""
    makers: Mapping[str, Callable[[str, Config], Test]] = {
        "agents": _agent_test,
        "models": lambda term, _: lambda run: _means_model(term, run.model),
        "commits": _commit_test,
        "repos": _repo_test,
    }
    asked = {part: getattr(selection, part) for part in makers}
    return {part: {term: makers[part](term, config) for term in terms} for part, terms in asked.items() if terms}


def _agent_test(term: str, config: Config) -> Test:
    terms = _expand(term, config.aliases)
    return lambda run: any(_means_agent(term, run.agent, run.model, run.run) for term in terms)


def _expand(term: str, aliases: Mapping[str, tuple[str, ...]], within: tuple[str, ...] = ()) -> list[str]:
    """What a configured alias stands for, also inside another and with a date; any other term is itself."""
    dated = _DATED.fullmatch(term)
    name, day = (dated["name"], f"_{dated['day']}") if dated and term not in aliases else (term, "")
    if name not in aliases or name in within:
        return [term]
    return [inner + day for word in aliases[name] for inner in _expand(word, aliases, (*within, name))]


def _means_agent(term: str, agent: str, model: str, run: str) -> bool:
    if _means_plainly(term, agent, model):
        return True
    dated = _DATED.fullmatch(term)
    return dated is not None and dated["day"] == day_of(run) and _means_plainly(dated["name"], agent, model)


@cache
def _means_plainly(term: str, agent: str, model: str) -> bool:
    of_agent, slash, of_model = term.partition("/")
    if slash:
        return _like(of_agent, agent) and _means_model(of_model, model)
    alias = alias_of(agent, model)
    if _is_glob(term):
        return _like(term, agent) or _like(term, alias)
    return slug(term) in (slug(agent), alias, slug(f"{agent}-{model}"))


def day_of(run: str) -> str:
    """``0123``: month and day of a timestamp; empty where the run's name is none."""
    timestamp = _TIMESTAMP.match(run)
    return timestamp[1] + timestamp[2] if timestamp else ""


@cache
def _means_model(term: str, model: str) -> bool:
    short = short_model(model)
    names = (model, plain_model(model), short)
    return any(_like(term, name) for name in names) or (bool(short) and short_model(term) == short)


def _commit_test(term: str, config: Config) -> Test:
    term = term.lower()
    if _is_glob(term):
        return lambda run: fnmatchcase(run.commit.human, term)
    return lambda run: _same_commit(term, run.commit.human)


def _same_commit(term: str, human: str) -> bool:
    return human.startswith(term) or (7 <= len(human) < len(term) and term.startswith(human))


def _repo_test(term: str, config: Config) -> Test:
    meant = {repo.name for repo in config.repos.values() if any(_like(term, word) for word in repo.match)}
    return lambda run: run.commit.repo in meant or _like(term, run.commit.repo)


@cache
def _like(term: str, name: str) -> bool:
    return fnmatchcase(name.lower(), term.lower())


def _is_glob(term: str) -> bool:
    return any(letter in term for letter in "*?[")


def _unknown(part: str, term: str, runs: Sequence[AgentRun], config: Config, option: str) -> str:
    known = Counter(_name_in(part, run) for run in runs)
    if part == "repos":
        known.update(dict.fromkeys(config.repos, 0))
    near = [*known, *({run.agent for run in runs} | set(config.aliases) if part == "agents" else ())]
    dated = _DATED.fullmatch(term) if part == "agents" else None
    if dated and (same := [run for run in runs if _agent_test(dated["name"], config)(run)]):
        known = Counter(f"{dated['name']}_{day_of(run.run) or '(no date)'}" for run in same)
    there = ", ".join(f"{name} ({count})" for name, count in sorted(known.items())[:LISTED])
    more = f", … {len(known) - LISTED} more" if len(known) > LISTED else ""
    none = f"none: no agent run lies under {', '.join(map(str, config.runs)) or 'no folder at all'}"
    missed = f"{option} {term}: no run is of that name{did_you_mean(term, near)}"
    return f"{missed}\nthere is: {there or none}{more}"


def _name_in(part: str, run: AgentRun) -> str:
    if part == "agents":
        return run.alias
    if part == "models":
        return run.model
    return run.commit.repo if part == "repos" else run.commit.short or "(unknown)"


def _nothing_together(
    parts: Mapping[str, Mapping[str, Test]], runs: Sequence[AgentRun], options: Mapping[str, str]
) -> str:
    typed = {part: f"{options[part]} {','.join(tests)}" for part, tests in parts.items()}
    alone = (f"{typed[part]} ({sum(_passes(run, [tests]) for run in runs)})" for part, tests in parts.items())
    return f"no run is in {' and '.join(typed.values())} together; runs in each: {', '.join(alone)}"
