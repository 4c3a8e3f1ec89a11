"""Exceptions out of text: which one ended a process, and what lay beneath it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_perfagents.diagnosis.blocks import START, blocks_in, short_name
from pytest_perfagents.diagnosis.compilers import said_by_compiler
from pytest_perfagents.diagnosis.groups import Block, Rank, chain_of
from pytest_perfagents.diagnosis.loglines import is_at_work, without_colours
from pytest_perfagents.diagnosis.types import Raised

_READ_CHARACTERS = 400_000
_BEFORE = 100_000
_LONGEST_CHAIN = 50

_TERMINATE = re.compile(
    r"terminate called after throwing an instance of '(?P<type>[^'\n]+)'\s+what\(\):\s+(?P<message>[^\n]+)"
)

# An exception that only points at another one, which another process printed before it.
_POINTER = re.compile(
    r"(?i)(?:see|check) (?:the )?(?:root cause|stack trace|error log|traceback) ?(?:\(?above\)?|for)"
    r"|inspect the (?:stack ?trace|output)|engine core initialization failed|^\w*EngineDeadError|^ChildFailedError"
)
# SGLang's parent ends its own tree once a child has failed.
_CHILD_FAILED = "Received sigquit from a child process"


@dataclass(frozen=True, slots=True)
class Told:
    """What a text tells of exceptions: ``chain`` is the last one, which came last first, the deepest last.

    ``others`` stood in one group with it. ``went_on`` is whether the program was at work after it.
    """

    chain: tuple[Raised, ...] = ()
    others: tuple[Raised, ...] = ()
    went_on: bool = False


def chain_of_error(error: Mapping[str, Any]) -> tuple[Raised, ...]:
    """The worker's error: first the exception that ended the run, last the deepest."""
    first, beneath = _from_worker(error), [_from_worker(link) for link in error.get("chain") or ()]
    if beneath and (beneath[0].type, beneath[0].message) == (first.type, first.message):
        beneath = beneath[1:]
    return (first, *beneath)


def _from_worker(error: Mapping[str, Any]) -> Raised:
    bases = tuple(str(base) for base in error.get("bases") or ())
    name, message = short_name(str(error.get("type") or "")), str(error.get("message") or "")
    return Raised(name, message, error.get("module"), bases)


def chain_in_text(text: str) -> tuple[Raised, ...]:
    """The last chain of exceptions in ``text``, the one that came last first, the deepest last; or none."""
    return exceptions_in(text).chain


def exceptions_in(text: str, rank: Rank = lambda _: 0) -> Told:
    """What ``text`` tells of the exception that came last; ``rank`` chooses among those of a group."""
    text = without_colours(text)
    ends = _from_the_end(text)
    last = next(ends, None)
    if last is None:
        died = _TERMINATE.search(text[-_READ_CHARACTERS:])
        return Told((Raised(short_name(died["type"].replace("::", ".")), died["message"].strip()),) if died else ())
    chain, others = chain_of(last.block, rank)
    end = last
    while is_pointer(chain[-1]) and (before := next(ends, None)) is not None:
        beneath, left_out = chain_of(before.block, rank)
        if len(chain) < _LONGEST_CHAIN and not set(beneath) <= set(chain):
            end, chain, others = before, chain + beneath, others + left_out
    chain += said_by_compiler(chain[-1], end.lines[: end.block.line])
    after = last.lines[last.block.line + len(last.block.texts) :]
    is_over = is_pointer(chain[0]) or any(_CHILD_FAILED in line for line in after)
    went_on = not is_over and any(map(is_at_work, after))
    return Told(tuple(chain), tuple(others), went_on)


def is_pointer(raised: Raised) -> bool:
    """Whether an exception only says that another process has the cause in its log."""
    return _POINTER.search(raised.line) is not None


def ended_by(chain: Sequence[Raised]) -> Raised:
    """The first exception of a chain that is more than a pointer to another, else the first."""
    return next((raised for raised in chain if not is_pointer(raised)), chain[0])


@dataclass(frozen=True, slots=True)
class _End:
    """An exception that lies beneath no other, and the lines that it stands in."""

    block: Block
    lines: list[str]


def _from_the_end(text: str) -> Iterator[_End]:
    """The exceptions that ended something, the last one first, through megabytes of logs."""
    start = max(0, len(text) - _READ_CHARACTERS)
    part = text[start:]
    while True:
        lines = part.splitlines()
        yield from (_End(block, lines) for block in reversed(_uppermost(blocks_in(lines))))
        begin = text.rfind(START, 0, start)
        if begin < 0:
            return
        part, start = text[max(0, begin - _BEFORE) : begin + _BEFORE], max(0, begin - _BEFORE)


def _uppermost(blocks: Sequence[Block]) -> list[Block]:
    beneath = {id(block.beneath) for block in blocks}
    return [block for block in blocks if not block.is_ignored and id(block) not in beneath]
