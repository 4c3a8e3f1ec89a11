"""What belongs to Python itself: its version or its build brings it, never pip."""

from __future__ import annotations

import sys

from pytest_perfagents.diagnosis.types import Advice, Place
from pytest_perfagents.model import Blame

# Module or name -> the last version of Python that has it. Source: "What's New in Python", sections "Removed".
_LAST = {
    "asynchat": "3.11",
    "asyncio.coroutine": "3.10",
    "asyncore": "3.11",
    "cgi": "3.12",
    "collections.Callable": "3.9",
    "collections.Iterable": "3.9",
    "collections.Mapping": "3.9",
    "collections.MutableMapping": "3.9",
    "collections.Sequence": "3.9",
    "configparser.SafeConfigParser": "3.11",
    "distutils": "3.11",
    "imp": "3.11",
    "inspect.getargspec": "3.10",
    "pipes": "3.12",
    "pkgutil.ImpImporter": "3.11",
    "ssl.match_hostname": "3.11",
    "ssl.wrap_socket": "3.11",
    "unittest.makeSuite": "3.12",
}
# Module or name -> the first version that has it. Source: the library reference ("New in version").
_FIRST = {
    "annotationlib": "3.14",
    "asyncio.Runner": "3.11",
    "asyncio.TaskGroup": "3.11",
    "asyncio.taskgroups": "3.11",
    "asyncio.timeout": "3.11",
    "asyncio.timeouts": "3.11",
    "asyncio.to_thread": "3.9",
    "collections.abc.Buffer": "3.12",
    "compression": "3.14",
    "contextlib.aclosing": "3.10",
    "contextlib.chdir": "3.11",
    "dataclasses.KW_ONLY": "3.10",
    "datetime.UTC": "3.11",
    "enum.StrEnum": "3.11",
    "functools.cache": "3.9",
    "graphlib": "3.9",
    "hashlib.file_digest": "3.11",
    "importlib.metadata": "3.8",
    "inspect.get_annotations": "3.10",
    "itertools.batched": "3.12",
    "itertools.pairwise": "3.10",
    "tomllib": "3.11",
    "types.EllipsisType": "3.10",
    "types.NoneType": "3.10",
    "types.UnionType": "3.10",
    "typing.Annotated": "3.9",
    "typing.Concatenate": "3.10",
    "typing.LiteralString": "3.11",
    "typing.Never": "3.11",
    "typing.NotRequired": "3.11",
    "typing.ParamSpec": "3.10",
    "typing.ReadOnly": "3.13",
    "typing.Required": "3.11",
    "typing.Self": "3.11",
    "typing.TypeAlias": "3.10",
    "typing.TypeAliasType": "3.12",
    "typing.TypeGuard": "3.10",
    "typing.TypeIs": "3.13",
    "typing.TypeVarTuple": "3.11",
    "typing.Unpack": "3.11",
    "typing.assert_never": "3.11",
    "typing.dataclass_transform": "3.11",
    "typing.override": "3.12",
    "warnings.deprecated": "3.13",
    "zoneinfo": "3.9",
}
# Compiled parts that a Python lacks whose build did not find a library -> that library, as Debian calls it.
_LIBRARIES = {
    "bz2": "libbz2-dev",
    "ctypes": "libffi-dev",
    "curses": "libncurses-dev",
    "dbm": "libgdbm-dev",
    "gdbm": "libgdbm-dev",
    "hashlib": "libssl-dev",
    "lzma": "liblzma-dev",
    "readline": "libreadline-dev",
    "sqlite3": "libsqlite3-dev",
    "ssl": "libssl-dev",
    "tkinter": "tk-dev",
    "uuid": "uuid-dev",
    "zlib": "zlib1g-dev",
}


def is_pythons(module: str) -> bool:
    """Whether a module is, or was, one of Python's standard library."""
    top = module.split(".")[0]
    return top in sys.stdlib_module_names or top in _LAST or top in _FIRST


def missing_of_python(module: str, place: Place) -> Advice:
    """What a missing module of the standard library asks for."""
    if advice := _of_another_version(module, f"module {module!r}", place):
        return advice
    library = _LIBRARIES.get(module.split(".")[0].removeprefix("_"))
    reason = f"needs module {module!r}, a part of Python that this Python was built without"
    hint = f"no package to install: take a Python that has it (python of [repos.{place.repo}])"
    if library is not None:
        hint = f"no package to install: install {library} and build this Python again, or {hint.partition(': ')[2]}"
    return Advice(reason, hint, f"need a Python with {module}", Blame.ENVIRONMENT, module)


def name_of_python(name: str, module: str, place: Place) -> Advice:
    """What a name that a module of the standard library does not have asks for."""
    if advice := _of_another_version(f"{module}.{name}", f"{name!r} from {module}", place):
        return advice
    reason = f"wants {name!r} from {module}, which this Python does not have"
    hint = (
        f"if another version of Python has it, take that (python of [repos.{place.repo}]); if none has, the name is "
        f"misspelt, or a file called {module.split('.')[0]}.py hides Python's own"
    )
    return Advice(reason, hint, f"need the {module} of another Python", Blame.ENVIRONMENT)


def _of_another_version(wanted: str, what: str, place: Place) -> Advice | None:
    for known, last in _LAST.items():
        if _within(wanted, known):
            hint = f"take Python {last}, the last that has it (python of [repos.{place.repo}])"
            if known == "pkgutil.ImpImporter":
                hint = f'pip install "setuptools>=66.1" (older ones ask for it); or {hint}'
            reason = f"needs {what}, which this Python no longer has"
            return Advice(reason, hint, f"need {wanted}", Blame.ENVIRONMENT, _module(wanted, what))
    for known, first in _FIRST.items():
        if _within(wanted, known):
            hint = f"take Python {first} or newer, which has it (python of [repos.{place.repo}])"
            reason = f"needs {what}, which this Python is too old for"
            return Advice(reason, hint, f"need Python {first}", Blame.ENVIRONMENT, _module(wanted, what))
    return None


def _within(wanted: str, known: str) -> bool:
    return wanted == known or wanted.startswith(f"{known}.")


def _module(wanted: str, what: str) -> str | None:
    return wanted if what.startswith("module") else None
