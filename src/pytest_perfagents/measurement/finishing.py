"""How a script's process came to its end, and whether the baseline's did in the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_perfagents.backends.base import ProgramRun
from pytest_perfagents.parsers.script_output import parse_output

EARLY = "the process printed a time and left before the script had come to its end"


@dataclass(frozen=True, slots=True)
class Finish:
    """``is_reported``: the harness's own code came to speak at the end, once (``is_single``).

    ``left`` are the lines of the script through which it left by SystemExit, None: these are not compared.
    ``has_mark``: what was printed after the end can be told apart; ``is_late``: a report was among it.
    """

    is_reported: bool = False
    is_single: bool = True
    left: tuple[int, ...] | None = ()
    has_mark: bool = False
    is_late: bool = False

    @property
    def in_any_mode(self) -> Finish:
        """For runs with other arguments, in which a script may leave by another line."""
        return replace(self, left=None)


def finish_of(run: ProgramRun) -> Finish:
    """How this run ended."""
    is_late = bool(run.late) and parse_output(run.late or "") is not None
    return Finish(run.is_reported, run.reports <= 1, run.left, run.late is not None, is_late)


def difference(baseline: Finish, candidate: Finish) -> str | None:
    """One line that says in what way the candidate did not end as the baseline did; None where it did."""
    if not baseline.is_reported:
        return None
    if not candidate.is_reported:
        return EARLY
    if None not in (candidate.left, baseline.left) and candidate.left != baseline.left:
        return EARLY
    if not candidate.is_single and baseline.is_single:
        return "a second report was sent under the name of the harness's own"
    if candidate.is_late and not baseline.is_late:
        return "the process prints a time after the script has come to its end"
    if baseline.has_mark and not candidate.has_mark:
        return "the end of the script's own output was removed from what the process printed"
    return None
