"""What a cause means and what mends it: one ordered table, first match wins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_perfagents.diagnosis.binaries import BINARIES
from pytest_perfagents.diagnosis.drivers import DRIVERS
from pytest_perfagents.diagnosis.groups import Rank
from pytest_perfagents.diagnosis.installed import UNMATCHED, with_log
from pytest_perfagents.diagnosis.installing import WANTED
from pytest_perfagents.diagnosis.kinds import OUT_OF_MEMORY, SERVED, kind_of, memory_hint
from pytest_perfagents.diagnosis.limits import LIMITS
from pytest_perfagents.diagnosis.memory import lacking_memory
from pytest_perfagents.diagnosis.modules import absent_at_commit, is_compiled, missing_build, missing_module
from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.pythons import is_pythons, name_of_python
from pytest_perfagents.diagnosis.surroundings import SURROUNDINGS
from pytest_perfagents.diagnosis.types import Advice, Place, Raised, Rule, fixed
from pytest_perfagents.diagnosis.unavailable import unavailable_module
from pytest_perfagents.model import Blame

MODULE = re.compile(r"No module named '?(?P<module>\w+(?:\.\w+)*)")

# A source checkout has no generated version file: vLLM says so and goes on, so that it is no cause of what came after.
_HARMLESS = re.compile(r"No module named '\w+\.(?:_version|commit_id)'")

# Operators that torch itself registers.
_OF_TORCH = frozenset({"aten", "prim", "prims", "c10d", "c10d_functional", "_c10d_functional", "quantized", "symm_mem"})
# What the configuration sets for our own runs has no part in a server's.
_OUR_SETTING = either(
    r" \([^()]*\[repos\.[^()]*\)",
    r" in env of \[repos\.[^\]]*\]",
    r", or set cache of \[perfagents\] to a larger disk",
)


def advise(chain: Sequence[Raised], place: Place, log: str = "") -> Advice | None:
    """The advice for the deepest exception of ``chain`` (deepest last) that a rule knows, or ``None``.

    ``log`` is what was printed beside it.
    """
    advice = _known(chain, place)
    if advice is None:
        return None
    advice = with_log(advice, log)
    return replace(advice, hint=_for_a_server(advice.hint)) if place.served else advice


def _for_a_server(hint: str) -> str:
    hint = _OUR_SETTING.sub("", hint)
    return SERVED if "[repos." in hint or "[perfagents" in hint else hint


def _known(chain: Sequence[Raised], place: Place) -> Advice | None:
    for raised in reversed(chain):
        if _HARMLESS.search(raised.line) and raised is not chain[0]:
            continue
        for pattern, advice in RULES:
            if found := pattern.search(raised.line):
                return advice(found, place)
        module = raised.module if raised.type == "ModuleNotFoundError" else None
        if raised.type in ("ModuleNotFoundError", "ImportError"):
            module = module or unavailable_module(raised.message)
        if module:
            return missing_module(module, place)
    return None


def by_knowledge(place: Place) -> Rank:
    """Ranks exceptions: first those that advice is known for, then those of a kind."""

    def rank(raised: Raised) -> int:
        return 2 if advise((raised,), place) else int(kind_of(raised) != "EXCEPTION")

    return rank


def _module(found: re.Match[str], place: Place) -> Advice:
    return missing_module(found["module"], place)


def _metadata(found: re.Match[str], place: Place) -> Advice:
    """``importlib.metadata`` of a package that is on the path but not installed, or of one that is neither."""
    package = found["package"]
    reason = f"asks for the metadata of {package}, which is not installed"
    hint = f"pip install {package}"
    if place.measures(package):
        hint = (
            f"give the interpreter a {package}-<version>.dist-info (any wheel of {package}, without dependencies): "
            "the code still comes from the workspace"
        )
    return Advice(reason, hint, f"need the metadata of {package}", Blame.ENVIRONMENT)


def _name(found: re.Match[str], place: Place) -> Advice:
    """``cannot import name 'Y' from 'Z'`` and ``module 'Z' has no attribute 'Y'``: whose is Z?"""
    name, module = found["name"], found["module"]
    if is_pythons(module) and not place.measures(module):
        return name_of_python(name, module, place)
    if not place.measures(module):
        return _other_version(name, module)
    if is_compiled(name):
        return missing_build(f"{module}.{name}", place)
    if found["circular"] and not (place.patch_did_it or place.served):
        hint = "import the package's top first, or take another road to what is measured"
        reason = f"cannot import {name!r} from {module}, whose imports run in a circle"
        return Advice(reason, hint, f"name {module}.{name}", None if place.served else Blame.SCRIPT)
    reason = f"wants {name!r} from {module}, which does not have it"
    return absent_at_commit(reason, f"name {module}.{name}", place)


def _other_version(name: str, module: str) -> Advice:
    top = module.split(".")[0]
    return Advice(
        f"wants {name!r} from {module}, which the installed version does not have",
        f"install the {top} of the commit's day: another version has moved or dropped it",
        f"need the {top} of their day",
        Blame.ENVIRONMENT,
    )


def _operator(found: re.Match[str], place: Place) -> Advice:
    """``torch.ops.<name>``: torch's own, those of a package of that name, or the measured package's."""
    name, operator = found["name"], f"{found['name']}::{found['of']}"
    if name in _OF_TORCH:
        return _other_version(operator, "torch")
    if place.measures(name):
        reason = f"calls the operator {operator}, which nothing of {name} has registered"
        return absent_at_commit(reason, f"call {operator}", place)
    if is_compiled(name):
        package = place.packages[0] if place.packages else place.repo
        return missing_build(f"{package}.{name}", place)
    return replace(missing_module(name, place), reason=f"needs the operator {operator}, which {name} brings")


def _interface(found: re.Match[str], place: Place) -> Advice:
    reason = "calls an interface that is not there at this commit"
    return absent_at_commit(reason, "call an interface that is not there", place)


def _memory(found: re.Match[str], place: Place) -> Advice:
    hint = memory_hint(found.string, place)
    if place.patch_did_it:
        hint = f"the baseline passes here, so the patch takes more memory; {hint}"
    return Advice("ran out of memory", hint, lacking_memory(found.string)[0], Blame.ENVIRONMENT)


def _said_to_install(found: re.Match[str], place: Place) -> Advice:
    """What the message itself says to install; an extra of the measured package must not bring that package."""
    command = found["quoted"] or found["plain"] or f"pip install '{found['extra']}'"
    wanted = re.sub(r"^pip3? install ", "", command).strip("'\"")
    top, _, extra = wanted.partition("[")
    if place.measures(top):
        command = f"install what the extra [{extra} of {top} asks for, without {top} itself"
    return Advice(f"needs {wanted}", command, f"need {wanted}", Blame.ENVIRONMENT)


RULES: tuple[Rule, ...] = (
    (re.compile(r"No package metadata was found for '?(?P<package>[\w.-]+)"), _metadata),
    (
        either(
            r"operator torchvision::nms does not exist|partially initialized module 'torchvision'",
            r"'_OpNamespace' 'torchvision'",
        ),
        fixed(
            "cannot import torchvision, which does not match the installed torch",
            "install the torchvision that goes with the installed torch, and leave torch as it is: 0.(N + 15).P for "
            "torch 2.N.P, so for torch 2.5.1: pip install --no-deps torchvision==0.20.1",
            UNMATCHED,
        ),
    ),
    (
        either(r"cannot import name '(?P<name>default_\w+_dir)' from 'triton\.runtime\.cache'"),
        fixed(
            "wants {name} from triton.runtime.cache: triton is too new for this commit",
            "install the torch of the commit's day, which brings its triton, or an older triton",
            "need an older triton",
        ),
    ),
    (
        either(
            r"Unknown RoPE scaling type:? '?(?P<kind>\w+)",
            r"rope_scaling`? must be a dictionary with (?:with )?two fields",
        ),
        fixed(
            "loads a model that is too new for this commit (its RoPE scaling is unknown)",
            "choose a model of the commit's day, such as Llama 3 in place of Llama 3.1",
            "load a model that is too new",
            Blame.SCRIPT,
        ),
    ),
    (
        either(
            r"Could not import module '(?P<name>\w+)'",
            r"cannot import name '(?P<other>\w*Processor\w*)' from 'transformers'",
        ),
        fixed(
            "cannot import {name}{other} from transformers: the installed transformers is broken",
            "mostly torch and torchvision do not match; see the true cause with: "
            'python -c "import torchvision, transformers.processing_utils"',
            "need a transformers that imports",
        ),
    ),
    (
        either(
            r"does not recognize this architecture|has no vLLM implementation",
            r"Model architectures \[[^\]]*\] (?:are not supported|failed to be inspected)",
        ),
        fixed(
            "loads a model that is too new for this commit or its transformers",
            "choose a model of the commit's day",
            "load a model that is too new",
            Blame.SCRIPT,
        ),
    ),
    (MODULE, _module),
    (re.compile(r"'_OpNamespace' '(?P<name>\w+)' object has no attribute '(?P<of>\w+)'"), _operator),
    *BINARIES,
    (
        re.compile(
            r"cannot import name '(?P<name>\w+)' from (?P<circular>partially initialized module )?"
            r"'(?P<module>[\w.]+)'"
        ),
        _name,
    ),
    (
        re.compile(
            r"(?P<circular>partially initialized )?module '(?P<module>[\w.]+)' "
            r"has no attribute '(?P<name>\w+)'"
        ),
        _name,
    ),
    *DRIVERS,
    *LIMITS,
    *WANTED,
    (OUT_OF_MEMORY, _memory),
    *SURROUNDINGS,
    (
        either(
            r"`(?P<quoted>pip3? install [^`\n]+)`",
            r"(?:with|using|via|run):? (?P<plain>pip3? install [\w.\[\]<>=,\"'-]*\w)",
            r"Please install (?P<extra>\w+\[[\w,]+\])",
        ),
        _said_to_install,
    ),
    (
        re.compile(r"(?P<what>\"?\w+\"?) not implemented for '(?P<dtype>\w+)'"),
        fixed(
            "asks torch for an operation that it does not have on {dtype}",
            "make the data in a type that torch can, then convert it: x.to(dtype)",
            "ask torch for what it cannot do",
            Blame.SCRIPT,
        ),
    ),
    (
        either(
            r"\w\(\) got an unexpected keyword argument|\w\(\) missing \d+ required",
            r"\w\(\) takes [^\n]*positional",
            r"type object '\w+' has no attribute|'(?!NoneType)\w+' object has no attribute",
        ),
        _interface,
    ),
)
