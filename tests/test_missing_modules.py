"""What a module, a name, an operator or a version that is not there asks for: the right package, or none at all."""

from __future__ import annotations

import pytest
from test_taxonomy import ended, judge, raised, reported

from pytest_perfagents.diagnosis import Evidence
from pytest_perfagents.model import Blame, Category, Role

# The module -> whose move it is, words of the hint.
MODULES = {
    "faiss": ("environment", "pip install faiss-cpu"),
    "Crypto.Cipher": ("environment", "pip install pycryptodome"),
    "OpenSSL": ("environment", "pip install pyopenssl"),
    "docx": ("environment", "pip install python-docx"),
    "magic": ("environment", "pip install python-magic"),
    "cupy": ("environment", "pip install cupy-cuda12x"),
    "mpl_toolkits.mplot3d": ("environment", "pip install matplotlib"),
    "google.cloud.storage": ("environment", "pip install google-cloud-storage"),
    "google.api_core.retry": ("environment", "pip install google-api-core"),
    "cuda.bindings": ("environment", "pip install cuda-python"),
    "google.protobuf": ("environment", "pip install protobuf"),
    "nvidia.cuda_nvcc": ("environment", "pip install nvidia-cuda-nvcc-cu12"),
    "numpy._core": ("environment", 'pip install "numpy>=2"'),
    "apex": ("environment", "github.com/NVIDIA/apex"),
    "aiter": ("environment", "github.com/ROCm/aiter"),
    "flash_attn_interface": ("environment", "FlashAttention 3"),
    "flash_attn_2_cuda": ("environment", "--force-reinstall --no-deps --no-build-isolation"),
    "vllm.commit_id": ("environment", "build the package at this commit"),
    "vllm._version": ("environment", "build the package at this commit"),
    "utils": ("script", "put the folder that holds utils on the path"),
    "test_utils": ("script", "put the folder that holds test_utils on the path"),
    "helpers.data": ("script", "put the folder that holds helpers on the path"),
    "common": ("script", "the folder that holds common"),
    "config": ("script", "the folder that holds config"),
    "backend_request_func": ("script", "the folder that holds backend_request_func"),
    "_lzma": ("environment", "install liblzma-dev and build this Python again"),
    "_ctypes": ("environment", "install libffi-dev"),
    "_sqlite3": ("environment", "install libsqlite3-dev"),
    "tkinter": ("environment", "install tk-dev"),
    "ensurepip": ("environment", "no package to install: take a Python that has it (python of [repos.vllm])"),
    "tomllib": ("environment", "take Python 3.11 or newer"),
    "annotationlib": ("environment", "take Python 3.14 or newer"),
    "asyncio.taskgroups": ("environment", "take Python 3.11 or newer"),
    "distutils.util": ("environment", "take Python 3.11, the last that has it"),
}
NO_PIP = ("_lzma", "_ctypes", "_sqlite3", "tkinter", "ensurepip", "tomllib", "apex", "aiter", "utils", "vllm.commit_id")


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_module_is_brought_by_what_really_holds_it(module):
    blame, words = MODULES[module]
    failure = raised(f"ModuleNotFoundError: No module named '{module}'")
    assert (failure.category, failure.blame) == ("BASELINE_IMPORT_ERROR", blame)
    assert words in failure.hint
    assert reported(f"No module named '{module}'").hint == failure.hint


@pytest.mark.parametrize("module", NO_PIP)
def test_no_pip_is_told_where_pip_brings_something_else_or_nothing(module):
    assert "pip install" not in reported(f"No module named '{module}'").hint


def test_a_version_file_that_is_not_there_is_no_cause_of_what_came_after():
    failure = raised("ModuleNotFoundError: No module named 'vllm.commit_id'", "KeyError: 'a'")
    assert "build" not in failure.hint


# Names that are not there -> words of the hint.
NAMES = {
    "ImportError: cannot import name 'Self' from 'typing' (/usr/lib/python3.10/typing.py)": "take Python 3.11 or newer",
    "ImportError: cannot import name 'override' from 'typing' (/opt/py/typing.py)": "take Python 3.12 or newer",
    "ImportError: cannot import name 'Mapping' from 'collections' (/opt/py/collections/__init__.py)": (
        "take Python 3.9, the last that has it"
    ),
    "AttributeError: module 'pkgutil' has no attribute 'ImpImporter'": '"setuptools>=66.1"',
    "AttributeError: module 'asyncio' has no attribute 'timeout'": "take Python 3.11 or newer",
    "AttributeError: module 'random' has no attribute 'randbits'": "a file called random.py hides Python's own",
    "AttributeError: module 'numpy' has no attribute 'trapezoid'. Did you mean: 'trapz'?": '"numpy>=2"',
    "AttributeError: module 'numpy' has no attribute 'astype'": '"numpy>=2"',
    "ImportError: cannot import name 'bitwise_count' from 'numpy' (/x/numpy/__init__.py)": '"numpy>=2"',
    "AttributeError: module 'numpy' has no attribute 'float128'": "Linux on x86-64",
    "AttributeError: module 'numpy' has no attribute 'int'.": '"numpy<1.24"',
    "AttributeError: module 'numpy' has no attribute 'in1d'": '"numpy<2"',
    "AttributeError: '_OpNamespace' 'sgl_kernel' object has no attribute 'fwd'": "pip install sgl-kernel",
    "AttributeError: '_OpNamespace' 'flashinfer' object has no attribute 'silu'": "pip install flashinfer-python",
    "AttributeError: '_OpNamespace' '_vllm_fa2_C' object has no attribute 'varlen_fwd'": "build the package",
    "AttributeError: '_OpNamespace' 'aten' object has no attribute '_safe_softmax'": "the torch of the commit's day",
}


@pytest.mark.parametrize("line", NAMES)
def test_a_missing_name_is_brought_by_the_version_that_has_it(line):
    failure = raised(line)
    assert failure.blame is Blame.ENVIRONMENT
    assert NAMES[line] in failure.hint
    assert "pip install typing" not in failure.hint


TORCHVISION = "AttributeError: '_OpNamespace' 'torchvision' object has no attribute 'nms'"


def test_torchvisions_operators_are_torchvisions():
    failure = raised(TORCHVISION)
    assert "torchvision" in failure.hint
    assert "build" not in failure.hint


def test_an_operator_of_the_packages_own_python_is_not_built():
    failure = raised("AttributeError: '_OpNamespace' 'vllm' object has no attribute 'unified_attention'")
    assert "vllm::unified_attention" in failure.reason
    assert "build" not in failure.hint


# Exceptions that ask for a version -> the hint.
WANTED = {
    "ImportError: tokenizers>=0.21,<0.22 is required for a normal functioning of this module, but found "
    "tokenizers==0.19.1.\nTry: `pip install transformers -U` or `pip install -e '.[dev]'` if you're working with git "
    "main": 'pip install "tokenizers>=0.21,<0.22"',
    "pydantic.errors.PydanticImportError: `BaseSettings` has been moved to the `pydantic-settings` package.": (
        'pip install "pydantic<2"'
    ),
    "pydantic.errors.PydanticUserError: `const` is removed, use `Literal` instead": 'pip install "pydantic<2"',
}


@pytest.mark.parametrize("line", WANTED)
def test_the_version_that_is_asked_for_is_the_one_to_install(line):
    failure = raised(line)
    assert (failure.blame, failure.hint) == (Blame.ENVIRONMENT, WANTED[line])


# What pip printed last -> words of the hint.
INSTALLS = {
    "  error: subprocess-exited-with-error\n  ╰─> [12 lines of output]\n      ModuleNotFoundError: No module named "
    "'torch'\n      [end of output]\nERROR: Failed to build installable wheels for some pyproject.toml based projects "
    "(flash-attn)\n": "pip install --no-build-isolation flash-attn",
    "      No module named 'numpy'\nERROR: Failed building wheel for sentencepiece\n": (
        "see in pip's output, above, why sentencepiece was not built"
    ),
    "ERROR: Could not build wheels for mamba-ssm, which is required to install pyproject.toml-based projects\n": (
        "pip install --no-build-isolation mamba-ssm"
    ),
    "ERROR: Could not find a version that satisfies the requirement torch==2.1.2 (from versions: 2.2.0, 2.3.0)\n"
    "ERROR: No matching distribution found for torch==2.1.2\n": "the Python of the commit's day",
    "ERROR: Cannot install -r requirements.txt (line 3) and numpy==2.0 because these package versions have conflicting "
    "dependencies.\n": "loosen the pins",
    "ERROR: ResolutionImpossible: for help visit the page on dependency resolution\n": "loosen the pins",
    "error: externally-managed-environment\n\nThis environment is externally managed\n": "virtual environment",
    "ERROR: Failed building wheel for flash_attn\n": "pip install --no-build-isolation flash_attn",
    "ERROR: Failed building wheel for causal-conv1d\n": "pip install --no-build-isolation causal-conv1d",
    "ERROR: Failed building wheel for xformers\n": "pip install --no-build-isolation xformers",
    "ERROR: Failed building wheel for apex\n": "pip install --no-build-isolation apex",
}


@pytest.mark.parametrize("text", INSTALLS)
def test_what_pip_says_at_its_end_tells_more_than_the_build_that_it_ran(text):
    failure = judge(Evidence(execution=ended(text)))
    assert (failure.category, failure.blame) == (Category.TEST_IMPORT_ERROR, Blame.ENVIRONMENT)
    assert INSTALLS[text] in failure.hint
    assert judge(Evidence(execution=ended(text)), Role.PATCHED).category is Category.PATCHED_IMPORT_ERROR


def test_what_pip_said_decides_nothing_where_the_run_went_on():
    text = "ERROR: Failed building wheel for sentencepiece\n"
    failure = judge(Evidence(execution=ended(text, code=0)))
    assert failure.category is Category.BASELINE_NO_OUTPUT


def test_a_pip_that_the_script_calls_is_named_before_the_exception_of_the_call():
    text = (
        "ERROR: No matching distribution found for torch==2.1.2\nTraceback (most recent call last):\n"
        '  File "/w/script.py", line 3, in setup\n    go()\n'
        "subprocess.CalledProcessError: Command '['pip', 'install', 'torch==2.1.2']' returned non-zero exit status 1.\n"
    )
    assert "torch==2.1.2" in judge(Evidence(execution=ended(text))).evidence["cause"]
