"""What a measured side has proven of itself, from all that its tracks and the baseline's show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pytest_perfagents.judgement import integrity
from pytest_perfagents.measurement.arena import Arena, Track
from pytest_perfagents.model import BASELINE, Integrity, Side


def tampering(arena: Arena, side: Side) -> str | None:
    """One line where the side's time is not what it says."""
    return integrity.tampering(_clocks(arena.tracks[BASELINE]), _clocks(arena.tracks[side]))


def proof(arena: Arena, side: Side, record: Integrity, flags: Sequence[str]) -> Integrity:
    """``record`` of admission, with what measuring showed; ``flags`` come first."""
    mine, base = arena.tracks[side], arena.tracks[BASELINE]
    noticed = (
        integrity.first_call_flag(_calls(base), _calls(mine)),
        integrity.shift_flag("import", base.import_s, mine.import_s),
        integrity.shift_flag("setup", base.setup_s, mine.setup_s),
        "it uses a GPU and the baseline does not" if mine.uses_gpu and not base.uses_gpu else None,
    )
    return replace(
        record,
        clock_ratio=_clocks(mine).ratio,
        first_call_speedup=integrity.first_call_speedup(_calls(base), _calls(mine)),
        flags=(*flags, *(flag for flag in noticed if flag)),
    )


def _clocks(track: Track) -> integrity.Clocks:
    return integrity.Clocks(track.gaps_s, track.hidden_cpu_s, track.inside_s, track.outside_s)


def _calls(track: Track) -> integrity.Calls:
    return integrity.Calls(track.first_call_s, [median(turns) for turns in track.cpu_s])
