"""Are the results of the timed processes those of the baseline?"""

from __future__ import annotations

from pytest_perfagents.measurement.arena import Arena, Live, Unequal, in_play, request
from pytest_perfagents.model import BASELINE, Side


def check_timed_results(arena: Arena, live: dict[Side, Live]) -> None:
    """Compare what the timed processes computed: the baseline stores, the others check."""
    if BASELINE in arena.lost:
        return
    reference = str(arena.workspaces[BASELINE].scratch / "timed_reference")
    stored = request(arena, BASELINE, live[BASELINE], "store", path=reference)
    if stored is None or not stored.value.get("stored", True):
        return
    for side, each in in_play(arena, live):
        if side == BASELINE:
            continue
        reply = request(arena, side, each, "check", path=reference)
        if reply is not None and reply.value.get("equal") is False:
            arena.lost[side] = Unequal(str(reply.value.get("message") or "the results differ"))
