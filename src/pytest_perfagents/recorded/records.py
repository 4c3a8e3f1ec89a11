"""What a file of a recorded evaluation says, before anybody judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pytest_perfagents.diagnosis.serving import ServedLog
from pytest_perfagents.model import AgentRun
from pytest_perfagents.parsers.bounds import possible_time
from pytest_perfagents.parsers.script_output import ScriptReport


class Kind(StrEnum):
    """The kinds of files that hold a record."""

    EVALUATION = "test_results.json"
    SERVING = "three-way result"
    SUMMARY = "run_summary.json"


@dataclass(frozen=True, slots=True)
class Note:
    """Something amiss in what was read: where it lies, what it is, and what was done about it."""

    path: str
    what: str
    done: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.done}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record comes from. ``rank`` is the place of its folder among those that were named.

    ``damage`` says what is wrong with the file, empty where it is whole; ``contradictions`` what it says against
    itself or its place. ``has_patch`` is None where it does not say. ``folders`` are where the agent's run may lie.
    """

    file: Path
    kind: Kind
    rank: int
    run: AgentRun
    has_patch: bool | None = None
    script: Path | None = None
    damage: str = ""
    contradictions: tuple[str, ...] = ()
    started_at: str = ""
    duration_s: float = 0.0
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a recorded evaluation: its milliseconds as the record has them, what the script reported, how the
    process ended where that is recorded.
    """

    ms: float | None = None
    report: ScriptReport | None = None
    code: int | None = None

    @property
    def seconds(self) -> float | None:
        """What was measured; None where nothing was, whatever the record's status says."""
        if self.report is not None:
            return self.report.seconds
        return possible_time(self.ms / 1000) if self.ms is not None else None

    @property
    def device(self) -> str:
        """Where the script says that it ran, such as ``cuda``; empty where it does not."""
        device = self.report.raw.get("device") if self.report else None
        return device.strip().lower()[:60] if isinstance(device, str) else ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A perf script on two sides: `test_results.json`, or the ``evaluation`` of a `run_summary.json`.

    ``stdout`` and ``stderr`` are of both sides, one after the other. ``unequal`` says in which fields the record holds
    that the patched side gave another result; empty where none does.
    """

    origin: Origin
    status: str = ""
    error: str = ""
    baseline: Half = Half()
    patched: Half = Half()
    speedup: float | None = None
    unequal: str = ""
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Serving:
    """A serving or offline benchmark of one agent on one commit: `<commit>_agent_result.json` and its kin.

    ``metrics`` maps the sides to their numbers; ``served`` is the model that answered the requests; ``plan`` is the
    commit's entry in the benchmark plan. ``baseline`` is a result of that side that lies beside it and has none.
    """

    origin: Origin
    status: str = ""
    error: str = ""
    output: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    failed_requests: bool = False
    served: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)
    baseline: ServedLog | None = None


Record = Evaluation | Serving
