"""What the text of a script binds, and by which statement."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_perfagents.worker.script_text import top_level

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptNames:
    """What the text of a script binds at its top and nowhere else, by how it does it.

    ``functions``: by ``def`` without a decorator. ``modules``: by ``import``, with the module's name. ``members``: by
    ``from``, with the dotted name. ``all``: every name that it binds anywhere, in functions too.
    """

    def __init__(self, tree: ast.Module) -> None:
        bound: dict[str, list[ast.stmt]] = {}
        for node in top_level(tree):
            for name in names_bound_by(node):
                bound.setdefault(name, []).append(node)
        self.functions = [name for name, nodes in bound.items() if all(is_plain_function(each) for each in nodes)]
        self.modules: dict[str, str] = {}
        self.members: dict[str, str] = {}
        for name, nodes in bound.items():
            node = nodes[0]
            if len(nodes) == 1 and isinstance(node, ast.Import):
                self.modules.update((name, each) for each in [imported_as(name, node)] if each)
            elif len(nodes) == 1 and isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found = [each.name for each in node.names if (each.asname or each.name) == name]
                self.members[name] = node.module + "." + found[0]
        everywhere = list(ast.walk(tree))
        self.has_star = any(isinstance(each, ast.alias) and each.name == "*" for each in everywhere)
        self.all = set(bound) | {
            name for each in everywhere if isinstance(each, ast.stmt) for name in names_bound_by(each)
        }


def is_plain_function(node: ast.stmt) -> bool:
    """Whether a statement is a ``def`` without a decorator."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.decorator_list


def imported_as(name: str, node: ast.Import) -> str | None:
    """The module that an import statement binds to this name."""
    for each in node.names:
        if each.asname == name:
            return each.name
        if each.asname is None and each.name.partition(".")[0] == name:
            return name
    return None


def names_bound_by(node: ast.stmt) -> Iterator[str]:
    """Names of the module that a statement binds, itself and not by statements in it."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for each in node.names:
            yield each.asname or each.name.partition(".")[0]
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.expr, ast.withitem)):
                for part in ast.walk(child):
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                        yield part.id
