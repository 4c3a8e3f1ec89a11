"""Measured figures as people read them, the same in the terminal, in reasons and on pages."""

from __future__ import annotations


def share(value: float | None) -> str:
    """``0.42 %``, ``190 %``: two figures, never as a power of ten; ``-`` for what is not known."""
    return "-" if value is None else f"{float(f'{100 * value:.2g}'):.15g} %"


def times(speedup: float) -> str:
    """``1.51x``; ``1.001x`` near 1, where two places would hide what was measured."""
    return f"{_number(speedup)}x"


def interval(low: float, high: float) -> str:
    """``[1.47, 1.54]``; ``-`` from 0 to infinity, which says that there were too few starts for one."""
    return "-" if low == 0 and high == float("inf") else f"[{_number(low)}, {_number(high)}]"


def in_words(speedup: float, low: float, high: float) -> str:
    """``1.51x [1.47, 1.54]``, or ``1.51x without an interval``: inside of a sentence."""
    told = interval(low, high)
    return f"{times(speedup)} {'without an interval' if told == '-' else told}"


def _number(speedup: float) -> str:
    if 0.01 <= speedup < 100:
        return f"{speedup:.2f}" if not 0.9 <= speedup < 1.1 else f"{speedup:.3f}"
    return f"{speedup:.3g}" if speedup < 1000 else f"{speedup:.0f}"
