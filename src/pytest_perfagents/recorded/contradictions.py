"""What a recorded evaluation says against itself: each a text that ends in what counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_perfagents.parsers.script_output import is_no_time
from pytest_perfagents.recorded.comparing import recorded_ratio
from pytest_perfagents.recorded.records import Half

_TOLERANCE = 0.01
_SHOWN_CHARACTERS = 60


def against_itself(
    result: Mapping[str, Any], status: str, sides: Mapping[str, Half], speedup: float | None
) -> list[str]:
    """All contradictions of a result; ``sides`` are its ``baseline`` and ``patched``."""
    baseline, patched = sides["baseline"], sides["patched"]
    found = [text for name, half in sides.items() for text in _of_side(result, name, half)]
    ratio = recorded_ratio(baseline, patched)
    found += _against_ratio(ratio.point if ratio else None, speedup)
    return found + _against_status(status, baseline, patched) + _across_devices(baseline, patched)


def _of_side(result: Mapping[str, Any], name: str, half: Half) -> list[str]:
    """What is no time, and a side's time that is not what its own script printed."""
    stated = {f"{name}_ms": result.get(f"{name}_ms")}
    odd = {key: value for key, value in stated.items() if value is not None and is_no_time(value)}
    if half.report is not None:
        odd |= {f"{key} of {name}_output": value for key, value in half.report.no_times.items()}
    found = [f"{key} is {repr(value)[:_SHOWN_CHARACTERS]}, which is no time: passed over" for key, value in odd.items()]
    said, printed = half.ms, half.report.seconds if half.report else None
    if said is not None and printed is not None and not _is_near(said, 1000 * printed):
        found.append(f"{name}_ms is {said:.6g}, and {name}_output says {1000 * printed:.6g} ms: the output counts")
    return found


def _against_ratio(ratio: float | None, speedup: float | None) -> list[str]:
    if ratio is None or speedup is None or _is_near(speedup, ratio):
        return []
    return [f"its speedup is {speedup:.4g}, and its times make {ratio:.4g}: the times count"]


def _against_status(status: str, baseline: Half, patched: Half) -> list[str]:
    """A status that the rest of the record does not bear out."""
    if status == "success" and baseline.seconds is None:
        return ["its status is success, and there is no time of the baseline: what the baseline says counts"]
    if status == "success" and patched.seconds is None:
        return ["its status is success, and there is no time of the patched side: what that side says counts"]
    if (
        status not in ("", "success", "baseline_failed")
        and baseline.seconds is not None
        and patched.seconds is not None
    ):
        return [f"its status is {status}, and both sides have a time: the times count, unless the results differ"]
    if status == "baseline_failed" and baseline.seconds is not None:
        return ["its status is baseline_failed, and the baseline has a time: the time counts"]
    return []


def _across_devices(baseline: Half, patched: Half) -> list[str]:
    """Sides that ran on different kinds of devices: their times compare the devices, too."""
    one, other = (half.device for half in (baseline, patched))
    if not one or not other or one.partition(":")[0] == other.partition(":")[0]:
        return []
    return [f"the baseline ran on {one}, the patched side on {other}: the speedup is that of the device, too"]


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))
