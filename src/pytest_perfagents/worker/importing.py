"""Where modules come from: the import path of the measured code, modules made by hand, their files."""

from __future__ import annotations

import builtins
import sys
import types
from importlib import machinery
from os.path import abspath, dirname
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SCRIPT_MODULE = "__perfscript__"


class NoCacheLoader(machinery.SourceFileLoader):
    """Imports helpers that lie beside the script without writing bytecode into the user's folder."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def set_import_path(import_root: str, script: str) -> None:
    """The workspace first, what is installed next, the script's own folder last."""
    folder = dirname(abspath(script))
    sys.path[:] = [import_root, *(each for each in sys.path if each not in (import_root, folder)), folder]
    if folder != import_root:
        sys.path_importer_cache[folder] = machinery.FileFinder(
            folder,
            (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
            (NoCacheLoader, machinery.SOURCE_SUFFIXES),
        )


def new_module(name: str, file: str | None) -> types.ModuleType:
    """An empty module in sys.modules, with everybody's builtins and not our copy."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    if file is not None:
        module.__file__ = file
    sys.modules[name] = module
    return module


def file_of(module: Any) -> str | None:
    """Where a module was loaded from: a file, or the folder of a namespace package."""
    try:
        file = getattr(module, "__file__", None)
        if file is None:
            file = next(iter(getattr(module, "__path__", ())), None)
        return None if file is None else abspath(str(file))
    except Exception:
        return None
