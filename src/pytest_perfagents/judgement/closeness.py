"""When are two arrays of numbers the same? Pure; tolerances as PyTorch's ``assert_close`` has them by default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_TORCH_TYPES = (
    "?", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
_TYPES = re.compile(r"[<>|=][?bBiufcSUmM]\d*(\[\w+\])?")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``|a - b| <= absolute * min(1, scale) + relative * |a|`` is the same; ``gross * scale`` no rounding explains.

    ``scale`` is the largest finite number of the reference. Between both stands what only a person can judge, such as
    sums in another order that cancel out.
    """

    relative: float
    absolute: float
    gross: float


# torch.testing.assert_close, "rtol" and "atol" by dtype; gross is ours
HALF, BRAIN = Tolerance(1e-3, 1e-5, 5e-2), Tolerance(1.6e-2, 1e-5, 2e-1)
SINGLE, DOUBLE = Tolerance(1.3e-6, 1e-5, 1e-3), Tolerance(1e-7, 1e-7, 1e-5)
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Gap:
    """Where two arrays differ: the place that is worst, in words, and whether no rounding explains it."""

    place: tuple[int, ...]
    text: str
    certain: bool


def decode(name: str, shape: tuple[int, ...], data: bytes) -> tuple[Array, Tolerance | None]:
    """An array as it was described, and its tolerance: None where values are exact. Raises ValueError.

    Of a type that NumPy does not have, the bytes.
    """
    if name.startswith("torch."):
        kind = name.removeprefix("torch.")
        if kind == "bfloat16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape), BRAIN
        name = {"bool": "?"}.get(kind, kind)
    if name not in _TORCH_TYPES and not _TYPES.fullmatch(name):
        return np.frombuffer(data, np.uint8), None
    array = np.frombuffer(data, np.dtype(name)).reshape(shape)
    return array, _tolerance(array)


def _tolerance(array: Array) -> Tolerance | None:
    if array.dtype.kind not in "fc":
        return None
    half_size = array.dtype.itemsize // (2 if array.dtype.kind == "c" else 1)
    return {2: HALF, 4: SINGLE}.get(half_size) or precision(array)


def precision(array: Array) -> Tolerance:
    """Of numbers in double precision: those that single precision holds exactly were probably computed in it."""
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag])
    with np.errstate(all="ignore"):
        narrow = array.astype(np.float32).astype(array.dtype)
    return SINGLE if bool(np.all((narrow == array) | np.isnan(array))) else DOUBLE


def gap(reference: Array, candidate: Array, tolerance: Tolerance | None) -> Gap | None:
    """The worst difference of two arrays of one shape. NaN equals NaN, an integer equals a float of the same value."""
    numeric = all(array.dtype.kind in "?biufc" for array in (reference, candidate))
    if not numeric or tolerance is None:
        return _exact_gap(reference, candidate)
    wide = np.complex128 if "c" in (reference.dtype.kind, candidate.dtype.kind) else np.float64
    with np.errstate(all="ignore"):
        want, have = reference.astype(wide), candidate.astype(wide)
        same = (want == have) | (np.isnan(want) & np.isnan(have))
        error = np.where(same, 0.0, np.abs(want - have))
        finite = np.isfinite(want) & np.isfinite(have)
        scale = float(np.max(np.abs(want[np.isfinite(want)]), initial=0.0))
        allowed = tolerance.absolute * min(1.0, scale) + tolerance.relative * np.abs(want)
        beyond = ~same & (~finite | (error > allowed))
    if not beyond.any():
        return None
    worst = np.unravel_index(int(np.argmax(np.where(beyond, np.where(finite, error, np.inf), -1.0))), beyond.shape)
    certain = bool((~finite & beyond).any() or float(error[worst]) > tolerance.gross * scale + _TINY)
    return _gap(reference, candidate, beyond, tuple(map(int, worst)), certain)


def _exact_gap(reference: Array, candidate: Array) -> Gap | None:
    if reference.dtype.kind in "SUmM" and reference.dtype.kind != candidate.dtype.kind:
        return Gap((), f"{candidate.dtype} instead of {reference.dtype}", True)
    unlike = np.asarray(reference != candidate)
    if not unlike.any():
        return None
    first = np.unravel_index(int(np.argmax(unlike)), unlike.shape)
    return _gap(reference, candidate, unlike, tuple(map(int, first)), True)


def _gap(reference: Array, candidate: Array, beyond: Array, place: tuple[int, ...], certain: bool) -> Gap:
    want, have = reference[place], candidate[place]
    text = f"{_number(have)} instead of {_number(want)}"
    if beyond.size > 1:
        text += f" ({int(beyond.sum())} of {beyond.size} values differ)"
    return Gap(place, text, certain)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
