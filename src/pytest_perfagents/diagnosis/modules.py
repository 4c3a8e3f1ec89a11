"""A module that is not there: what a person has to do about it."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_perfagents.diagnosis.distributions import ELSEWHERE, install, shared_package
from pytest_perfagents.diagnosis.kinds import hint_of_server
from pytest_perfagents.diagnosis.pythons import is_pythons, missing_of_python
from pytest_perfagents.diagnosis.types import Advice, Place
from pytest_perfagents.model import Blame, Role

_REPOSITORY_FOLDERS = frozenset(
    {"benchmark", "benchmarks", "test", "tests", "scripts", "examples", "tools", "conftest"}
)
# A file beside the script or in a folder of the repository; what PyPI has by such a name is another.
_OWN_FILES = re.compile(r"(?:test|bench|benchmark)_\w+|utils?|helpers?|common|config|backend_request_func")
_COMPILED = re.compile(r"_\w*C|_C_\w+|cuda_utils|cumem_allocator|vllm_flash_attn\w*|\w+_ext")
_GENERATED = re.compile(r"_version|commit_id|\w+_pb2(?:_grpc)?|_build_info")


PERHAPS_HUMAN = "perhaps the script calls an API of the human commit; guard it"
"""Of what this commit does not have: only a run of the human's side would show whether that one does."""


def is_compiled(name: str) -> bool:
    """Whether the last part of the name is that of a compiled or generated file, which git does not hold."""
    last = name.split(".")[-1]
    return bool(_COMPILED.fullmatch(last) or _GENERATED.fullmatch(last))


def is_target(module: str, place: Place) -> bool:
    """Whether a missing module is a source file of the measured package: nothing that could be installed."""
    return "." in module and place.measures(module) and not is_compiled(module)


def missing_module(module: str, place: Place) -> Advice:
    """What ``No module named '<module>'`` asks for."""
    top = module.split(".")[0]
    if place.measures(module):
        return _missing_of_package(module, place)
    if top in _REPOSITORY_FOLDERS:
        hint = f"no package to install: {top}/ is a folder of the repository, whose root is not on the path"
        reason = f"needs {module!r}, a file of the repository itself"
        return Advice(reason, hint, f"need {module}", Blame.SCRIPT, module)
    if _OWN_FILES.fullmatch(top):
        reason = f"needs {module!r}, a file of the script's or the repository's own"
        hint = f"no package to install (one of that name is another): put the folder that holds {top} on the path"
        return Advice(reason, hint, f"need {module}", Blame.SCRIPT, module)
    if is_pythons(module):
        return missing_of_python(module, place)
    is_whole = "." not in module or shared_package(module) is not None
    where = "not installed" if is_whole else f"not installed, or not in the installed version of {top}"
    hint = _install_hint(module)
    if place.patch_did_it:
        hint = f"the patch needs it and the baseline does not; to give it a chance: {hint}"
    cause = f"need {module if '.' in module else top}"
    return Advice(f"needs module {module!r}, which is {where}", hint, cause, Blame.ENVIRONMENT, module)


def _install_hint(module: str) -> str:
    top, command = module.split(".")[0], install(module)
    if top in ELSEWHERE:
        return ELSEWHERE[top]
    if shared_package(module):
        return command
    if "." in module and command == f"pip install {top}":
        return f"install the {top} of the commit's day, which has {module}; if there is none at all: {command}"
    return f"{command} (of the commit's day: others do not have {module})" if "." in module else command


def _missing_of_package(module: str, place: Place) -> Advice:
    top = module.split(".")[0]
    if module == top:
        hint = f'set import_root of [repos.{place.repo}] to the folder that holds {top}/ (for sglang: "python")'
        hint = (
            f"install {top} where the server runs, or put the folder that holds {top}/ on its path"
            if place.served
            else hint
        )
        reason = f"cannot find the measured package {top!r}"
        return Advice(reason, hint, f"need the package {top} on the path", Blame.ENVIRONMENT, module)
    if is_compiled(module):
        return missing_build(module, place)
    reason = f"needs {module!r}, which {top} does not have at this commit"
    advice = absent_at_commit(reason, f"name {module}", place)
    hint = advice.hint if place.patch_did_it or place.served else f"no package to install: {advice.hint}"
    return replace(advice, hint=hint, module=module)


def missing_build(module: str, place: Place) -> Advice:
    """A compiled or generated file of the measured package: made by a build, never by ``pip install``."""
    hint = (
        f"build the package at this commit (build of [repos.{place.repo}]), or copy the compiled files "
        f"of that commit's wheel (overlay of [repos.{place.repo}])"
    )
    reason = f"needs {module!r}, a compiled or generated file"
    return Advice(reason, hint, f"need the built {module}", Blame.ENVIRONMENT, module)


def absent_at_commit(reason: str, cause: str, place: Place) -> Advice:
    """Something of the measured package that the script wants and this commit does not have."""
    if place.patch_did_it and place.served:
        hint = "the baseline serves here: the patch names what is not there, or it removed, renamed or changed it"
        return Advice(reason, hint, cause)
    if place.patch_did_it:
        return Advice(reason, "the patch removed, renamed or changed it: the baseline passes here", cause)
    if place.served:
        return Advice(reason, hint_of_server(place), cause)
    hint = PERHAPS_HUMAN
    if place.role is Role.HUMAN:
        hint = "not even the human commit has it: the script names the wrong thing and has to be written again"
    return Advice(reason, hint, cause, Blame.SCRIPT)
