"""What a measurement could have seen: its noise floor and the smallest effect that it finds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, isinf, sqrt
from statistics import NormalDist

from pytest_perfagents.judgement.stats import hodges_lehmann

POWER = 0.9
"""The share of measurements that find an effect of the size that is called detectable."""
_STEADY = 0.95
"""The spread is read off this interval: it exists from six starts on and rests on more than the outermost values."""


def standard_error(ratios: Sequence[float]) -> float | None:
    """Of the Hodges-Lehmann estimate of log ratios of starts; None below six starts.

    Half the width of its interval over the normal quantile (Lehmann 1963, *Nonparametric confidence intervals for a
    shift parameter*, Ann. Math. Statist. 34:1507).
    """
    half = _half_width(ratios, _STEADY)
    return None if half is None else half / _quantile(1 - (1 - _STEADY) / 2)


def smallest_effect(ratios: Sequence[float], *, error: float, least: float, power: float = POWER) -> float | None:
    """The smallest true effect, as a share (0.01 is 1 %), that ``power`` of such measurements call a change.

    A change is called where the interval with two-sided ``error`` excludes no change and the estimate is at least
    ``least`` (a log ratio). With standard error s of the estimate and half width h of that interval, the estimate
    reaches ``least`` from least + z(power) s on: the usual sum of two quantiles (Noether 1987, *Sample size
    determination for some common nonparametric tests*, JASA 82:645). The interval's end lies above zero from
    h + z(power) s' on, where s'^2 = s^2 + h^2 / 2(n - 1), since the width varies too (Johnson & Welch 1940,
    *Applications of the non-central t-distribution*, Biometrika 31:362). By simulation with 15 to
    80 starts 87-93 % find it where the spread is normal, 79-91 % where it has heavy tails (t with 3 degrees of
    freedom); 75-92 % with ten starts, where all must agree. None with too few starts to call any change.
    """
    s, half = standard_error(ratios), _half_width(ratios, 1 - error)
    if s is None or half is None:
        return None
    of_the_end = sqrt(s**2 + half**2 / (2 * (len(ratios) - 1)))
    return expm1(max(half + _quantile(power) * of_the_end, least + _quantile(power) * s))


def noise_floor(ratios: Sequence[float], confidence: float) -> float | None:
    """Half the width of the interval, as a share: how far apart identical code may look. None with too few starts."""
    half = _half_width(ratios, confidence)
    return None if half is None else expm1(half)


def _half_width(ratios: Sequence[float], confidence: float) -> float | None:
    if not ratios:
        return None
    _, low, high = hodges_lehmann(ratios, confidence)
    return None if isinf(low) else (high - low) / 2


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
