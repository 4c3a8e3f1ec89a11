"""Two agents on the same tasks: who succeeds where the other does not?"""

from __future__ import annotations


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p-value against "both succeed as often", from the tasks on which just one of them succeeds.

    The exact binomial form of McNemar, "Note on the sampling error of the difference between correlated proportions",
    Psychometrika 12, 1947; the binomial test is SciPy's.
    """
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def fisher_p(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Two-sided p-value of Fisher's exact test (SciPy) on ``(successes, failures)`` of two sets of different tasks."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([first, second])[1])
