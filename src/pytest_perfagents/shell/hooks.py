"""The hooks of a session that has a configuration; ``plugin.py`` registers them where there is one."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import pytest

from pytest_perfagents.model import Case, UsageError
from pytest_perfagents.report.cells import printable
from pytest_perfagents.session.options import is_selecting, is_wanted
from pytest_perfagents.session.plan import Plan
from pytest_perfagents.shell import calibrating
from pytest_perfagents.shell.evaluating import EVALUATION, Evaluation
from pytest_perfagents.shell.fixtures import parametrize
from pytest_perfagents.shell.items import PerfFile, PerfItem
from pytest_perfagents.shell.verdicts import shape_report, status_of

SHOWN_NOTES = 3


class Shell:
    """pytest's side of a `Plan`: collection, reports, and the end of what was made."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """What was typed is checked before anything starts: exit status 4 with what there is instead."""
        option = session.config.option
        try:
            if is_wanted(session.config) or option.perf_fail_on or option.perf_resume or option.perf_run:
                _ = self.plan.settings
            if is_selecting(session.config) or self.plan.replayed:
                _ = self.plan.cases
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Where runs come from and results go, if the command line asks for runs."""
        if not is_wanted(config):
            return None
        settings = self.plan.settings
        resumed = f", resuming {settings.resumed}" if settings.resumed else ""
        if self.plan.replayed:
            return f"perfagents: replaying {', '.join(_shown(config, place) for place in self.plan.replayed)}"
        file, folder = _shown(config, self.plan.file), _shown(config, settings.folder)
        return f"perfagents: {file}, results {folder}{resumed}"

    # Collection

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> PerfFile | None:
        """The configuration; outside of the rootdir its node id is its name alone."""
        if file_path in self.plan.replayed:
            return self._replayed(file_path, parent)
        if not self.plan.is_file(file_path):
            return None
        if file_path.is_relative_to(parent.config.rootpath):
            return PerfFile.from_parent(parent, path=file_path)
        return PerfFile.from_parent(parent, path=file_path, nodeid=file_path.name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> PerfFile | None:
        """A folder of recorded evaluations. No ``pytest.Directory``: pytest would run a conftest.py in it."""
        return self._replayed(path, parent) if path in self.plan.replayed else None

    def _replayed(self, place: Path, parent: pytest.Collector) -> PerfFile:
        return PerfFile.from_parent(parent, path=place, nodeid=_shown(parent.config, place))

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Worktrees, results and agents' files hold tests that are not the user's."""
        if collection_path.is_relative_to(self.plan.file.parent) and collection_path in self._foreign_folders():
            return True
        return None

    def _foreign_folders(self) -> frozenset[Path]:
        try:
            config = self.plan.settings.config
        except UsageError:  # the file's own collector says so
            return frozenset()
        return frozenset((config.cache, config.results, *config.runs))

    def pytest_report_collectionfinish(self) -> list[str]:
        """What among the runs was not looked into."""
        notes = self.plan.notes
        more = [f"perfagents: and {len(notes) - SHOWN_NOTES} more"] if len(notes) > SHOWN_NOTES else []
        return [f"perfagents: {printable(' '.join(note.split()))}" for note in notes[:SHOWN_NOTES]] + more

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Hand-written tests run once for each selected run."""
        try:
            parametrize(metafunc)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Now it is known which cases form the arenas."""
        cases = {case.id: case for case in _cases_of(session)}
        if cases and not session.config.option.collectonly and EVALUATION not in session.config.stash:
            evaluation = session.config.stash[EVALUATION] = Evaluation(self.plan, cases.values())
            session.config.add_cleanup(evaluation.close)  # where pytest_sessionfinish is not reached

    # Reports

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Skips, xfails, and the outcome on the report."""
        report = yield
        shape_report(item, call, report)
        calibrating.hang_on(item, report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
        """Letters and words of what was measured."""
        if not isinstance(report, pytest.TestReport):
            return None
        return status_of(report) or calibrating.status_of(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Worktrees and workers go, also after Ctrl-C."""
        evaluation = session.config.stash.get(EVALUATION, None)
        if evaluation is not None:
            evaluation.close()


def _cases_of(session: pytest.Session) -> Iterator[Case]:
    for item in session.items:
        if isinstance(item, PerfItem | calibrating.CalibrationItem):
            yield item.case
        else:
            callspec = getattr(item, "callspec", None)
            case = callspec.params.get("agent_run") if callspec is not None else None
            if isinstance(case, Case):
                yield case


def _shown(config: pytest.Config, path: Path) -> str:
    here = config.invocation_params.dir
    return str(path.relative_to(here) if path.is_relative_to(here) and path != here else path)
