"""The run's patch, read where the run has it, and whether it still is what was evaluated."""

from __future__ import annotations

import hashlib

from pytest_perfagents.gitrepo.patches import MAX_BYTES
from pytest_perfagents.model import Outcome
from pytest_perfagents.parsers.prediction import patch_in
from pytest_perfagents.report.explanation.types import PatchText

_SHOWN_DIGITS = 12


def read_patch_text(outcome: Outcome) -> PatchText:
    """Never raises: a file that is gone, too large or unreadable is told in ``state``."""
    run = outcome.case.run
    if not run.has_patch:
        return PatchText(None, "the agent left none")
    try:
        size = run.patch.stat().st_size
        content = run.patch.read_bytes() if size <= MAX_BYTES else None
    except FileNotFoundError:
        return _missing(outcome)
    except OSError as error:
        return PatchText(run.patch, f"cannot be read: {error.strerror}", is_doubtful=True)
    if content is None:
        return PatchText(run.patch, f"{size / 1e6:.0f} MB large: look at it with a pager", is_doubtful=True)
    patch = patch_in(content) if run.patch.suffix == ".jsonl" else content
    state, is_doubtful = _state(outcome, hashlib.sha256(content).hexdigest())
    return PatchText(run.patch, state, patch.decode("utf-8", "backslashreplace"), is_doubtful)


def _missing(outcome: Outcome) -> PatchText:
    if outcome.protocol.get("recorded"):
        return PatchText(None, "not beside the record; it lies with the agent's run")
    known = outcome.patch_sha256[:_SHOWN_DIGITS]
    state = "the file is gone since it was evaluated" + (f"; its sha256 began {known}" if known else "")
    return PatchText(outcome.case.run.patch, state, is_doubtful=True)


def _state(outcome: Outcome, digest: str) -> tuple[str, bool]:
    """What is known of the text, and whether it is known to be another one."""
    if not outcome.patch_sha256:
        return "as it is now; the record does not say which text was evaluated", False
    if outcome.patch_sha256 == digest:
        return f"as evaluated, sha256 {digest[:_SHOWN_DIGITS]}", False
    known = outcome.patch_sha256[:_SHOWN_DIGITS]
    return f"CHANGED since it was evaluated: sha256 was {known}, is {digest[:_SHOWN_DIGITS]}", True
