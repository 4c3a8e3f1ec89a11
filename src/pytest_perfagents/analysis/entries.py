"""One outcome as a report sees it: what it takes of a record, and nothing of its thousands of times."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

import msgspec

from pytest_perfagents.diagnosis.causes import key_of_cause
from pytest_perfagents.diagnosis.taxonomy import default_blame
from pytest_perfagents.gates import doubts
from pytest_perfagents.model import Blame, Category, Role, Tokens
from pytest_perfagents.records import SCHEMA

K = TypeVar("K", bound=Hashable)


class Speedup(msgspec.Struct, frozen=True, gc=False):
    """A side against the baseline; ``low`` is 0 or None and ``high`` None where no interval is known."""

    point: float
    low: float | None = None
    high: float | None = None
    category: Category | None = None

    def __post_init__(self) -> None:
        if not (isfinite(self.point) and self.point > 0):
            raise ValueError(f"a speedup is finite and above 0, not {self.point}")

    @property
    def interval(self) -> tuple[float, float] | None:
        """``(low, high)``; None where one was never known, as with most recorded evaluations."""
        return None if not self.low or self.high is None else (self.low, self.high)


class Stated(msgspec.Struct, frozen=True, gc=False):
    """What a recorded evaluation says of a side of which nobody kept the samples."""

    mean_s: float | None = None


class Times(msgspec.Struct, frozen=True, gc=False):
    """One side's times."""

    median_s: float | None = None
    stated: Stated | None = None


class Source(msgspec.Struct, frozen=True, gc=False):
    """What the agent's run said of itself; ``duration_s`` is the agent's own time."""

    status: str | None = None
    duration_s: float | None = None


class Integrity(msgspec.Struct, frozen=True, gc=False):
    """What was noticed about a measured run."""

    flags: tuple[str, ...] = ()


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """Of a three-way result the numbers of each side (baseline, human, agent), and the model that was ``served``."""

    kind: str = ""
    metrics: dict[str, dict[str, float | None]] = {}
    served: str = ""


class Protocol(msgspec.Struct, frozen=True, gc=False):
    """``gpu`` are the flags that the machine is to blame for; ``recorded`` is of an imported outcome."""

    gpu: Any = None
    recorded: Recorded | None = None


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What the diagnosis named: the ``cause``, as in "24 runs <need transformers>", and the missing ``module``."""

    cause: Any = None
    module: Any = None


class Entry(msgspec.Struct, frozen=True, gc=False, tag_field="schema", tag=SCHEMA):
    """An outcome, field by field as `records.outcome_to_json` writes it; what a report does not need is passed over.

    Decoding one refuses another schema, a category that is not known and a verdict that contradicts its figures.
    """

    id: str
    repo: str
    commit: str
    agent: str
    model: str
    alias: str
    run: str
    item: str
    category: Category
    pre_commit: str = ""
    side: Role | None = None
    blame: Blame | None = None
    reason: str = ""
    hint: str | None = None
    evidence: Evidence = Evidence()
    speedup: Speedup | None = None
    human_speedup: Speedup | None = None
    sides: dict[str, Times] = {}
    integrity: Integrity = Integrity()
    protocol: Protocol = Protocol()
    source: Source = Source()
    started_at: str = ""
    recorded_at: str = ""
    duration_s: float = 0.0
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        if self.category.measured != (self.speedup is not None):
            said = "without a speedup" if self.category.measured else "with a speedup"
            raise ValueError(f"{self.category} {said} contradicts itself")

    @property
    def measured(self) -> bool:
        """Whether there is a speedup."""
        return self.speedup is not None

    @property
    def short(self) -> str:
        """The human commit as people write it."""
        return self.commit[:8]

    @property
    def place(self) -> tuple[str, str]:
        """``(repository, commit)``: what all agents of an arena share."""
        return self.repo, self.short

    @property
    def who(self) -> str:
        """The agent with its model, as ``--agent`` takes it: its alias, or ``agent/model`` where that has no model."""
        return self.alias if _says_a_model(self.alias, self.agent) else f"{self.agent}/{self.model}"

    @property
    def task(self) -> tuple[str, str, str]:
        """``(repository, commit, agent with model)``: the attempts of one agent with one model at a commit share it."""
        return self.repo, self.short, self.who

    @property
    def whose_move(self) -> str:
        """Who is to blame, by the category where the record does not say; empty where nobody is."""
        return str(self.blame or default_blame(self.category) or "")

    @property
    def is_recorded(self) -> bool:
        """Whether it was imported from somebody's evaluation."""
        return self.protocol.recorded is not None

    @property
    def cause(self) -> str:
        """What failures of one cause share."""
        return _cause(self.category, self.told, self.reason)

    @property
    def told(self) -> str:
        """The evidence's word on the cause, such as ``need transformers``; empty where it has none."""
        return self.evidence.cause if isinstance(self.evidence.cause, str) else ""

    @property
    def doubts(self) -> list[str]:
        """Reasons to look at a measured run before its speedup is believed."""
        return doubts(self.integrity.flags, {"gpu": self.protocol.gpu}) if self.measured else []

    @property
    def is_agents(self) -> bool:
        """Whether it failed, and the next move is the agent's."""
        return not self.measured and self.blame is Blame.AGENT

    @property
    def left_patch(self) -> bool:
        """Whether there was a patch to evaluate."""
        return self.category not in NO_PATCH


NOBODY = "nobody"
"""Whose move it is where nobody is to blame."""
NO_PATCH = frozenset({Category.AGENT_NO_PATCH, Category.AGENT_TIMEOUT, Category.AGENT_INFRA_ERROR})


@lru_cache(maxsize=4096)
def _says_a_model(alias: str, agent: str) -> bool:
    return alias != "_".join(re.findall(r"[^\W_]+", agent.lower()))


@lru_cache(maxsize=4096)
def _cause(category: Category, told: str, reason: str) -> str:
    return key_of_cause(category, told, reason)


def grouped(entries: Iterable[Entry], key: Callable[[Entry], K]) -> dict[K, list[Entry]]:
    """The entries by key, in the order in which the keys first come."""
    groups: dict[K, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups


def most_first(groups: dict[K, list[Entry]]) -> list[tuple[K, list[Entry]]]:
    """The largest groups first; ties by key, so that the order stands."""
    return sorted(groups.items(), key=lambda group: (-len(group[1]), str(group[0])))


def with_one_name_per_model(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries, a model that goes by several names under the shortest of them.

    Records spell ``claude-sonnet-45`` also ``us-anthropic-claude-sonnet-4-5-…``; their aliases agree.
    """
    names: dict[str, str] = {}
    for entry in entries:
        known = names.setdefault(_model_key(entry), entry.model)
        if (len(entry.model), entry.model) < (len(known), known):
            names[_model_key(entry)] = entry.model
    return [
        entry
        if entry.model == names[_model_key(entry)]
        else msgspec.structs.replace(entry, model=names[_model_key(entry)])
        for entry in entries
    ]


def _model_key(entry: Entry) -> str:
    agent = entry.agent.lower().replace("-", "_").replace(" ", "_")
    short = entry.alias.removeprefix(agent)
    return short if short and short != entry.alias else entry.model
