"""Is a name that is not there a misspelling of one that is? Sources are read and parsed, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from warnings import catch_warnings

from pytest_perfagents.diagnosis.frames import FRAME
from pytest_perfagents.diagnosis.patterns import sought
from pytest_perfagents.diagnosis.types import Facts, Finding, Place, Raised
from pytest_perfagents.model import Blame, Role

CALLED = ("setup", "experiment", "run_test")
_LARGEST_BYTES = 1 << 20
_NEAR = 0.75
_FROM = re.compile(
    r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'[^\n]*\((?P<file>/[^()\n]+\.py)\)",
)
# Python's own guess: part of what it prints, and from 3.12 on of the tracebacks that the worker sends.
_GUESS = re.compile(r"'(?P<name>\w+)'[^'\n]*\. Did you mean:? '(?P<near>\w+)'\?")
_TRACEBACK = "Traceback (most recent call last)"
_LIBRARY = re.compile(r"/(?:site|dist)-packages/(?P<top>[\w.]+)|/lib/python\d[\d.]*/")
_OBJECT = re.compile(r"(?:type object )?'(?P<name>\w+)'(?: object)? has no attribute ")
_READ_CHARACTERS = 400_000


@dataclass(frozen=True, slots=True)
class Misspelling:
    """A name that is nearly another: the ``question`` is the script's author's; a ``hint`` with its ``blame`` says that
    the name does not stand in the script.
    """

    question: str = ""
    hint: str = ""
    blame: Blame | None = None


def names_in_file(file: str) -> frozenset[str]:
    """What a Python source binds when it is imported, and a package's modules; nothing where it cannot be read."""
    path, tree = Path(file), _parsed(file)
    if tree is None:
        return frozenset()
    from pytest_perfagents.worker.script_text import bound_names

    names: set[str] = set()
    with suppress(OSError, RecursionError):
        names.update(bound_names(tree))
        if path.name == "__init__.py":
            names.update(each.stem for each in path.parent.iterdir() if each.suffix in ("", ".py"))
    return frozenset(names)


def _parsed(file: str) -> ast.Module | None:
    """A Python source that can be read."""
    path = Path(file)
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        if path.suffix == ".py" and path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
            with catch_warnings(action="ignore"):  # of the source's, such as a backslash that escapes nothing
                return ast.parse(path.read_bytes())
    return None


def near(word: str, names: Collection[str]) -> str | None:
    """The name that ``word`` may be a misspelling of; None where it is there, or none is near."""
    lowered = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), lowered, 1, _NEAR) if word not in names else []
    return lowered[found[0]] if found else None


def asking_first(question: str, hint: str) -> str:
    """The hint after the question, if there is one."""
    return f"{question} If not: {hint}" if question else hint


def misspelling(facts: Facts, finding: Finding) -> Misspelling:
    """``mill.shop has 'Shop': is 'Shopp' misspelt?``, or nothing. A patched tree is not read, nor asked about.

    The source that is read is the one that the message of the ImportError names; else the guess is Python's own.
    Nothing is asked where the environment is at fault.
    """
    chain, advice = finding.chain, finding.advice
    if facts.place.role is Role.PATCHED or (advice is not None and advice.blame is not Blame.SCRIPT):
        return Misspelling()
    told = "\n".join([printed(facts), *(sought(raised.message) for raised in chain)])
    question, said = _known_to_the_source(facts, chain) or _guessed_by_python(told) or ("", "")
    frame = _innermost_frame(told, said) if question else None
    if frame is None or frame["file"] == script_in(told) or is_of_a_class_in(script_in(told), said, facts):
        return Misspelling(question)
    return _by_file(frame, facts.place, question)


def printed(facts: Facts) -> str:
    """Where tracebacks stand."""
    execution = facts.execution
    printed = f"{execution.stdout}\n{execution.stderr}" if execution is not None else ""
    return str((facts.evidence.error or {}).get("traceback") or printed)[-_READ_CHARACTERS:]


def _known_to_the_source(facts: Facts, chain: Sequence[Raised]) -> tuple[str, str] | None:
    """The question, and the words that it is about."""
    for raised in chain:
        found = _FROM.search(sought(raised.message))
        if found and facts.place.measures(found["module"]):
            known = near(found["name"], facts.names_in(found["file"]))
            if known:
                return f"{found['module']} has {known!r}: is {found['name']!r} misspelt?", found[0]
    return None


def _guessed_by_python(told: str) -> tuple[str, str] | None:
    guess = next(reversed(list(_GUESS.finditer(told))), None)
    if guess is None:
        return None
    line = told[told.rfind("\n", 0, guess.start()) + 1 : guess.end()]
    return f"there is {guess['near']!r}: is {guess['name']!r} misspelt?", line


def _innermost_frame(told: str, said: str) -> re.Match[str] | None:
    """The last frame before the first place where a traceback ends in these words."""
    return next(reversed(list(FRAME.finditer(told, 0, max(told.find(said), 0)))), None)


def script_in(told: str) -> str:
    """The file where the last traceback begins: that of an exception beneath may begin further down."""
    found = FRAME.search(told, max(told.rfind(_TRACEBACK), 0))
    return found["file"] if found else ""


def is_of_a_class_in(script: str, said: str, facts: Facts) -> bool:
    """Whether an attribute was wanted of a class of the script's own: it may stand in for one of the package."""
    found = _OBJECT.search(said)
    if found is None or found["name"] not in facts.names_in(script):
        return False
    tree = _parsed(script)
    return tree is not None and any(isinstance(n, ast.ClassDef) and n.name == found["name"] for n in ast.walk(tree))


def _by_file(frame: re.Match[str], place: Place, question: str) -> Misspelling:
    """Whose the name is, by the file that it stands in: the measured package, a library, else the script's own."""
    file, line = frame["file"], frame["line"]
    package = next((name for name in place.packages if f"/{name}/" in file), None)
    if package is not None:
        where = f"{package}/{file.rpartition(f'/{package}/')[2]}, line {line}"
        told = f"the package's own code ({where}) is at fault at this commit, not the script: {question}"
        return Misspelling("", f"{told} Let the script not reach it, or leave the commit out", Blame.ENVIRONMENT)
    found = _LIBRARY.search(file)
    if found is None:
        return Misspelling(question)
    top = (found["top"] or "Python").removesuffix(".py")
    told = f"it is {top}'s own code that asks for it ({file.rpartition('/')[2]}, line {line}), not the script"
    return Misspelling("", f"{told}: install the versions of the commit's day, which go together", Blame.ENVIRONMENT)


def wants_data(facts: Facts) -> bool:
    """Whether a script that ran as a program has an experiment() to call and no setup().

    One that asks for no data needs none: such a script does not run as a program.
    """
    names = facts.names_in(facts.program[1]) if len(facts.program) > 1 else frozenset()
    return "experiment" in names and "setup" not in names


def misspelt_function(facts: Facts) -> str:
    """``is experimnt() meant to be experiment()?``, of a script that ran as a program, with nothing to call."""
    names = facts.names_in(facts.program[1]) if len(facts.program) > 1 else frozenset()
    meant = [(other, name) for name in CALLED if (other := near(name, names)) and other not in CALLED]
    if not meant:
        return ""
    pairs = " and ".join(f"{other}() meant to be {name}()" for other, name in meant)
    return f"{'is' if len(meant) == 1 else 'are'} {pairs}?"
