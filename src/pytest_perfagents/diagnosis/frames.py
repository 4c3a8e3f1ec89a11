"""Where an exception came from, out of a traceback's text."""

from __future__ import annotations

import re

FRAME = re.compile(r'^[ |]*File "(?P<file>[^"<\n][^"\n]*)", line (?P<line>\d+)', re.MULTILINE)
"""Of a traceback, where it names a file: code that has none, such as ``<string>``, is no place to look at."""

FRAME_IN_LOG = re.compile(r'\bFile "(?P<file>[^"<\n][^"\n]*)", line (?P<line>\d+)')
"""The same where each line of a traceback stands behind a log's prefix."""

# Python's own library and installed packages: nobody mends those for the script's sake.
_FOREIGN = re.compile(r"/lib/python3|/(?:site|dist)-packages/|\.zip/")
_WORKSPACE = re.compile(r".*/sessions/\w+/w/[^/]+/")


def raised_at(traceback: str) -> str | None:
    """``shop/dedupe.py:3``: the deepest frame that is the script's or the workspace's; None where none is.

    A file of a workspace is told from its root, which is gone when the reader looks; of any other the name is told.
    """
    frames = [found for found in FRAME.finditer(traceback) if not _FOREIGN.search(found["file"])]
    if not frames:
        return None
    file = frames[-1]["file"]
    in_workspace = _WORKSPACE.match(file)
    name = file[in_workspace.end() :] if in_workspace else file.rsplit("/", 1)[-1]
    return f"{name}:{frames[-1]['line']}"
