"""Errors as data: what an exception says of itself, whatever it is, for the other end of the channel."""

from __future__ import annotations

import traceback
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TEXT_LIMIT = 4000
TRACEBACK_LIMIT = 8000
CHAIN_LIMIT = 16


def text(value: Any) -> str:
    """What an object says of itself, cut short; a ``__str__`` that raises does no harm."""
    try:
        return str(value)[:TEXT_LIMIT]
    except BaseException:
        return "<unprintable " + type(value).__name__ + ">"


def make_describe() -> Callable[[BaseException, str], dict[str, Any]]:
    """``describe(exception, phase) -> dict``: see `Reply` in ``backends/base.py``."""
    format_exception, own_file = traceback.format_exception, make_describe.__code__.co_filename

    def describe(error: BaseException, phase: str) -> dict[str, Any]:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == own_file and trace.tb_next is not None:
            trace = trace.tb_next
        try:
            lines = "".join(format_exception(type(error), error, trace))
        except BaseException as trouble:
            lines = "<no traceback: " + type(trouble).__name__ + ">"
        if len(lines) > TRACEBACK_LIMIT:
            lines = lines[: TRACEBACK_LIMIT // 4] + "\n[...]\n" + lines[-3 * TRACEBACK_LIMIT // 4 :]
        described = brief(error)
        described.update(
            bases=[each.__name__ for each in type(error).__mro__[:-1]],
            phase=phase,
            where=innermost(trace),
            traceback=lines,
            chain=chain(error),
        )
        if isinstance(error, SystemExit):
            described["code"] = error.code if isinstance(error.code, int) else text(error.code)
        return described

    return describe


def brief(error: BaseException) -> dict[str, Any]:
    """Type and message, and the module that an ImportError names."""
    described: dict[str, Any] = {"type": type(error).__name__, "message": text(error)}
    if isinstance(error, ImportError):
        described["module"] = error.name if error.name is None else text(error.name)
    return described


def chain(error: BaseException) -> list[dict[str, Any]]:
    """Causes and contexts of an exception, the deepest last."""
    found: list[dict[str, Any]] = []
    seen = [error]
    step = error.__cause__ or error.__context__
    while step is not None and len(found) < CHAIN_LIMIT and not any(step is each for each in seen):
        found.append(brief(step))
        seen.append(step)
        step = step.__cause__ or step.__context__
    return found


def innermost(trace: types.TracebackType | None) -> dict[str, Any] | None:
    """Where an exception was raised."""
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return {"file": code.co_filename, "line": trace.tb_lineno, "function": code.co_name}


class Refusal(Exception):  # noqa: N818
    """A request that makes no sense now, such as a turn before anything was loaded."""
