"""An outcome in pytest's words: passed, skipped, xfailed or failed, the category first in every reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from pytest_perfagents.figures import times
from pytest_perfagents.jsontext import json_text
from pytest_perfagents.records import Json, without_samples
from pytest_perfagents.report.cells import printable

PAYLOAD = pytest.StashKey[str]()
"""The outcome as JSON text, on its way to the next report of the item."""

_LETTERS = {
    "SUCCESS_IMPROVEMENT": ("+", {"green": True}),
    "SUCCESS_REGRESSION": ("-", {"yellow": True}),
    "SUCCESS_NEUTRAL": (".", {"green": True}),
    "SUCCESS_INCONCLUSIVE": ("?", {"yellow": True}),
}


class NotMeasured(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """Nothing was measured; `shape_report` makes a skip or an xfail of it, whatever ``--runxfail`` says."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__(reason_line(record))
        self.record = record


class Gated(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """What fails: a bug of ours, or what the user asked to fail."""

    def __init__(self, record: Mapping[str, Any], gates: Sequence[str] = ()) -> None:
        super().__init__(failure_text(record, gates), pytrace=False)
        self.record = record
        self.gates = tuple(gates)


def reason_line(record: Mapping[str, Any], gates: Sequence[str] = ()) -> str:
    """``TEST_IMPORT_ERROR: baseline needs module 'decord' (pip install decord)``; ``gates`` stand by the category."""
    hint = f" ({record['hint']})" if record["hint"] else ""
    gated = f" (--perf-fail-on {','.join(gates)})" if gates else ""
    return printable(" ".join(f"{record['category']}{gated}: {record['reason']}{hint}".split()))


def attach(item: pytest.Item, record: Json, *, resumed: bool) -> None:
    """Put the record on the item's next report, and a short form into its properties, for junit XML."""
    item.stash[PAYLOAD] = json_text({"record": record, "resumed": resumed})
    speedup = record["speedup"]
    item.user_properties[:] = [(name, value) for name, value in item.user_properties if name not in _PROPERTIES]
    item.user_properties += [
        ("perfagents", json_text(without_samples(record))),
        ("perfagents_category", record["category"]),
        ("perfagents_speedup", f"{speedup['point']:.4g}" if speedup else ""),
    ]


_PROPERTIES = ("perfagents", "perfagents_category", "perfagents_speedup")


def raise_for(record: Mapping[str, Any], gates: Sequence[str] = ()) -> None:
    """Nothing for what passes; otherwise the skip, xfail or failure that pytest is to show.

    ``gates`` are those of ``--perf-fail-on`` that fail it.
    """
    word = record["pytest_outcome"]
    if word == "failed":
        raise Gated(record, gates)
    if word != "passed":
        raise NotMeasured(record)


def failure_text(record: Mapping[str, Any], gates: Sequence[str] = ()) -> str:
    """What pytest prints of a failed item: much of it the words of measured code and of agents."""
    lines = [f"{record['category']}: {record['reason']}"]
    where = [f"{name}: {record[name]}" for name in ("stage", "side", "blame") if record[name]]
    lines += [f"failed by --perf-fail-on {','.join(gates)}"] if gates else []
    lines.append(", ".join(where))
    lines += [f"flag: {flag}" for flag in record["integrity"]["flags"]]
    if record["hint"]:
        lines.append(f"hint: {record['hint']}")
    for name, value in record["evidence"].items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return printable("\n".join(lines).expandtabs(4))


def shape_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Make a recorded non-measurement a skip or an xfail, and hang the outcome on the report as text."""
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, NotMeasured):
        report.outcome = "skipped"
        reason = reason_line(error.record)
        if error.record["pytest_outcome"] == "xfailed":
            report.wasxfail = reason
            report.longrepr = failure_text(error.record)
        else:
            report.longrepr = (str(item.path), None, reason)  # type: ignore[assignment]
    elif isinstance(error, Gated):
        report.longrepr = _repr_of(item, error)
    payload = item.stash.get(PAYLOAD, None)
    if payload is not None:
        report.perfagents = payload  # type: ignore[attr-defined]  # plain text: it travels from workers of pytest-xdist as it is
        del item.stash[PAYLOAD]


def _repr_of(item: pytest.Item, error: Gated) -> ReprExceptionInfo:
    """The text, in the form whose first line pytest repeats in its short summary, also through pytest-xdist."""
    text = ReprTraceback([ReprEntryNative([failure_text(error.record, error.gates) + "\n"])], None, style="native")
    where = ReprFileLocation(str(item.path), 0, reason_line(error.record, error.gates))
    return ReprExceptionInfo(reprtraceback=text, reprcrash=where)


def status_of(report: pytest.TestReport) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
    """pytest's own categories stay, so that ``-r`` works; what was measured gets its own letter and word."""
    payload = getattr(report, "perfagents", None)
    if payload is None or report.outcome != "passed" or report.when != "call":
        return None
    record = json.loads(payload)["record"]
    if record["speedup"] is None:
        return None
    letter, markup = _LETTERS.get(record["category"], (".", {}))
    word = record["category"].removeprefix("SUCCESS_")
    return "passed", letter, (f"{word} {times(record['speedup']['point'])}", markup)
