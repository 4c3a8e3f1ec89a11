"""How often an agent comes up to the human."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from pytest_perfagents.scores.bootstrap import CONFIDENCE, Score, ratio_score

ENOUGH = 0.95


def comes_near(part: float) -> bool:
    """Whether ``part``, an agent's speedup divided by the human's, is enough for Opt@K."""
    return part >= ENOUGH


def share_near_human(
    parts: Sequence[float], clusters: Sequence[Hashable], *, seed: int, confidence: float = CONFIDENCE
) -> Score | None:
    """The share of runs whose speedup is 95 % of the human's or more; ``parts`` are the agent's divided by the human's.

    The threshold is that of Opt@1 in Shetty et al., "GSO: Challenging Software Optimization Tasks for Evaluating
    SWE-Agents", 2025. As there, a run that failed by the agent's own fault is no success: its part is 0.
    """
    hits = [float(comes_near(part)) for part in parts]
    return ratio_score(hits, [1.0] * len(hits), clusters, seed=seed, confidence=confidence)
