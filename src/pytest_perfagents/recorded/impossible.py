"""What stands in a record where a number should be and can be none: it is passed over, and said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_perfagents.parsers.bounds import LEAST, LONGEST_S, MOST, SHORTEST_S, is_possible_figure, possible_time
from pytest_perfagents.parsers.numbers import number
from pytest_perfagents.recorded.files import table
from pytest_perfagents.recorded.records import Half

_LOWEST_CODE, _HIGHEST_CODE = -(2**31), 2**32 - 1
_HEAD, _TAIL = 200, 80
_METRICS = ("baseline_metrics", "human_metrics", "agent_metrics", "metrics")


def impossible_times(result: Mapping[str, Any], baseline: Half, patched: Half) -> Iterator[str]:
    """Each time above 0 of an evaluation that nobody can have measured."""
    for name, half in (("baseline", baseline), ("patched", patched)):
        if half.ms is not None and half.ms > 0 and possible_time(half.ms / 1000) is None:
            yield _no_time(f"{name}_ms", half.ms)
        for key, value in (half.report.impossible if half.report else {}).items():
            if key != f"{name}_ms":
                yield _no_time(f"{key} of {name}_output", value)


def _no_time(name: str, value: float) -> str:
    return f"{name} is {value:.6g}, and no time is below {SHORTEST_S:g} s or above {LONGEST_S:g} s: passed over"


def impossible_figures(fields: Mapping[str, Any]) -> Iterator[str]:
    """Each figure of a three-way result that no benchmark can have given."""
    for side in _METRICS:
        for name, value in table(fields.get(side)).items():
            figure = number(value)
            if figure is not None and not is_possible_figure(figure):
                yield f"{name} of {side} is {figure:.6g}, and figures lie between {LEAST:g} and {MOST:g}: passed over"


def recorded_duration(fields: Mapping[str, Any]) -> float:
    """How long it took, in seconds; 0 where that is not told, or cannot be."""
    return possible_time(number(fields.get("duration_s"))) or 0.0


def impossible_duration(fields: Mapping[str, Any]) -> Iterator[str]:
    """A duration below 0 or beyond what can be."""
    seconds = number(fields.get("duration_s"))
    if seconds and possible_time(seconds) is None:
        yield f"duration_s is {seconds:.6g}, which is no duration: passed over"


def exit_code(value: object) -> int | None:
    """How a process ended, also where the number is written as a text; None for what no system gives."""
    code = number(value)
    return int(code) if code is not None and _LOWEST_CODE <= code <= _HIGHEST_CODE else None


def brief(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text with its beginning and its end: what it quotes of a record may be of any length."""
    return tuple(text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} ... {text[-_TAIL:]}" for text in texts)
