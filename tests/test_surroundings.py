"""Faults of GPUs, drivers, memory, the network and the system, in their own words: never the script's move."""

from __future__ import annotations

import pytest
from test_taxonomy import ended, judge, raised, reported

from pytest_perfagents.diagnosis import Evidence
from pytest_perfagents.diagnosis.serving import ServedLog, not_served
from pytest_perfagents.model import Blame, Category, Commit, Role

TRACED = 'Traceback (most recent call last):\n  File "/opt/client.py", line 3, in ask\n    go()\n'
HARDWARE = "HARDWARE_UNAVAILABLE"

# The exception that ended the baseline -> category, words of the hint.
MACHINE = {
    "pynvml.NVMLError_DriverNotLoaded: Driver Not Loaded": (HARDWARE, "modprobe nvidia"),
    "numba.cuda.cudadrv.error.CudaSupportError: Error at driver init: \nCUDA driver library cannot be found.": (
        HARDWARE,
        "modprobe nvidia",
    ),
    "pynvml.NVMLError_LibRmVersionMismatch: RM has detected an NVML/RM version mismatch.": (HARDWARE, "restart"),
    "RuntimeError: nvidia-smi: Failed to initialize NVML: Driver/library version mismatch": (HARDWARE, "restart"),
    'docker.errors.APIError: 500 Server Error: could not select device driver "" with capabilities: [[gpu]]': (
        HARDWARE,
        "NVIDIA container toolkit",
    ),
    "ValueError: type fp8e4nv not supported in this architecture. The supported fp8 dtypes are ('fp8e4b15', 'fp8e5')": (
        HARDWARE,
        "compute capability 8.9",
    ),
    "ValueError: World size (2) is larger than the number of available GPUs (1) in this node.": (HARDWARE, "hardware"),
    "AssertionError: please set tensor_parallel_size (2) to less than max local gpu count (1)": (HARDWARE, "hardware"),
    "OSError: libcuda.so.1: Kann die Shared-Object-Datei nicht öffnen": (HARDWARE, "hardware"),
    "RuntimeError: FlashInfer requires CUDA 12.4 or newer, found 12.1": ("BASELINE_RUNTIME_ERROR", "CUDA_HOME"),
    "RuntimeError: FlashAttention is only supported on CUDA 11.7 and above.": ("BASELINE_RUNTIME_ERROR", "CUDA_HOME"),
    "RuntimeError: \nThe detected CUDA version (11.5) mismatches the version that was used to "
    "compile\nPyTorch (12.1).": (
        "BASELINE_RUNTIME_ERROR",
        "install the CUDA toolkit 12.1",
    ),
    "RuntimeError: cuDNN version incompatibility: PyTorch was compiled against (9, 1, 0) but found runtime version "
    "(8, 9, 2).": ("BASELINE_RUNTIME_ERROR", "LD_LIBRARY_PATH"),
    "torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered": ("BASELINE_CUDA_ERROR", "another GPU"),
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized": (
        "BASELINE_CUDA_ERROR",
        "nvidia-fabricmanager",
    ),
    "RuntimeError: CUDA error: system not yet initialized": ("BASELINE_CUDA_ERROR", "nvidia-fabricmanager"),
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: it is what it is": (
        "BASELINE_CUDA_ERROR",
        "/usr/local/cuda/compat",
    ),
    "RuntimeError: CUDA error: system has unsupported display driver / cuda driver combination": (
        "BASELINE_CUDA_ERROR",
        "/usr/local/cuda/compat",
    ),
    "RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable": ("BASELINE_CUDA_ERROR", "nvidia-smi"),
    "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment": (
        "BASELINE_CUDA_ERROR",
        "nvidia-uvm",
    ),
    "torch.distributed.DistBackendError: NCCL error in: NCCL.cpp:317, invalid usage\nLast error:\nDuplicate GPU "
    "detected : rank 1 and rank 0 both on CUDA device 1000": ("BASELINE_CUDA_ERROR", "a GPU of its own"),
    "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)": (
        "BASELINE_CUDA_ERROR",
        "NCCL_DEBUG=INFO",
    ),
    "torch.distributed.DistBackendError: [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1)": (
        "BASELINE_EXCEPTION",
        "which rank stopped first",
    ),
    "torch.distributed.DistBackendError: NCCL error in: NCCL.cpp:2027, unhandled cuda error\nLast error:\nCuda "
    "failure 'out of memory'": ("BASELINE_OOM", "memory"),
    "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 24.00GiB": (
        "BASELINE_OOM",
        "memory",
    ),
    "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[6,6]": (
        "BASELINE_OOM",
        "memory",
    ),
    "RuntimeError: DataLoader worker (pid 1234) is killed by signal: Killed.": (
        "BASELINE_OOM",
        "free memory of this machine",
    ),
    "RuntimeError: DataLoader worker (pid 1234) is killed by signal: Bus error. It is possible that "
    "dataloader's workers are out of shared memory.": ("BASELINE_OOM", "--shm-size"),
    "RuntimeError: the workers are out of shared memory. Please try to raise your shared memory limit.": (
        "BASELINE_RUNTIME_ERROR",
        "--shm-size",
    ),
    "OSError: [Errno 28] No space left on device: '/dev/shm/torch_7'": ("BASELINE_EXCEPTION", "--shm-size"),
    "RuntimeError: unable to open shared memory object </torch_7_1> in read-write mode": (
        "BASELINE_RUNTIME_ERROR",
        "--shm-size",
    ),
    "ImportError: /x/sklearn/libgomp.so.1: cannot allocate memory in static TLS block": (
        "BASELINE_IMPORT_ERROR",
        "LD_PRELOAD=/x/sklearn/libgomp.so.1",
    ),
    "OSError: [Errno 12] Nicht genügend Hauptspeicher verfügbar": ("BASELINE_OOM", "free memory of this machine"),
    "OSError: [Errno 13] Keine Berechtigung: '/root/.cache'": ("BASELINE_EXCEPTION", "writable"),
    "OSError: [Errno 28] Auf dem Gerät ist kein Speicherplatz mehr verfügbar": ("BASELINE_EXCEPTION", "disk space"),
    "OSError: [Errno 24] Zu viele offene Dateien": ("BASELINE_EXCEPTION", "ulimit -n"),
    "RuntimeError: received 0 items of ancdata: too many open files": ("BASELINE_RUNTIME_ERROR", "ulimit -n"),
    "OSError: [Errno 122] Der zugewiesene Plattenplatz ist überschritten": ("BASELINE_EXCEPTION", "TMPDIR"),
    "OSError: Disk quota exceeded": ("BASELINE_EXCEPTION", "TMPDIR"),
    "OSError: [Errno 30] Das Dateisystem ist nur lesbar: '/data'": ("BASELINE_EXCEPTION", "for writing"),
    "RuntimeError: cannot write: Read-only file system": ("BASELINE_RUNTIME_ERROR", "for writing"),
    "RuntimeError: can't start new thread": ("BASELINE_RUNTIME_ERROR", "ulimit -u"),
    "RuntimeError: blas_thread_init: pthread_create failed for thread 63 of 64": (
        "BASELINE_RUNTIME_ERROR",
        "ulimit -u",
    ),
    "BlockingIOError: [Errno 11] Die Ressource ist zur Zeit nicht verfügbar": ("BASELINE_EXCEPTION", "ulimit -u"),
    "RuntimeError: fork: retry: Resource temporarily unavailable": ("BASELINE_RUNTIME_ERROR", "ulimit -u"),
    "OSError: /x/libtorch_global_deps.so: failed to map segment from shared object": ("BASELINE_EXCEPTION", "noexec"),
    "OSError: libcudart.so.12: ne peut ouvrir le fichier d'objet partagé": ("BASELINE_EXCEPTION", "libcudart.so.12"),
    "RuntimeError: while loading: libmpi.so.40: cannot open shared object file": (
        "BASELINE_RUNTIME_ERROR",
        "libmpi.so.40",
    ),
    "urllib.error.URLError: <urlopen error [Errno 101] Das Netzwerk ist nicht erreichbar>": (
        "BASELINE_EXCEPTION",
        "HF_HOME",
    ),
    "urllib.error.URLError: <urlopen error: Network is unreachable>": ("BASELINE_EXCEPTION", "HF_HOME"),
    "httpx.ConnectError: All connection attempts failed": ("BASELINE_EXCEPTION", "HF_HOME"),
    "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host localhost:8000 ssl:default [Connect call "
    "failed ('127.0.0.1', 8000)]": ("BASELINE_EXCEPTION", "start the server that should listen at localhost:8000"),
    "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=30000): Max retries exceeded with "
    "url: /generate": ("BASELINE_EXCEPTION", "at localhost:30000"),
    "urllib3.exceptions.MaxRetryError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with "
    "url: /x (Caused by: [Errno 111] Connection refused)": ("BASELINE_EXCEPTION", "HF_HOME"),
    "ConnectionRefusedError: [Errno 111] Verbindungsaufbau abgelehnt": ("BASELINE_EXCEPTION", "start the server"),
    "OSError: Connection refused": ("BASELINE_EXCEPTION", "start the server"),
}


@pytest.mark.parametrize("line", MACHINE)
def test_a_fault_of_the_machine_is_named_and_is_not_the_scripts(line):
    category, words = MACHINE[line]
    failure = raised(line)
    assert (failure.category, failure.blame) == (category, Blame.ENVIRONMENT)
    assert words in failure.hint
    assert "CUDA_LAUNCH_BLOCKING" not in failure.hint


@pytest.mark.parametrize("line", [line for line in MACHINE if "localhost" in line])
def test_a_server_of_this_machine_is_no_matter_of_the_internet(line):
    assert "HF_HOME" not in raised(line).hint


def test_a_server_that_the_patch_may_have_ended_stays_the_agents():
    log = f"patching file vllm/a.py\n{TRACED}ConnectionRefusedError: [Errno 111] Connection refused\n"
    commit = Commit("vllm", "1" * 40, "2" * 40)
    assert not_served(ServedLog("error", "Server crashed", log), commit, ("vllm",)).blame is Blame.AGENT


def test_docker_says_in_its_log_that_it_has_no_gpu():
    line = 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].\n'
    assert judge(Evidence(execution=ended(line, code=125))).category is Category.HARDWARE_UNAVAILABLE


def test_a_disk_that_is_full_is_no_matter_of_shared_memory():
    assert "--shm-size" not in raised("OSError: [Errno 28] No space left on device: '/data/x'").hint


def test_a_script_reports_a_systems_error_in_its_own_language():
    failure = reported("[Errno 13] Permission non accordée: '/data/models'", target_resolved=True)
    assert failure.blame is Blame.ENVIRONMENT
    assert "/data/models" in failure.reason


# --- whose line raised it ---------------------------------------------------------------------------

VENV = "/home/u/.venv/lib/python3.11/site-packages"
PACKAGE = "/tmp/e/worktree/vllm/layers/x.py"
SCRIPTS = ("/tmp/e/test_script.py", "/tmp/vllm/scripts/1a2b3c4d_test_case_generator.py")
PYTHONS = ("/usr/lib/python3.11/dataclasses.py", "/usr/lib/python3/encodings/idna.py")
CLASS_TAKES = "TypeError: Client.__init__() got an unexpected keyword argument 'proxies'"
OWN_CALL = "TypeError: scaled_dot_product_attention() got an unexpected keyword argument 'enable_gqa'"
CLASS_LACKS = "AttributeError: 'MyConfig' object has no attribute 'rope_parameters'"
DEFAULT = "ValueError: mutable default <class 'vllm.config.X'> for field x is not allowed: use default_factory"
UNION = "TypeError: unsupported operand type(s) for |: 'type' and 'NoneType'"
SYNTAX = "SyntaxError: invalid syntax"
NOTHING = "AttributeError: 'NoneType' object has no attribute 'shape'"

# The exception, the files of its traceback after the script's -> whose move, words of reason and hint.
LINES = [
    (CLASS_TAKES, [f"{VENV}/openai/_base_client.py"], "environment", 'pip install "httpx<0.28"'),
    (CLASS_LACKS, [f"{VENV}/transformers/models/x.py"], "environment", "transformers/models/x.py, line 7"),
    (OWN_CALL, [PACKAGE], "environment", "vllm/layers/x.py, line 7"),
    (OWN_CALL, [], "script", ""),
    (CLASS_TAKES, [], "script", ""),
    (CLASS_LACKS, [PACKAGE], "script", ""),
    (NOTHING, [f"{VENV}/torch/functional.py"], "script", ""),
    ("TypeError: forward() got an unexpected keyword argument 'x'", [PACKAGE], "script", ""),
    ("RuntimeError: odd", [f"{VENV}/torch/functional.py"], "script", ""),
    (OWN_CALL, [f"{VENV}/vllm/layers/x.py"], "environment", "vllm/layers/x.py, line 7"),
    (UNION, [PACKAGE], "environment", "Python 3.10 or newer"),
    (UNION, [], "environment", "Python 3.10 or newer"),
    (SYNTAX, [PACKAGE], "environment", "vllm/layers/x.py, line 7"),
    (SYNTAX, [f"{VENV}/triton/jit.py"], "environment", "triton/jit.py, line 7"),
    (SYNTAX, [], "script", ""),
    (DEFAULT, [PACKAGE, PYTHONS[0]], "environment", "Python 3.10"),
    (DEFAULT, [PYTHONS[1]], "script", ""),
]


def traced(line, files, script=SCRIPTS[0], prefix=""):
    frames = "".join(f'  File "{file}", line 7, in run\n    go()\n' for file in (script, *files))
    text = f"Traceback (most recent call last):\n{frames}{line}\n"
    return Evidence(execution=ended("".join(f"{prefix}{each}\n" for each in text.splitlines())))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("line", "files", "blame", "words"), LINES)
def test_whose_line_raised_it_tells_whose_move_it_is(line, files, blame, words, script):
    failure = judge(traced(line, files, script))
    assert failure.blame == blame
    assert words in f"{failure.reason} {failure.hint}"


def test_once_the_baseline_ran_a_mismatch_is_the_patchs():
    assert judge(traced(OWN_CALL, [PACKAGE]), Role.PATCHED).blame is Blame.AGENT


def test_a_log_before_each_line_hides_no_frame():
    evidence = traced(
        CLASS_TAKES, [f"{VENV}/openai/_base_client.py"], prefix="(EngineCore_0 pid=7) ERROR 01-02 10:00:00 core.py:5] "
    )
    assert "httpx<0.28" in judge(evidence).hint


def test_a_class_of_the_scripts_own_that_a_library_cannot_use_is_the_scripts(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("class MyConfig: pass\n")
    assert judge(traced(CLASS_LACKS, [f"{VENV}/transformers/models/x.py"], str(script))).blame is Blame.SCRIPT
