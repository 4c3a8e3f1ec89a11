"""Environment variables, and which of them changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


def make_settings() -> Callable[[], dict[bytes, bytes]]:
    """``settings()``: the environment variables as they are now, with no code that a patch may have replaced."""
    known: Any = getattr(os.environ, "_data", {})
    return lambda: dict.copy(known)


def changed(
    before: Mapping[bytes, bytes], now: Mapping[bytes, bytes], places: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """What is no longer what it was, and what it is; what is gone is empty. What is one process's own has no say:
    ``places`` are left out of the values.
    """
    found = []
    for name in sorted({*before, *now}):
        if now.get(name) != before.get(name):
            value = now.get(name, b"").decode("utf-8", "replace")
            for place in places:
                value = value.replace(place, "") if place else value
            found.append((name.decode("utf-8", "replace"), value))
    return found
