"""How a function of the script wants to be called."""

from __future__ import annotations

import types
from inspect import signature
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

CO_VARARGS, CO_COROUTINE = 0x04, 0x80


def call_plan(function: Callable[..., Any], data: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How ``experiment`` wants its data: not at all, as one argument, spread over several, or its defaults."""
    places, required, takes_more = parameters_of(function)
    if (not places and not takes_more) or (data is None and not required):
        return (), {}
    if len(required) > 1 and isinstance(data, (tuple, list)) and len(required) <= len(data) <= len(places):
        return tuple(data), {}
    if len(required) > 1 and isinstance(data, dict) and set(required) <= set(data) <= set(places):
        return (), dict(data)
    return (data,), {}


def parameters_of(function: Any) -> tuple[list[str], list[str], bool]:
    """Positional parameters, those without a default, and whether there may be more.

    A plain function is read without help from the inspect module, which a patch may have broken.
    """
    if isinstance(function, types.FunctionType) and not hasattr(function, "__wrapped__"):
        code, defaults = function.__code__, function.__defaults__ or ()
        places = list(code.co_varnames[: code.co_argcount])
        return places, places[: len(places) - len(defaults)], bool(code.co_flags & CO_VARARGS)
    try:
        parameters = list(signature(function).parameters.values())
    except Exception:
        return ["data"], ["data"], False
    found = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    required = [each.name for each in found if each.default is each.empty]
    return [each.name for each in found], required, any(each.kind is each.VAR_POSITIONAL for each in parameters)


def waits(function: Any) -> Callable[..., Any]:
    """A coroutine function as one that runs to its end."""
    code = getattr(function, "__code__", None)
    if not (isinstance(code, types.CodeType) and code.co_flags & CO_COROUTINE):
        return function  # type: ignore[no-any-return]
    import asyncio

    loop = asyncio.new_event_loop()
    places, _, takes_more = parameters_of(function)
    if not places and not takes_more:
        return lambda: loop.run_until_complete(function())
    run = lambda *args, **kwargs: loop.run_until_complete(function(*args, **kwargs))  # noqa: E731
    run.__wrapped__ = function  # type: ignore[attr-defined]
    return run


def accepted(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments that a function takes."""
    parameters = signature(function).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return {name: value for name, value in arguments.items() if takes_all or name in parameters}
