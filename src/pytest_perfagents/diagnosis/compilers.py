"""What a compiler printed before Python told that it had failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.types import Raised

_READ_LINES = 200
_LINE_CHARACTERS = 1_000
# "Command '['/usr/bin/gcc', '/tmp/x/main.c', ...]' returned non-zero exit status 1.": Triton and PyTorch's extensions.
_FAILED = either(
    r"CalledProcessError: Command [^\n]{0,40}\b(?:gcc|g\+\+|cc|c\+\+|clang(?:\+\+)?|nvcc|hipcc|ninja|ld)\b",
    r"Error (?:building|compiling) (?:extension|objects)|CppCompileError",
)
_CAUSES = (
    re.compile(r"fatal error: \S|cannot find -l\w|undefined reference to "),
    re.compile(r"(?<!collect2)(?<!ninja): error: \S"),
)


def said_by_compiler(raised: Raised, before: Sequence[str]) -> list[Raised]:
    """The compiler's own last line of trouble ``before`` an exception that tells of a compiler; or none."""
    if not _FAILED.search(raised.line):
        return []
    lines = [line.strip()[:_LINE_CHARACTERS] for line in (*before[-_READ_LINES:], *raised.message.split("\n"))]
    for cause in _CAUSES:
        said = next((line for line in reversed(lines) if cause.search(line) and not _FAILED.search(line)), None)
        if said is not None:
            return [Raised("", said)]
    return []
