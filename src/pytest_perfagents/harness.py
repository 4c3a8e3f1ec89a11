"""``Evaluator.evaluate(cases)``: an outcome for every agent run of one commit. The only joiner of logic and I/O."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import msgspec

from pytest_perfagents import __version__, diagnosis
from pytest_perfagents.backends.base import Backend
from pytest_perfagents.calibrations import Calibration, latest, load_calibrations
from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.diagnosis import failures
from pytest_perfagents.gitrepo.patches import PatchFailure, read_patch
from pytest_perfagents.measurement.arena import Clock, Lease, Patience, Progress
from pytest_perfagents.measurement.calibrating import calibrate, machine_of
from pytest_perfagents.measurement.trial import Trial
from pytest_perfagents.model import Case, Failure, Outcome, Role
from pytest_perfagents.parsers.prediction import load_patch
from pytest_perfagents.processes.counters import Counter


class Evaluator:
    """Evaluates the selected runs of a commit together. Code under test never raises through it.

    ``lease`` gives a context in which timed rounds have the machine; ``progress`` hears a line now and then;
    ``counter`` counts instructions, after the timing.
    """

    def __init__(
        self,
        config: Config,
        backend: Backend,
        *,
        lease: Lease,
        progress: Progress | None = None,
        clock: Clock = time.monotonic,
        counter: Counter | None = None,
    ) -> None:
        self.config = config
        self.counter = counter
        self.backend = backend
        self.lease = lease
        self.clock = clock
        self.progress = progress or (lambda _line: None)
        self._calibrations = load_calibrations(config.results)

    def evaluate(self, cases: Sequence[Case], deadline: float) -> dict[str, Outcome]:
        """``cases`` are of one commit; ``deadline`` is on the monotonic clock, for all of them together.

        Every case id maps to its outcome. Raises UsageError where the user or the machine is at fault.
        """
        outcomes: dict[str, Outcome] = {}
        ready: list[Case] = []
        for case in cases:
            failure = self.verdict_of_record(case)
            if failure is None:
                ready.append(case)
            else:
                outcomes[case.id] = self._stamp(Outcome(case, None, failure), self.clock())
        size = max(1, self.config.protocol.max_sides - len(set(self.config.protocol.sides) - {Role.PATCHED}))
        limit_s = min(self.config.timeout_s, (deadline - self.clock()) / max(len(cases), 1))
        for i in range(0, len(ready), size):
            began = self.clock()
            together = sorted(ready[i : i + size], key=_recorded_length, reverse=True)
            share = began + (deadline - began) * len(together) / (len(ready) - i)
            for outcome in self._measured(together, Patience(limit_s, share, self.clock)):
                outcomes[outcome.case.id] = self._stamp(outcome, began)
        return outcomes

    def _measured(self, cases: Sequence[Case], patience: Patience) -> list[Outcome]:
        """All together; one by one in fresh trees where somebody among them wrote to a tree that is not its own."""
        trial = Trial(
            self.config,
            self.backend,
            cases,
            patience,
            lease=self.lease,
            progress=self.progress,
            counter=self.counter,
        )
        outcomes = trial.run()
        if trial.disturbance is None or len(cases) == 1:
            return outcomes
        self.progress(f"{trial.disturbance} was written to: every run is measured alone")
        return [outcome for case in cases for outcome in self._measured([case], patience)]

    def calibrate(self, case: Case, deadline: float) -> Calibration:
        """The baseline of the case's commit against itself; ``deadline`` is on the monotonic clock.

        Raises UsageError where the user or the machine is at fault.
        """
        repo = self.config.repos.get(case.run.commit.repo)
        failure = None
        if repo is None:
            failure = failures.unknown_repository(case.run.commit, self.config.file.name)
        elif case.script is None:
            failure = failures.no_script(case.run.commit, self.config.scripts)
        if failure is not None:
            commit = case.run.commit
            return Calibration(commit.arena, commit.name, _script_digest(case), "", None, failure)
        patience = Patience(min(self.config.timeout_s, deadline - self.clock()), deadline, self.clock)
        return calibrate(
            self.config,
            self.backend,
            case,
            patience,
            lease=self.lease,
            progress=self.progress,
            script=_script_digest(case),
        )

    def verdict_of_record(self, case: Case) -> Failure | None:
        """What can be said before anything runs: no patch, a patch that is none, no script, no such repository."""
        failure = diagnosis.agent_failure(case.run, _agent_log(case))
        if failure is not None:
            return failure
        repo = self.config.repos.get(case.run.commit.repo)
        if repo is None:
            return failures.unknown_repository(case.run.commit, self.config.file.name)
        if case.script is None:
            return failures.no_script(case.run.commit, self.config.scripts)
        return _patch_failure(case, repo)

    def _stamp(self, outcome: Outcome, began: float) -> Outcome:
        took_s = self.clock() - began
        known = latest(
            self._calibrations,
            arena=outcome.case.run.commit.arena,
            script=_script_digest(outcome.case),
            machine=machine_of(outcome.environment),
        )
        if known is not None and outcome.comparison is not None:
            outcome = replace(outcome, protocol={**outcome.protocol, "calibration": known})
        started = datetime.fromtimestamp(time.time() - took_s, UTC)
        return replace(
            outcome,
            fingerprint=fingerprint(outcome.case, self.config),
            patch_sha256=_patch_digest(outcome.case),
            started_at=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_s=round(took_s, 3),
        )


def _recorded_length(case: Case) -> int:
    """The case that recorded its revisions in full speaks for its arena."""
    return len(case.run.commit.human) + len(case.run.commit.parent)


def _patch_failure(case: Case, repo: RepoConfig) -> Failure | None:
    try:
        read_patch(load_patch(case.run.patch), repo)
    except PatchFailure as refused:
        if refused.needs_baseline:  # a wrong import_root looks alike, so the baseline is looked at first
            return None
        return refused.failure(Role.PATCHED)
    except OSError as error:
        return failures.unreadable_patch(case.run.patch, error)
    return None


def _agent_log(case: Case) -> str | None:
    """The end of what the agent wrote, where a run without a patch may say why."""
    if case.run.has_patch:
        return None
    texts = []
    folder = Path(case.run.folder)
    for path in [*sorted(folder.glob("trajectory*.json")), *sorted(folder.glob("*_std*.txt"))]:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 64_000))
            texts.append(log.read().decode("utf-8", "replace"))
    return "\n".join(texts) or None


def fingerprint(case: Case, config: Config) -> str:
    """Changes when the patch, the script, the commits, the environment's settings, the protocol or the harness does."""
    repo = config.repos.get(case.run.commit.repo)
    parts = {
        "case": case.id,
        "commit": case.run.commit.arena,
        "patch": _patch_digest(case),
        "script": _script_digest(case),
        "repo": {k: str(v) for k, v in asdict(repo).items()} if repo else None,
        "protocol": {k: str(v) for k, v in asdict(config.protocol).items()},
        "timeout_s": config.timeout_s,
        "harness": __version__,
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


@lru_cache(maxsize=4096)
def _digest_of(path: Path, size: int, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _patch_digest(case: Case) -> str:
    return _digest(case.run.patch) if case.run.has_patch else ""


def _script_digest(case: Case) -> str:
    return _digest(case.script) if case.script else ""


def _digest(path: Path) -> str:
    try:
        status = path.stat()
        return _digest_of(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return "unreadable"
