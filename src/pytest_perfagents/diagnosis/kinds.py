"""Which category an exception is: an ordered table, first match wins; and a hint for each kind."""

from __future__ import annotations

import builtins
import re

from pytest_perfagents.diagnosis.hardware import machine_hint
from pytest_perfagents.diagnosis.memory import lacking_memory
from pytest_perfagents.diagnosis.patterns import either, sought
from pytest_perfagents.diagnosis.types import Place, Raised
from pytest_perfagents.model import Role

HARDWARE = "HARDWARE_UNAVAILABLE"

OUT_OF_MEMORY = either(
    r"^(?:OutOfMemoryError|MemoryError|_?ArrayMemoryError|bad_alloc)\b|std::bad_alloc",
    r"(?i:\bout of memory\b)|OUT_OF_MEMORY|MEMORY_INSUFFICIENT|_STATUS_ALLOC_FAILED",
    r"DefaultCPUAllocator: (?:can't|not enough)|(?i:cannot allocate memory)(?! in static TLS)|\[Errno 12\]",
    r"Unable to allocate [\d.]+ \w+ for an",
    r"RESOURCE_EXHAUSTED: [^\n]*(?i:allocate)|\bOOM when allocating",
    r"DataLoader worker [^\n]*killed by signal: (?:Killed|Bus error)",
    r"No available memory for the cache blocks|larger than the available KV cache memory",
    r"larger than the maximum number of tokens that can be stored in KV cache",
    r"Free memory on device[^\n]* is less than|\bNot enough memory\b",
)

# Sought in "Class: text". The text goes before the class: PyTorch raises RuntimeError for nearly everything.
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        HARDWARE,
        either(
            r"requires? (?:a |an |at least )?(?:\d+ )?"
            r"(?:CUDA(?! (?:version |toolkit )?\d)|NVIDIA|GPU|ROCm|TPU|XPU|HPU)",  # CUDA 12.4 is a toolkit, no GPU
            r"requires? (?:compute capability|sm_?\d\d)",
            r"\b(?:needs?|requires?) (?:at least )?\d+ (?:\w+ )?GPUs?\b(?! (?:block|mem))",
            r"(?:GPU|CUDA(?: device)?)[ _](?:is[ _])?(?:required|not[ _](?:available|found))",
            r"\b(?:needs|no) (?:an? )?(?:available )?(?:CUDA )?(?:GPU|CUDA device)s?\b(?! (?:block|mem))",
            r"Found no NVIDIA driver|driver on your system is too old|CUDA driver version is insufficient",
            r"NVML Shared Library Not Found|libcuda\.so[.\d]*: ",
            r"no CUDA-capable device|0 active drivers|Failed to infer device type",
            r"Attempting to deserialize object on (?:a )?CUDA device",
            r"invalid device ordinal|not enough GPUs|number of required GPUs",
            r"only \d+ (?:\w+ )?(?:GPU|CUDA|[AHBLV]\d{2,3}\b)s?(?: \w+)? (?:is |are )?available",
            r"only supports? (?:\w+ )?GPUs?\b",
            r"only supported on (?:GPU|CUDA(?! \d)|Hopper|Ampere|Blackwell|H100|SM)",
            r"not supported (?:on|by|for) (?:this|the current|your) (?:GPU|device|hardware)",
            r"CAPABILITY_UNSUPPORTED",
            r"Driver Not Loaded|NVML/RM version mismatch|driver/library version mismatch",
            r"CUDA driver library cannot be found|could not select device driver \"[^\"\n]*\" with capabilities",
            r"fp8\w+ not supported in this architecture",
            r"world size \(\d+\) is larger than the number of available GPUs",
            r"tensor_parallel_size \(\d+\) to less than max local gpu count",
            flags=re.IGNORECASE,
        ),
    ),
    (
        "OOM",
        OUT_OF_MEMORY,
    ),
    (
        "CUDA_ERROR",
        either(
            r"^AcceleratorError\b|(?i:\bcuda (?:driver |runtime |unknown )?error\b)|HIP error: |\bcudaError\w+",
            r"Triton Error \[\w+\]|error from cudaGetDeviceCount|(?i:device-side assert triggered)",
            r"an illegal memory access was encountered|CUBLAS_STATUS_|CUDNN_STATUS_|cuDNN error|NCCL error",
            r"[Tt]orch (?:is |was )?not compiled with (?:CUDA|GPU)",  # a CPU build; the machine may have a GPU
        ),
    ),
    ("IMPORT_ERROR", re.compile(r"^(?:ModuleNotFoundError|ImportError)\b")),
    ("ATTRIBUTE_ERROR", re.compile(r"^AttributeError\b")),
    ("TYPE_ERROR", re.compile(r"^TypeError\b")),
    ("ASSERTION", re.compile(r"^AssertionError\b")),
    ("RUNTIME_ERROR", re.compile(r"^RuntimeError\b")),
    ("EXCEPTION", re.compile(r"")),
)

# The class that a bare text must have had: a script's JSON holds str(exception) and no class.
_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ModuleNotFoundError", either(r"No module named '?\w", r"Could not import module '\w+'")),
    (
        "ImportError",
        either(
            r"cannot import name '|undefined symbol: |cannot open shared object file",
            r"^ImportError\b|IMPORT_MISSING",
        ),
    ),
    ("AttributeError", either(r"has no attribute '", r"^AttributeError\b")),
    (
        "TypeError",
        either(
            r"unexpected keyword argument|got multiple values for|missing \d+ required",
            r"takes (?:from )?\d+ (?:to \d+ )?positional",
            r"unhashable type|unsupported operand type|object is not (?:callable|iterable|subscriptable)",
            r"not supported between instances of|Can't instantiate abstract class|can only concatenate",
            r"object does not support item assignment|object of type '\w+' has no len\(\)",
            r"argument of type '\w+' is not iterable|cannot unpack non-iterable|argument after \*",
            r"must be \w+, not |^TypeError\b",
        ),
    ),
    ("NameError", re.compile(r"name '\w+' is not defined")),
    (
        "RuntimeError",
        either(
            r"operator [\w:]+ does not exist|not implemented for '",
            r"must match the size of tensor|mat1 and mat2|Expected all tensors",
        ),
    ),
)
# Texts of Python's own exceptions, sought in a script's own report alone: elsewhere they may be about anything.
_BARE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("KeyError", re.compile(r"^'[^'\n]*'$")),
    ("IndexError", re.compile(r"index out of range|pop from (?:an )?empty")),
    (
        "ValueError",
        either(
            r"(?:too many|not enough) values to unpack|invalid literal for int", r"could not convert string to float"
        ),
    ),
    ("ZeroDivisionError", re.compile(r"division by zero")),
    ("RecursionError", re.compile(r"maximum recursion depth exceeded")),
    ("OSError", re.compile(r"^\[Errno \d+\] ")),
)
# "torch.OutOfMemoryError: text", "AssertionError" alone, "KeyError('a')", "run failed: ValueError: text".
_NAMED = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"^(?:[a-z_][\w.]*\.)?(?P<type>[A-Z]\w*(?:Error|Exception|Interrupt|Timeout|Expired))(?::\s?(?P<message>.*))?$",
        r"^(?P<type>[A-Z]\w*(?:Error|Exception))\((?P<message>.*)\)$",
        r"\b(?P<type>[A-Z]\w*(?:Error|Exception)): (?P<message>.*)",
    )
)

SHOW = "perfagents show COMMIT --agent NAME"
"""As hints name the command; who knows the run puts its names in."""

SERVED = "see the server's log; run the benchmark by hand in the image of this commit"
"""What to do where a server ended and nothing is known of the cause."""

_OUR_LIMIT = re.compile(r",? \(?(?:and )?raise memory_gb of \[perfagents\.protocol\]\)?")
_HINTS = {
    "CUDA_ERROR": "run it alone on the GPU with CUDA_LAUNCH_BLOCKING=1: such an error is reported late",
    "IMPORT_ERROR": "run the script's imports by hand in the repository's interpreter",
    "ATTRIBUTE_ERROR": (
        f"see the tail of the traceback ({SHOW}): perhaps the script expects what this commit does not have; guard it"
    ),
    "TYPE_ERROR": (
        f"see the tail of the traceback ({SHOW}): perhaps the script passes a value of a type that this commit's code "
        "does not take"
    ),
    "ASSERTION": "see which assertion of the script does not hold here",
    "RUNTIME_ERROR": f"see the tail of the traceback ({SHOW}): the script asks for something that cannot run here",
    "EXCEPTION": f"see the tail of the traceback ({SHOW}): the script does not run on this commit as it stands",
}


def kind_of(raised: Raised, more: str = "") -> str:
    """``IMPORT_ERROR``, ``OOM``, … (the end of a side's category), or HARDWARE; ``more`` is sought too.

    A library's own class counts as the built-in one that it derives from; a built-in is named after itself alone.
    """
    kind = "EXCEPTION"
    own = () if hasattr(builtins, raised.type) else raised.bases
    for name in (raised.type, *own):
        line = f"{name}: {sought(raised.message)} {sought(more)}"
        kind = next(kind for kind, pattern in KINDS if pattern.search(line))
        if kind != "EXCEPTION":
            break
    return kind


def raised_in_words(text: str) -> Raised:
    """The exception that a script's own words describe; its class is empty where they do not tell."""
    said = sought(text.strip())
    for name, pattern in _CLASSES:
        if pattern.search(said):
            return Raised(name, text)
    named = next(filter(None, (pattern.search(said) for pattern in _NAMED)), None)
    return Raised(named["type"], named["message"] or "") if named else Raised("", text)


def raised_by_script(text: str) -> Raised:
    """`raised_in_words`, of what a script reports of itself: the texts of Python's own exceptions count, too."""
    raised = raised_in_words(text)
    bare = next((name for name, pattern in _BARE if pattern.search(sought(text.strip()))), "")
    return Raised(bare, text) if bare and not raised.type else raised


def hint_of_server(place: Place) -> str:
    """What to do about a server that ended, where nothing shows that the patch did it: no script is to be mended."""
    if place.role is Role.PATCHED:
        return "start the server without the patch, too: if it serves, look in the patch for what the traceback names"
    return SERVED


def hint_of_kind(kind: str, place: Place, said: str = "") -> str:
    """What to do about an exception of this kind where its cause is not known; ``said`` is its text."""
    if kind == HARDWARE:
        return f"{'the patch asks for it, the baseline does not; ' if place.patch_did_it else ''}{machine_hint(said)}"
    if place.patch_did_it:
        return f"the baseline passes here, so the patch broke it: see the tail of the traceback ({SHOW})"
    if place.served and kind not in ("OOM", "CUDA_ERROR"):
        return hint_of_server(place)
    if place.role is Role.HUMAN and kind in ("ATTRIBUTE_ERROR", "TYPE_ERROR"):
        return "the script does not fit the human commit either: it has to be written again"
    return memory_hint(said, place) if kind == "OOM" else _HINTS[kind]


def memory_hint(said: str, place: Place) -> str:
    """What to do where memory ran out; our own limit has no part in a server's."""
    hint = lacking_memory(said)[1]
    return without_our_limit(hint) if place.served else hint


def without_our_limit(hint: str) -> str:
    """For those whose processes we do not run."""
    return _OUR_LIMIT.sub("", hint)
