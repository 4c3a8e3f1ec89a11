"""What became of a run: a comparison or a failure, and what was proven of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_perfagents.model.runs import Case
from pytest_perfagents.model.samples import Comparison, SideSamples
from pytest_perfagents.model.vocabulary import Blame, Category, Role, Stage


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing was measured: on which side, at which stage, whose move it is, and what mends it."""

    category: Category
    stage: Stage
    reason: str
    side: Role | None = None
    blame: Blame | None = None
    hint: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.category.measured:
            raise ValueError(f"{self.category} is no failure")
        if "\n" in self.reason or not self.reason:
            raise ValueError(f"a reason is one line, got {self.reason!r}")


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was proven of the measured side; ``None`` where it could not be looked at.

    ``equivalence`` and ``fresh_inputs`` (the same comparison with other random data) are ``equal``, ``different`` or
    ``unchecked``; ``equivalence_by`` says what compared: the ``script``'s own check or the results' ``structure``.
    ``confined`` says whether the kernel kept the side from other trees and processes.
    """

    loaded_from_workspace: bool | None = None
    patched_lines: int | None = None
    patched_lines_executed: int | None = None
    equivalence: str = "unchecked"
    equivalence_by: str = ""
    fresh_inputs: str = "unchecked"
    confined: bool | None = None
    clock_ratio: float | None = None
    first_call_speedup: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an agent's model read and wrote in one run, in tokens; None where its trajectory does not say.

    ``input`` was read at the full price: neither from a cache (``cached_input``) nor into one (``cache_write``).
    ``output`` holds the reasoning. ``total`` is all of them, and the only one where one number is told. ``at_least``:
    the trajectory breaks off, or does not tell of every call.
    """

    total: int
    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    at_least: bool = False

    def __post_init__(self) -> None:
        if self.total <= 0 or any(part is not None and part < 0 for part in self.parts):
            raise ValueError(f"tokens are counted from 0, and unknown where there are none, got {self}")

    @property
    def parts(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Input, cached input, cache writes and output, as far as they are known."""
        return self.input, self.cached_input, self.cache_write, self.output


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case: a comparison, or a failure. ``results/`` holds one line for each.

    ``sides`` maps ``baseline``/``human``/``patched`` to their samples. ``counts`` are instructions per call where they
    were asked for, ``tokens`` what the agent's run took of its model, None where nothing tells. ``fingerprint`` changes
    when the patch, the script, the commits, the environment or the protocol does; ``patch_sha256`` is of the patch's
    file, as evaluated.
    """

    case: Case
    comparison: Comparison | None
    failure: Failure | None
    human: Comparison | None = None
    sides: Mapping[str, SideSamples] = field(default_factory=dict)
    integrity: Integrity = field(default_factory=Integrity)
    environment: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    patch_sha256: str = ""
    started_at: str = ""
    duration_s: float = 0.0
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        if (self.comparison is None) == (self.failure is None):
            raise ValueError(f"{self.case.id}: an outcome is a comparison or a failure")

    @property
    def category(self) -> Category:
        """The one word for it."""
        if self.failure is not None:
            return self.failure.category
        assert self.comparison is not None
        return self.comparison.category
