"""The section "perf calibration": what each commit's measurement can see on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_perfagents.figures import in_words, share
from pytest_perfagents.report.cells import printable


def headline(record: Mapping[str, Any]) -> str:
    """One line: what identical code was called."""
    speedup = record["speedup"]
    if speedup is None:
        return f"{record['name']}: the baseline against itself is {record['category']}: {record['reason']}"
    high = float("inf") if speedup["high"] is None else speedup["high"]
    return (
        f"{record['name']}: the baseline against itself was called {record['accusation']}, "
        f"{in_words(speedup['point'], speedup['low'], high)} after {speedup['starts']} starts"
    )


def why_accused(record: Mapping[str, Any]) -> list[str]:
    """Likely reasons, the machine's own first: until they are mended no verdict on this commit can be trusted."""
    found = [_sentence(each) for each in record["environment"].get("state", {}).get("findings", ())]
    if record["category"] is not None:
        return [*found, "the script's result or its trouble differs from run to run: seed what is random in it"]
    return [
        *found,
        "another session or job may have begun or ended meanwhile: measure again on a quiet machine",
        "the script may do work that depends on the process (paths, addresses, time): fix what differs",
        "no verdict on this commit can be trusted on this machine until the comparison is neutral",
    ]


def render_calibrations(records: Sequence[Mapping[str, Any]]) -> str:
    """A line for each commit, by name, then what is wrong, and what the figures rest on."""
    ordered = sorted(records, key=lambda record: str(record["name"]))
    lines = [_line(record, max(len(str(each["name"])) for each in ordered)) for record in ordered]
    accused = [record for record in ordered if record["accusation"]]
    if accused:
        lines += ["", f"{len(accused)} of {len(ordered)} called identical code changed: do not trust verdicts on them"]
    if any(record["speedup"] is not None for record in ordered):
        lines += ["", "each is one draw: its figures vary; repeat --perf-calibrate to see how far"]
    return printable("\n".join(lines) + "\n")


def _line(record: Mapping[str, Any], width: int) -> str:
    name = f"{record['name']:{width}}"
    if record["speedup"] is None:
        return f"{name}  not measured: {record['category']}: {record['reason']}"
    called = record["accusation"] or record["speedup"]["category"].removeprefix("SUCCESS_").lower()
    return (
        f"{name}  noise floor {share(record['noise_floor'])}, detects {share(record['detectable'])} "
        f"in {record['starts']} starts ({record['protocol'].get('budget_s', 0):.0f} s, "
        f"{record['speedup']['clock']} clock), called {called}"
    )


def machine_lines(states: Iterable[Mapping[str, Any]]) -> list[str]:
    """What disturbs measuring on the machines that the records name, each thing once."""
    seen: dict[str, str] = {}
    for state in states:
        for each in state.get("findings", ()):
            seen.setdefault(str(each["name"]), _sentence(each))
    return [f"machine: {sentence}" for sentence in seen.values()]


def _sentence(found: Mapping[str, Any]) -> str:
    return f"{found['what']}: {found['why']} ({found['remedy']})"
