"""Reading the script before it runs: its style, its tests, the targets that it names."""

from __future__ import annotations

import ast
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any


def read_script(script: str) -> tuple[ast.Module, types.CodeType]:
    """The script as a tree and as code; raises SyntaxError, OSError."""
    with open(script, "rb") as file:
        source = file.read()
    return ast.parse(source, script), compile(source, script, "exec", dont_inherit=True)


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, also inside if, try, with and loops."""
    waiting: list[Any] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner: list[Any] = []
            for field in ("body", "handlers", "orelse", "finalbody", "cases"):
                inner.extend(getattr(node, field, []))
            waiting.extend(reversed(inner))


def bound_names(tree: ast.Module) -> dict[str, ast.stmt]:
    """Names that the script has at module level, with the statement that binds them."""
    names: dict[str, ast.stmt] = {}
    for node in top_level(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((each.asname or each.name.partition(".")[0], node) for each in node.names)
        elif isinstance(node, ast.Assign):
            names.update((each.id, node) for each in node.targets if isinstance(each, ast.Name))
    return names


def benchmark_tests(tree: ast.Module) -> list[tuple[str | None, str]]:
    """(class or None, function) of the tests that ask for the ``benchmark`` fixture."""
    found: list[tuple[str | None, str]] = []
    for node in top_level(tree):
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in inside:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
                if "benchmark" in [argument.arg for argument in each.args.args + each.args.kwonlyargs]:
                    found.append((node.name if isinstance(node, ast.ClassDef) else None, each.name))
    return found


def style_of(tree: ast.Module, names: Mapping[str, ast.stmt]) -> str:
    """``driven``, ``benchmark``, ``run_test`` or ``program``."""
    experiment = names.get("experiment")
    if experiment is not None and "setup" in names:
        return "driven"
    if isinstance(experiment, ast.FunctionDef) and len(experiment.args.args) == len(experiment.args.defaults):
        return "driven"
    if benchmark_tests(tree):
        return "benchmark"
    return "run_test" if "run_test" in names else "program"


class TargetFinder(ast.NodeVisitor):
    """Collects the modules of the measured packages that a script names, and the names it wants from them.

    ``wanted`` maps a module to dotted names in it; ``early`` holds the modules that the script must have
    tried to import when it was imported itself: not those in functions, nor the second choices in except
    clauses. Understood are import statements anywhere, ``import_module("literal")`` and
    ``import_module(variable)`` where the variable is given a literal, also as the default of an environment
    variable; then the name may be given likewise.
    """

    def __init__(self, tree: ast.Module, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)
        self.wanted: dict[str, list[str]] = {}
        self.early: set[str] = set()  # depth 0: neither in a function nor in an except clause
        self.depth = 0
        self.variables: set[str] = set()
        self.literals: dict[str, list[str]] = {}
        self.symbols: set[str] = set()
        self.visit(tree)
        self._resolve_variables()

    def _want(self, module: str | None, name: str = "") -> None:
        if module is None or not any(module == each or module.startswith(each + ".") for each in self.packages):
            return
        names = self.wanted.setdefault(module, [])
        if name and name != "*" and name not in names:
            names.append(name)
        if self.depth == 0:
            self.early.add(module)

    def _inside(self, node: Any) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_ExceptHandler = _inside  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        """Called by NodeVisitor."""
        if "TYPE_CHECKING" in ast.dump(node.test):
            for each in node.orelse:
                self.visit(each)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Called by NodeVisitor."""
        for each in node.names:
            self._want(each.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Called by NodeVisitor."""
        for each in node.names:
            if node.level == 0:
                self._want(node.module, each.name)

    def visit_Call(self, node: ast.Call) -> None:
        """Called by NodeVisitor."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args:
            for literal in strings_of(node.args[0]):
                self._want(literal)
            self.variables.update(each.id for each in ast.walk(node.args[0]) if isinstance(each, ast.Name))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Called by NodeVisitor."""
        values: list[tuple[ast.expr, ast.expr]] = []
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                values.extend(zip(target.elts, node.value.elts))  # noqa: B905 - Python 3.8
            else:
                values.append((target, node.value))
        for target, value in values:
            if isinstance(target, ast.Name):
                found = strings_of(value)
                self.literals.setdefault(target.id, []).extend(found)
                if "PROB_SYMBOL" in found:
                    self.symbols.add(target.id)
        self.generic_visit(node)

    def _resolve_variables(self) -> None:
        self.depth = 1
        modules = [literal for name in sorted(self.variables) for literal in self.literals.get(name, [])]
        for module in modules:
            self._want(module)
        known = [module for module in modules if module in self.wanted]
        if len(set(known)) == 1:
            for name in sorted(self.symbols):
                for symbol in self.literals[name]:
                    if symbol.replace(".", "").isidentifier() and not symbol.startswith("PROB_"):
                        self._want(known[0], symbol)


def strings_of(node: ast.AST) -> list[str]:
    """String literals in an expression."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
