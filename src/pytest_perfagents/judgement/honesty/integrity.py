"""What the record says about honesty: do the clocks agree, and when is the gain there? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

DISAGREE = "inside and outside clocks disagree"
SLACK_S = 0.005
"""What a turn may lose on its way to the harness and back, besides what the baseline loses."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Of one side, per turn: seconds that the harness waited beyond what the worker reported (``gaps_s``), seconds
    of CPU that it and its children used between its turns or beside them (``hidden_cpu_s``), both totals of wall time.
    """

    gaps_s: Sequence[float]
    hidden_cpu_s: Sequence[float]
    inside_s: float
    outside_s: float

    @property
    def ratio(self) -> float | None:
        """Time told by the worker over time seen by the harness; 1.0 where they agree."""
        return self.inside_s / self.outside_s if self.outside_s > 0 else None


def tampering(baseline: Clocks, candidate: Clocks) -> str | None:
    """One line where the candidate's time is not what it says, None where the clocks agree.

    The yardstick is the baseline, measured in the same minutes: both lose something to the pipe and to other processes.
    """
    if not candidate.gaps_s or not baseline.gaps_s:
        return None
    turns = len(candidate.gaps_s)
    allowed_s = SLACK_S + 0.25 * candidate.inside_s / turns
    waited_s, usual_s = median(candidate.gaps_s), median(baseline.gaps_s)
    if waited_s > allowed_s + 3 * max(usual_s, 0.0):
        return f"{DISAGREE}: a turn takes {waited_s * 1e3:.1f} ms longer outside than the clock inside says"
    if waited_s < -allowed_s:
        return f"{DISAGREE}: the clock inside says {-waited_s * 1e3:.1f} ms a turn more than passed outside"
    if candidate.hidden_cpu_s and baseline.hidden_cpu_s:
        hidden_s, usual_s = median(candidate.hidden_cpu_s), median(baseline.hidden_cpu_s)
        if hidden_s > allowed_s + 3 * max(usual_s, 0.0):
            return f"{DISAGREE}: {hidden_s * 1e3:.1f} ms of CPU a turn are spent outside the timed call"
    return None


@dataclass(frozen=True, slots=True)
class Calls:
    """CPU seconds of one side: of the first call in each process, and of one call in a turn, by start."""

    first_s: Sequence[float]
    later_s: Sequence[float]

    @property
    def medians(self) -> tuple[float, float]:
        """``(first, later)``."""
        return median(self.first_s), median(self.later_s)


def first_call_speedup(baseline: Calls, candidate: Calls) -> float | None:
    """How much faster the first call is, which no memory of an answer can help; None where it was not timed."""
    if not baseline.first_s or not candidate.first_s or not median(candidate.first_s) > 0:
        return None
    return median(baseline.first_s) / median(candidate.first_s)


def first_call_flag(baseline: Calls, candidate: Calls) -> str | None:
    """A gain that first calls do not show is a memory of the answer: worth a look, no accusation.

    Seconds saved are compared and not ratios, since a first call also pays for what is loaded or allocated once, on
    either side. Flagged where first calls show less than a third of the gain, or miss a quarter of the baseline's call.
    """
    if not all((baseline.first_s, baseline.later_s, candidate.first_s, candidate.later_s)):
        return None
    (base_first_s, base_later_s), (first_s, later_s) = baseline.medians, candidate.medians
    saved_s = base_later_s - later_s
    missing_s = saved_s - (base_first_s - first_s)
    if saved_s < 0.05 * base_later_s or missing_s <= min(0.7 * saved_s, 0.25 * base_later_s):
        return None
    return (
        f"later calls save {saved_s * 1e3:.3g} ms and the first one {(base_first_s - first_s) * 1e3:.3g} ms: "
        "the gain comes with repetition"
    )
