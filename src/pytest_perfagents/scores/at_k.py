"""pass@K and Opt@K: does one of K attempts succeed?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from math import comb

from pytest_perfagents.scores.bootstrap import CONFIDENCE, Score, ratio_score


@cache
def chance_at_k(attempts: int, successes: int, k: int) -> float:
    """The chance that ``k`` of the attempts, drawn without putting back, hold a success: ``1 - C(n - c, k) / C(n, k)``.

    Unbiased for 1 - (1 - p)^k, as 1 - (1 - c/n)^k is not: Chen et al., "Evaluating Large Language Models Trained on
    Code", 2021, section 2.1.

    Raises:
        ValueError: fewer than ``k`` attempts, or more successes than attempts.
    """
    if not (1 <= k <= attempts and 0 <= successes <= attempts):
        raise ValueError(f"{successes} successes in {attempts} attempts say nothing of {k}")
    return 1 - comb(attempts - successes, k) / comb(attempts, k)


def at_k(
    tasks: Sequence[tuple[int, int]],
    clusters: Sequence[Hashable],
    k: int,
    *,
    seed: int,
    confidence: float = CONFIDENCE,
) -> Score | None:
    """The mean of `chance_at_k` over the tasks that have ``k`` attempts or more, None where none has.

    ``tasks`` are ``(attempts, successes)``. What a success is makes it pass@K (measured, so the patch applies, runs and
    keeps the result) or Opt@K (that, and 95 % of the human's speedup; Shetty et al., "GSO", 2025).
    """
    fit = [(n, c, cluster) for (n, c), cluster in zip(tasks, clusters, strict=True) if n >= k]
    chances = [chance_at_k(n, c, k) for n, c, _ in fit]
    kept = [cluster for _, _, cluster in fit]
    return ratio_score(chances, [1.0] * len(chances), kept, seed=seed, confidence=confidence)
