"""Lines of logs: without colours, without the name of the process that wrote them, told from what a program says."""

from __future__ import annotations

import re
from typing import NamedTuple

from pytest_perfagents.diagnosis.patterns import either

_JUDGED_CHARACTERS = 400
_COLOUR = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")
# Who wrote it: vLLM's and Ray's "(EngineCore_DP0 pid=77) ", "(VllmWorker rank=0 pid=77) ", torchrun's "[rank0]: ".
_SOURCE = re.compile(r"(?:\([^()\n]{0,60}\bpid=\d+[^()\n]{0,60}\)|\(\w+ \d+\)|\[(?:rank|default)\d+\]:) ?")
# When and where it was logged: "ERROR 12-23 21:52:48 core.py:586] ", newer "[core.py:586] ", with or without a year.
_LOGGED = re.compile(r"(?:ERROR|CRITICAL) (?:\d{4}-)?\d\d-\d\d [\d:.,]+ [^\]\n]{0,80}\] ?")
_PREFIXED = ("(", "[", "E", "C")

_STAMP = r"(?:\d{4}-\d\d-\d\d|\d\d-\d\d|\d\d/\d\d|\d\d:\d\d:\d\d)[ T:,\]]"
# A log goes on, a group ends, Python or a library tells of something else.
_OTHER = either(
    r"\W?(?:INFO|WARNING|WARN|DEBUG|ERROR|CRITICAL)\b[:\]]? ",
    rf"[\[(]?(?:\w+ )?{_STAMP}|[IWEF]\d{{4}} \d\d:|\[\w*[IWEF]\d{{4}} ",
    r" *\+-|[=#*-]{3,}|curl: \(|make: |nanobind: |sys:1: ",
    r"Exception ignored in|--- Logging error|Fatal Python error|Call stack:",
    r"\S+:\d+: \w*Warning: |\w*Warning: |Processed prompts|[^\n]*\d+%\|",
    r"(?:Killed|Aborted|Terminated|Segmentation fault|Bus error)\b|(?:bash|sh|\S+\.sh|\S*/bin/\w+): ",
    r"\{\s*\"|[A-Z_]{8,}$",
)
_AT_WORK = re.compile(r"\b(?:INFO|DEBUG)\b|\d+%\||\d(?:it|s)/(?:s|it)\b|\btokens/s\b|\btoken usage\b")
_ENDING = re.compile(
    r"(?i)shut|stop|kill|sig(?:quit|term|int)\b|exit|terminat|clean|destroy|died|dead|fail|error|crash"
)


def without_colours(text: str) -> str:
    """``text`` without the escape sequences that terminals take for colours."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


class LogLine(NamedTuple):
    """``source`` is the process that wrote it, ``logged`` the place and time of logging; both may be empty."""

    source: str
    logged: str
    text: str


def told_apart(line: str) -> LogLine:
    """The parts of a line without colours."""
    source = logged = ""
    if line[:1] in _PREFIXED:
        if found := _SOURCE.match(line):
            source, line = found[0], line[found.end() :]
        if found := _LOGGED.match(line):
            logged, line = found[0], line[found.end() :]
    return LogLine(source, logged, line)


def without_sources(text: str) -> str:
    """``text`` without colours and without the names of processes before its lines."""
    return "\n".join(told_apart(line).text for line in without_colours(text).split("\n"))


def is_of_something_else(line: str) -> bool:
    """Whether a line after an exception's text cannot belong to it."""
    return _OTHER.match(line[:_JUDGED_CHARACTERS]) is not None


def is_at_work(line: str) -> bool:
    """Whether a program that writes this is not about to end."""
    line = line[:_JUDGED_CHARACTERS]
    return _AT_WORK.search(line) is not None and not _ENDING.search(line)
