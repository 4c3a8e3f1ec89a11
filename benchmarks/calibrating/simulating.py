"""Trials that no machine can show in the number needed: what the stated interval covers, power, when it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import log1p
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from calibrating.noises import BEYOND, NOISES, Noise
from calibrating.vectorised import Flags, Floats, Verdicts, judge_all
from pytest_perfagents.judgement.judge import Rule, stated

EFFECTS = (0.0, 0.01, 0.02, 0.05)
"""True slowdowns."""
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Simulated:
    """Counts over ``trials``; ``starts`` are those that they used in all."""

    noise: str
    effect: float
    trials: int
    covered: int
    changed: int
    slower: int
    found: int
    neutral: int
    undecided: int
    starts: int


def simulate(name: str, noise: Noise, effect: float, trials: int, rule: Rule, seed: int) -> Simulated:
    """The protocol with its looks and its stopping on ``trials`` draws of a noise; the candidate is slower."""
    random = np.random.default_rng([seed, crc32(name.encode()), round(effect * 1e6)])
    parts = [_simulate(noise, effect, min(CHUNK, trials - begun), rule, random) for begun in range(0, trials, CHUNK)]
    return Simulated(name, effect, trials, *(sum(counts) for counts in zip(*parts, strict=True)))


def _simulate(noise: Noise, effect: float, trials: int, rule: Rule, random: np.random.Generator) -> list[int]:
    truth = -log1p(effect)
    ratios: Floats = noise(random, trials, rule.looks[-1]) + truth
    counts = np.zeros(7, dtype=int)
    for look in rule.looks:
        seen = judge_all(ratios[:, :look], rule)
        over: Flags = seen.decided | (look == rule.looks[-1])
        counts += np.array(_counts(seen, over, truth, look))
        ratios = ratios[~over]
        if not len(ratios):
            break
    return [int(count) for count in counts]


def _counts(seen: Verdicts, over: Flags, truth: float, look: int) -> list[int]:
    answers = (
        (seen.low <= truth) & (truth <= seen.high),
        seen.faster | seen.slower | seen.improvement | seen.regression,
        seen.slower,
        seen.high < 0,
        seen.neutral,
        ~seen.decided,
    )
    return [*(int((answer & over).sum()) for answer in answers), look * int(over.sum())]


def simulated(file: Path, trials: int, rule: Rule, seed: int, say: Callable[[str], None]) -> list[Simulated]:
    """Every noise with every effect; what ``file`` holds for the same question is not simulated again."""
    kept = _read(file)
    results: list[Simulated] = []
    for name, noise in {**NOISES, **BEYOND}.items():
        for effect in EFFECTS:
            key = f"{name}/{effect:g}/{trials}/{seed}/{rule}/{stated(rule.confidence):g}"
            if key not in kept:
                say(f"simulating {trials} trials: {name}, +{effect:.3g}")
                kept[key] = asdict(simulate(name, noise, effect, trials, rule, seed))
                _write(file, kept)
            results.append(Simulated(**kept[key]))
    return results


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        kept: dict[str, dict[str, Any]] = json.loads(file.read_text())
    except (OSError, ValueError):  # not there yet, or cut off: everything is simulated again
        return {}
    return kept


def _write(file: Path, kept: dict[str, dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(kept, indent=1))
    fresh.replace(file)
