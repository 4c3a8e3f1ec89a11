"""One look at each side before any timing: does it import, is it the workspace's code, is its result right?

A probe is cheap beside a measurement and most runs end here, so everything that can fail is tried once, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_perfagents.backends.base import Reply, Worker, WorkerEnded, Workspace
from pytest_perfagents.judgement.schedule import LONGEST_SETUP
from pytest_perfagents.measurement.arena import Patience, Trouble, error_in
from pytest_perfagents.measurement.evidence import Evidence, Verdict, Witness
from pytest_perfagents.measurement.finishing import Finish
from pytest_perfagents.measurement.templates import DEAR_S, Nursery
from pytest_perfagents.model import Stage

if TYPE_CHECKING:
    from pytest_perfagents.measurement.keeping import ProgramResults

PROBE_HASH_SEED = 1
LONG_CALL_S = 5.0
SHORT_CALL_S = 0.02
"""Calls that take less are looked at once more, several at a time: the first ones are slower than all that follow."""
DRIVEN_STYLES = ("driven", "benchmark")


@dataclass(frozen=True, slots=True)
class Probe:
    """What one side showed in one process. Seconds; ``call_s`` is of a call after the first, ``first_setup_s`` of the
    set-up before it and ``setup_s`` of a later one, if there was one.

    ``equal`` and ``message`` are what the script's check said inside the process. ``evidence`` is of the last of
    ``calls`` calls, ``first`` of the first where there are more; ``is_steady``: both are the same. ``shared`` are the
    modules from outside the workspace that a baseline with a dear start-up has loaded. ``is_forked``: it was a fork.
    ``settings`` are the environment variables that the import set; ``results`` are those of a baseline in script mode.
    ``finish``: how a program came to its end.
    """

    style: str
    startup_s: float = 0.0
    first_s: float = 0.0
    call_s: float = 0.0
    first_setup_s: float = 0.0
    setup_s: float = 0.0
    modules: Mapping[str, str | None] | None = None
    targets: Mapping[str, Mapping[str, Any]] | None = None
    equal: bool | None = None
    message: str = ""
    confined: bool | None = None
    first_cpu_s: float = 0.0
    evidence: Evidence = field(default_factory=Evidence)
    calls: int = 1
    first: Evidence | None = None
    shared: tuple[str, ...] = ()
    is_forked: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    results: ProgramResults | None = None
    finish: Finish | None = None

    @property
    def is_steady(self) -> bool | None:
        """Whether the last call gave what the first one gave; None where there was one call."""
        if self.first is None:
            return None
        return self.first.returned is not None and self.first.returned == self.evidence.returned


@dataclass(slots=True)
class _Conversation:
    """A worker that is asked things in turn; a refusal or a death becomes Trouble."""

    worker: Worker
    patience: Patience

    def ask(self, op: str, stage: Stage, **arguments: Any) -> Reply:
        try:
            reply = self.worker.request(op, self.patience.left_s, **arguments)
        except WorkerEnded as end:
            raise Trouble(stage, execution=end.execution) from None
        error = error_in(reply)
        if error is not None:
            raise Trouble(stage, error=error, execution=self.worker.close())
        return reply


def probe(
    workspace: Workspace,
    script: Path,
    *,
    reference: Probe | None,
    patience: Patience,
    seed: int,
    nursery: Nursery,
) -> Probe:
    """Load the script, call its experiment, look at its result, let the script check it, see what was loaded.

    The baseline has no ``reference`` but itself: a check that refuses its own result proves nothing about others, so
    ``equal`` is False there and nobody is accused. A script that is no driven one is only recognised. ``seed`` is for
    samples of large arrays. Raises Trouble.
    """
    began = patience.clock()
    worker = _start(workspace, nursery, patience)
    try:
        ask = _Conversation(worker, patience).ask
        loaded = ask("load", Stage.IMPORT, script=str(script)).value
        startup_s = patience.clock() - began
        if loaded["style"] not in DRIVEN_STYLES:
            return Probe(loaded["style"], startup_s, confined=worker.hello.get("confined"))
        first = ask("turn", Stage.RUN, iterations=1, setups=1).value
        witness = Witness(worker, patience, workspace.scratch, seed)
        later, calls, of_first = first, 1, None
        if reference.calls > 1 if reference is not None else first["wall_ns"] / 1e9 < LONG_CALL_S:
            of_first = witness.show(store=False)
            later, calls = ask("turn", Stage.RUN, iterations=1, setups=0).value, 2
        evidence = witness.show(store=True)
        if of_first is not None and of_first.returned == evidence.returned:
            of_first = replace(of_first, returned=evidence.returned)  # the same bytes are kept once
        stored = (reference.evidence if reference is not None else evidence).stored
        verdict = witness.check(stored) if stored else Verdict(None, "there is no stored result of the baseline")
        usual = _usual(ask, first, later) if calls > 1 else first
        is_asked = reference is None and startup_s > DEAR_S
        shared = ask("shared", Stage.CHECK).value.get("modules") or () if is_asked else ()
        seen = ask("modules", Stage.CHECK).value
    except WorkerEnded as end:
        raise Trouble(Stage.VERIFY, execution=end.execution) from None
    finally:
        worker.close()
    return Probe(
        loaded["style"],
        startup_s,
        first["wall_ns"] / 1e9,
        min(usual["wall_ns"], later["wall_ns"]) / 1e9,
        first["setup_ns"] / 1e9,
        usual["setup_ns"] / 1e9,
        seen["modules"],
        seen["targets"],
        verdict.equal,
        verdict.message,
        worker.hello.get("confined"),
        first["cpu_ns"] / 1e9,
        evidence,
        calls,
        of_first,
        tuple(shared),
        nursery.has(PROBE_HASH_SEED),
        tuple((str(name), str(value)) for name, value in loaded.get("settings") or ()),
    )


def _usual(ask: Callable[..., Reply], first: Mapping[str, Any], later: Mapping[str, Any]) -> Mapping[str, int]:
    """Nanoseconds of a warm call and of a warm set-up.

    A long call is taken as the ``later`` one was, and a dear set-up, which may not bear to be done twice, as the first.
    """
    if later["wall_ns"] >= SHORT_CALL_S * 1e9:
        return {"wall_ns": later["wall_ns"], "setup_ns": first["setup_ns"]}
    calls = max(1, int(SHORT_CALL_S * 1e9 / max(later["wall_ns"], 1000)) // 2)
    is_dear = first["setup_ns"] >= LONGEST_SETUP * SHORT_CALL_S * 1e9
    block = ask("turn", Stage.RUN, iterations=calls, setups=int(not is_dear)).value
    return {"wall_ns": block["wall_ns"] // calls, "setup_ns": first["setup_ns"] if is_dear else block["setup_ns"]}


def trace(
    workspace: Workspace, script: Path, added: Mapping[str, Sequence[int]], patience: Patience, nursery: Nursery
) -> Mapping[str, Mapping[str, list[int]]]:
    """Which ``added`` lines hold code (``executable``), and ran at ``import``, in ``setup``, in the ``call``.

    In a process of its own, since tracing slows code down; a timeout here says nothing about the patch. Raises Trouble.
    """
    worker = _start(workspace, nursery, patience)
    try:
        ask = _Conversation(worker, patience).ask
        ask("trace", Stage.CHECK, files={path: list(lines) for path, lines in added.items()})
        ask("load", Stage.CHECK, script=str(script))
        ask("turn", Stage.CHECK, iterations=1, setups=1)
        return ask("traced", Stage.CHECK).value
    finally:
        worker.close()


def _start(workspace: Workspace, nursery: Nursery, patience: Patience) -> Worker:
    try:
        return nursery.start(workspace, PROBE_HASH_SEED, patience.left_s)
    except WorkerEnded as end:
        raise Trouble(Stage.IMPORT, execution=end.execution) from None
