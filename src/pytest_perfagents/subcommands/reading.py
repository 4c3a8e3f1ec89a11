"""Results by the paths that a user named; what lies there instead of them is said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_perfagents.model import UsageError

if TYPE_CHECKING:
    from pytest_perfagents.resultsets import ResultSet


def results_at(paths: Sequence[Path]) -> ResultSet:
    """The outcomes at all paths, as `resultsets.read_results` has them.

    Raises:
        UsageError: there is nothing of ours; where recorded evaluations lie there, with the command that judges them.
    """
    from pytest_perfagents.recorded.trees import holds_records
    from pytest_perfagents.resultsets import NoResultsError, read_results

    try:
        return read_results(paths)
    except NoResultsError as error:
        if not holds_records(error.place):
            raise
        place = shlex.quote(str(error.place))
        raise UsageError(
            f"{error.place}: these are recorded evaluations, which are judged before they are shown; run\n"
            f"    perfagents import {place} --results results\n"
            "and then: perfagents report results"
        ) from None


def refuse_twice(paths: Sequence[Path]) -> None:
    """For a comparison of result sets.

    Raises:
        UsageError: two of the paths are the same.
    """
    named: dict[Path, Path] = {}
    for path in paths:
        other = named.setdefault(path.resolve(), path)
        if other is not path:
            raise UsageError(
                f"{other} and {path} are the same results, so there is nothing to compare; name two different result "
                "sets, or use --by agent, model or repo"
            )
