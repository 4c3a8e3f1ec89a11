"""Noise as machines make it, turn by turn, to be put through the protocol many thousand times.

Every noise gives the logs of the times of both sides, in the order in which the turns run: a shuffled round, the same
mirrored, and again. What the machine does (drift, autocorrelation) falls on the turns of both sides as they come; what
a process start brings (memory layout) falls on all turns of one side. Sizes are round numbers and not any machine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
TURNS = 6
SLOTS = 2 * TURNS
"""Turns of both sides in a start."""
Noise = Callable[[Random, int, int], Floats]
"""``(random, trials, starts)`` to the starts' log ratios without any effect, trials x starts."""


def normal(random: Random, trials: int, starts: int) -> Floats:
    """Layout and turns both normal, 1 %."""
    return _ratios(random, _layout(random, trials, starts, 0.01), _turns(random, trials, starts, 0.01))


def heavy_tailed(random: Random, trials: int, starts: int) -> Floats:
    """Layout by Student's t with two degrees of freedom (no variance); one turn in twenty interrupted by 20 %."""
    layout = 0.005 * random.standard_t(2, (trials, starts, 2))
    turns = _turns(random, trials, starts, 0.005)
    turns += (random.random(turns.shape) < 0.05) * random.exponential(0.2, turns.shape)
    return _ratios(random, layout, turns)


def bimodal(random: Random, trials: int, starts: int) -> Floats:
    """Four starts in ten of either side are 3 % slower: memory laid out badly."""
    layout = 0.03 * (random.random((trials, starts, 2)) < 0.4)
    return _ratios(random, layout + _layout(random, trials, starts, 0.003), _turns(random, trials, starts, 0.005))


def drifting(random: Random, trials: int, starts: int) -> Floats:
    """The machine gets slower or faster by some 5 % within a start, bent, on top of layout and turns of 0.5 %."""
    slope, bend = 0.05 * random.standard_normal((2, trials, starts, 1))
    time = np.linspace(-0.5, 0.5, SLOTS)
    turns = _turns(random, trials, starts, 0.005) + slope * time + bend * time**2
    return _ratios(random, _layout(random, trials, starts, 0.005), turns)


def autocorrelated(random: Random, trials: int, starts: int) -> Floats:
    """The machine's speed wanders from turn to turn (AR(1), .9, 3 %), through all starts of a trial."""
    from scipy.signal import lfilter

    steps = random.standard_normal((trials, starts * SLOTS))
    steps *= 0.03 * np.sqrt(1 - 0.9**2)
    steps[:, 0] /= np.sqrt(1 - 0.9**2)
    turns = lfilter([1.0], [1.0, -0.9], steps, axis=1).reshape(trials, starts, SLOTS)
    return _ratios(random, _layout(random, trials, starts, 0.005), turns + _turns(random, trials, starts, 0.003))


def dependent_starts(random: Random, trials: int, starts: int) -> Floats:
    """What the protocol assumes away: a side's luck carries over to its next start (AR(1), .3, 1 %)."""
    from scipy.signal import lfilter

    steps = 0.01 * np.sqrt(1 - 0.3**2) * random.standard_normal((trials, starts, 2))
    steps[:, 0] /= np.sqrt(1 - 0.3**2)
    return _ratios(random, lfilter([1.0], [1.0, -0.3], steps, axis=1), _turns(random, trials, starts, 0.005))


NOISES: Mapping[str, Noise] = {
    "normal": normal,
    "heavy-tailed": heavy_tailed,
    "bimodal": bimodal,
    "drifting": drifting,
    "autocorrelated": autocorrelated,
}
BEYOND: Mapping[str, Noise] = {"dependent starts": dependent_starts}
"""Against the protocol's assumption, to see what that costs."""


def _layout(random: Random, trials: int, starts: int, spread: float) -> Floats:
    return spread * random.standard_normal((trials, starts, 2))


def _turns(random: Random, trials: int, starts: int, spread: float) -> Floats:
    return spread * random.standard_normal((trials, starts, SLOTS))


def _ratios(random: Random, layout: Floats, turns: Floats) -> Floats:
    """A start's log ratio, baseline over candidate, as `clocks.log_speedups` has it where no side stands out."""
    blocks = turns.reshape(*turns.shape[:2], TURNS // 2, 4)
    baseline_first = random.random((*blocks.shape[:3], 1)) < 0.5
    outer, inner = blocks[..., [0, 3]], blocks[..., [1, 2]]
    baseline, candidate = np.where(baseline_first, outer, inner), np.where(baseline_first, inner, outer)
    sides = [side.reshape(*turns.shape[:2], TURNS) for side in (baseline, candidate)]
    return _trimmed_ratios(*sides) + layout[..., 0] - layout[..., 1]


def _trimmed_ratios(before: Floats, after: Floats) -> Floats:
    """Logs of the ratios of the sums, without the rounds that stand out at either end, as `stats.trimmed_ratio`."""
    kept = np.argsort(before - after, axis=-1)[..., 1:-1]
    sums = [np.exp(np.take_along_axis(side, kept, axis=-1)).sum(axis=-1) for side in (before, after)]
    ratios: Floats = np.log(sums[0] / sums[1])
    return ratios
