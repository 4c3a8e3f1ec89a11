"""What goes over the channel: JSON lines on descriptors that the script does not get to see."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pytest_perfagents.worker.errors import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CHANNEL_FD_MIN = 100


def make_encoder() -> Callable[[Any], str]:
    """JSON of plain values on one line, anything else as its text; without the json module's Python part."""
    escape = json.encoder.encode_basestring_ascii

    def encode(value: Any) -> str:
        if value is None or value is True or value is False:
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value) if value - value == 0 else "null"
        if isinstance(value, dict):
            return "{" + ",".join([escape(text(k)) + ":" + encode(v) for k, v in value.items()]) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ",".join([encode(each) for each in value]) + "]"
        return str(escape(value if isinstance(value, str) else text(value)))

    return encode


def make_channel(reader: int, writer: int) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """``receive() -> request, None at the end`` and ``send(reply)``: JSON lines on private descriptors."""
    read, write, scan, encode = os.read, os.write, json.JSONDecoder().scan_once, make_encoder()  # type: ignore[attr-defined]
    buffer = bytearray()

    def receive() -> Any:
        while b"\n" not in buffer:
            chunk = read(reader, 65536)
            if not chunk:
                return None
            buffer.extend(chunk)
        line, _, rest = bytes(buffer).partition(b"\n")
        buffer[:] = rest
        return scan(line.decode("utf-8"), 0)[0]

    def send(reply: Any) -> None:
        data = (encode(reply) + "\n").encode("ascii")
        while data:
            data = data[write(writer, data) :]

    return receive, send


def take_channel() -> tuple[int, int]:
    """Move the pipes on 0 and 1 out of the script's reach: it reads nothing, and prints to stderr."""
    import fcntl

    reader = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    writer = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, CHANNEL_FD_MIN)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return reader, writer
