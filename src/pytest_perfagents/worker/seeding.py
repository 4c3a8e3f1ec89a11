"""Other random data: every seed that a script gives is shifted."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SEEDERS = (
    "seed", "Random", "RandomState", "SeedSequence", "default_rng", "manual_seed", "manual_seed_all", "PRNGKey",
    "set_seed", "set_random_seed", "seed_everything",
)  # fmt: skip
SHIFT = "__perfagents_shift__"


class SeedShifter(ast.NodeTransformer):
    """Passes every seed that a script gives through a function named `SHIFT`; one that gives none, gets one."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Called by NodeTransformer."""
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in SEEDERS:
            return node
        if node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._shifted(node.args[0])
        elif node.keywords:
            for each in node.keywords:
                if each.arg in ("seed", "a", "x", "entropy"):
                    each.value = self._shifted(each.value)
        elif not node.args and called in ("seed", "Random", "RandomState", "default_rng"):
            node.args.append(self._shifted(ast.Constant(None)))
        return node

    def _shifted(self, seed: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(SHIFT, ast.Load()), [seed], [])


class Shift:
    """``shift(seed)``: another one, the same for the same ``offset``; what is no seed stays as it is.

    While it ``rests`` a seed is what the script gives, and only one that it does not give is made, a different one.
    """

    def __init__(self, offset: int) -> None:
        self._offset, self.rests = offset, False

    def __call__(self, seed: Any) -> Any:
        """Called in the script."""
        if seed is None:
            return self._made()
        if self.rests:
            return seed
        if type(seed) is int:
            return (seed + self._offset) % (1 << 32)
        return seed + str(self._offset) if type(seed) is str else seed

    def seed_all(self) -> None:
        """Seed the global generators, for a script that does not."""
        random = import_module("random")
        random.seed(self._made())
        for name, path in (("numpy", "random.seed"), ("torch", "manual_seed")):
            found: Any = sys.modules.get(name)
            for step in path.split("."):
                found = getattr(found, step, None)
            if found is not None:
                found(self._made() % (1 << 32))

    def _made(self) -> int:
        return self._offset + self.rests
