"""Records that no rule was written after: what scripts of vLLM and SGLang say and how their processes end."""

from __future__ import annotations

import pytest
from recordings import DURING, FRAME, FROM, record, write

from pytest_perfagents.recorded.importing import import_records

A_RUN_IN_A_POOL = (
    f"{FRAME}ray.exceptions.RayTaskError(ValueError): \x1b[36mray::Worker.execute()\x1b[39m (pid=71, ip=10.0.0.7)\n"
    '  File "/opt/vllm/worker/worker.py", line 7, in execute\n    go()\nValueError: odd\n'
)
NUMPY_TEXT = (
    "\nA module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.0.2 as it may crash. To support both 1.x "
    "and 2.x\nversions of NumPy, modules must be compiled with NumPy 2.0.\n\n"
    f"{FRAME}AttributeError: _ARRAY_API not found\n{FRAME}ImportError: numpy.core.multiarray failed to import\n"
)
ENGINE = (
    "(EngineCore_DP0 pid=93) ERROR 09-12 10:11:12 [core.py:700] Traceback (most recent call last):\n"
    '(EngineCore_DP0 pid=93) ERROR 09-12 10:11:12 [core.py:700]   File "/w/vllm/v1/engine/core.py", line 5, in run\n'
    "(EngineCore_DP0 pid=93) ERROR 09-12 10:11:12 [core.py:700] ValueError: Free memory on device (3.2/79.15 GiB) on "
    "startup is less than desired GPU memory utilization (0.9, 71.24 GiB). Decrease GPU memory utilization or reduce "
    "GPU memory used by other processes.\n"
)
PTXAS = (
    "RuntimeError: Internal Triton PTX codegen error\n`ptxas` stderr:\n"
    "ptxas fatal   : Value 'sm_120' is not defined for option 'gpu-name'\n\nRepro command: ptxas -lineinfo"
)
PROTOBUF = (
    "TypeError: Descriptors cannot be created directly.\nIf this call came from a _pb2.py file, your generated code is "
    "out of date and must be regenerated with protoc >= 3.19.0."
)
TOO_FEW_BYTES = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:115] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
    "to allocate 137438953472 bytes. Error code 12 (Cannot allocate memory)"
)
FULL_GPU = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.15 GiB "
    "of which 1.19 GiB is free."
)


def raises(*lines, between=FROM):
    """Tracebacks on stderr, the deepest first."""
    return {"stderr": between.join(f"{FRAME}{line}\n" for line in lines), "returncode": 1}


def reports(error, *, resolved=True, hit=False, **more):
    """The JSON of a script that catches everything."""
    return {"baseline_output": {"target_resolved": resolved, "error": error, "opt_path_hit": hit, **more}}


def prints(text, code=1, place="stdout"):
    return {place: text, "returncode": code}


# What the record holds -> category, whose move, words of the reason or the hint.
UNSEEN = {
    # imports
    "json, not installed": (
        reports("No module named 'flashinfer'", resolved=False),
        ("TEST_IMPORT_ERROR", "environment", "pip install flashinfer-python"),
    ),
    "text, not installed": (
        prints("[setup] ImportError: No module named 'sgl_kernel'\n"),
        ("TEST_IMPORT_ERROR", "environment", "pip install sgl-kernel"),
    ),
    "text, moved": (
        prints("could not import target: cannot import name 'Req' from 'vllm.engine.llm' (/w/vllm/engine/llm.py)\n"),
        ("TARGET_NOT_RESOLVED", "script", "guard it"),
    ),
    "json, not yet there": (
        reports("module 'vllm.envs' has no attribute 'VLLM_USE_V1'", resolved=False),
        ("TARGET_NOT_RESOLVED", "script", "guard it"),
    ),
    "during handling": (
        raises(
            "ModuleNotFoundError: No module named 'vllm_flash_attn'",
            "ImportError: no attention backend",
            between=DURING,
        ),
        ("BASELINE_IMPORT_ERROR", "environment", "vllm_flash_attn"),
    ),
    "names its packages": (
        raises(
            "ImportError: This modeling file requires the following packages that were not found in your environment: "
            "einops. Run `pip install einops`"
        ),
        ("BASELINE_IMPORT_ERROR", "environment", "pip install einops"),
    ),
    "accelerate": (
        raises(
            "ImportError: Using `low_cpu_mem_usage=True`, a `device_map` or a `tp_plan` requires Accelerate: "
            "`pip install 'accelerate>=0.26.0'`"
        ),
        ("BASELINE_IMPORT_ERROR", "environment", "pip install 'accelerate>=0.26.0'"),
    ),
    "an extra of vllm": (
        raises("ImportError: Please install vllm[audio] for audio support."),
        ("BASELINE_IMPORT_ERROR", "environment", "the extra [audio] of vllm asks for, without vllm itself"),
    ),
    "glibc": (
        raises(
            "ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.32' not found (required by "
            "/w/vllm/_C.abi3.so)"
        ),
        ("BASELINE_IMPORT_ERROR", "environment", "GLIBC_2.32"),
    ),
    "c++ library": (
        raises("ImportError: /opt/conda/lib/libstdc++.so.6: version `CXXABI_1.3.15' not found (required by /x/y.so)"),
        ("BASELINE_IMPORT_ERROR", "environment", "CXXABI_1.3.15"),
    ),
    "flash-attn": (
        raises(
            "ImportError: /usr/lib/python3/dist-packages/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so: undefined "
            "symbol: _ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
        ),
        ("BASELINE_IMPORT_ERROR", "environment", "built against another torch"),
    ),
    "numpy 2": ({"stderr": NUMPY_TEXT}, ("BASELINE_IMPORT_ERROR", "environment", '"numpy<2"')),
    "numpy 1": (
        raises(
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got "
            "88 from PyObject"
        ),
        ("BASELINE_EXCEPTION", "environment", '"numpy>=2"'),
    ),
    "protobuf": (raises(PROTOBUF), ("BASELINE_TYPE_ERROR", "environment", "protobuf")),
    # chains
    "raise from": (
        raises("KeyError: 'model.layers.0.mlp.gate_up_proj.weight'", "RuntimeError: failed to load weights"),
        ("BASELINE_RUNTIME_ERROR", "script", "gate_up_proj"),
    ),
    "raise from, explained": (
        raises("ModuleNotFoundError: No module named 'xgrammar'", "ValueError: no backend for guided decoding"),
        ("BASELINE_EXCEPTION", "environment", "pip install xgrammar"),
    ),
    "engine core": (
        {"stderr": f"{ENGINE}{FRAME}RuntimeError: Engine core initialization failed. See root cause above.\n"},
        ("BASELINE_RUNTIME_ERROR", "environment", "ran out of memory"),
    ),
    "a worker of ray": ({"stderr": A_RUN_IN_A_POOL}, ("BASELINE_EXCEPTION", "script", "ValueError: odd")),
    # memory
    "torch's own": (raises(FULL_GPU), ("BASELINE_OOM", "environment", "Tried to allocate 2.50 GiB")),
    "json, gpu memory": (
        reports("CUDA out of memory. Tried to allocate 20.00 MiB", hit=None),
        ("BASELINE_OOM", "environment", "20.00 MiB"),
    ),
    "torch, main memory": (raises(TOO_FEW_BYTES), ("BASELINE_OOM", "environment", "137438953472")),
    "std::bad_alloc": (
        prints(
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
            -6,
            "stderr",
        ),
        ("BASELINE_OOM", "environment", "std::bad_alloc"),
    ),
    "mmap": (
        raises("RuntimeError: unable to mmap 15323423232 bytes from file </m/a.pt>: Cannot allocate memory (12)"),
        ("BASELINE_OOM", "environment", "Cannot allocate memory"),
    ),
    "json, MemoryError": (reports("MemoryError"), ("BASELINE_OOM", "environment", "memory")),
    "ray's": (
        raises("ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."),
        ("BASELINE_OOM", "environment", "running low on memory"),
    ),
    "sglang's": (
        raises("RuntimeError: Not enough memory. Please try to increase --mem-fraction-static."),
        ("BASELINE_OOM", "environment", "mem-fraction-static"),
    ),
    "kv cache": (
        raises(
            "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is "
            "needed, which is larger than the available KV cache memory (3.20 GiB)."
        ),
        ("BASELINE_OOM", "environment", "KV cache"),
    ),
    "gpu in use": (
        raises(
            "ValueError: Free memory on device (3.2/79.15 GiB) on startup is less than desired GPU memory utilization "
            "(0.9, 71.24 GiB)."
        ),
        ("BASELINE_OOM", "environment", "Free memory"),
    ),
    "a shell's word": (
        prints("bash: line 1:  4711 Killed                  python script.py\n", None, "stderr"),
        ("BASELINE_OOM", "environment", "SIGKILL"),
    ),
    # ends
    "exit -9": ({"returncode": -9}, ("BASELINE_OOM", "environment", "SIGKILL")),
    "exit 137": ({"returncode": 137}, ("BASELINE_OOM", "environment", "SIGKILL")),
    "exit -11": ({"returncode": -11}, ("BASELINE_NO_OUTPUT", "script", "SIGSEGV")),
    "exit 139": ({"returncode": 139}, ("BASELINE_NO_OUTPUT", "script", "SIGSEGV")),
    "exit -6": ({"returncode": -6}, ("BASELINE_NO_OUTPUT", "script", "SIGABRT")),
    "exit 134": ({"returncode": 134}, ("BASELINE_NO_OUTPUT", "script", "SIGABRT")),
    "exit 143": ({"returncode": 143}, ("BASELINE_NO_OUTPUT", "environment", "SIGTERM")),
    "exit 130": ({"returncode": 130}, ("BASELINE_NO_OUTPUT", "environment", "SIGINT")),
    "exit 152": ({"returncode": 152}, ("BASELINE_TIMEOUT", "environment", "CPU time")),
    "exit 124": ({"returncode": 124}, ("BASELINE_TIMEOUT", "script", "timeout(1)")),
    "exit 0, nothing": ({"returncode": 0}, ("BASELINE_NO_OUTPUT", "script", "exit code 0")),
    "exit 3, nothing": ({"returncode": 3}, ("BASELINE_NO_OUTPUT", "script", "exit code 3")),
    "a log and exit 0": (
        prints("INFO 09-12 10:11:12 [llm.py:1] Processed prompts: 100%\n", 0, "stderr"),
        ("BASELINE_NO_OUTPUT", "script", "exit code 0"),
    ),
    # types, attributes, assertions, values
    "__init__, arguments missing": (
        raises("TypeError: SchedulerConfig.__init__() missing 2 required positional arguments: 'a' and 'b'"),
        ("BASELINE_TYPE_ERROR", "script", "guard it"),
    ),
    "__init__, too many": (
        reports("__init__() takes 2 positional arguments but 4 were given"),
        ("BASELINE_TYPE_ERROR", "script", "guard it"),
    ),
    "json, abstract": (
        reports("Can't instantiate abstract class ExecutorBase with abstract method execute_model"),
        ("BASELINE_TYPE_ERROR", "script", "abstract"),
    ),
    "json, comparison": (
        reports("'<' not supported between instances of 'NoneType' and 'int'"),
        ("BASELINE_TYPE_ERROR", "script", "NoneType"),
    ),
    "json, subscript": (
        reports("'NoneType' object is not subscriptable"),
        ("BASELINE_TYPE_ERROR", "script", "NoneType"),
    ),
    "json, key": (reports("'num_attention_heads'"), ("BASELINE_EXCEPTION", "script", "num_attention_heads")),
    "json, index": (reports("list index out of range"), ("BASELINE_EXCEPTION", "script", "out of range")),
    "json, unpacking": (
        reports("not enough values to unpack (expected 3, got 2)"),
        ("BASELINE_EXCEPTION", "script", "unpack"),
    ),
    "json, file": (
        reports("[Errno 2] No such file or directory: '/data/ShareGPT_V3.json'"),
        ("BASELINE_EXCEPTION", "script", "ShareGPT"),
    ),
    "json, assertion without a text": (
        reports("", error_type="AssertionError"),
        ("BASELINE_ASSERTION", "script", "AssertionError"),
    ),
    "json, assertion by its class": (
        reports("shapes differ", error_type="AssertionError"),
        ("BASELINE_ASSERTION", "script", "shapes differ"),
    ),
    "json, nothing after the class": (reports("AssertionError: "), ("BASELINE_ASSERTION", "script", "AssertionError")),
    "json, no text at all": (reports(""), ("BASELINE_EXCEPTION", "script", "an error without a text")),
    "assertion without a text": (raises("AssertionError"), ("BASELINE_ASSERTION", "script", "AssertionError")),
    "assertion with a text": (
        raises("AssertionError: Tensor-likes are not close!\n\nMismatched elements: 12 / 4096 (0.3%)"),
        ("BASELINE_ASSERTION", "script", "not close"),
    ),
    "a script that does not parse": (
        {"stderr": '  File "/x/script.py", line 9\n    def setup(:\n              ^\nSyntaxError: invalid syntax\n'},
        ("BASELINE_EXCEPTION", "script", "SyntaxError"),
    ),
    # GPUs
    "illegal address": (
        raises("torch.AcceleratorError: CUDA error: an illegal memory access was encountered"),
        ("BASELINE_CUDA_ERROR", "environment", "CUDA_LAUNCH_BLOCKING"),
    ),
    "no kernel image": (
        raises("RuntimeError: CUDA error: no kernel image is available for execution on the device"),
        ("BASELINE_CUDA_ERROR", "environment", "torch built for this GPU"),
    ),
    "nccl": (
        raises(
            "torch.distributed.DistBackendError: NCCL error in: /pytorch/NCCLUtils.cpp:77, remote process exited or "
            "there was a network error, NCCL version 2.26.2"
        ),
        ("BASELINE_CUDA_ERROR", "environment", "NCCL"),
    ),
    "old GPU": (
        raises(
            "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. "
            "Current capability: 80."
        ),
        ("HARDWARE_UNAVAILABLE", "environment", "capability: 89"),
    ),
    "bfloat16": (
        raises(
            "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU "
            "has compute capability 7.5."
        ),
        ("HARDWARE_UNAVAILABLE", "environment", "Tesla T4"),
    ),
    "placement group": (
        raises(
            "ValueError: The number of required GPUs exceeds the total number of available GPUs in the placement group."
        ),
        ("HARDWARE_UNAVAILABLE", "environment", "GPUs"),
    ),
    "shared memory": (
        raises(
            "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 147456, Hardware limit: "
            "101376. Reducing block sizes or `num_stages` may help."
        ),
        ("BASELINE_EXCEPTION", "environment", "larger GPU"),
    ),
    "ptxas": (raises(PTXAS), ("BASELINE_RUNTIME_ERROR", "environment", "sm_120")),
    "a fork with CUDA": (
        raises(
            "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must "
            "use the 'spawn' start method"
        ),
        ("BASELINE_RUNTIME_ERROR", "script", "spawn"),
    ),
    # tools that compile
    "ninja": (
        raises("RuntimeError: Ninja is required to load C++ extensions (pip install ninja to get it)"),
        ("BASELINE_RUNTIME_ERROR", "environment", "pip install ninja"),
    ),
    "CUDA_HOME": (
        raises("OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root."),
        ("BASELINE_EXCEPTION", "environment", "CUDA toolkit"),
    ),
    "nvcc": (
        raises("RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist"),
        ("BASELINE_RUNTIME_ERROR", "environment", "CUDA toolkit"),
    ),
    "nvcc, not there": (
        raises("FileNotFoundError: [Errno 2] No such file or directory: '/usr/local/cuda/bin/nvcc'"),
        ("BASELINE_EXCEPTION", "environment", "CUDA toolkit"),
    ),
    "a compiler": (
        raises(
            "torch._inductor.exc.InductorError: RuntimeError: Failed to find C compiler. Please specify via CC "
            "environment variable or set triton.knobs.build.impl."
        ),
        ("BASELINE_EXCEPTION", "environment", "gcc"),
    ),
    "triton": (
        raises(
            "torch._inductor.exc.TritonMissing: Cannot find a working triton installation. Either the package is not "
            "installed or it is too old."
        ),
        ("BASELINE_EXCEPTION", "environment", "triton"),
    ),
    # models, network, ports, disks
    "gated": (
        raises(
            "OSError: You are trying to access a gated repo.\nMake sure to have access to it at "
            "https://huggingface.co/meta-llama/Llama-3.1-8B.\n403 Client Error."
        ),
        ("BASELINE_EXCEPTION", "environment", "HF_TOKEN"),
    ),
    "no such model": (
        raises(
            "OSError: mill/opt is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'"
        ),
        ("BASELINE_EXCEPTION", "environment", "HF_TOKEN"),
    ),
    "offline": (
        raises(
            "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/facebook/"
            "opt-125m: offline mode is enabled."
        ),
        ("BASELINE_EXCEPTION", "environment", "HF_HOME"),
    ),
    "too many requests": (
        raises("requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/x"),
        ("BASELINE_EXCEPTION", "environment", "HF_HOME"),
    ),
    "slow network": (
        raises(
            "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='huggingface.co', port=443): Read timed out. "
            "(read timeout=10)"
        ),
        ("BASELINE_EXCEPTION", "environment", "HF_HOME"),
    ),
    "new model": (
        raises(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, The "
            "checkpoint you are trying to load has model type `qwen3` but Transformers does not recognize this "
            "architecture."
        ),
        ("BASELINE_EXCEPTION", "script", "too new"),
    ),
    "port": (
        raises("OSError: [Errno 98] error while attempting to bind on address ('::', 8000): address already in use"),
        ("BASELINE_EXCEPTION", "environment", "port"),
    ),
    "torch's port": (
        raises(
            "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. "
            "port: 29500, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use"
        ),
        ("BASELINE_EXCEPTION", "environment", "port"),
    ),
    "disk": (
        raises("safetensors_rust.SafetensorError: I/O error: No space left on device (os error 28)"),
        ("BASELINE_EXCEPTION", "environment", "disk"),
    ),
}


@pytest.mark.parametrize("what", UNSEEN)
def test_an_unseen_record_is_named_blamed_and_explained(tmp_path, what):
    result, (category, blame, words) = UNSEEN[what]
    write(tmp_path, record({"status": "baseline_failed", **result}))
    [outcome] = import_records([tmp_path]).outcomes
    failure = outcome.failure
    assert (outcome.category, failure.blame) == (category, blame), failure.reason
    assert words in f"{failure.reason} {failure.hint}"
    assert failure.reason.startswith("baseline ") and failure.hint
