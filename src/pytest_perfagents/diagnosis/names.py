"""Is a name that is not there a misspelling of one that is? Sources are read and parsed, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from warnings import catch_warnings

from pytest_perfagents.diagnosis.types import Facts, Finding
from pytest_perfagents.model import Blame, Role

CALLED = ("setup", "experiment", "run_test")
_LARGEST_BYTES = 1 << 20
_NEAR = 0.75
_FROM = re.compile(
    r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'[^\n]*\((?P<file>/[^()\n]+\.py)\)",
)
# Python's own guess: part of what it prints, and from 3.12 on of the tracebacks that the worker sends.
_GUESS = re.compile(r"'(?P<name>\w+)'[^'\n]*\. Did you mean: '(?P<near>\w+)'\?")


def names_in_file(file: str) -> frozenset[str]:
    """What a Python source binds when it is imported, and a package's modules; nothing where it cannot be read."""
    path = Path(file)
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        if path.suffix != ".py" or not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return frozenset()
        from pytest_perfagents.worker.script_text import bound_names

        with catch_warnings(action="ignore"):  # of the source's, such as a backslash that escapes nothing
            names = set(bound_names(ast.parse(path.read_bytes())))
        if path.name == "__init__.py":
            names.update(each.stem for each in path.parent.iterdir() if each.suffix in ("", ".py"))
        return frozenset(names)
    return frozenset()


def near(word: str, names: Collection[str]) -> str | None:
    """The name that ``word`` may be a misspelling of; None where it is there, or none is near."""
    lowered = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), lowered, 1, _NEAR) if word not in names else []
    return lowered[found[0]] if found else None


def asking_first(question: str, hint: str) -> str:
    """The hint after the question, if there is one."""
    return f"{question} If not: {hint}" if question else hint


def misspelt_name(facts: Facts, finding: Finding) -> str:
    """``mill.shop has 'Shop': is 'Shopp' misspelt?``, or nothing. A patched tree is not read, nor asked about.

    The source is the one that the message of the ImportError names. Nothing is asked where the environment is at fault.
    """
    chain, advice = finding.chain, finding.advice
    if facts.place.role is Role.PATCHED or (advice is not None and advice.blame is not Blame.SCRIPT):
        return ""
    for raised in chain:
        found = _FROM.search(raised.message)
        if found and facts.place.measures(found["module"]):
            known = near(found["name"], facts.names_in(found["file"]))
            if known:
                return f"{found['module']} has {known!r}: is {found['name']!r} misspelt?"
    told = str((facts.evidence.error or {}).get("traceback") or "") + "\n".join(raised.message for raised in chain)
    guess = next(reversed(list(_GUESS.finditer(told))), None)
    return f"there is {guess['near']!r}: is {guess['name']!r} misspelt?" if guess else ""


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
