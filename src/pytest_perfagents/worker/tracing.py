"""Which lines of a patch run, and in which phase."""

from __future__ import annotations

import ast
import sys
import threading
import types
from os.path import join, realpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class Tracer:
    """Records which of the lines asked for run, by phase: import, setup, call."""

    PHASES = ("import", "setup", "call")

    def __init__(self) -> None:
        self.settrace, self.thread_settrace = sys.settrace, threading.settrace
        self.wanted: dict[str, tuple[str, list[int], dict[int, tuple[int, int]]]] = {}
        self.known: dict[str, str] = {}
        self.hits: set[tuple[str, str, int]] = set()
        self.phase = ""

    def ask(self, root: str, files: Mapping[str, Iterable[int]]) -> None:
        """Record these lines of these files from now on."""
        for path, lines in files.items():
            file = realpath(join(root, path))
            self.wanted[file] = (path, sorted(lines), statement_spans(file))

    def enter(self, phase: str) -> None:
        """What runs from now on belongs to this phase; ``""``: to none."""
        self.phase = phase
        if self.wanted:
            self.thread_settrace(self._on_call if phase else None)
            self.settrace(self._on_call if phase else None)

    def _on_call(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in self.known:
            file = realpath(name)
            self.known[name] = file if file in self.wanted else ""
        return self._on_line if self.known[name] else None

    def _on_line(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.hits.add((self.phase, self.known[frame.f_code.co_filename], frame.f_lineno))
        return self._on_line

    def report(self) -> dict[str, dict[str, list[int]]]:
        """Of the lines asked for, those that hold code, and those whose statement ran, by phase."""
        result: dict[str, dict[str, list[int]]] = {name: {} for name in ("executable", *self.PHASES)}
        for file, (path, lines, spans) in self.wanted.items():
            coded = [line for line in lines if line in spans]
            result["executable"][path] = coded
            for phase in self.PHASES:
                ran = {line for when, name, line in self.hits if when == phase and name == file}
                result[phase][path] = [line for line in coded if not ran.isdisjoint(range(*spans[line]))]
        return result


def statement_spans(file: str) -> dict[int, tuple[int, int]]:
    """For every line with code, the lines (half-open) of its statement; of a compound one, of its header."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    spans: dict[int, tuple[int, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)) and not is_silent(node):
            first, last = header_lines(node)
            spans.update((line, (first, last + 1)) for line in range(first, last + 1))
    return spans


def is_silent(node: ast.AST) -> bool:
    """Whether a statement compiles to nothing: docstrings, declarations."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, (ast.Global, ast.Nonlocal)) or (isinstance(node, ast.AnnAssign) and node.value is None)


def header_lines(node: Any) -> tuple[int, int]:
    """First and last line of a statement without the statements in it."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    if not hasattr(node, "body"):
        return first, node.end_lineno
    last = node.lineno
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler)) and type(child).__name__ != "match_case":
            last = max([last, *(getattr(each, "end_lineno", None) or 0 for each in ast.walk(child))])
    return first, last
