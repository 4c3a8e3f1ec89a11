"""Code that does not go with what is installed, told by whose line raised: a version mismatch, not the script's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_perfagents.diagnosis.frames import FRAME_IN_LOG
from pytest_perfagents.diagnosis.names import is_of_a_class_in, printed, script_in
from pytest_perfagents.diagnosis.types import Advice, Facts, Place, Raised
from pytest_perfagents.model import Blame

_START = "Traceback (most recent call last)"
_INSTALLED = re.compile(r".*/(?:site|dist)-packages/(?P<path>.+)")
_PYTHONS = re.compile(r"/lib/python3[.\d]*/(?!site-packages/|dist-packages/)|/usr/lib/python3/(?!dist-packages/)")
_SCRIPT = re.compile(r"_test_case_generator\.py$|/test_\w+\.py$")

# The frame is the caller's: Python looks at the arguments before the callee runs.
_CALL = re.compile(
    r"^TypeError: [\w.]+\(\) (?:got an unexpected keyword argument|missing \d+ required|takes [^\n]*positional)"
)
_OWN_CALL = re.compile(r"^TypeError: (?!__|forward\b)\w+\(\) got an unexpected keyword argument")
_ATTRIBUTE = re.compile(
    r"^AttributeError: (?:type object )?'(?!NoneType|str|int|float|bool|list|dict|tuple|set|bytes|function)\w+' "
    r"(?:object )?has no attribute"
)
_UNREADABLE = re.compile(r"^SyntaxError: ")
_DEFAULT = re.compile(
    r"^ValueError: mutable default <class '[\w.]+'> for field \w+ is not allowed: use default_factory"
)
_OLD_PYTHON = re.compile(r"^TypeError: unsupported operand type\(s\) for \|: '(?:type|\w*Meta)' and '\w+'")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a file that is a library's or the measured package's; ``path`` begins with its folder there."""

    owner: str
    path: str
    line: str
    is_library: bool

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


def of_versions(facts: Facts, chain: Sequence[Raised]) -> Advice | None:
    """`mismatch` for the deepest exception of ``chain`` (deepest last) that shows one."""
    text = printed(facts)
    for raised in reversed(chain):
        if _ATTRIBUTE.search(raised.line) and is_of_a_class_in(script_in(text), raised.message, facts):
            continue  # a stand-in of the script's, not a class of a library
        if advice := mismatch(raised, text, facts.place):
            return advice
    return None


def mismatch(raised: Raised, text: str, place: Place) -> Advice | None:
    """The advice where ``raised``, whose traceback is in ``text``, shows versions that do not go together.

    A line of an installed library that calls what is not there, and a line of the measured package that this Python
    cannot read, are no matter of the script. ``None`` where the baseline ran: then it is the patch's.
    """
    if place.patch_did_it:
        return None
    if _OLD_PYTHON.search(raised.line):
        return _another_python(place, "uses types as X | Y", "Python 3.10 or newer", "need Python 3.10")
    line = _raised_by(raised, text, place)
    if line is None:
        return None
    if _UNREADABLE.search(raised.line):
        what = f"has a line in {line} that this Python cannot read"
        return _another_python(place, what, "the Python of the commit's day", "need another Python")
    if _DEFAULT.search(raised.line):
        what = f"has a default in {line} that Python 3.11 and newer refuse"
        return _another_python(place, what, "Python 3.10", "need Python 3.10 or older")
    return _not_together(raised, line)


def _another_python(place: Place, what: str, python: str, cause: str) -> Advice:
    return Advice(what, f"take {python} (python of [repos.{place.repo}])", cause, Blame.ENVIRONMENT)


def _not_together(raised: Raised, line: _Line) -> Advice | None:
    said = raised.line
    if line.is_library and not (_CALL.search(said) or _ATTRIBUTE.search(said)):
        return None
    if not line.is_library and not _OWN_CALL.search(said):
        return None
    reason = f"meets versions of packages that do not go together: {line.owner} asks for what is not there"
    hint = (
        f"it is {line.owner}'s own code that asks for it ({line}), not the script: install the versions of the "
        "commit's day, which go together"
    )
    if "'proxies'" in said:
        hint = f'pip install "httpx<0.28" (newer ones dropped what {line} asks for), or a newer {line.owner}'
    return Advice(reason, hint, f"need versions that go with {line.owner}", Blame.ENVIRONMENT)


def _raised_by(raised: Raised, text: str, place: Place) -> _Line | None:
    """Whose line raised it, Python's own library apart; ``None`` for the script's, or where no traceback shows it."""
    said = raised.message.splitlines()[0] if raised.message else ""
    end = text.rfind(f"{raised.type}: {said}" if said else raised.type)
    if end < 0:
        return None
    start = max(text.rfind(_START, 0, end), 0)
    frames = [frame for frame in FRAME_IN_LOG.finditer(text, start, end) if not _PYTHONS.search(frame["file"])]
    if not frames:
        return None
    return _line_of(frames[-1], frames[0]["file"], place)


def _line_of(frame: re.Match[str], script: str, place: Place) -> _Line | None:
    file = frame["file"]
    installed = _INSTALLED.match(file)
    path = installed["path"] if installed else ""
    owner = re.split(r"[/.]", path)[0]
    if installed and owner not in place.packages:
        return _Line(owner, path, frame["line"], is_library=True)
    if file == script or _SCRIPT.search(file):
        return None
    for package in place.packages:
        at = file.rfind(f"/{package}/")
        if at >= 0:
            return _Line(package, file[at + 1 :], frame["line"], is_library=False)
    return None
