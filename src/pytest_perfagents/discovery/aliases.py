"""Short names: ``trae`` with ``us-anthropic-claude-sonnet-4-5-…`` is ``trae_sonnet45``."""

from __future__ import annotations

import re
from functools import cache

_NO_MODEL = ("", "default", "unknown", "none")
_VENDOR = re.compile(
    r"(?:us|eu|apac|global|anthropic|openai|azure|google|vertex|bedrock|meta|mistral)"
    r"(?:\.|-(?=gpt|o\d|claude|gemini|llama|mistral|anthropic|openai|google|meta))"
)
_VERSION = re.compile(r"(?:-v\d+[-:]\d+|[-@]20\d{6}|-20\d\d-\d\d-\d\d|-latest)$")
_CLAUDE = re.compile(
    r"(?:claude-)?(?P<before>[\d.-]*?)-?(?P<name>opus|sonnet|haiku)(?P<after>(?:[.-]?\d+)*)(?P<rest>(?:\W.*)?)"
)
_COMPACT = re.compile(r"gpt|o\d|gemini")


@cache
def plain_model(model: str) -> str:
    """``claude-sonnet-4-5``: the maker's name of a model, without vendor, region, date and Bedrock's version."""
    name = model.strip().lower().rpartition("/")[2]
    while vendor := _VENDOR.match(name):
        name = name[vendor.end() :]
    while version := _VERSION.search(name):
        name = name[: version.start()]
    return name


@cache
def short_model(model: str) -> str:
    """``sonnet45``, ``gpt5``, ``o4mini``: a model as people type it; empty where its name says nothing.

    Vendors, regions, dates and Bedrock's versions go. A name of no known family becomes a readable slug.
    """
    name = plain_model(model)
    if name in _NO_MODEL:
        return ""
    if claude := _CLAUDE.fullmatch(name):
        digits = re.sub(r"\D", "", claude["before"] + claude["after"])
        return "_".join(filter(None, (claude["name"] + digits, slug(claude["rest"]))))
    return slug(name, "" if _COMPACT.match(name) else "_")


@cache
def alias_of(agent: str, model: str) -> str:
    """``trae_sonnet45``: the name by which people select an agent with a model, or the agent alone."""
    return "_".join(filter(None, (slug(agent), short_model(model)))) or "unknown"


def slug(name: str, joint: str = "_") -> str:
    """Lower-case words and numbers, joined."""
    return joint.join(re.findall(r"[^\W_]+", name.lower()))
