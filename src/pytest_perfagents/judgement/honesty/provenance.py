"""Was it the workspace's code that ran? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """``problem`` is one line where the measured code was not the workspace's, None where it was.

    ``cause`` is the error that a script hid when it went on without its target; ``flags`` are worth a look.
    """

    problem: str | None
    cause: Mapping[str, Any] | None = None
    flags: tuple[str, ...] = ()


def look(
    modules: Mapping[str, str | None],
    targets: Mapping[str, Mapping[str, Any]],
    root: str,
    packages: Sequence[str],
) -> Provenance:
    """``modules``: the packages' loaded modules and their files; ``targets``: what the script names (``Targets``)."""
    strangers = sorted((name, file) for name, file in modules.items() if file and not _is_below(file, root))
    if strangers:
        name, file = strangers[0]
        return Provenance(f"{name} was loaded from {file}, not from the workspace")
    made_up = sorted(name for name, each in targets.items() if _is_made_up(each))
    if made_up:
        return Provenance(f"{made_up[0]} has no file: it was put in the place of the workspace's module")
    broken = {name: target["error"] for name, target in targets.items() if target.get("error")}
    loaded = [name for name in targets if name not in broken]
    if broken and not loaded:
        name, error = sorted(broken.items())[0]
        message = str(error.get("message", "")).splitlines() or [""]
        said = f"{error.get('type', 'error')}: {message[0]}"
        return Provenance(f"the script goes on without {name}, which does not import ({said})", error)
    if not modules:
        return Provenance(f"the script never loaded {' or '.join(packages)}: it times something else")
    return Provenance(None, flags=tuple(f"{name} does not import and the script goes on" for name in sorted(broken)))


def _is_made_up(target: Mapping[str, Any]) -> bool:
    return bool(target.get("loaded")) and not target.get("file") and not target.get("error")


def _is_below(file: str, root: str) -> bool:
    return PurePath(file).is_relative_to(root)
