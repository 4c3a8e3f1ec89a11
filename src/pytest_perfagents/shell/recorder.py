"""The session's outcomes, in the process that reports: the terminal section and ``--perf-json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_perfagents.model import UsageError
from pytest_perfagents.records import Json
from pytest_perfagents.report.json_report import notes_to_json, report_to_json, write_report
from pytest_perfagents.session.naming import named_cases
from pytest_perfagents.session.plan import PLAN, Plan
from pytest_perfagents.session.settings import Settings
from pytest_perfagents.shell.calibrating import calibration_of
from pytest_perfagents.shell.items import PerfItem
from pytest_perfagents.store import load_results, now


class Recorder:
    """Registered where reports arrive: in the only process, or in the controller of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.records: dict[str, Json] = {}
        self.calibrations: list[Json] = []
        self.resumed: set[str] = set()
        self.selected: list[str] = []
        self.began_at = now()

    @property
    def plan(self) -> Plan | None:
        """The session's plan, if it has one."""
        return self.config.stash.get(PLAN, None)

    # What was selected

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without pytest-xdist the items are here."""
        self.selected += [item.case.id for item in session.items if isinstance(item, PerfItem)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """With it they are node ids, the same from every worker."""
        if not self.selected and self.plan is not None:
            self.selected = [self._case_ids[tail] for nodeid in ids if (tail := _tail(nodeid)) in self._case_ids]

    @cached_property
    def _case_ids(self) -> dict[str, str]:
        """The part of a node id after the file, to the case's id."""
        assert self.plan is not None
        try:
            return {f"{commit}::{name}": case.id for commit, name, case in named_cases(self.plan.cases)}
        except UsageError:  # the workers have said so, as collection errors
            return {}

    # What became of it

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the outcome, or the calibration, off the report."""
        calibration = calibration_of(report)
        if calibration is not None:
            self.calibrations.append(calibration)
        payload = getattr(report, "perfagents", None)
        if payload is None:
            return
        told = json.loads(payload)
        record = told["record"]
        self.records[record["id"]] = record
        if told["resumed"]:
            self.resumed.add(record["id"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes ``--perf-json`` with what there is, also after Ctrl-C or ``-x``."""
        if self.config.option.collectonly:
            return
        self._add_unreported()
        if self.config.option.perf_json is not None:
            self._write_report(self.config.invocation_params.dir / Path(self.config.option.perf_json).expanduser())

    def _write_report(self, file: Path) -> None:
        settings = self._settings
        facts: Json = {"run": settings.run, "results": str(settings.folder)} if settings is not None else {}
        if self.plan is not None and self.plan.replayed:
            facts = {"replayed": [str(place) for place in self.plan.replayed]}
        report = report_to_json(self.records.values(), self.selected, **facts, resumed=len(self.resumed))
        if self.calibrations:
            report["calibrations"] = self.calibrations
        if settings is not None and self.plan is not None and self.plan.replayed:
            report["notes"] = notes_to_json(self.plan.recordings.notes)
        try:
            write_report(file, report)
        except OSError as error:
            pytest.exit(f"--perf-json {file}: {error.strerror}", returncode=pytest.ExitCode.USAGE_ERROR)

    @property
    def _settings(self) -> Settings | None:
        """None where there is no configuration, or a wrong one: collection has said so."""
        with suppress(UsageError):
            return self.plan.settings if self.plan is not None else None
        return None

    def _add_unreported(self) -> None:
        """Outcomes of this session that were stored before its end and whose items never reported."""
        missing = set(self.selected) - set(self.records)
        if not missing or self._settings is None:
            return
        with suppress(UsageError):
            for case, record in load_results(self._settings.folder).records.items():
                if case in missing and record.pop("recorded_at", "") >= self.began_at:
                    self.records[case] = record

    @pytest.hookimpl(tryfirst=True)  # pytest-benchmark's may raise
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The sections "perf calibration" and "perf agents"."""
        if self.calibrations and self.config.option.verbose >= -1:
            from pytest_perfagents.report.calibration import render_calibrations
            from pytest_perfagents.report.totals import waited_line

            terminalreporter.section("perf calibration")
            terminalreporter.write(render_calibrations(self.calibrations))
            waited = waited_line(self.calibrations)
            if waited is not None:
                terminalreporter.write_line(waited)
        if not self.records or self.config.option.verbose < -1:
            return
        from pytest_perfagents.report.consoles import Screen
        from pytest_perfagents.report.terminal import render

        writer = self.config.get_terminal_writer()
        encoding = getattr(getattr(writer, "_file", None), "encoding", None) or "utf-8"
        screen = Screen(writer.fullwidth, terminalreporter.hasmarkup, encoding)
        not_run = len(set(self.selected) - set(self.records))
        terminalreporter.section("perf agents")
        terminalreporter.write(
            render(
                list(self.records.values()),
                screen,
                where=self._where(),
                not_run=not_run,
                resumed=len(self.resumed),
            )
        )

    def _where(self) -> str | None:
        if self._settings is None or (self.plan is not None and self.plan.replayed):
            return None
        folder, here = self._settings.folder, self.config.invocation_params.dir
        return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _tail(nodeid: str) -> str:
    return nodeid.partition("::")[2]
