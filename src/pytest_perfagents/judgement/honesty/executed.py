"""Did the patched lines run? Pure: source text and traced lines go in, counts come out."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Lines = Mapping[str, Iterable[int]]


@dataclass(frozen=True, slots=True)
class ExecutedLines:
    """``lines`` added lines hold code (none where a patch only deletes), ``executed`` of them had an effect.

    ``in_call`` of those ran inside the timed call itself; the others at import or while the data were made.
    ``passive`` lines are imports and signatures that ran at import, of which nobody can say whether they had an effect.
    """

    lines: int
    executed: int
    in_call: int
    passive: int = 0


def count_executed(sources: Mapping[str, str], added: Lines, traced: Mapping[str, Lines]) -> ExecutedLines:
    """Of the ``added`` lines of each file, those that hold code, and those of them that ran.

    ``traced`` says which lines are ``executable``, and which ran at ``import``, in ``setup`` and in the timed ``call``.
    A line that ran at import counts unless it is there that functions are defined and modules imported: a new function
    that nobody calls has run its ``def`` line all the same.
    """
    lines = executed = in_call = passive = 0
    for path, source in sources.items():
        of_patch = set(traced["executable"].get(path, ())) & set(added.get(path, ()))
        called = of_patch & set(traced["call"].get(path, ()))
        at_import, idle = set(traced["import"].get(path, ())), passive_lines(source)
        imported = at_import - idle
        passive += len(of_patch & at_import & idle)
        lines += len(of_patch)
        executed += len(of_patch & (called | imported | set(traced["setup"].get(path, ()))))
        in_call += len(called)
    return ExecutedLines(lines, executed, in_call, passive)


def passive_lines(source: str) -> set[int]:
    """Lines that run at import whatever they are for: signatures of functions, imports, docstrings.

    None where the source is not this Python's: then every line that ran counts.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines.update(range(first, node.body[0].lineno), [node.lineno])
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) and not _is_effective(node):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _is_effective(node: ast.stmt) -> bool:
    """Whether an expression statement does something: a docstring does not."""
    return isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
