"""The worker's parts put together in one file, for a Python that has nothing of ours installed."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from pytest_perfagents import worker

HEAD = "__init__"
"""What runs first of all stands in ``worker/__init__.py``."""
PARTS = (
    "errors", "streams", "channel", "files", "script_text", "script_names", "seeding", "importing", "targets",
    "tracing", "gpu", "timing", "calling", "recorder", "scattering", "base_types", "structure", "structure_reading",
    "rebuilding", "originals", "settings", "operations", "confining", "serving", "looking",
    "programs", "forking", "keeping", "life",
)  # fmt: skip
"""In the order of the file: each imports from those before it. pyproject.toml has them as layers."""


def write_worker(file: Path) -> Path:
    """Write the worker as one file, and return where it is."""
    file.write_text(assembled(), encoding="utf-8")
    return file


@cache
def assembled() -> str:
    """The source of the worker."""
    folder = files(worker)
    return assemble({name: folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in (HEAD, *PARTS)})


def assemble(sources: Mapping[str, str]) -> str:
    """The first source as it stands, what the others import from the standard library, and the others, as one.

    Raises:
        ValueError: a name would mean two things in one file, or a part imports what the file cannot have.
    """
    names: dict[str, str] = {}
    parts: list[_Part] = []
    for name, source in sources.items():
        parts.append(_read(name, source, names))
        _bind(names, parts[-1])
    head = parts.pop(0)
    lines = {line for part in parts for line in part.imports.values()}.difference(head.imports.values())
    imports = "\n".join(sorted(lines, key=lambda line: (line.startswith("from"), line)))
    bodies = [f"# --- {part.name}.py: {part.title}\n\n\n{part.body}" for part in parts]
    return "\n\n\n".join([f"{sources[head.name].rstrip()}\n\n{imports}", *bodies]) + "\n"


@dataclass(frozen=True, slots=True)
class _Part:
    """``body`` has neither docstring nor imports. ``imports``: by name, the line that imports it from the standard
    library.
    """

    name: str
    title: str
    body: str
    defines: tuple[str, ...]
    imports: Mapping[str, str]


def _read(part: str, source: str, names: Mapping[str, str]) -> _Part:
    """Take a part apart; ``names`` are bound by those before it."""
    tree, table = ast.parse(source, f"{part}.py"), symtable.symtable(source, f"{part}.py", "exec")
    defines = tuple(symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned())
    title, body = (ast.get_docstring(tree) or "").partition("\n")[0], source.split("\n")
    imports: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.update(() if _is_here(part, node, names) else _imports(node))
        elif not _is_for_checkers(node) and not (title and node is tree.body[0]):
            continue
        body[node.lineno - 1 : node.end_lineno] = [""] * len(body[node.lineno - 1 : node.end_lineno])
    return _Part(part, title, "\n".join(body).strip("\n"), defines, imports)


def _is_here(part: str, node: ast.Import | ast.ImportFrom, names: Mapping[str, str]) -> bool:
    """Whether the file has what is imported; raises ValueError where it has that under another name, or later."""
    if isinstance(node, ast.Import):
        module, is_ours = "", any(each.name.startswith("pytest_perfagents") for each in node.names)
    else:
        module = node.module or ""
        is_ours = node.level > 0 or module.startswith("pytest_perfagents")
    if not is_ours:
        return module in ("__future__", "typing")  # the head has the one, the other is for type checkers
    home = f"{module.removeprefix(f'{worker.__name__}.')}.py"
    if any(each.asname or names.get(each.name) != home for each in node.names):
        raise ValueError(
            f"{part}.py, line {node.lineno}: {ast.unparse(node)}: a part of the worker may import the standard library "
            "and, under their own names, names of parts that come before it"
        )
    return True


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Names that are imported, each with a line that imports it alone."""
    for each in node.names:
        if isinstance(node, ast.Import):
            yield each.asname or each.name.partition(".")[0], ast.unparse(ast.Import([each]))
        else:
            yield each.asname or each.name, ast.unparse(ast.ImportFrom(node.module, [each], node.level))


def _is_for_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _bind(names: dict[str, str], part: _Part) -> None:
    for name, origin in {**dict.fromkeys(part.defines, f"{part.name}.py"), **part.imports}.items():
        if names.setdefault(name, origin) != origin:
            raise ValueError(
                f"{name} is bound twice, by {names[name]!r} and by {origin!r}: the parts of the worker become one "
                "file, in which a name means one thing; give one of them another name"
            )
