"""Exceptions out of text: which one ended a process, and what lay beneath it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_perfagents.diagnosis.types import Raised

_READ_CHARACTERS = 400_000
_BEFORE = 100_000
_MESSAGE_LINES = 12

# "(EngineCore_0 pid=12) ERROR 12-23 21:52:48 core.py:586] Traceback ...": vLLM prefixes each line.
_PREFIX = re.compile(r"^(?:\(\w+ (?:pid=)?\d+\) ?)?(?:(?:ERROR|CRITICAL) \d\d-\d\d [\d:.]+ [^\]\n]{0,80}\] ?)?")
_PREFIXED = ("(", "E", "C")
# Tracebacks inside an exception group stand behind "  | ", the outermost begins with "  + ".
_GROUPED = re.compile(r"^ {2,}[|+] ")
# A log goes on, a group ends, Python tells of something else.
_NO_MESSAGE = re.compile(r"(?:INFO|WARNING|DEBUG|ERROR) \d| +\+-|Exception ignored in")
_GROUP_START = "Exception Group Traceback (most recent call last):"
_START = "Traceback (most recent call last):"
_FRAME = re.compile(r'^ +File "[^"\n]+", line \d+')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_LINKS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_IGNORED = "Exception ignored in"
_TERMINATE = re.compile(
    r"terminate called after throwing an instance of '(?P<type>[^'\n]+)'\s+what\(\):\s+(?P<message>[^\n]+)"
)

# An exception that only points at another one, which another process printed before it.
_POINTER = re.compile(
    r"(?i)see (?:the )?(?:root cause|stack trace|error log|traceback) ?(?:above|for)"
    r"|engine core initialization failed"
)


@dataclass(slots=True)
class _Block:
    raised: Raised
    linked: bool
    ignored: bool
    more: list[str] = field(default_factory=list)


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
    whole, text = text, text[-_READ_CHARACTERS:]
    blocks = [block for block in _blocks(text) if not block.ignored]
    if not blocks and (start := whole.rfind(_START)) >= 0:  # megabytes of logs came after it
        blocks = [block for block in _blocks(whole[max(0, start - _BEFORE) : start + _BEFORE]) if not block.ignored]
    if not blocks:
        died = _TERMINATE.search(text)
        return (Raised(short_name(died["type"].replace("::", ".")), died["message"].strip()),) if died else ()
    chain = _last_chain(blocks)
    if _POINTER.search(chain[0].raised.message) and len(blocks) > len(chain):
        chain += _last_chain(blocks[: len(blocks) - len(chain)])
    return tuple(_whole(block) for block in chain)


def short_name(type_name: str) -> str:
    """``torch.cuda.OutOfMemoryError`` is ``OutOfMemoryError``."""
    return type_name.rsplit(".", 1)[-1]


def _last_chain(blocks: Sequence[_Block]) -> list[_Block]:
    chain = [blocks[-1]]
    for before in reversed(blocks[:-1]):
        if not chain[-1].linked:
            break
        chain.append(before)
    return chain


def _whole(block: _Block) -> Raised:
    message = "\n".join([block.raised.message, *block.more]).strip()
    return Raised(block.raised.type, message)


def _blocks(text: str) -> list[_Block]:
    """Every traceback in order, also one whose head was cut off."""
    blocks: list[_Block] = []
    inside = linked = ignored = after = False
    previous = ""
    for raw in text.splitlines():
        line = _PREFIX.sub("", raw) if raw[:1] in _PREFIXED else raw
        line = _GROUPED.sub("", line) if line[:2] == "  " else line
        if line.startswith((_START, _GROUP_START)) or _FRAME.match(line):
            ignored = ignored or (not inside and previous.startswith(_IGNORED))
            inside, after = True, False
        elif line.strip() in _LINKS:
            linked, inside, after = True, False, False
        elif (
            inside and (found := _RAISED.match(line)) and (previous[:1] in (" ", "\t") or _looks_raised(found["type"]))
        ):
            raised = Raised(short_name(found["type"]), (found["message"] or "").strip())
            blocks.append(_Block(raised, linked, ignored))
            inside, linked, ignored, after = False, False, False, True
        elif after and line.strip() and len(blocks[-1].more) < _MESSAGE_LINES and not _NO_MESSAGE.match(line):
            blocks[-1].more.append(line.rstrip())
        else:
            after = False
        previous = line if line.strip() else previous
    return blocks


def _looks_raised(name: str) -> bool:
    return "." in name or bool(re.search(r"(Error|Exception|Interrupt|Exit|Iteration|Group)$", name))
