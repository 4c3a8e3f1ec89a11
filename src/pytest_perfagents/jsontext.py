"""JSON as we write it: plain ASCII that every reader takes."""

from __future__ import annotations

import json
import re
from typing import Any

# Python writes a lone surrogate as an escape that msgspec, jq and browsers refuse. Escapes are read from the left, so
# that a backslash before another one begins none; a pair is one letter and stays.
_ESCAPE = re.compile(r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(?P<lone>ud[89a-f][0-9a-f]{2})|.)")


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""The value as JSON. A lone surrogate, of a broken text or of a path that is no UTF-8, becomes the six letters of
    its escape (``\ud83d``): it can be read, and two of them stay two.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, indent=indent, allow_nan=False)
    return _ESCAPE.sub(_spelt, text) if "\\ud" in text else text


def _spelt(escape: re.Match[str]) -> str:
    return f"\\\\{escape['lone']}" if escape["lone"] else escape[0]
