"""Dear imports once for many processes: a template process of the moment, which forks the workers of all sides.

What the baseline's script loads from outside the workspace (torch, transformers) is imported by the template; the
script and the workspace's own code are imported by each worker, after the fork. Forks share a hash seed and the
addresses of what the template loaded, so a template serves a few timed starts only; the next one draws anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_perfagents.backends.base import Template, Worker, WorkerEnded, Workspace
from pytest_perfagents.judgement.schedule import StartPlan

DEAR_S = 1.0
"""A start-up longer than this is worth a template, and a call or a start-up longer than this the larger budget."""
STARTS = 2
"""Of one template."""


@dataclass(slots=True)
class Nursery:
    """Starts the processes that are looked at and not timed; forks them of templates, one for each hash seed.

    Closed until the baseline has said what it loads; ``closed()`` closes it for a while: what fails in a fork is tried
    again without.
    """

    is_wanted: bool = False
    is_open: bool = False
    _baseline: Workspace | None = field(default=None, repr=False)
    _modules: tuple[str, ...] = ()
    _templates: dict[int, Template | None] = field(default_factory=dict, repr=False)

    def open(self, baseline: Workspace, modules: Sequence[str]) -> None:
        """From now on, fork: ``modules`` are what the baseline loads from outside, in order."""
        self._baseline, self._modules = baseline, tuple(modules)
        self.is_open = self.is_wanted and bool(modules)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nothing is forked meanwhile."""
        before, self.is_open = self.is_open, False
        try:
            yield
        finally:
            self.is_open = before

    def start(self, workspace: Workspace, seed: int, timeout_s: float) -> Worker:
        """A worker of this side; raises WorkerEnded."""
        if not self.is_open or self._baseline is None:
            return workspace.start_worker(seed=seed, padding=0)
        if seed not in self._templates:
            self._templates[seed] = self._baseline.start_template(self._modules, seed=seed, timeout_s=timeout_s)
        template = self._templates[seed]
        if template is not None:
            try:
                return workspace.start_worker(seed=seed, padding=0, template=template)
            except WorkerEnded:  # it does not fork any more
                self._templates[seed] = None
                template.close()
        return workspace.start_worker(seed=seed, padding=0)

    def has(self, seed: int) -> bool:
        """Whether processes with this hash seed are forked now."""
        return self.is_open and self._templates.get(seed) is not None

    def close(self) -> None:
        """End the template processes."""
        self.is_open = False
        while self._templates:
            template = self._templates.popitem()[1]
            if template is not None:
                template.close()


@dataclass(slots=True)
class Templates:
    """Of the timed starts; ``modules`` are what the baseline loads from outside, none where no template is wanted."""

    modules: tuple[str, ...] = ()
    forked_starts: int = 0
    _current: Template | None = field(default=None, repr=False)

    def for_start(self, plan: StartPlan, workspace: Workspace, timeout_s: float) -> Template | None:
        """The template for this start; None where the workers start by themselves."""
        if not self.modules:
            return None
        if self._current is None or self.forked_starts % STARTS == 0:
            self.close()
            self._current = workspace.start_template(self.modules, seed=plan.hash_seed, timeout_s=timeout_s)
            if self._current is None:
                self.give_up()
        self.forked_starts += self._current is not None
        return self._current

    def give_up(self) -> None:
        """No more of it in this arena: what went wrong may be the template's fault."""
        self.modules = ()
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._current is not None:
            self._current.close()
            self._current = None
