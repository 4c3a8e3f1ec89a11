"""What a worker says was replaced in its process: whose fault is it, and how bad? Pure.

A library that replaces a clock for its own purposes does so on the baseline too, and is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

CLOCKS = ("time.", "timeit.", "torch.cuda.", "datetime.")
SCRIPT = "script."


@dataclass(frozen=True, slots=True)
class Replacement:
    """``name`` is dotted; ``file`` is relative where it lies in the workspace (``inside``), empty where unknown."""

    name: str
    file: str
    line: int
    inside: bool

    @property
    def is_tampering(self) -> bool:
        """Whether the workspace's own code stands where a clock or a function of the script stood."""
        return self.inside and self.name.startswith((*CLOCKS, SCRIPT))

    def __str__(self) -> str:
        what = f"the script's {self.name.removeprefix(SCRIPT)}" if self.name.startswith(SCRIPT) else self.name
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} replaces {what}" if self.file else f"{what} is replaced"


@dataclass(slots=True)
class Intact:
    """What one side's processes said so far: replacements by name, whether one had garbage collection off, and whether
    one let the kernel forget what its children used.
    """

    replaced: dict[str, Replacement] = field(default_factory=dict)
    gc_off: bool = False
    forgets_children: bool = False

    def note(self, value: Mapping[str, Any], root: str) -> None:
        """Add a worker's answer; what has not the form of one says nothing."""
        entries = value.get("replaced")
        for each in _read(entries if isinstance(entries, list) else [], root):
            self.replaced.setdefault(each.name, each)
        self.gc_off = self.gc_off or value.get("gc") is False
        self.forgets_children = self.forgets_children or value.get("children") is False


def _read(entries: Iterable[Any], root: str) -> Iterable[Replacement]:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        file, line = entry.get("file"), entry.get("line")
        path = PurePath(file) if isinstance(file, str) else PurePath()
        inside = path.is_absolute() and path.is_relative_to(root)
        shown = str(path.relative_to(root)) if inside else (file if isinstance(file, str) else "")
        yield Replacement(entry["name"], shown, line if isinstance(line, int) else 0, inside)


def tampering(baseline: Intact, candidate: Intact) -> str | None:
    """One line that names the clock or script function which the candidate's code replaced, and where."""
    found = [each for each in _own(baseline, candidate) if each.is_tampering]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else None


def flags(baseline: Intact, candidate: Intact, most: int = 5) -> list[str]:
    """What else is replaced on the candidate's side alone; whether it collects no garbage, or counts no children."""
    others = [str(each) for each in _own(baseline, candidate) if not each.is_tampering]
    if len(others) > most:
        others[most:] = [f"{len(others) - most} more names are replaced"]
    if candidate.gc_off and not baseline.gc_off:
        others.append("garbage collection is off on this side and on on the baseline")
    if candidate.forgets_children and not baseline.forgets_children:
        others.append("it ignores SIGCHLD: no clock has the time of its child processes")
    return others


def _own(baseline: Intact, candidate: Intact) -> list[Replacement]:
    """Of what is replaced, that which is not replaced from the same file on the baseline."""
    return [
        each
        for name, each in sorted(candidate.replaced.items())
        if name not in baseline.replaced or baseline.replaced[name].file != each.file
    ]
