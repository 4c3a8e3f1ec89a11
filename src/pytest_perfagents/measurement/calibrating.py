"""A/A: the baseline of a commit against itself, in a second worktree, by the protocol that judges patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_perfagents.backends.base import Backend
from pytest_perfagents.calibrations import TWIN, Calibration
from pytest_perfagents.config import Config, ProtocolConfig
from pytest_perfagents.judgement import clocks, judge
from pytest_perfagents.judgement.power import noise_floor
from pytest_perfagents.measurement.arena import Lease, Patience, Progress
from pytest_perfagents.measurement.trial import Trial, rule_of
from pytest_perfagents.model import Case, Comparison, Outcome, Role


def calibrate(
    config: Config,
    backend: Backend,
    case: Case,
    patience: Patience,
    *,
    lease: Lease,
    progress: Progress,
    script: str,
) -> Calibration:
    """Measure for the whole budget, whatever the looks say: the figures rest on all starts.

    The verdict is the one that the stopping rule would have given at its look. ``script`` is a digest: the figures
    hold for later results of that commit and script on this machine.
    """
    protocol = replace(config.protocol, sides=(Role.BASELINE, Role.PATCHED))
    trial = Trial(
        replace(config, protocol=protocol), backend, [twin_of(case)], patience, lease, progress, stops_early=False
    )
    [outcome] = trial.run()
    commit = case.run.commit
    known = Calibration(
        commit.arena, commit.name, script, machine_of(outcome.environment), None, outcome.failure,
        environment=outcome.environment, protocol=outcome.protocol,
    )  # fmt: skip
    if outcome.comparison is None:
        return known
    ratios = _ratios(outcome, outcome.comparison)
    return replace(
        known,
        comparison=_as_stopped(outcome, outcome.comparison.clock, protocol),
        noise_floor=noise_floor(ratios, judge.stated(protocol.confidence)),
        detectable=outcome.comparison.detectable,
        starts=outcome.comparison.starts,
    )


def machine_of(environment: Mapping[str, Any]) -> str:
    """The machine's name by the record."""
    state = environment.get("state", {})
    return str(state.get("name") or environment.get("system", ""))


def twin_of(case: Case) -> Case:
    """A run of nobody's without a patch, on the case's commit and script."""
    run = replace(
        case.run, agent=TWIN, model=TWIN, run=TWIN, item=TWIN, alias=TWIN, folder="", has_patch=False, trouble=""
    )
    return replace(case, run=run)


def _ratios(outcome: Outcome, comparison: Comparison) -> list[float]:
    clock = "cpu_s" if comparison.clock == "cpu" else "wall_s"
    return clocks.log_speedups(getattr(outcome.sides["baseline"], clock), getattr(outcome.sides["patched"], clock))


def _as_stopped(outcome: Outcome, clock: str, protocol: ProtocolConfig) -> Comparison:
    """The first look at which both questions are answered, or all the data."""
    rule = rule_of(protocol)
    baseline, patched = outcome.sides["baseline"], outcome.sides["patched"]
    starts = len(baseline.wall_s)
    for look in (*(look for look in protocol.looks if look < starts), starts):
        first = (
            replace(side, wall_s=side.wall_s[:look], cpu_s=side.cpu_s[:look], ready_s=side.ready_s[:look])
            for side in (baseline, patched)
        )
        comparison = judge.compare(*first, clock=clock, rule=rule)
        if judge.is_decided(comparison):
            break
    return comparison
