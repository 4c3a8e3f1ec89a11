"""How often does a script call what it times? As far as its text tells, which no patch can change. Pure."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pytest_perfagents.judgement.honesty.claims import CLOCKS

_TIMERS = ("timeit", "repeat")
_MEANS = ("mean", "fmean", "median", "average", "geometric_mean")
_COUNTS = ("number", "repeat", "iters", "iterations", "repeats")


def calls_in(source: str) -> int:
    """Calls in the time that a script divides by their number: ``timeit(f, number=300) / 300``; 1 where none is seen.

    Or those of a loop that reads the clock each time, where a mean or a median is made of what it reads. The number is
    a constant, or a name that is never bound to anything else.
    """
    tree = _parse(source)
    if tree is None:
        return 1
    known = _Constants(tree)
    divisors = {
        known(node.right) for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    }
    counts = {known(count) for count in _repeats(tree)} & divisors
    if any(_is_mean(node) for node in ast.walk(tree)):
        counts |= {known(count) for loop in _loops_that_time(tree) for count in _ends_of_range(loop.iter)}
    return max((count for count in counts if count is not None), default=1)


def counts_by_clock(source: str) -> bool:
    """Whether the number of calls may come from a time that was read before."""
    tree = _parse(source)
    if tree is None:
        return False
    timed: set[str] = set()
    while more := {name for name in _bound_to_times(tree, timed) if name not in timed}:
        timed |= more
    return any(_mentions(count, timed) for count in (*_repeats(tree), *_comprehended(tree)))


def _parse(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None


class _Constants:
    """Integers by name, of names that are bound once."""

    def __init__(self, tree: ast.Module) -> None:
        self.values: dict[str, list[int | None]] = defaultdict(list)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.values[node.id].append(None)
            elif isinstance(node, ast.arguments):
                self._read_arguments(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if self.values[name] == [None]:
                    self.values[name] = [self(node.value)]

    def _read_arguments(self, node: ast.arguments) -> None:
        plain = [*node.posonlyargs, *node.args]
        defaults: list[ast.expr | None] = [None] * (len(plain) - len(node.defaults))
        for each, value in zip((*plain, *node.kwonlyargs), (*defaults, *node.defaults, *node.kw_defaults), strict=True):
            self.values[each.arg].append(self(value))

    def __call__(self, node: ast.expr | None) -> int | None:
        """Its value, where it is an integer above one."""
        if isinstance(node, ast.Name):
            values = self.values.get(node.id, [])
            return values[0] if len(values) == 1 else None
        value = node.value if isinstance(node, ast.Constant) else None
        return value if type(value) is int and value > 1 else None


def _repeats(tree: ast.Module) -> Iterator[ast.expr]:
    """Expressions that say how often something is done: ``for _ in range(n)``, ``number=n``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            yield from _ends_of_range(node.iter)
        elif isinstance(node, ast.Call):
            yield from (word.value for word in node.keywords if word.arg in _COUNTS)
            if _last_name(node.func) in _TIMERS:
                yield from node.args[-1:]


def _loops_that_time(tree: ast.Module) -> list[ast.For]:
    """Loops with a clock in them, the innermost."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While) and _mentions(node, set())]
    outer = {loop for loop in loops if any(each is not loop and each in loops for each in ast.walk(loop))}
    return [loop for loop in loops if isinstance(loop, ast.For) and loop not in outer]


def _is_mean(node: ast.AST) -> bool:
    """``mean(times)``, ``sum(times) / len(times)``."""
    if isinstance(node, ast.Call):
        return _last_name(node.func) in _MEANS
    is_division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    by = node.right if is_division and isinstance(node, ast.BinOp) else None
    return isinstance(by, ast.Call) and _last_name(by.func) == "len"


def _comprehended(tree: ast.Module) -> Iterator[ast.expr]:
    """The same of comprehensions, which make data more often than they time calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            yield from _ends_of_range(node.iter)


def _ends_of_range(node: ast.expr) -> Sequence[ast.expr]:
    is_plain = isinstance(node, ast.Call) and _last_name(node.func) == "range" and len(node.args) == 1
    return node.args if is_plain and isinstance(node, ast.Call) else ()


def _bound_to_times(tree: ast.Module, timed: set[str]) -> Iterator[str]:
    """Names that are bound to what comes from a clock, or from a name in ``timed``; functions that return it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            if node.value is not None and _mentions(node.value, timed):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
        elif isinstance(node, ast.FunctionDef):
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            if any(_mentions(value, timed) for value in returned):
                yield node.name


def _mentions(node: ast.AST, timed: set[str]) -> bool:
    """Whether a clock or a name in ``timed`` is in it; how many times there are is no time."""
    waiting: list[ast.AST] = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Call):
            name = _last_name(each.func)
            if name == "len":
                continue
            if name in CLOCKS:
                return True
        if isinstance(each, ast.Name) and each.id in timed:
            return True
        waiting.extend(ast.iter_child_nodes(each))
    return False


def _last_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
