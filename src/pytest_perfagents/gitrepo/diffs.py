"""The text of a patch as it comes from an agent, dirt included, to the files and lines that it changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unidiff.patch import Hunk, PatchedFile

_NOTHING = "/dev/null"
_PREFIXES = {"a/b/", "c/i/", "c/w/", "i/w/", "o/w/", "1/2/"}  # git diff's own, mnemonic, --no-index
_HUNK = re.compile(rb"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.MULTILINE)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "\\": 92}
_CONTEXT_LINES = 3


class MalformedDiff(ValueError):  # noqa: N818 - it describes the input
    """This is no unified diff; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class HunkAt:
    """Where a hunk stands: its first line in the old file and the new one, its lines in the patch; from 1.

    ``added`` and ``beside`` are lines of the new file: those that it adds, and the context lines next to a place where
    it only deletes.
    """

    old_start: int
    new_start: int
    first: int
    last: int
    added: tuple[int, ...]
    beside: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What is done to one file. ``old_path`` differs from ``path`` where it is renamed, and is empty if new.

    ``binary`` is "" for text, else ``data`` or ``no data``: only that the files differ.
    """

    path: str
    old_path: str
    hunks: tuple[HunkAt, ...]
    binary: str

    @property
    def added(self) -> tuple[int, ...]:
        """Numbers of the added lines, in the new file."""
        return tuple(line for hunk in self.hunks for line in hunk.added)

    @property
    def beside(self) -> tuple[int, ...]:
        """Numbers of the lines next to those that it deletes without a replacement, in the new file."""
        return tuple(line for hunk in self.hunks for line in hunk.beside)


@dataclass(frozen=True, slots=True)
class Diff:
    """A readable patch: its text, mended where that is safe, and how many leading folders git must strip."""

    text: bytes
    strip: int
    files: tuple[FileDiff, ...]
    flags: tuple[str, ...]
    padding: int  # blank context lines put back at its end


def parse_diff(text: bytes) -> Diff:
    """Read a patch.

    Raises:
        MalformedDiff: it is none, it ends within a hunk, or it mixes paths with and without ``a/`` ``b/``.
    """
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    text, flags, padding = _mend(text)
    try:
        patches = PatchSet(text.decode(errors="surrogateescape"))
    except UnidiffParseError as error:
        what = str(error).splitlines()[0].strip()
        raise MalformedDiff("it ends within a hunk" if "shorter" in what else printable(what[:200])) from error
    if not patches:
        raise MalformedDiff("no file header (diff --git, or --- and +++) in it")
    strips = {_strip_of(file) for file in patches}
    if len(strips) > 1:
        raise MalformedDiff("some of its paths have the prefixes a/ and b/ and others do not")
    strip = strips.pop()
    return Diff(text, strip, tuple(_file_diff(file, strip) for file in patches), flags, padding)


def _mend(text: bytes) -> tuple[bytes, tuple[str, ...], int]:
    """Undo what storing and pasting does: CRLF headers, the last newline and blank context lines cut off."""
    flags = []
    if re.search(rb"^(diff --git |\+\+\+ )[^\n]*\r$", text, re.MULTILINE):
        text = text.replace(b"\r\n", b"\n")
        flags.append("the patch had CRLF line endings throughout")
    if not text.endswith(b"\n"):
        text += b"\n"
    missing = _missing_context(text)
    if missing:
        text += b" \n" * missing
        flags.append(f"{missing} blank context line(s) cut off at the end of the patch were put back")
    return text, tuple(flags), missing


def _missing_context(text: bytes) -> int:
    """How many context lines the last hunk lacks, where that can be trailing blank ones that were stripped.

    A wrong guess does no harm: git compares them with the file.
    """
    headers = list(_HUNK.finditer(text))
    if not headers:
        return 0
    old, new = (int(headers[-1][i] or 1) for i in (1, 2))
    for line in text[headers[-1].end() :].split(b"\n")[1:-1]:
        old -= line[:1] in (b" ", b"-", b"")
        new -= line[:1] in (b" ", b"+", b"")
    return old if old == new and 0 < old <= _CONTEXT_LINES else 0


def _strip_of(file: PatchedFile) -> int:
    """1 where the paths of a file's header have prefixes, 0 where they have none (``--no-prefix``)."""
    left, right = _names(file)
    if _NOTHING in (left, right):
        return int((left if right == _NOTHING else right)[:2] in ("a/", "b/", "i/", "w/"))
    return int(left[:2] + right[:2] in _PREFIXES or right[:2] + left[:2] in _PREFIXES)


def _names(file: PatchedFile) -> tuple[str, str]:
    """Both names, preferably as the ``diff --git`` line has them, where a new file has two as well."""
    header = (file.patch_info or [""])[0].rstrip("\n")
    if header.startswith("diff --git "):
        both = header.removeprefix("diff --git ")
        middle = len(both) // 2  # the two are equally long unless it is a rename
        left, right = unquote(both[:middle]), unquote(both[middle + 1 :])
        if both[middle : middle + 1] == " " and (left == right or left[2:] == right[2:]):
            return left, right
    return unquote(file.source_file), unquote(file.target_file)


def _file_diff(file: PatchedFile, strip: int) -> FileDiff:
    old, new = ("" if name == _NOTHING else unquote(name)[2 * strip :] for name in (file.source_file, file.target_file))
    info = "".join(file.patch_info or [])
    without_data = re.search(r"^Binary files? .* differ$", info, re.MULTILINE)
    binary = "" if not file.is_binary_file else "no data" if without_data else "data"
    return FileDiff(new or old, old, tuple(_hunk_at(hunk) for hunk in file), binary)


def _hunk_at(hunk: Hunk) -> HunkAt:
    numbers = [line.diff_line_no for line in hunk if line.diff_line_no is not None] or [0]
    added = tuple(line.target_line_no or 0 for line in hunk if line.is_added)
    return HunkAt(hunk.source_start, hunk.target_start, numbers[0], numbers[-1], added, _beside(hunk))


def _beside(hunk: Hunk) -> tuple[int, ...]:
    beside: list[int] = []
    for is_context, run in groupby(hunk, key=lambda line: bool(line.is_context)):
        changes = list(run)
        if not is_context and not any(line.is_added for line in changes):
            first, last = changes[0].diff_line_no, changes[-1].diff_line_no
            beside += [
                line.target_line_no
                for line in hunk
                if line.target_line_no is not None and line.diff_line_no in ((first or 0) - 1, (last or 0) + 1)
            ]
    return tuple(beside)


def unquote(name: str) -> str:
    r"""A path as it is: git writes ``"a/\303\251.py"`` for ``a/é.py``."""
    if not (len(name) > 1 and name[0] == name[-1] == '"'):
        return name
    raw = re.sub(
        rb'\\([0-7]{3}|[abfnrtv"\\])',
        lambda m: bytes([int(m[1], 8) & 255 if len(m[1]) == 3 else _ESCAPES[m[1].decode()]]),
        name[1:-1].encode(errors="surrogateescape"),
    )
    return raw.decode(errors="surrogateescape")


def printable(path: str) -> str:
    """A path as it can be shown and stored: on one line, in valid UTF-8."""
    text = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
