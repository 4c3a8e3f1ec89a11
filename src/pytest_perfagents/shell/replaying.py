"""``--perf-replay``: an evaluator that measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_perfagents.model import Case, Outcome

if TYPE_CHECKING:
    from pytest_perfagents.recorded.importing import Recordings


class Replay:
    """Gives every case the outcome that was recorded for it, judged when it is asked for."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._records = {record.origin.run.id: record for record in recordings.records}

    def evaluate(self, cases: Sequence[Case], deadline: float) -> dict[str, Outcome]:
        """As an `ArenaEvaluator`; there is no deadline to miss."""
        return {case.id: self._recordings.outcome(self._records[case.id]) for case in cases}
