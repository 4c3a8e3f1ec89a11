"""A module that is not there: what a person has to do about it."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_perfagents.diagnosis.kinds import hint_of_server
from pytest_perfagents.diagnosis.types import Advice, Place
from pytest_perfagents.model import Blame, Role

# Import name -> what installs it, where the two differ (PyPI takes "-" and "_" for the same).
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "dateutil": "python-dateutil",
    "multipart": "python-multipart",
    "zmq": "pyzmq",
    "git": "GitPython",
    "attr": "attrs",
    "jwt": "PyJWT",
    "fitz": "PyMuPDF",
    "grpc": "grpcio",
    "google": "protobuf",
    "pkg_resources": '"setuptools<81"',
    "IPython": "ipython",
    "pynvml": "nvidia-ml-py",
    "flashinfer": "flashinfer-python",
    "flash_attn": "flash-attn --no-build-isolation",
    "sgl_kernel": "sgl-kernel",
    "cutlass": "nvidia-cutlass-dsl",
    "lmformatenforcer": "lm-format-enforcer",
    "torch_xla": "torch-xla",
    "intel_extension_for_pytorch": "intel-extension-for-pytorch",
}

# Modules that only some versions have; the pin is one that did.
_VERSIONS = (
    ("outlines.fsm", '"outlines>=0.0.44,<0.1"'),
    ("outlines.caching", '"outlines<0.1"'),
    ("outlines_core.fsm", '"outlines-core<0.2"'),
    ("pkg_resources", '"setuptools<81"'),
)

# Not on the package index under any name.
_ELSEWHERE = {
    "transformers_neuronx": "it is part of the AWS Neuron SDK and needs that hardware",
    "deep_ep": "build DeepEP from github.com/deepseek-ai/DeepEP; it needs NVIDIA GPUs",
    "deep_gemm": "build DeepGEMM from github.com/deepseek-ai/DeepGEMM; it needs an NVIDIA GPU",
    "habana_frameworks": "it is part of Intel Gaudi's software and needs that hardware",
    "torch_npu": "it is part of Huawei Ascend's software and needs that hardware",
    "amdsmi": "it comes with ROCm (/opt/rocm/share/amd_smi) and needs an AMD GPU",
}

_GONE_FROM_PYTHON = {
    "distutils": "3.11",
    "imp": "3.11",
    "asynchat": "3.11",
    "asyncore": "3.11",
    "cgi": "3.12",
    "pipes": "3.12",
}
_REPOSITORY_FOLDERS = frozenset(
    {"benchmark", "benchmarks", "test", "tests", "scripts", "examples", "tools", "conftest"}
)
_COMPILED = re.compile(r"_\w*C|_C_\w+|cuda_utils|cumem_allocator|vllm_flash_attn\w*|\w+_ext")
_GENERATED = re.compile(r"_version|\w+_pb2(?:_grpc)?|_build_info")


PERHAPS_HUMAN = "perhaps the script calls an API of the human commit; guard it"
"""Of what this commit does not have: only a run of the human's side would show whether that one does."""


def is_compiled(name: str) -> bool:
    """Whether the last part of the name is that of a compiled or generated file, which git does not hold."""
    last = name.split(".")[-1]
    return bool(_COMPILED.fullmatch(last) or _GENERATED.fullmatch(last))


def is_target(module: str, place: Place) -> bool:
    """Whether a missing module is a source file of the measured package: nothing that could be installed."""
    return "." in module and place.measures(module) and not is_compiled(module)


def install(module: str) -> str:
    """The command that brings an import name."""
    for beginning, pin in _VERSIONS:
        if module == beginning or module.startswith(beginning + "."):
            return f"pip install {pin}"
    top = module.split(".")[0]
    return f"pip install {DISTRIBUTIONS.get(top, top)}"


def missing_module(module: str, place: Place) -> Advice:
    """What ``No module named '<module>'`` asks for."""
    top = module.split(".")[0]
    if place.measures(module):
        return _missing_of_package(module, place)
    if top in _REPOSITORY_FOLDERS:
        hint = f"no package to install: {top}/ is a folder of the repository, whose root is not on the path"
        reason = f"needs {module!r}, a file of the repository itself"
        return Advice(reason, hint, f"need {module}", Blame.SCRIPT, module)
    if top in _GONE_FROM_PYTHON:
        last = _GONE_FROM_PYTHON[top]
        hint = f"set python of [repos.{place.repo}] to Python {last}, the last that has it"
        hint = f"serve it with Python {last}, the last that has it" if place.served else hint
        reason = f"needs module {module!r}, which this Python no longer has"
        return Advice(reason, hint, f"need {module}", Blame.ENVIRONMENT, module)
    where = "not installed" if "." not in module else f"not installed, or not in the installed version of {top}"
    hint = _install_hint(module)
    if place.patch_did_it:
        hint = f"the patch needs it and the baseline does not; to give it a chance: {hint}"
    cause = f"need {module if '.' in module else top}"
    return Advice(f"needs module {module!r}, which is {where}", hint, cause, Blame.ENVIRONMENT, module)


def _install_hint(module: str) -> str:
    top, command = module.split(".")[0], install(module)
    if top in _ELSEWHERE:
        return _ELSEWHERE[top]
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
