"""What a session's outcomes come to: how many of which verdict, how many of those are flagged, how long it waited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_perfagents.gates import doubts

LEAST_WAIT_S = 1.0


def is_flagged(record: Mapping[str, Any]) -> bool:
    """Whether it was measured and something about it is a reason to look at it (`gates.doubts`)."""
    return bool(record["speedup"]) and bool(doubts(record["integrity"]["flags"], record["protocol"]))


def totals_line(records: Sequence[Mapping[str, Any]], *, not_run: int = 0, resumed: int = 0) -> str:
    """``5 runs: 4 measured (3 improvement (1 flagged), 1 neutral), 1 skipped, 2 not run``."""
    measured = [record for record in records if record["speedup"]]
    verdicts = Counter(_verdict(record) for record in measured)
    flagged = Counter(_verdict(record) for record in measured if is_flagged(record))
    told = f"{len(measured)} measured"
    if verdicts:
        told += f" ({', '.join(_counted(word, verdicts, flagged) for word in sorted(verdicts))})"
    shown = Counter(str(record["pytest_outcome"]) for record in records)
    rest = [f"{shown[word]} {word}" for word in ("failed", "xfailed", "skipped") if shown[word]]
    extra = [f"{not_run} not run"] if not_run else []
    extra += [f"{resumed} kept from before"] if resumed else []
    return f"{runs_of(len(records))}: " + ", ".join([told, *rest, *extra])


def waited_line(records: Iterable[Mapping[str, Any]]) -> str | None:
    """What measuring stood still for others on the machine, of outcomes or calibrations; None for a second or less.

    The runs that were measured together have one wait; ``measured_s`` tells the groups of a commit apart.
    """
    waits = {}
    for record in records:
        protocol = record["protocol"]
        if protocol.get("waited_s"):
            arena = record.get("arena") or (record["repo"], record["commit"], record["pre_commit"])
            waits[arena, protocol["waited_s"], protocol.get("measured_s")] = float(protocol["waited_s"])
    waited_s = sum(waits.values())
    if waited_s <= LEAST_WAIT_S:
        return None
    return f"waited {waited_s:.0f} s for other measurements on this machine, which no budget counts"


def runs_of(count: int) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} run{'' if count == 1 else 's'}"


def _verdict(record: Mapping[str, Any]) -> str:
    return str(record["category"]).removeprefix("SUCCESS_").lower()


def _counted(word: str, verdicts: Mapping[str, int], flagged: Mapping[str, int]) -> str:
    doubtful = f" ({flagged[word]} flagged)" if flagged[word] else ""
    return f"{verdicts[word]} {word}{doubtful}"
