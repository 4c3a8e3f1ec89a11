"""What became of the modules that a script names, and what else of the measured packages is loaded."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from os.path import abspath, dirname, join
from typing import TYPE_CHECKING

from pytest_perfagents.worker.importing import file_of
from pytest_perfagents.worker.script_text import TargetFinder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Targets:
    """What became of the modules that the script names, and which modules of the packages are loaded."""

    def __init__(self, packages: Sequence[str], describe: Callable[[BaseException, str], dict[str, Any]]) -> None:
        self.packages = tuple(packages)
        self.describe = describe
        self.modules = sys.modules
        self.import_module = import_module
        self.finder: TargetFinder | None = None

    def read(self, tree: ast.Module) -> None:
        """Note what a script names."""
        self.finder = TargetFinder(tree, self.packages)

    def loaded(self) -> dict[str, str | None]:
        """All loaded modules of the packages and their files."""
        tops = {package.partition(".")[0] for package in self.packages}
        return {
            name: file_of(module)
            for name, module in list(self.modules.items())
            if module is not None and name.partition(".")[0] in tops
        }

    def shared(self, root: str, script: str) -> list[str]:
        """What is loaded from files outside the workspace and the script's folder, in the order of loading."""
        own = (join(root, ""), join(dirname(abspath(script)), ""))
        files = [(name, file_of(module)) for name, module in list(self.modules.items()) if module is not None]
        return [name for name, file in files if file is not None and not file.startswith(own)]

    def strangers(self) -> int:
        """How many modules are loaded that are none of the packages, those in other modules not counted."""
        tops = {package.partition(".")[0] for package in self.packages}
        return len([name for name in list(self.modules) if "." not in name and name not in tops])

    def report(self, retry: str) -> dict[str, dict[str, Any]]:
        """The state of every target; those not loaded are imported again (``retry``: no, early, all)."""
        if self.finder is None:
            return {}
        return {
            name: self._state(name, names, retry == "all" or (retry == "early" and name in self.finder.early))
            for name, names in self.finder.wanted.items()
        }

    def _state(self, name: str, names: list[str], retry: bool) -> dict[str, Any]:
        state: dict[str, Any] = {"file": None, "loaded": name in self.modules, "names": names, "error": None}
        try:
            module = self.modules.get(name)
            if module is None:
                if not retry:
                    return state
                module = self.import_module(name)
            state["file"] = file_of(module)
            for each in names:
                self._find(module, name, each)
        except BaseException as error:
            state["error"] = self.describe(error, "import")
        return state

    def _find(self, module: Any, name: str, wanted: str) -> None:
        """Walk ``Class.method`` down from a module; what is missing is an ImportError as Python words it."""
        found = module
        for step in wanted.split("."):
            try:
                found = getattr(found, step)
            except AttributeError:
                try:
                    found = self.import_module(name + "." + step)
                except ModuleNotFoundError as error:
                    if error.name != name + "." + step:
                        raise
                    message = "cannot import name " + repr(wanted) + " from " + repr(name)
                    message += " (" + str(file_of(module)) + ")"
                    raise ImportError(message, name=name, path=file_of(module)) from None
