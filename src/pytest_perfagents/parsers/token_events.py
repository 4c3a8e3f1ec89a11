"""Tokens in the events that Claude Code, Codex and OpenHands write, one JSON object each. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from pytest_perfagents.model import Tokens
from pytest_perfagents.parsers.usages import added, tokens_of

COUNTS = b"_token"
"""What stands in every event with a count."""

_GAP = re.compile(r"[\s,]*")


def before_the_break(content: bytes) -> Iterator[bytes]:
    """The whole elements of a list that breaks off."""
    text, decoder = content.decode("utf-8", "replace"), json.JSONDecoder(strict=False)
    place = text.index("[") + 1
    while True:
        found = _GAP.match(text, place)
        assert found is not None
        try:
            _, end = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            return
        yield text[found.end() : end].encode("utf-8", "replace")
        place = end


@dataclass(slots=True)
class _Ledger:
    """``sums`` never fall while a session lasts, so a smaller one begins the next; ``calls`` have ids."""

    sums: list[Tokens] = field(default_factory=list)
    calls: dict[object, Tokens] = field(default_factory=dict)

    def so_far(self, tokens: Tokens | None) -> None:
        """A sum over the session up to here."""
        if tokens is None:
            return
        if self.sums and tokens.total >= self.sums[-1].total:
            self.sums[-1] = tokens
        else:
            self.sums.append(tokens)

    def call(self, name: object, tokens: Tokens | None) -> None:
        """One call; what is told of it again replaces it, unless it is less."""
        known = self.calls.get(name)
        if tokens is not None and (known is None or known.total <= tokens.total):
            self.calls[name] = tokens

    def result(self) -> Tokens | None:
        """The sums; where nobody wrote one, the calls, of which the last may be missing."""
        found = added(self.sums)
        if found is None:
            found = added(self.calls.values())
            return found and replace(found, at_least=True)
        return found


def of_events(events: Iterable[bytes | msgspec.Raw]) -> Tokens | None:
    """What they tell in all; None where none of them tells. What is no JSON object is passed over."""
    ledger = _Ledger()
    for event in events:
        line = bytes(event)
        if COUNTS not in line:
            continue
        try:
            fields = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(fields, dict):
            _enter(ledger, fields)
    return ledger.result()


def _enter(ledger: _Ledger, event: Mapping[str, Any]) -> None:
    kind = event.get("type")
    if kind in ("result", "turn.completed"):
        ledger.so_far(tokens_of(event.get("usage")))
    elif kind == "assistant":
        message = _table(event.get("message"))
        ledger.call(str(message.get("id", len(ledger.calls))), tokens_of(message.get("usage")))
    for name in ("msg", "payload"):
        inner = _table(event.get(name))
        if inner.get("type") == "token_count":
            told = _table(inner.get("info")).get("total_token_usage")
            if told is not None:
                ledger.so_far(tokens_of(told))
            else:
                ledger.call(len(ledger.calls), tokens_of(inner))
    for name in ("llm_metrics", "metrics"):
        ledger.so_far(tokens_of(_table(event.get(name)).get("accumulated_token_usage")))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
