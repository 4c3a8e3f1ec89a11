"""The tracebacks of a text, line by line: whatever process wrote them, in groups or out of them."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence

from pytest_perfagents.diagnosis.groups import Block, Nesting
from pytest_perfagents.diagnosis.loglines import LogLine, is_of_something_else, told_apart

_MESSAGE_LINES = 24
# Tracebacks inside an exception group stand behind "  | ", the outermost begins with "  + ".
_GROUPED = re.compile(r"^ {2,}[|+] ?(?!-)")
_GROUP_START = "Exception Group Traceback (most recent call last):"
START = "Traceback (most recent call last):"
_FRAME = re.compile(r'^ +File "[^"\n]+", line \d+')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*)|:)?$")
_LIKE_AN_EXCEPTION = re.compile(r"(?:Error|Exception|Interrupt|Exit|Iteration|Group)$")
# "404 Client Error. (Request ID: x)", "Tensor-likes are not close!": after an empty line comes what matters.
_ANNOUNCES = re.compile(r"(?:[:!]|\(Request ID: [^)\n]*\)\.?)$")
_LINKS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
# What comes after these ended nothing: Python and its logging tell of it and go on.
_IGNORED = ("Exception ignored in", "--- Logging error ---")
# Where logging failed: its call stack and what was to be logged, neither of which is an exception.
_CALL_STACK, _CALL_STACK_END = "Call stack:", "Arguments:"


def short_name(type_name: str) -> str:
    """``torch.cuda.OutOfMemoryError`` is ``OutOfMemoryError``."""
    return type_name.rsplit(".", 1)[-1]


def blocks_in(lines: Sequence[str]) -> list[Block]:
    """Every traceback in order, also one whose head was cut off; those of processes that log into one text apart."""
    blocks: list[Block] = []
    readers: dict[str, _Reader] = {}
    for number, raw in enumerate(lines):
        line = told_apart(raw)
        reader = readers.get(line.source)
        if reader is None:
            reader = readers[line.source] = _Reader(blocks)
        reader.take(line, number)
    return blocks


class _Reader:
    """Reads the lines of one process; what was raised outside of a group goes to ``blocks``."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._nesting = Nesting()
        self._inside = self._linked = self._ignored = self._skips = self._blank = False
        self._last: Block | None = None
        self._open: Block | None = None  # whose text may go on
        self._previous = self._logged = ""

    def take(self, logged: LogLine, number: int) -> None:
        """The next line, and which it is in the text."""
        raw = logged.text
        line = _GROUPED.sub("", raw) if raw[:2] == "  " else raw
        if logged.logged != self._logged:
            self._logged, self._open = logged.logged, None
        is_start = line.startswith((START, _GROUP_START))
        if self._skips and not is_start:
            self._skips = not line.startswith(_CALL_STACK_END)
            return
        self._skips = line == _CALL_STACK
        is_ruled, self._last = self._nesting.rules_off(raw, self._last)
        if is_ruled or self._skips:
            self._inside, self._open = False, None
        else:
            self._read(line, number, is_start=is_start or _FRAME.match(line) is not None)
        self._previous = line if line.strip() else self._previous

    def _read(self, line: str, number: int, *, is_start: bool) -> None:
        if is_start:
            self._give_back()
            self._ignored = self._ignored or (not self._inside and self._previous.startswith(_IGNORED))
            self._inside, self._open = True, None
        elif line.strip() in _LINKS:
            self._linked, self._inside, self._open = True, False, None
        elif self._inside and (found := _RAISED.match(line)) and self._is_raised(found["type"]):
            self._add(short_name(found["type"]), (found["message"] or "").strip(), number)
        elif self._open is not None:
            self._go_on(self._open, line)

    def _give_back(self) -> None:
        """The line before a traceback is of the record of it, where two records were logged at one time."""
        texts = self._open.texts if self._open is not None and self._logged else []
        if len(texts) > 1 and texts[-1] == self._previous.rstrip():
            del texts[-1]

    def _is_raised(self, name: str) -> bool:
        return self._previous[:1] in (" ", "\t") or "." in name or _LIKE_AN_EXCEPTION.search(name) is not None

    def _add(self, name: str, message: str, number: int) -> None:
        beneath = self._last if self._linked else None
        is_ignored = self._ignored or (beneath is not None and beneath.is_ignored)
        block = Block(name, [message], number, beneath, is_ignored)
        if not self._nesting.takes(block):
            self._blocks.append(block)
        self._last = self._open = block
        self._inside = self._linked = self._ignored = self._blank = False

    def _go_on(self, block: Block, line: str) -> None:
        if not line.strip():
            self._blank = True
        elif (
            len(block.texts) >= _MESSAGE_LINES
            or is_of_something_else(line)
            or (self._blank and not (line.startswith("    ") or _announces_more(block)))
        ):
            self._open = None
        else:
            block.texts += ["", line.rstrip()] if self._blank else [line.rstrip()]
            self._blank = False


def _announces_more(block: Block) -> bool:
    """Whether a text goes on after an empty line: one in paragraphs does, and the long ones of libraries."""
    in_paragraphs = not block.texts[0] or "" in block.texts
    return in_paragraphs or _ANNOUNCES.search(block.texts[-1]) is not None or not hasattr(builtins, block.type)
