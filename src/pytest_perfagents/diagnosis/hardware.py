"""Which machine a run asks for, in the words of its own message."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import sought

_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(?i)driver on your system is too old|CUDA driver version is insufficient"),
        "update the NVIDIA driver of this machine, or install a torch that was built for an older CUDA",
    ),
    (
        re.compile(
            r"(?i)\b(?:require[sd]?|needs?|world size|parallel[-_ ]size|at least)\b[^\n]{0,60}?"
            r"(?<![\w.])(?P<count>[2-9]|[1-9]\d{1,2}) (?:\w+ )?(?:GPU|CUDA device|device)s\b"
        ),
        "{hardware}: {count} GPUs",
    ),
    (
        re.compile(
            r"(?i)(?:required GPUs|world size|tensor[-_ ]parallel[-_ ]size)\D{0,20}(?P<count>[2-9]|[1-9]\d{1,2})\b"
        ),
        "{hardware}: {count} GPUs",
    ),
    (
        re.compile(r"(?i)invalid device ordinal|not enough GPUs|required GPUs"),
        "{hardware}: more GPUs",
    ),
    (
        re.compile(r"(?i)compute capability (?:of )?(?:at least |>= ?)?(?P<capability>\d+\.\d)"),
        "{hardware}: a GPU of compute capability {capability} or newer",
    ),
    (
        re.compile(r"\b(?P<kind>ROCm|TPU|XPU|HPU)s?\b"),
        "{hardware} ({kind})",
    ),
)
_HARDWARE = "run this commit on a machine with the hardware that it asks for"


def machine_hint(said: str) -> str:
    """The machine that would do, as far as ``said`` tells."""
    text = sought(said)
    for pattern, hint in _HINTS:
        if found := pattern.search(text):
            return hint.format(hardware=_HARDWARE, **found.groupdict())
    return f"{_HARDWARE} (mostly an NVIDIA GPU)"
