"""What a perf script printed, read as a report: a time, or why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_perfagents.parsers.bounds import possible_time
from pytest_perfagents.parsers.numbers import number
from pytest_perfagents.parsers.script_text import seconds_in_text

_MILLI = 1e-3
_TIME_KEYS = {
    "avg_ms": _MILLI, "mean_ms": _MILLI, "average_ms": _MILLI, "p50_ms": _MILLI, "median_ms": _MILLI,
    "time_ms": _MILLI, "duration_ms": _MILLI, "elapsed_ms": _MILLI, "latency_ms": _MILLI,
    "execution_time_ms": _MILLI,
    "avg_us": 1e-6, "mean_us": 1e-6,
    "avg_s": 1.0, "mean_s": 1.0, "avg_time_s": 1.0, "duration_s": 1.0, "elapsed_s": 1.0,
    "avg_time": 1.0, "execution_time": 1.0, "elapsed_time": 1.0, "avg_latency": 1.0,
}  # fmt: skip
_MEDIANS = frozenset({"p50_ms", "median_ms"})
_MARKS = frozenset({"target_resolved", "opt_path_hit", "error_name", "error_code", *_TIME_KEYS})
_CLASS_KEYS = ("error_type", "exception_type", "error_class", "exception")
_CLASS = re.compile(r"(?:\w+\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Interrupt|Exit))")
WORDLESS = "an error without a text, as a bare assert has none"
"""The error of a script that reports an empty one, and neither a time nor a count."""
_LOG_MARKS = frozenset({"level", "levelname", "severity", "logger"})

# A report is looked for in the end of the output first; a longer stretch is read only where there is none.
_WINDOWS = (1 << 16, 1 << 20, 1 << 24)
_CHUNK = 1 << 16
_EFFORT_PER_CHARACTER = 8
_DEEP = 10_000
_CHEAP = 16
_LONGEST_WORD = len("-Infinity")
_OBJECT = re.compile(r'\{(?=\s*")')
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """What a script said of its run. ``seconds`` are per iteration; ``None`` where it measured nothing, or says a time
    that cannot be one.

    ``error`` is the script's own text; ``target_resolved`` and ``opt_path_hit`` are ``None`` where it does
    not say. ``raw`` is the JSON object as it stood, empty for a report in words.
    """

    seconds: float | None = None
    error: str | None = None
    target_resolved: bool | None = None
    opt_path_hit: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", possible_time(self.seconds))

    @property
    def error_name(self) -> str:
        """The script's own error class, such as ``OPT_PATH_NOT_TRIGGERED``; empty where it has none."""
        name = self.raw.get("error_name")
        return name.upper() if isinstance(name, str) else ""

    @property
    def error_class(self) -> str:
        """The exception's class where the script names it beside its text; empty where it does not."""
        names = (self.raw.get(key) for key in _CLASS_KEYS)
        found = next(filter(None, (_CLASS.fullmatch(name) for name in names if isinstance(name, str))), None)
        return found["name"] if found else ""

    @property
    def is_median(self) -> bool:
        """Whether ``seconds`` is a median, since the script states no mean."""
        return self.seconds is not None and _time_key(self.raw) in _MEDIANS

    @property
    def no_times(self) -> dict[str, Any]:
        """What stands where a time should be and is none: a text, less than nothing. Null and 0 are left out."""
        told = {key: self.raw[key] for key in _TIME_KEYS if self.raw.get(key) is not None}
        return {key: value for key, value in told.items() if is_no_time(value)}

    @property
    def blames(self) -> bool:
        """Whether the script itself says what went wrong."""
        return self.error is not None or self.target_resolved is False

    @property
    def impossible(self) -> dict[str, float]:
        """The times that nobody can have measured, as they stand; they count as none."""
        told = {key: (figure, scale) for key, scale in _TIME_KEYS.items() if (figure := _positive(self.raw.get(key)))}
        found = {key: figure for key, (figure, scale) in told.items() if possible_time(figure * scale) is None}
        rows = self.raw.get("benchmarks")
        mean = _benchmark_seconds(rows) if rows and isinstance(rows, list) else None
        return found if mean is None or possible_time(mean) is not None else {**found, "the mean": mean}


def parse_output(stdout: str) -> ScriptReport | None:
    """The last report in ``stdout``: a JSON object on one line or several, among logs; else a time in words.

    Time is bounded for any input. ``None`` where nothing in the text is a report.
    """
    found = _last_report(stdout)
    report = None if found is None else report_from_json(found)
    if report is not None and (report.seconds is not None or report.blames or "iters" in report.raw):
        return report
    seconds = seconds_in_text(stdout[-_WINDOWS[1] :])
    if seconds is None:
        return report
    if report is None:
        return ScriptReport(seconds=seconds)
    return ScriptReport(seconds, report.error, report.target_resolved, report.opt_path_hit, report.raw)


def report_from_json(value: Mapping[str, Any]) -> ScriptReport | None:
    """The report that a JSON object is, or ``None``: a log record, a configuration, anything else."""
    if (benchmarks := value.get("benchmarks")) and isinstance(benchmarks, list):
        seconds = _benchmark_seconds(benchmarks)
        return None if seconds is None else ScriptReport(seconds=seconds, raw=value)
    error = _error(value)
    if error is None and value.get("error") == "" and "iters" not in value and not _TIME_KEYS.keys() & value.keys():
        error = WORDLESS
    if not _MARKS & value.keys() and (error is None or _LOG_MARKS & value.keys()):
        return None
    return ScriptReport(
        seconds=None if error is not None or number(value.get("iters")) == 0 else _seconds(value),
        error=error,
        target_resolved=_flag(value.get("target_resolved")),
        opt_path_hit=_flag(value.get("opt_path_hit")),
        raw=value,
    )


def _last_report(text: str) -> Mapping[str, Any] | None:
    """The last object in ``text`` that is a report."""
    for size in _WINDOWS:
        window = text[-size:]
        found = None
        for value in _objects(window):
            if report_from_json(value) is not None:
                found = value
        if found is not None or len(window) == len(text):
            return found
    return None


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """The outermost JSON objects of ``text`` in order; hostile nesting is given up, and read line by line."""
    effort, position = _EFFORT_PER_CHARACTER * len(text) + _DEEP, 0
    while start := _OBJECT.search(text, position):
        value, position, spent = _decode(text, start.start())
        if value is not None:
            yield value
        effort -= spent
        if effort < 0:
            yield from _objects_by_line(text[position:])
            return


def _decode(text: str, start: int) -> tuple[Mapping[str, Any] | None, int, int]:
    """The object at ``start``, where to go on, and the effort that it took.

    An error's place counts lines from the beginning of what is decoded, so that is as little as will do: most
    objects stand on one line, and a JSON text that breaks before its line ends is not continued on the next.
    """
    line_end = text.find("\n", start, start + _CHUNK)
    spent = 0
    for end in (line_end if line_end >= 0 else start + _CHUNK, start + _CHUNK, len(text)):
        chunk = text[start:end]
        spent += len(chunk) // _CHEAP + 1
        try:
            value, length = _DECODER.raw_decode(chunk)
        except json.JSONDecodeError as error:
            spent += error.pos
            if not _is_cut(chunk, error, at_line_end=end == line_end):
                break
        except (RecursionError, ValueError):  # hostile nesting; an integer of thousands of digits
            return None, start + 1, spent + _DEEP
        else:
            return value, start + length, spent
    return None, start + 1, spent


def _is_cut(chunk: str, error: json.JSONDecodeError, *, at_line_end: bool) -> bool:
    """Whether the text was JSON as far as ``chunk`` goes."""
    if at_line_end:
        return error.pos >= len(chunk.rstrip())
    return error.pos >= len(chunk) - _LONGEST_WORD or error.msg.startswith("Unterminated")


def _objects_by_line(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        start = _OBJECT.search(line)
        if start is not None:
            value, _, _ = _decode(line, start.start())
            if value is not None:
                yield value


def is_no_time(value: object) -> bool:
    """Whether a value that is there is neither a time nor the 0 of one that was not measured."""
    figure = number(value)
    return figure is None or figure < 0


def _seconds(value: Mapping[str, Any]) -> float | None:
    key = _time_key(value)
    seconds = None if key is None else _positive(value.get(key))
    return None if key is None or seconds is None else seconds * _TIME_KEYS[key]


def _time_key(value: Mapping[str, Any]) -> str | None:
    """The key of the time that counts: the first of the table that holds one."""
    return next((key for key in _TIME_KEYS if _positive(value.get(key)) is not None), None)


def _positive(value: object) -> float | None:
    """A number that can be a time: finite and more than nothing. A zero is no measurement."""
    figure = number(value)
    return figure if figure is not None and figure > 0 else None


def _error(value: Mapping[str, Any]) -> str | None:
    for key in ("error", "error_message", "error_name", *_CLASS_KEYS):
        if (text := value.get(key)) and text is not True:
            return text if isinstance(text, str) else json.dumps(text, default=str)
    return "the script reports an error and does not say which" if value.get("error") is True else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _benchmark_seconds(benchmarks: list[Any]) -> float | None:
    """pytest-benchmark's JSON: the mean of its test; over several tests the time of one call of each."""
    means = []
    for row in benchmarks:
        stats = row.get("stats") if isinstance(row, dict) else None
        mean = _positive(stats.get("mean")) if isinstance(stats, dict) else None
        if mean is None:
            return None
        means.append(mean)
    return sum(means)
