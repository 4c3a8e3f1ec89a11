"""How a workload is measured on this machine: as the protocol would do it with two sides."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

from calibrating.bench import Bench, Seat
from calibrating.workloads import UNITS
from pytest_perfagents.judgement.placing import Place
from pytest_perfagents.measurement import probing, templates, trial
from pytest_perfagents.measurement.arena import Pace, Patience
from pytest_perfagents.measurement.settling import chosen_place
from pytest_perfagents.model import BASELINE

REQUEST_S = 120.0


@dataclass(frozen=True, slots=True)
class Paced:
    """The script, what one start of it does, and the protocol's budget for it. ``templates`` fork dear starts.

    ``place`` is where the protocol lets timed processes run after the first start.
    """

    script: Path
    pace: Pace
    budget_s: float
    startup_s: float
    templates: templates.Templates
    place: Place


def pace_of(bench: Bench, script: Path) -> Paced:
    """What the protocol decides from a look at the baseline; every side gets batches and turns as for two."""
    patience = Patience(REQUEST_S, math.inf, time.monotonic)
    workspace, nursery = bench.workspaces[Seat(UNITS, 0)], templates.Nursery()
    seen = probing.probe(workspace, script, reference=None, patience=patience, seed=0, nursery=nursery)
    protocol = bench.config.protocol
    is_heavy = max(seen.startup_s, seen.call_s) > templates.DEAR_S
    budget_s = protocol.heavy_measure_s if is_heavy else protocol.measure_s
    pace = trial.pace_for(bench.config, {BASELINE: seen, Seat(UNITS, 1).side: seen}, budget_s)
    forks = templates.Templates(seen.shared if protocol.template else ())
    place = replace(chosen_place(protocol), for_one_thread=False)
    return Paced(script, pace, budget_s, seen.startup_s, forks, place)
