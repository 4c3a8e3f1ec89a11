"""The recording: JSON lines that are only ever appended, so that an interrupted recording goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


class Datafile:
    """The rows of a recording in the order in which they were written. A last line that was cut off is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Row]:
        """All whole rows. Raises ValueError where a line in the middle is broken: that is not our file."""
        if not self.path.exists():
            return []
        *whole, _ = self.path.read_bytes().split(b"\n")  # what stands after the last end of line was cut off
        rows: list[Row] = []
        for number, line in enumerate(whole, 1):
            try:
                rows.append(json.loads(line))
            except ValueError:
                raise ValueError(f"{self.path}:{number}: this line is no JSON; name another folder (--data)") from None
        return rows

    def mend(self) -> int:
        """Cut off a last line without an end, which an interruption left. Returns how many bytes went."""
        if not self.path.exists():
            return 0
        content = self.path.read_bytes()
        kept = content.rfind(b"\n") + 1
        if kept < len(content):
            os.truncate(self.path, kept)
        return len(content) - kept

    def append(self, row: Row) -> None:
        """Write a row and hand it to the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def rounded(seconds: float) -> float:
    """Seven digits: nanoseconds of a turn, and half the bytes."""
    return float(f"{seconds:.7g}")
