"""What is evaluated and what ran: commits, agent runs, cases, sides, processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.model.vocabulary import Ending, Role


@dataclass(frozen=True, slots=True)
class Commit:
    """One performance commit: the task that agents were given.

    ``human`` and ``parent`` are revisions as the run recorded them, full or abbreviated, lower-case hex.
    """

    repo: str
    human: str
    parent: str

    def __post_init__(self) -> None:
        for what, revision in (("human", self.human), ("parent", self.parent)):
            if revision and not all(c in "0123456789abcdef" for c in revision):
                raise ValueError(f"{self.repo}: {what} commit {revision!r} is not hexadecimal")

    @property
    def short(self) -> str:
        """The first eight characters of the human commit, as file names and people write it."""
        return self.human[:8]

    @property
    def arena(self) -> str:
        """The same for every run of this task, whether it recorded full or abbreviated revisions."""
        return f"{self.repo}/{self.short}/{self.parent[:8]}"

    @property
    def name(self) -> str:
        """``minivllm-1a2b3c4d``."""
        return f"{self.repo}-{self.short}"


@dataclass(frozen=True, slots=True)
class AgentRun:
    """One agent's attempt at one commit, as found on disk.

    ``run`` is the timestamp or run id of the folder; ``status`` is the agent's own word, lower case;
    ``trouble`` is what discovery saw amiss (unreadable journal, no commit, …), empty when nothing;
    ``returncode``, ``duration_s`` and ``time_budget_minutes`` come from the journal's agent block.
    """

    commit: Commit
    agent: str
    model: str
    run: str
    item: str
    folder: str
    alias: str
    has_patch: bool
    status: str = ""
    trouble: str = ""
    returncode: int | None = None
    duration_s: float | None = None
    time_budget_minutes: float | None = None
    patch_file: str = "model_patch.diff"

    @property
    def id(self) -> str:
        """``minivllm/1a2b3c4d/trae/claude-sonnet-45/2026-01-01_00-00-00/minivllm_core-0000``: unique, stable."""
        name = f"{self.commit.repo}/{self.commit.short}/{self.agent}/{self.model}/{self.run}/{self.item}"
        return name.encode("utf-8", "backslashreplace").decode()  # as JSON has it: folders may have names in no UTF-8

    @property
    def patch(self) -> Path:
        """The file that holds the patch, if there is one: a diff, or a ``prediction.jsonl``."""
        return Path(self.folder, self.patch_file)


@dataclass(frozen=True, slots=True)
class Case:
    """What one pytest item evaluates: an agent run and the script that measures it (``None``: there is none)."""

    run: AgentRun
    script: Path | None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id


@dataclass(frozen=True, slots=True)
class Side:
    """One tree of a commit: ``run`` is the agent run's id where the role is PATCHED, empty otherwise."""

    role: Role
    run: str = ""

    def __post_init__(self) -> None:
        if (self.role is Role.PATCHED) != bool(self.run):
            raise ValueError(f"a patched side names its run and no other side does, got {self.role} {self.run!r}")

    def __str__(self) -> str:
        return f"{self.role}({self.run})" if self.run else str(self.role)


BASELINE = Side(Role.BASELINE)


HUMAN = Side(Role.HUMAN)


@dataclass(frozen=True, slots=True)
class Execution:
    """How a process ran and ended. ``stdout`` and ``stderr`` are bounded: a head and a tail of what was written.

    ``cpu_s`` is of the process alone, as the kernel counted it, ``ready_s`` the time for which it could run and another
    one had the core; None where nobody could ask.
    """

    command: tuple[str, ...]
    ending: Ending
    code: int | None
    stdout: str
    stderr: str
    duration_s: float
    cpu_s: float | None = None
    ready_s: float | None = None
