"""Exceptions as tracebacks nest them: chains, and groups, of which the exception that tells most counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_perfagents.diagnosis.types import Raised

# "  +-+---------------- 1 ----------------" opens a group, "    +---------------- 2 ---" goes on, "    +-----" ends it.
_RULE = re.compile(r"^ *(?P<opens>\+-)?\+-{8,}(?: (?P<number>\d+|\.\.\.) -{8,})?$")
_DEEPEST = 20

Rank = Callable[[Raised], int]
"""How well an exception is understood: the more, the better."""


@dataclass(slots=True, eq=False)
class Block:
    """One exception as a traceback ends in it; ``beneath`` is the one that it was raised from or while handling.

    ``members`` are those of a group, of each the one that came out of it. ``line`` is where it stands.
    """

    type: str
    texts: list[str]
    line: int
    beneath: Block | None = None
    is_ignored: bool = False
    members: list[Block] = field(default_factory=list)

    @property
    def raised(self) -> Raised:
        """What was raised, with all lines of its text."""
        return Raised(self.type, "\n".join(self.texts).strip())


class Nesting:
    """Which groups are open where a text is read line by line."""

    def __init__(self) -> None:
        self._open: list[Block | None] = []

    def rules_off(self, line: str, last: Block | None) -> tuple[bool, Block | None]:
        """Whether ``line`` stands between exceptions of a group, and after which exception the text goes on."""
        rule = _RULE.match(line)
        if rule is None:
            return False, last
        if rule["opens"] and len(self._open) < _DEEPEST:
            self._open.append(last)
        elif rule["number"] is None and self._open:
            last = self._open.pop()
            if not self._open:
                return True, last
        return True, None

    def takes(self, block: Block) -> bool:
        """Whether ``block`` belongs to an open group, where it then is, in place of what lay beneath it."""
        group = self._open[-1] if self._open else None
        if group is None:
            return False
        group.members = [member for member in group.members if member is not block.beneath] + [block]
        return True


def chain_of(block: Block | None, rank: Rank) -> tuple[list[Raised], list[Raised]]:
    """The exceptions from ``block`` down, deepest last, and those of groups that are left out of it.

    In place of a group stands the first of its exceptions that is understood best, with what lay beneath that.
    """
    chain: list[Raised] = []
    left_out: list[Raised] = []
    while block is not None:
        members = [chain_of(member, rank) for member in block.members]
        ranks = [max(map(rank, inner)) for inner, _ in members]
        best = ranks.index(max(ranks)) if ranks else None
        for place, (inner, others) in enumerate(members):
            chain += inner if place == best else ()
            left_out += others if place == best else (inner[0], *others)
        if best is None:
            chain.append(block.raised)
        block = block.beneath
    return chain, left_out
