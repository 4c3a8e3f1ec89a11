"""Dear imports once for many starts: a template process of the moment, which forks the workers of all sides.

What the baseline's script loads from outside the workspace (torch, transformers) is imported by the template; the
script and the workspace's own code are imported by each worker, after the fork. Forks share a hash seed and the
addresses of what the template loaded, so a template serves a few starts only; the next one draws anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_perfagents.backends.base import Template, Workspace
from pytest_perfagents.judgement.schedule import StartPlan

STARTS = 5
"""Of one template."""


@dataclass(slots=True)
class Templates:
    """``is_wanted`` where start-up is dear; ``modules`` are known after the first start, which has no template."""

    is_wanted: bool = False
    modules: tuple[str, ...] = ()
    forked_starts: int = 0
    _current: Template | None = field(default=None, repr=False)

    @property
    def asks(self) -> bool:
        """Whether it has still to be told what to import."""
        return self.is_wanted and not self.modules

    def learn(self, modules: Sequence[str]) -> None:
        """What the baseline has loaded, in order."""
        self.modules = tuple(modules)
        self.is_wanted = bool(modules)

    def for_start(self, plan: StartPlan, workspace: Workspace, timeout_s: float) -> Template | None:
        """The template for this start; None where the workers start by themselves."""
        if not self.is_wanted or not self.modules:
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
        self.is_wanted = False
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._current is not None:
            self._current.close()
            self._current = None
