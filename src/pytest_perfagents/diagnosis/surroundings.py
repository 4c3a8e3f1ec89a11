"""What a script needs of the machine, the network and other people: a table of advice."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.types import Rule, fixed

SURROUNDINGS: tuple[Rule, ...] = (
    (
        re.compile(r"(?P<file>lib(?!cuda\.)[\w.+-]+\.so[\w.]*): cannot open shared object file"),
        fixed(
            "needs the shared library {file}",
            "install what brings {file}: for libcudart and its kin the CUDA version that torch was built for",
            "need {file}",
        ),
    ),
    (
        either(
            r"gated repo|401 Client Error|Repository Not Found for url|Invalid username or password",
            r"is not a valid model identifier listed on",
            flags=re.IGNORECASE,
        ),
        fixed(
            "wants a model that Hugging Face does not give to this user",
            "ask for access and hand HF_TOKEN through (pass_env of [repos.{repo}]), or use an open model",
            "need access to a model",
        ),
    ),
    (
        either(
            r"couldn't connect to 'https|Max retries exceeded|Temporary failure in name resolution",
            r"LocalEntryNotFoundError|outgoing traffic has been disabled|offline mode is enabled",
            r"429 Client Error|HTTPSConnectionPool\([^)\n]*\): Read timed out",
            flags=re.IGNORECASE,
        ),
        fixed(
            "wants something from the network, which cannot be reached",
            "fetch it once into the cache that the measured code sees (HF_HOME), or use a local copy",
            "need something from the network",
        ),
    ),
    (
        re.compile(r"\[Errno 13\] Permission denied: '(?P<path>[^']+)'"),
        fixed(
            "may not use {path}",
            "measured code may write only in its own worktree, HOME and TMP, and reads no other worktree, result or "
            "git history; `writable` of [repos.{repo}] allows more folders",
            "need a folder that they may not use",
        ),
    ),
    (
        re.compile(r"No space left on device"),
        fixed(
            "ran out of disk space",
            "free some disk space, or set cache of [perfagents] to a larger disk",
            "need disk space",
        ),
    ),
    (
        re.compile(r"[Tt]orch (?:is |was )?not compiled with (?:CUDA|GPU)"),
        fixed(
            "asks for CUDA, and the installed torch is a CPU build",
            "install a CUDA build of this torch version, where there is an NVIDIA GPU; else run it on such a machine",
            "need a CUDA build of torch",
            whoever=True,
        ),
    ),
    (
        re.compile(r"no kernel image is available"),
        fixed(
            "has no kernel for this GPU",
            "install a torch built for this GPU's architecture, or use a GPU of the commit's day",
            "need a torch for this GPU",
        ),
    ),
    (
        re.compile(r"(?i)address already in use|\bEADDRINUSE\b|\bport \d+ is (?:already )?in use"),
        fixed(
            "wants a port that something else on this machine uses",
            "end what listens there (ss -ltnp shows it), or take a free port (0)",
            "need a port that is in use",
        ),
    ),
    (
        either(
            r"Value '(?P<arch>sm_\w+)' is not defined for option 'gpu-name'",
            r"ptxas[^\n]*Unsupported \.version|Unsupported \.version [\d.]+; current version",
        ),
        fixed(
            "has a ptxas (it comes with triton) that is too old for this GPU {arch}",
            "install a torch whose triton knows this GPU, or set TRITON_PTXAS_PATH to the ptxas of a newer CUDA "
            "toolkit in env of [repos.{repo}]",
            "need a triton for this GPU",
        ),
    ),
    (
        re.compile(r"out of resource: (?P<what>[a-z ]+), Required: "),
        fixed(
            "runs a kernel that wants more {what} than this GPU has",
            "run it on a larger GPU, or with smaller blocks",
            "need a larger GPU",
        ),
    ),
    (
        re.compile(r"Ninja is required to load C\+\+ extensions|No such file or directory: 'ninja'"),
        fixed("needs ninja to compile", "pip install ninja", "need ninja"),
    ),
    (
        either(
            r"CUDA_HOME environment variable is not set|Could not find nvcc|Cannot find ptxas",
            r"No such file or directory: '(?:[^'\n]*/)?nvcc'",
        ),
        fixed(
            "needs the CUDA toolkit to compile",
            "install the CUDA toolkit of the version that torch was built for, and set CUDA_HOME in env of "
            "[repos.{repo}]",
            "need the CUDA toolkit",
        ),
    ),
    (
        either(
            r"Failed to find C compiler|Python\.h: No such file or directory",
            r"No such file or directory: '(?:[^'\n]*/)?(?:gcc|g\+\+|cc|c\+\+|clang)'",
        ),
        fixed(
            "needs a C compiler and the headers of Python",
            "install gcc and the headers of the interpreter, such as: apt-get install build-essential python3-dev",
            "need a C compiler",
        ),
    ),
    (
        re.compile(r"Cannot find a working triton installation"),
        fixed("needs triton", "pip install triton (the version that this torch asks for)", "need triton"),
    ),
)
