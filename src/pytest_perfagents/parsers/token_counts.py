"""What an agent's trajectory tells of tokens, in any of four formats. Pure.

Trae writes one object with the usage of every call (``llm_interactions``, and again in ``agent_steps``). Claude Code
writes an object or a line per event, the last of which (``result``) has the sum. Codex writes a line per event with the
sum so far (``turn.completed``, ``token_count``), or plain text that ends in ``tokens used``. OpenHands writes a list of
events with the sum so far (``accumulated_token_usage``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from pytest_perfagents.model import Tokens
from pytest_perfagents.parsers.token_events import COUNTS, before_the_break, of_events
from pytest_perfagents.parsers.usages import LARGEST, added, tokens_of

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_USAGE_BYTES = 2000
_STEPS = re.compile(rb'"agent_steps"\s*:\s*\[')
_PROVIDER = re.compile(rb'"(?P<key>provider|model)"\s*:\s*"(?P<value>[^"\\]{1,100})"')
_TOLD = re.compile(rb"^(?:\[[^\]\n]{1,40}\] )?tokens used:?\s+([\d,]{1,20})\s*$", re.MULTILINE)


def count_tokens(content: bytes) -> Tokens | None:
    """What a trajectory, or what an agent printed, tells in all; None where it tells nothing.

    Never raises: of a file that breaks off it counts what is there.
    """
    if COUNTS in content:
        found = _of_json(content)
        if found is not None:
            return found
    told = [int(found[1].replace(b",", b"") or b"0") for found in _TOLD.finditer(content)]
    most = max(told, default=0)
    # Older versions of Codex print a number per call, newer ones the sum, and none what came from the cache.
    return Tokens(most, at_least=True) if 0 < most < LARGEST else None


def _of_json(content: bytes) -> Tokens | None:
    if content.lstrip()[:1] == b"[":
        try:
            return of_events(msgspec.json.decode(content, type=list[msgspec.Raw]))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = of_events(before_the_break(content))
            return replace(found, at_least=True) if found else of_events(content.split(b"\n"))
    try:
        trace = msgspec.json.decode(content, type=_Trace)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return of_events(content.split(b"\n")) or _scanned(content)
    calls = _of_calls(trace.llm_interactions, trace) or _of_calls(trace.agent_steps, trace)
    return calls or of_events([content])


# Trae


class _Response(msgspec.Struct):
    usage: Any = None


class _Call(msgspec.Struct):
    """An interaction with the model, or a step of the agent; what was said is passed over."""

    response: _Response | None = None
    llm_response: _Response | None = None
    provider: Any = None
    model: Any = None


class _Trace(msgspec.Struct):
    llm_interactions: list[_Call] | None = None
    agent_steps: list[_Call] | None = None
    provider: Any = None
    model: Any = None


def _of_calls(calls: Iterable[_Call] | None, trace: _Trace) -> Tokens | None:
    """The sum of all calls; it is a lower bound where one of them does not tell, which Trae writes as 0."""
    counts, is_silent = [], False
    for call in calls or ():
        response = call.response or call.llm_response
        if response is None:
            continue
        tokens = tokens_of(response.usage, apart=_is_apart(call.provider or trace.provider, call.model or trace.model))
        if tokens is None:
            is_silent = True
        else:
            counts.append(tokens)
    found = added(counts)
    return replace(found, at_least=True) if found is not None and is_silent else found


def _is_apart(provider: object, model: object) -> bool:
    """Trae keeps each service's own counts under Anthropic's names."""
    if isinstance(provider, str) and provider:
        return "anthropic" in provider.lower() or "bedrock" in provider.lower()
    return isinstance(model, str) and "claude" in model.lower()


def _scanned(content: bytes) -> Tokens | None:
    """Of Trae's object that breaks off: the usages of its calls. A quote inside a text stands behind a backslash."""
    start = content.find(b'"llm_interactions"')
    if start < 0:
        return None
    named = {found["key"].decode(): found["value"].decode("utf-8", "replace") for found in _first_names(content)}
    steps = _STEPS.search(content, start)
    decoder, counts = json.JSONDecoder(), []
    for found in _USAGE.finditer(content, start, steps.start() if steps else len(content)):
        text = content[found.end() : found.end() + _USAGE_BYTES].decode("utf-8", "replace")
        try:
            usage, _ = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            continue
        counts.append(tokens_of(usage, apart=_is_apart(named.get("provider"), named.get("model"))))
    found_all = added(each for each in counts if each is not None)
    return found_all and replace(found_all, at_least=True)


def _first_names(content: bytes) -> Iterator[re.Match[bytes]]:
    seen = set[bytes]()
    for found in _PROVIDER.finditer(content):
        if found["key"] not in seen:
            seen.add(found["key"])
            yield found
        if len(seen) == 2:
            return
