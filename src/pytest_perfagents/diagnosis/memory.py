"""Which memory ran out, the machine's or the GPU's: what mends the one is no help to the other."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either

_MAIN = either(
    r"^(?:MemoryError|_?ArrayMemoryError|bad_alloc)\b|std::bad_alloc",
    r"DefaultCPUAllocator|(?i:cannot allocate memory)|Unable to allocate [\d.]+ \w+ for an",
)
_CACHE = either(
    r"No available memory for the cache blocks|larger than the available KV cache memory",
    r"larger than the maximum number of tokens that can be stored in KV cache",
)
_TAKEN = re.compile(r"Free memory on device[^\n]* is less than")
_GPU = re.compile(r"(?i)\b(?:cuda|hip|xpu|gpu|cublas|cudnn|nccl|triton)(?![a-z])")

_LOWER = "lower max_model_len, or take a GPU with more memory"
HINTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        _MAIN,
        "need more memory",
        "free memory of this machine, raise memory_gb of [perfagents.protocol], or take a smaller workload",
    ),
    (_CACHE, "need more GPU memory", f"raise gpu_memory_utilization, {_LOWER}"),
    (
        _TAKEN,
        "need more GPU memory",
        f"end what else holds memory of the GPU (nvidia-smi shows it), or lower gpu_memory_utilization; else {_LOWER}",
    ),
    (
        _GPU,
        "need more GPU memory",
        "free memory of the GPU (nvidia-smi shows what holds it), take a smaller workload, or a GPU with more memory",
    ),
)
ANY = (
    "take a smaller workload; or free memory: of this machine (and raise memory_gb of [perfagents.protocol]), or of "
    "the GPU (nvidia-smi shows what holds it)"
)
"""Where the message does not say which memory it was."""


def lacking_memory(said: str) -> tuple[str, str]:
    """What such runs need, and what to do, by what ``said`` tells of the memory."""
    for pattern, cause, hint in HINTS:
        if pattern.search(said):
            return cause, hint
    return "need more memory", ANY
