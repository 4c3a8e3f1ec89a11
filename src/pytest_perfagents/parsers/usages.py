"""One usage, as a model's service reports it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_perfagents.model import Tokens

LARGEST = 10**12
"""So many tokens or more are no count."""

_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens")
_READ = ("cache_read_input_tokens", "cached_input_tokens", "cache_read_tokens")
_WRITTEN = ("cache_creation_input_tokens", "cache_write_tokens")
_APART = "cache_read_input_tokens"


def tokens_of(usage: object, *, apart: bool | None = None) -> Tokens | None:
    """One usage as its service reports it; None where it holds no count above 0.

    ``apart``: what came from a cache or went into one is counted beside ``input_tokens``, as Anthropic does, and not
    in it, as OpenAI and LiteLLM do. By default the names tell. More in the cache than in all of an input that should
    hold it contradicts itself: it is counted beside, and as no more than a lower bound.
    """
    if not isinstance(usage, Mapping):
        return None
    read_in, written = _first(usage, _INPUT), _first(usage, _OUTPUT)
    cached, cache_write = _first(usage, _READ), _first(usage, _WRITTEN)
    if not (read_in or written):
        return None
    in_cache = (cached or 0) + (cache_write or 0)
    if apart is None:
        apart = _APART in usage
    is_odd = not apart and in_cache > (read_in or 0)  # more than all there is cannot be a part of it
    if apart or is_odd:
        fresh, total = read_in, (read_in or 0) + in_cache + (written or 0)
    else:
        fresh, total = None if read_in is None else read_in - in_cache, (read_in or 0) + (written or 0)
    is_bound = is_odd or read_in is None or written is None
    return Tokens(total, fresh, written, cached, cache_write, at_least=is_bound)


def _first(usage: Mapping[str, Any], names: Iterable[str]) -> int | None:
    for name in names:
        count = usage.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < LARGEST:
            return count
    return None


def added(counts: Iterable[Tokens]) -> Tokens | None:
    """All together; None of nothing. A part that some of them do not tell is the sum of the others."""
    known = list(counts)
    if not known:
        return None
    columns = zip(*(each.parts for each in known), strict=True)
    told = ([part for part in column if part is not None] for column in columns)
    fresh, cached, cache_write, written = (sum(parts) if parts else None for parts in told)
    total = sum(each.total for each in known)
    return Tokens(total, fresh, written, cached, cache_write, at_least=any(each.at_least for each in known))
