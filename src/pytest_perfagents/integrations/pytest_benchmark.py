"""pytest-benchmark: every measured side is a row of its table, its JSON, its saved runs and histograms."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_perfagents.model import Role
from pytest_perfagents.records import Json
from pytest_perfagents.session.naming import run_name

_OLDEST = "4.0"


class Selection:
    """``--benchmark-only`` keeps our items, ``--benchmark-skip`` skips them: each of them is a benchmark."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        """pytest-benchmark knows a benchmark by its fixture names."""
        option = config.option
        if getattr(option, "benchmark_only", False) or getattr(option, "benchmark_skip", False):
            for item in items:
                if hasattr(item, "case"):
                    item.fixturenames = ("benchmark",)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Row:
    """One side's times, in seconds per call. Saved runs are compared by ``fullname`` alone."""

    name: str
    fullname: str
    group: str
    params: Mapping[str, str]
    extra_info: Mapping[str, Any]
    seconds: tuple[float, ...]
    iterations: int
    clock: str


def rows_of(record: Json, compare_by: str) -> Iterator[Row]:
    """A row for each measured side of an outcome.

    Names come from the record, so that a hand-written test about a run has no rows of its own. Baseline and human are
    named after the commit, so that its agents share them; the patched side after the run, or with ``compare_by``
    "commit" after the commit too, so that it is compared with what another agent made of that commit.
    """
    commit = f"{record['repo']}-{record['commit'][:8]}"
    for role, side in record["sides"].items():
        if not side["samples_s"]:
            continue
        is_patched = role == Role.PATCHED
        is_of_run = is_patched and compare_by != "commit"
        run = run_name(*(record[key] for key in ("agent", "model", "run", "item"))) + "::" if is_of_run else ""
        agent = {"agent": record["agent"], "model": record["model"], "alias": record["alias"]}
        yield Row(
            name=f"{record['alias']} {role}" if is_of_run else role,
            fullname=f"{commit}::{run}{role}",
            group=commit,
            params={"repo": record["repo"], "commit": commit, "side": role, **_only(agent, is_patched, role)},
            extra_info=_extra_info(record, role),
            seconds=tuple(side["samples_s"]),
            iterations=side["iterations"],
            clock=side["clock"],
        )


def _only(agent: Mapping[str, str], is_patched: bool, role: str) -> Mapping[str, str]:
    """Every row has every key, or ``--benchmark-group-by=param:agent`` would end the session."""
    return agent if is_patched else dict.fromkeys(agent, role)


def _extra_info(record: Json, role: str) -> Json:
    comparison = record["speedup"] if role == Role.PATCHED else record["human_speedup"] if role == Role.HUMAN else None
    info = {"side": role, "commit": record["commit"], "pre_commit": record["pre_commit"]}
    if comparison is not None:
        info |= {"category": comparison["category"], "speedup": comparison}
    if role == Role.PATCHED:
        info |= {name: record[name] for name in ("id", "agent", "model", "alias", "run", "item", "integrity")}
    return info


class Rows:
    """Registered where reports arrive; hands rows to pytest-benchmark's session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._seen: dict[str, tuple[tuple[float, ...], Any]] = {}
        self._is_broken = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the outcome's sides off the report."""
        payload = getattr(report, "perfagents", None)
        session = getattr(self.config, "_benchmarksession", None)
        if payload is None or session is None or self._is_broken or self._is_switched_off():
            return
        record = json.loads(payload)["record"]
        for row in rows_of(record, self.config.option.perf_compare_by):
            self._add(session, row)

    def _is_switched_off(self) -> bool:
        option = self.config.option
        return bool(option.benchmark_disable and not option.benchmark_enable)

    def _add(self, session: Any, row: Row) -> None:
        """Once: a side that several agents share is one row, the longest (agents are settled at different looks).

        Other times under that name get a number.
        """
        fullname, count = row.fullname, 1
        while fullname in self._seen:
            known, made = self._seen[fullname]
            if known[: len(row.seconds)] == row.seconds:
                return
            if row.seconds[: len(known)] == known:
                made.stats.data[:] = row.seconds
                self._seen[fullname] = row.seconds, made
                return
            count += 1
            fullname = f"{row.fullname}#{count}"
        try:
            made = _metadata(row, fullname)
            session.benchmarks.append(made)
        except (AttributeError, ImportError, TypeError) as error:
            self._is_broken = True
            text = f"this pytest-benchmark takes no rows of ours ({error}); {_OLDEST} and later did"
            warnings.warn(pytest.PytestWarning(f"{text}; outcomes are not affected"), stacklevel=1)
            return
        self._seen[fullname] = row.seconds, made


def _metadata(row: Row, fullname: str) -> Any:
    stats: Any = import_module("pytest_benchmark.stats")

    source = SimpleNamespace(
        name=row.name,
        fullname=fullname,
        group=row.group,
        param=row.params["alias"],
        params=dict(row.params),
        extra_info=dict(row.extra_info),
        has_error=False,
        cprofile=None,
        cprofile_stats=None,
    )
    made = stats.Metadata(source, iterations=row.iterations, options={"timer": f"perfagents {row.clock} clock"})
    made.stats.data.extend(row.seconds)
    return made
