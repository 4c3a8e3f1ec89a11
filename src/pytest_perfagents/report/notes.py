"""What was amiss in the files of recorded evaluations, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_perfagents.report.cells import printable

SHOWN = 200


def render_notes(notes: Sequence[object], files: int, *, kept_in: Path | None = None) -> str:
    """A line for each note, and how many files were read; very many notes are told in the JSON file alone."""
    lines = [f"note: {' '.join(str(note).split())}" for note in notes[:SHOWN]]
    if len(notes) > SHOWN:
        place = f"{kept_in} has all" if kept_in else "--perf-json FILE keeps all"
        lines.append(f"... and {len(notes) - SHOWN} more notes; {place}")
    lines.append(f"{files} file{'' if files == 1 else 's'} read, {len(notes)} note{'' if len(notes) == 1 else 's'}")
    return "".join(f"{printable(line)}\n" for line in lines)
