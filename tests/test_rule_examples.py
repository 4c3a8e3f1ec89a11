"""Each rule of diagnosis, and each alternative of its pattern, has an example whose outcome a test holds.

The examples are those of all test modules named here: what Python, torch, CUDA, vLLM, transformers, git, container
engines and agents' services really print.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import pytest
import test_error_language
import test_hints
import test_missing_modules
import test_surroundings
import test_taxonomy
import test_unseen_records
from test_taxonomy import agent_run, ended, judge, raised, reported

from pytest_perfagents import diagnosis
from pytest_perfagents.diagnosis import Evidence, agent_failure
from pytest_perfagents.diagnosis.frames import raised_at
from pytest_perfagents.diagnosis.modules import is_compiled
from pytest_perfagents.diagnosis.preparing import not_prepared
from pytest_perfagents.diagnosis.serving import ServedLog, not_served
from pytest_perfagents.diagnosis.standins import stand_in
from pytest_perfagents.diagnosis.types import Raised
from pytest_perfagents.model import Category, Commit, Role
from pytest_perfagents.parsers.script_output import ScriptReport

COMMIT = Commit("vllm", "1a2b3c4d" + "0" * 32, "f" * 40)

# The exception that ended the baseline -> category, words of the reason or the hint.
ENDS = {
    "AttributeError: `np.float_` was removed in the NumPy 2.0 release. Use `np.float64` instead.": (
        "BASELINE_ATTRIBUTE_ERROR",
        '"numpy<2"',
    ),
    "RuntimeError: cuMemCreate failed with CUDA_ERROR_OUT_OF_MEMORY": ("BASELINE_OOM", "ran out of memory"),
    "ValueError: The model's max seq len (131072) is larger than the maximum number of tokens that can be stored in KV "
    "cache (64128). Try increasing `gpu_memory_utilization` or decreasing `max_model_len`": (
        "BASELINE_OOM",
        "ran out of memory",
    ),
    "huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-6)\n\nCannot access gated repo": (
        "BASELINE_EXCEPTION",
        "HF_TOKEN",
    ),
    "huggingface_hub.errors.RepositoryNotFoundError: Repository Not Found for url: https://huggingface.co/x.": (
        "BASELINE_EXCEPTION",
        "HF_TOKEN",
    ),
    "OSError: Invalid username or password.": ("BASELINE_EXCEPTION", "HF_TOKEN"),
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded": (
        "BASELINE_EXCEPTION",
        "HF_HOME",
    ),
    "httpx.ConnectError: [Errno -3] Temporary failure in name resolution": ("BASELINE_EXCEPTION", "HF_HOME"),
    "LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified revision": (
        "BASELINE_EXCEPTION",
        "HF_HOME",
    ),
    "OSError: the files are not in the disk cache and outgoing traffic has been disabled": (
        "BASELINE_EXCEPTION",
        "HF_HOME",
    ),
    "RuntimeError: port 30000 is already in use": ("BASELINE_RUNTIME_ERROR", "ss -ltnp"),
    "RuntimeError: ptxas /tmp/tmpa1.ptx, line 5; fatal   : Unsupported .version 8.4; current version is '8.2'": (
        "BASELINE_RUNTIME_ERROR",
        "TRITON_PTXAS_PATH",
    ),
    "FileNotFoundError: [Errno 2] No such file or directory: 'ninja'": ("BASELINE_EXCEPTION", "pip install ninja"),
    "RuntimeError: Cannot find ptxas": ("BASELINE_RUNTIME_ERROR", "CUDA toolkit"),
    "RuntimeError: Error building extension 'fused': [1/2] c++ -MMD -MF main.o.d\nmain.cpp:1:10: fatal error: "
    "Python.h: No such file or directory": ("BASELINE_RUNTIME_ERROR", "python3-dev"),
    "FileNotFoundError: [Errno 2] No such file or directory: '/usr/bin/gcc'": ("BASELINE_EXCEPTION", "build-essential"),
    "AttributeError: partially initialized module 'torchvision' has no attribute 'extension' (most likely …)": (
        "BASELINE_ATTRIBUTE_ERROR",
        "pip install --no-deps torchvision==0.20.1",
    ),
    "ValueError: `rope_scaling` must be a dictionary with with two fields, `type` and `factor`, got {'factor': 8.0}": (
        "BASELINE_EXCEPTION",
        "Llama 3",
    ),
    "ValueError: Qwen3ForCausalLM has no vLLM implementation and the Transformers implementation is not compatible": (
        "BASELINE_EXCEPTION",
        "model of the commit's day",
    ),
    "ValueError: Model architectures ['Qwen3ForCausalLM'] are not supported for now. Supported architectures: []": (
        "BASELINE_EXCEPTION",
        "model of the commit's day",
    ),
    "ValueError: Model architectures ['Qwen3ForCausalLM'] failed to be inspected. Please check the logs": (
        "BASELINE_EXCEPTION",
        "model of the commit's day",
    ),
    "ImportError: tiktoken is needed for this tokenizer; install it with: pip install tiktoken>=0.7": (
        "BASELINE_IMPORT_ERROR",
        "pip install tiktoken>=0.7",
    ),
    "ImportError: Please install sglang[srt] first": ("BASELINE_IMPORT_ERROR", "pip install 'sglang[srt]'"),
    "ValueError: FP8 quantization requires compute capability 8.9 or higher": (
        "HARDWARE_UNAVAILABLE",
        "hardware",
    ),
    "RuntimeError: GPU is required to quantize or run quantize model.": ("HARDWARE_UNAVAILABLE", "hardware"),
    "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).": (
        "HARDWARE_UNAVAILABLE",
        "update the NVIDIA driver",
    ),
    "RuntimeError: CUDA driver version is insufficient for CUDA runtime version": (
        "HARDWARE_UNAVAILABLE",
        "update the NVIDIA driver",
    ),
    "pynvml.NVMLError_LibraryNotFound: NVML Shared Library Not Found": ("HARDWARE_UNAVAILABLE", "hardware"),
    "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`": (
        "HARDWARE_UNAVAILABLE",
        "hardware",
    ),
    "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.": (
        "HARDWARE_UNAVAILABLE",
        "hardware",
    ),
    "RuntimeError: CUDA error: invalid device ordinal": ("HARDWARE_UNAVAILABLE", "hardware"),
    "ValueError: there are not enough GPUs for tensor parallel size 8": ("HARDWARE_UNAVAILABLE", "hardware"),
    "AcceleratorError: an asynchronous operation failed": ("BASELINE_CUDA_ERROR", "CUDA_LAUNCH_BLOCKING"),
    "RuntimeError: cudaErrorMemoryAllocation was not it, but cudaErrorLaunchFailure": (
        "BASELINE_CUDA_ERROR",
        "CUDA_LAUNCH_BLOCKING",
    ),
    "RuntimeError: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx( handle, opa, opb, m, n, k)`": (
        "BASELINE_CUDA_ERROR",
        "CUDA_LAUNCH_BLOCKING",
    ),
    "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 88 from C header, got 96": (
        "BASELINE_EXCEPTION",
        '"numpy<2"',
    ),
    "RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED": ("BASELINE_CUDA_ERROR", "CUDA_LAUNCH_BLOCKING"),
}


@pytest.mark.parametrize("line", ENDS)
def test_the_exception_that_ended_a_run_is_named_and_explained(line):
    category, words = ENDS[line]
    failure = raised(line)
    assert failure.category == category
    assert words in f"{failure.reason} {failure.hint}"


# What a script reports in words, though its target is there -> category on the baseline.
WORDS = {
    "forward() got multiple values for argument 'positions'": "BASELINE_TYPE_ERROR",
    "unsupported operand type(s) for +: 'int' and 'NoneType'": "BASELINE_TYPE_ERROR",
    'can only concatenate str (not "int") to str': "BASELINE_TYPE_ERROR",
    "'tuple' object does not support item assignment": "BASELINE_TYPE_ERROR",
    "object of type 'generator' has no len()": "BASELINE_TYPE_ERROR",
    "argument of type 'NoneType' is not iterable": "BASELINE_TYPE_ERROR",
    "cannot unpack non-iterable NoneType object": "BASELINE_TYPE_ERROR",
    "vllm.LLM() argument after ** must be a mapping, not NoneType": "BASELINE_TYPE_ERROR",
    "descriptor 'x' for type 'y' must be str, not int": "BASELINE_TYPE_ERROR",
    "The size of tensor a (8) must match the size of tensor b (4) at non-singleton dimension 1": (
        "BASELINE_RUNTIME_ERROR"
    ),
    "Expected all tensors to be on the same device, but found at least two devices": "BASELINE_RUNTIME_ERROR",
    "pop from empty list": "BASELINE_EXCEPTION",
    "invalid literal for int() with base 10: ''": "BASELINE_EXCEPTION",
    "could not convert string to float: 'inf ms'": "BASELINE_EXCEPTION",
    "integer division or modulo by zero; division by zero": "BASELINE_EXCEPTION",
    "maximum recursion depth exceeded while calling a Python object": "BASELINE_EXCEPTION",
}


@pytest.mark.parametrize("error", WORDS)
def test_what_a_script_reports_in_pythons_words_is_that_exception(error):
    assert reported(error, target_resolved=True, opt_path_hit=False).category == WORDS[error]


IGNORED = "Exception ignored in: <function E.__del__ at 0x7f>\nTraceback (most recent call last):\n  x\nKeyError: 1\n"


def test_what_python_ignored_decides_nothing():
    assert judge(Evidence(execution=ended(IGNORED, code=0))).category is Category.BASELINE_NO_OUTPUT


KILLED = {"script.sh: line 3: 4711 Segmentation fault      (core dumped) python x.py": "SIGSEGV", "Killed": "SIGKILL"}


@pytest.mark.parametrize("line", KILLED)
def test_a_shells_last_word_names_the_signal(line):
    assert judge(Evidence(execution=ended(f"{line}\n", code=None))).evidence["signal"] == KILLED[line]


# Names of modules -> whether a build makes them.
MADE = {
    "vllm._C": True,
    "vllm._C_stable": True,
    "vllm.cumem_allocator": True,
    "vllm.cuda_utils": True,
    "vllm.vllm_flash_attn": True,
    "sglang.kernels_ext": True,
    "vllm._version": True,
    "vllm.grpc.engine_pb2": True,
    "vllm._build_info": True,
    "vllm.core": False,
}


@pytest.mark.parametrize("module", MADE)
def test_a_compiled_or_generated_module_is_known_by_its_name(module):
    last = module.rpartition(".")[2]
    assert (is_compiled(module), is_compiled(last)) == (MADE[module], MADE[module])


# What an agent without a patch wrote last -> words of the reason.
SERVICES = {
    "Error loading SSO Token: Token for default does not exist": "SSO",
    "botocore.exceptions.SSOTokenLoadError: no token": "SSO",
    "botocore.exceptions.UnauthorizedSSOTokenError: log in again": "SSO",
    "botocore.exceptions.TokenRetrievalError: Error when retrieving token from sso": "SSO",
    "The SSO session associated with this profile has expired or is otherwise invalid.": "SSO",
    "An error occurred (ExpiredTokenException) when calling the InvokeModel operation": "SSO",
    "The security token included in the request is expired": "SSO",
    "openai.RateLimitError: Error code: 429 - {'error': {'code': 'insufficient_quota'}}": "quota",
    "You exceeded your current quota, please check your plan and billing details.": "quota",
    "Quota exceeded for quota metric 'Generate requests'": "quota",
    "Claude AI usage limit reached": "quota",
    "Your credit balance is too low to access the API.": "quota",
    "code: billing_not_active": "quota",
    "anthropic.AuthenticationError: Error code: 401": "authenticate",
    "{'type': 'authentication_error', 'message': 'invalid x-api-key'}": "authenticate",
    "Incorrect API key provided": "authenticate",
    "An error occurred (UnrecognizedClientException) when calling the Converse operation": "authenticate",
    "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation": "authenticate",
    "An error occurred (AccessDeniedException) when calling the InvokeModel operation": "authenticate",
    "openai.PermissionDeniedError: Error code: 403": "authenticate",
    "botocore.exceptions.NoCredentialsError: no luck": "authenticate",
    "Unable to locate credentials": "authenticate",
    "the API key is not set": "authenticate",
    "unexpected status 401 Unauthorized": "authenticate",
    "anthropic.RateLimitError: slow down": "rate",
    "{'type': 'rate_limit_error'}": "rate",
    "An error occurred (ThrottlingException) when calling the Converse operation": "rate",
    "HTTP/1.1 Too Many Requests": "rate",
    "stream error: exceeded retry limit, last status: 429": "rate",
    "{'type': 'overloaded_error', 'message': 'Overloaded'}": "could not be reached",
    "openai.APIConnectionError: Connection error.": "could not be reached",
    "An error occurred (ServiceUnavailableException) when calling the Converse operation": "could not be reached",
    'Could not connect to the endpoint URL: "https://bedrock.example/model"': "could not be reached",
    "botocore.exceptions.EndpointConnectionError: no route": "could not be reached",
}


@pytest.mark.parametrize("line", SERVICES)
def test_the_trouble_with_an_agents_service_is_named(line):
    failure = agent_failure(agent_run(), f"working\n{line}\nbye\n")
    assert failure.category is Category.AGENT_INFRA_ERROR
    assert SERVICES[line] in failure.reason


# What git, patch and container engines say -> category.
PREPARING = {
    "docker: Error response from daemon: No such image: me/images:baseline-88f6": "IMAGE_UNAVAILABLE",
    "Error: No such image: me/images:baseline-88f6": "IMAGE_UNAVAILABLE",
    "manifest for me/images:base not found: manifest unknown: manifest unknown": "IMAGE_UNAVAILABLE",
    "failed to register layer: exit status 1": "IMAGE_UNAVAILABLE",
    "the baseline image me/images:base does not exist": "IMAGE_UNAVAILABLE",
    "Failed to pull me/images:base": "IMAGE_UNAVAILABLE",
    "image pull was refused": "IMAGE_UNAVAILABLE",
    "pull access denied for me/images": "IMAGE_UNAVAILABLE",
    "it says pull access denied": "IMAGE_UNAVAILABLE",
    "there is no such image": "IMAGE_UNAVAILABLE",
    "the pull ended in toomanyrequests": "IMAGE_UNAVAILABLE",
    "manifest unknown": "IMAGE_UNAVAILABLE",
    "write /var/lib/docker/overlay2/x: no space left on device": "IMAGE_UNAVAILABLE",
    "Cannot connect to Docker": "IMAGE_UNAVAILABLE",
    "the layer found no space left on device": "IMAGE_UNAVAILABLE",
    "pull: context deadline exceeded": "IMAGE_UNAVAILABLE",
    "Missing parent_commit of this commit": "IMAGE_UNAVAILABLE",
    "cannot determine the baseline image": "IMAGE_UNAVAILABLE",
    "fatal: could not get object info": "GIT_WORKTREE_FAILED",
    "fatal: '/tmp/x' already exists": "GIT_WORKTREE_FAILED",
    "error: pathspec '067c34a1' did not match any file(s) known to git": "GIT_WORKTREE_FAILED",
    "Failed to create the worktree": "GIT_WORKTREE_FAILED",
    "a corrupt patch": "PATCH_INVALID",
    "no valid patches": "PATCH_INVALID",
    "the patch does not apply": "PATCH_APPLY_FAILED",
    "Failed to apply agent patch": "PATCH_APPLY_FAILED",
    "patch application failed": "PATCH_APPLY_FAILED",
    "denied: requested access to the resource is denied": "IMAGE_UNAVAILABLE",
    "repository does not exist or may require 'docker login'": "IMAGE_UNAVAILABLE",
    "toomanyrequests: You have reached your pull rate limit.": "IMAGE_UNAVAILABLE",
    "error pulling image configuration: download failed after attempts=6": "IMAGE_UNAVAILABLE",
    "image not found: me/images:base": "IMAGE_UNAVAILABLE",
    'Error response from daemon: Get "https://images.example/v2/": net/http: request canceled': "IMAGE_UNAVAILABLE",
    "bash: docker: command not found": "IMAGE_UNAVAILABLE",
    "docker: write /tmp/layer.tar: no space left on device": "IMAGE_UNAVAILABLE",
    "mkdir: no space left on device: /var/lib/docker/overlay2/x": "IMAGE_UNAVAILABLE",
    "docker: net/http: TLS handshake timeout": "IMAGE_UNAVAILABLE",
    "fatal: ambiguous argument '067c34a1^': unknown revision or path not in the working tree.": "GIT_WORKTREE_FAILED",
    "unknown revision or path not in the working tree": "GIT_WORKTREE_FAILED",
    "fatal: not a git repository (or any of the parent directories): .git": "GIT_WORKTREE_FAILED",
    "Failed to checkout 067c34a1": "GIT_WORKTREE_FAILED",
    "Command 'git worktree add /tmp/x 067c34a1' returned non-zero exit status 128.": "GIT_WORKTREE_FAILED",
    "the worktree /tmp/x: worktree already exists": "GIT_WORKTREE_FAILED",
    'error: No valid patches in input (allow with "--allow-empty")': "PATCH_INVALID",
    "patch: **** Only garbage was found in the patch input.": "PATCH_INVALID",
    "error: patch fragment without header at line 3: @@ -1 +1 @@": "PATCH_INVALID",
    "error: unrecognized input": "PATCH_INVALID",
    "the patch file is empty": "PATCH_INVALID",
    "error: vllm/gone.py: does not exist in index": "PATCH_APPLY_FAILED",
    "can't find file to patch at input line 3": "PATCH_APPLY_FAILED",
    "can't find file to patch at input line 3\n|--- a/vllm/gone.py\n|+++ b/vllm/gone.py": "PATCH_APPLY_FAILED",
}


@pytest.mark.parametrize("line", PREPARING)
def test_what_could_not_be_prepared_is_named(line):
    failure = not_prepared(f"before\n{line}\nafter", COMMIT)
    assert (failure.category, line[:40] in failure.reason) == (PREPARING[line], True)


# What is said of a server -> category.
SERVERS = {
    "Server crashed during startup": "SERVER_CRASHED",
    "SERVER_CRASHED": "SERVER_CRASHED",
    "EngineCore died unexpectedly, engine core proc EngineCore_0 died": "SERVER_CRASHED",
    "the server is not ready after 300 s": "SERVER_CRASHED",
    "[Errno 111] Connection refused": "SERVER_CRASHED",
    "vllm.v1.engine.exceptions.EngineDeadError: it is gone": "SERVER_CRASHED",
    "EngineCore encountered an issue": "SERVER_CRASHED",
    "Benchmark timed out after 900 s": "BENCHMARK_TIMEOUT",
    "patching file vllm/core/scheduler.py": "NO_METRICS",
}


@pytest.mark.parametrize("line", SERVERS)
def test_what_became_of_a_server_is_named(line):
    assert not_served(ServedLog("error", line, ""), COMMIT, ("vllm",)).category == SERVERS[line]


# What a compiler printed before the traceback of its failure -> what lies beneath that.
COMPILERS = {
    "/tmp/tmpx/main.c:5:10: fatal error: Python.h: No such file or directory\ncompilation terminated.": "Python.h",
    "/usr/bin/ld: cannot find -lcuda: No such file or directory\ncollect2: error: ld returned 1 exit status": "-lcuda",
    "main.o: undefined reference to `cuInit'\ncollect2: error: ld returned 1 exit status": "cuInit",
    "/tmp/tmpx/main.c:9:1: error: unknown type name 'CUtensor'\n/tmp/tmpx/main.c:9:1: note: y": "unknown type name",
}
BUILDS = (
    "subprocess.CalledProcessError: Command '['/usr/bin/gcc', '/tmp/tmpx/main.c']' returned non-zero exit status 1.",
    "RuntimeError: Error building extension 'ops'",
    "torch._inductor.exc.CppCompileError: C++ compile error",
)


@pytest.mark.parametrize("line", BUILDS)
@pytest.mark.parametrize("printed", COMPILERS)
def test_what_a_compiler_printed_lies_beneath_its_failure(printed, line):
    text = f'log\n{printed}\nTraceback (most recent call last):\n  File "/w/x.py", line 1, in f\n    go()\n{line}\n'
    chain = judge(Evidence(execution=ended(text))).evidence["chain"]
    assert COMPILERS[printed] in chain[-1]
    assert "collect2" not in chain[-1]


# A line of a script that goes on without a module -> category.
GOES_ON = {
    "Failed to import from vllm._C with ModuleNotFoundError(\"No module named 'vllm._C'\")": "BASELINE_NO_OUTPUT",
    "No module named 'flash_attn', using sdpa": "BASELINE_NO_OUTPUT",
    "No module named 'vllm.core.x', using a mock": "TARGET_NOT_RESOLVED",
}


@pytest.mark.parametrize("line", GOES_ON)
@pytest.mark.parametrize("code", [0, 1])
def test_a_module_that_is_done_without_is_no_trouble(line, code):
    assert judge(Evidence(execution=ended(f"{line}\n", code=code))).category == GOES_ON[line]


MOCKS = ("WARNING: using_mock=True", "Using a stub implementation of the scheduler", "falling back to mock")


@pytest.mark.parametrize("line", MOCKS)
def test_a_script_that_says_it_measures_a_mock_does(line):
    assert stand_in(ScriptReport(seconds=1.0), f"log\n{line}\n", Role.BASELINE).category is Category.WRONG_TARGET


# --- no rule without an example ---------------------------------------------------------------------

# These read the form of a text (tracebacks, prefixes, particulars), and say nothing of a cause.
FORMS = {"tracebacks", "blocks", "groups", "loglines", "names", "causes", "patterns", "types"}


# The file of a traceback's deepest frame -> where it is told to have come from.
FRAMES = {
    "/usr/lib/python3.11/json/decoder.py": None,
    "/venv/lib/python3.11/site-packages/torch/nn/modules/module.py": None,
    "/usr/lib/python3/dist-packages/yaml/loader.py": None,
    "<frozen importlib._bootstrap>": None,
    "/opt/bundle.zip/engine/run.py": None,
    "/cache/sessions/0123456789ab/w/0123abcd-000001/vllm/core/scheduler.py": "vllm/core/scheduler.py:7",
    "/scripts/1a2b3c4d_test_case_generator.py": "1a2b3c4d_test_case_generator.py:7",
}


@pytest.mark.parametrize("file", FRAMES)
def test_a_frame_is_told_by_whose_file_it_is(file):
    assert raised_at(f'Traceback (most recent call last):\n  File "{file}", line 7, in run\n') == FRAMES[file]


def tables() -> Iterator[tuple[str, list[re.Pattern[str]]]]:
    """Every table of patterns in the package, in its order; a pattern that stands alone is a table of one."""
    for found in pkgutil.iter_modules(diagnosis.__path__):
        module = importlib.import_module(f"{diagnosis.__name__}.{found.name}")
        for name, value in vars(module).items():
            patterns = list(patterns_in(value))
            if found.name not in FORMS and patterns and not isinstance(value, ModuleType):
                yield f"{found.name}.{name}", patterns


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from patterns_in(part)


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield re.sub(r"^(?:\w+\.)+(?=[A-Z]\w*: )", "", value)  # as the rules see an exception: without its module
    elif isinstance(value, dict):
        for part in value.items():
            yield from strings_in(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from strings_in(part)


def alternatives(pattern: re.Pattern[str]) -> list[re.Pattern[str]]:
    """The pattern's parts between the bars that stand in no bracket."""
    parts, depth, in_set = [""], 0, False
    for token in re.findall(r"\\.|.", pattern.pattern, re.DOTALL):
        if in_set:
            in_set = token != "]"
        elif token == "[":
            in_set = True
        depth += 0 if in_set else {"(": 1, ")": -1}.get(token, 0)
        if token == "|" and depth == 0 and not in_set:
            parts.append("")
        else:
            parts[-1] += token
    return [re.compile(part, pattern.flags & ~re.UNICODE) for part in parts]


def without_example(patterns: list[re.Pattern[str]], examples: list[str]) -> list[str]:
    """The alternatives that no example matches that no earlier rule of the table takes."""
    lacking = []
    for number, pattern in enumerate(patterns):
        own = [text for text in examples if pattern.search(text)]
        own = [text for text in own if not any(earlier.search(text) for earlier in patterns[:number])]
        lacking += [part.pattern for part in alternatives(pattern) if not any(map(part.search, own))]
    return lacking


HERE = importlib.import_module(__name__)
EXAMPLES = sorted(
    {
        text
        for module in (
            test_taxonomy,
            test_error_language,
            test_unseen_records,
            test_hints,
            test_missing_modules,
            test_surroundings,
            HERE,
        )
        for name, value in vars(module).items()
        if name.isupper() and name != "EXAMPLES"
        for text in strings_in(value)
    }
)


def test_all_tables_are_looked_at():
    named = dict(tables())
    for name in ("advice.RULES", "agents.TROUBLES", "kinds.KINDS", "kinds._BARE", "preparing.RULES", "standins._WORDS"):
        assert name in named
    assert sum(map(len, named.values())) > 100


@pytest.mark.parametrize("name", dict(tables()))
def test_every_rule_has_an_example(name):
    assert without_example(dict(tables())[name], EXAMPLES) == []


def test_a_rule_without_an_example_is_found():
    patterns = [re.compile(r"one|o[|x]|(?:a|b)\|"), re.compile("on")]
    assert without_example(patterns, ["one", "ox", "o|"]) == [r"(?:a|b)\|", "on"]
    assert without_example(patterns, ["one", "ox", "o|", "b|", "only"]) == []


def test_the_beginning_and_the_end_of_a_very_long_message_are_sought_in():
    """Patterns may take the square of a text's length: a message of megabytes must not keep anybody waiting."""
    long = "x" * 300_000
    assert len(Raised("ValueError", long).line) < 10_000
    for message in (f"CUDA out of memory {long}", f"{long} CUDA out of memory"):
        assert raised(f"RuntimeError: {message}").category is Category.BASELINE_OOM
        assert reported(message).category is Category.BASELINE_OOM
