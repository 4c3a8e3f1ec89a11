"""What a measured side has proven of itself, from all that its tracks and the baseline's show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_perfagents.judgement import clocks
from pytest_perfagents.judgement.honesty import claims, gpu, integrity, memory, repeating, replaced, shifts
from pytest_perfagents.judgement.stats import top_trimmed_mean
from pytest_perfagents.measurement.arena import Arena, Track
from pytest_perfagents.measurement.probing import Probe
from pytest_perfagents.model import BASELINE, Integrity, Side


@dataclass(frozen=True, slots=True)
class Turns:
    """What a turn was: its calls, how often it set up (0: that is not known), and the clock of the verdict."""

    calls: int
    setups: int
    clock: str


def prove(
    arena: Arena,
    side: Side,
    record: Integrity,
    flags: Sequence[str],
    turns: Turns,
    probes: Mapping[Side, Probe],
) -> tuple[Integrity, str | None]:
    """``record`` of admission with what measuring showed, ``flags`` first; and one line where the side's time is not
    what it says.
    """
    mine, base = arena.tracks[side], arena.tracks[BASELINE]
    doubt, costs = _doubt(arena, side), (_costs(base, turns), _costs(mine, turns))
    miscounted = _miscounted(arena, side)
    noticed = (
        integrity.first_call_flag(_calls(base), _calls(mine)),
        shifts.process_flag(_first_calls(base, probes[BASELINE]), _first_calls(mine, probes[side])),
        *shifts.shift_flags(*costs),
        doubt.says if doubt and not doubt.is_tampering else None,
        *_beside_the_calls(base, mine, side, turns),
    )
    proven = replace(
        record,
        clock_ratio=_clocks(mine).ratio,
        first_call_speedup=integrity.first_call_speedup(_calls(base), _calls(mine)),
        flags=(*flags, *(flag for flag in noticed if flag)),
    )
    tampering = (
        replaced.tampering(base.intact, mine.intact)
        or miscounted
        or (doubt.says if doubt and doubt.is_tampering else None)
        or integrity.tampering(_clocks(base), _clocks(mine))
        or shifts.hidden_work(*costs)
        or gpu.tampering(_gpu_turns(base), _gpu_turns(mine))
    )
    return proven, tampering


def _beside_the_calls(base: Track, mine: Track, side: Side, turns: Turns) -> Iterator[str | None]:
    """Clocks that disagree, helpers, what was replaced, the GPU, memory."""
    starts = min(len(base.wall_s), len(mine.wall_s))
    pair = base.samples(BASELINE, turns.calls, starts), mine.samples(side, turns.calls, starts)
    if turns.clock == "cpu":
        yield clocks.disagreement(*pair, clocks.FLAGGED, clocks.LEAST_FLAGGED)
    if starts:
        yield clocks.standing_out(*(each.cpu_s if turns.clock == "cpu" else each.wall_s for each in pair))
    yield from shifts.helper_flags(_beside(base), _beside(mine))
    yield shifts.outliving_flag(base.left_behind, mine.left_behind)
    yield from replaced.flags(base.intact, mine.intact)
    yield "it uses a GPU and the baseline does not" if mine.uses_gpu and not base.uses_gpu else None
    yield "it uses no GPU and the baseline does" if base.uses_gpu and not mine.uses_gpu else None
    yield gpu.side_stream_flag(_gpu_turns(base), _gpu_turns(mine))
    for what, before, after in (
        ("memory", base.peak_bytes, mine.peak_bytes),
        ("GPU memory", base.gpu_peak_bytes, mine.gpu_peak_bytes),
    ):
        yield memory.memory_flag(what, memory.usual_bytes(before), memory.usual_bytes(after))


def _clocks(track: Track) -> integrity.Clocks:
    return integrity.Clocks(track.gaps_s, _hidden_cpu_s(track), track.inside_s, track.outside_s)


def _hidden_cpu_s(track: Track) -> list[float]:
    """Of the process itself beside its turns, and of its children between them."""
    return [own + helpers for own, helpers in zip(track.hidden_cpu_s, track.helpers_cpu_s, strict=False)]


def _costs(track: Track, turns: Turns) -> shifts.Costs:
    by_cpu = turns.clock == "cpu"
    calls_s = [top_trimmed_mean(start) for start in (track.cpu_s if by_cpu else track.wall_s) if start]
    hidden_cpu_s = _hidden_cpu_s(track)
    if by_cpu:  # on the wall, a child that is waited for takes its time
        hidden_cpu_s = [own + reaped for own, reaped in zip(hidden_cpu_s, track.reaped_cpu_s, strict=False)]
    return shifts.Costs(
        track.import_s,
        track.setup_s,
        track.turn_setup_s,
        calls_s,
        [call_s * turns.calls for call_s in calls_s],
        hidden_cpu_s,
        track.turn_gap_s if turns.clock == "wall" else (),
        track.libraries,
        turns.setups,
    )


def _beside(track: Track) -> shifts.Beside:
    return shifts.Beside(track.threads, track.processes)


def _first_calls(track: Track, probe: Probe) -> shifts.FirstCalls:
    if track.processes_took:  # a program's calls are not seen one by one
        return shifts.FirstCalls(
            probe.first_cpu_s, [run.by(cpu=True)[0] for run in track.processes_took], what="its calls"
        )
    return shifts.FirstCalls(probe.first_cpu_s, track.first_call_s, probe.is_forked)


def _doubt(arena: Arena, side: Side) -> claims.Doubt | None:
    """Script mode: what the process saves of what the script's clock claims."""
    mine, base = arena.tracks[side], arena.tracks[BASELINE]
    text = arena.script.read_text(encoding="utf-8", errors="replace")
    if not mine.processes_took or claims.repeats_by_clock(text):
        return None
    return claims.doubt(base.processes_took, mine.processes_took, mine.dearer_imports_s)


def _miscounted(arena: Arena, side: Side) -> str | None:
    """Script mode: another number of calls than the baseline's, where the script does not choose it by the clock."""
    mine, base = arena.tracks[side], arena.tracks[BASELINE]
    text = arena.script.read_text(encoding="utf-8", errors="replace")
    if not mine.processes_took or claims.repeats_by_clock(text) or repeating.counts_by_clock(text):
        return None
    return claims.miscounted(base.processes_took, mine.processes_took)


def _gpu_turns(track: Track) -> gpu.GpuTurns:
    device_s, stream_s, wall_s = zip(*track.gpu_turns, strict=True) if track.gpu_turns else ((), (), ())
    return gpu.GpuTurns(device_s, stream_s, wall_s)


def _calls(track: Track) -> integrity.Calls:
    return integrity.Calls(track.first_call_s, [top_trimmed_mean(turns) for turns in track.cpu_s])
