"""The harmonic mean of percent-of-human."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from pytest_perfagents.scores.bootstrap import CONFIDENCE, Score, ratio_score


def harmonic_mean(
    parts: Sequence[float], clusters: Sequence[Hashable], *, seed: int, confidence: float = CONFIDENCE
) -> Score | None:
    """``n / sum(1 / part)`` of parts above 0, each an agent's speedup divided by the human's; 1.0 is the human's level.

    As the speedup ratio is summed up in Ma et al., "SWE-fficiency: Can Language Models Optimize Real-World Repositories
    on Real Workloads?", 2025: one task that is left far behind weighs more than one far ahead. A run that failed by
    the agent's own fault counts as if nothing had been changed: 1 divided by the human's speedup.
    """
    inverses = [1 / part for part in parts]
    return ratio_score([1.0] * len(inverses), inverses, clusters, seed=seed, confidence=confidence)
