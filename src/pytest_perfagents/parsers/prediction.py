"""An agent's patch as bytes: a diff file as it is, or the text inside a ``prediction.jsonl``."""

from __future__ import annotations

import codecs
import json
from pathlib import Path


def load_patch(file: Path) -> bytes:
    """The diff that ``file`` is, or holds where it is a ``prediction.jsonl``; empty if it holds none.

    Raises:
        OSError: the file cannot be read.
    """
    content = file.read_bytes()
    return patch_in(content) if file.suffix == ".jsonl" else content


def patch_in(lines: bytes) -> bytes:
    """The last ``model_patch`` that is a text and not empty, of JSON lines among which some may be broken."""
    found = b""
    for line in lines.removeprefix(codecs.BOM_UTF8).split(b"\n"):
        try:
            record = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(patch := record.get("model_patch"), str):
            found = _bytes(patch) or found
    return found


def _bytes(patch: str) -> bytes:
    try:
        return patch.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair that the agent wrote
        return patch.encode("utf-8", "surrogatepass")
