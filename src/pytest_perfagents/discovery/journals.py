"""What a run folder's ``journal.json`` and ``run_summary.json`` say, however damaged they are."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import msgspec

from pytest_perfagents.discovery.runfolders import JOURNAL, SUMMARY, RunFolder

LARGEST = 64 * 2**20
"""Of a journal with more bytes than this only the beginning is looked at."""
SMALL = 2**20
CHUNK = 2**16

_AGENTS = ("trae", "codex", "codex_cli", "openhands", "claude_code")
_HASH = re.compile(r"[0-9a-f]{7,64}")
_ITEM_HASH = re.compile(r"_([0-9a-f]{8})/?$")
_SALVAGE = re.compile(r'"(human|pre)"\s*:\s*"([0-9a-fA-F]{7,64})"')
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class _Journal(msgspec.Struct):
    """The part of a journal that is of use; the rest of it, however large, is skipped."""

    task_id: Any = None
    commits: Any = None
    status: Any = None
    run_metadata: Any = None
    trae: Any = None
    codex: Any = None
    codex_cli: Any = None
    openhands: Any = None
    claude_code: Any = None


_decode_journal = msgspec.json.Decoder(_Journal).decode


@dataclass(slots=True)
class Facts:
    """What is known of a run besides its place; empty or None where nothing is."""

    task: str = ""
    human: str = ""
    parent: str = ""
    status: str = ""
    repo: str = ""
    agent: str = ""
    model: str = ""
    summary_model: str = ""
    returncode: int | None = None
    duration_s: float | None = None
    time_budget_minutes: float | None = None
    trouble: str = ""


def read_facts(folder: RunFolder, *, named: bool) -> Facts:
    """Reads the journal, and the summary for what is still open. Never raises for what is in them.

    ``named`` says that the folder's place tells agent and model, so that neither need be looked for.
    """
    facts, troubles = Facts(), [folder.trouble] if folder.trouble else []
    if JOURNAL in folder.files:
        _take_journal(facts, folder.path, troubles)
    elif not folder.trouble:
        troubles.append(f"no {JOURNAL}")
    complete = facts.human and facts.parent and facts.status and (named or (facts.agent and facts.model))
    if SUMMARY in folder.files and not complete:
        _take_summary(facts, folder.path, troubles)
    if not facts.human:
        named_there = _ITEM_HASH.search(folder.path)
        facts.human = named_there[1] if named_there else ""
        troubles.append(f"no commit is named{' but in the name of its folder' if named_there else ''}")
    facts.trouble = "; ".join(troubles)
    return facts


def _take_journal(facts: Facts, path: str, troubles: list[str]) -> None:
    content = _content(path, JOURNAL, troubles)
    if content is None:
        return
    try:
        journal = _decode_journal(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        journal = _journal_of(_loads(content, JOURNAL, troubles) or _salvaged(content))
    metadata, commits = _table(journal.run_metadata), _table(journal.commits)
    _take_commits(facts, commits, troubles)
    facts.task, facts.status = _word(journal.task_id), _word(journal.status).lower()
    facts.repo, facts.model = _word(metadata.get("repo")), _word(metadata.get("model"))
    facts.agent, block = _agent_block(journal, content, _word(metadata.get("agent")))
    facts.model = facts.model or _word(block.get("model"))
    code = block.get("returncode")
    facts.returncode = code if isinstance(code, int) and not isinstance(code, bool) else None
    facts.duration_s = _amount(block.get("duration_s"))
    facts.time_budget_minutes = _amount(block.get("time_budget_minutes"))


def _take_summary(facts: Facts, path: str, troubles: list[str]) -> None:
    content = _content(path, SUMMARY, troubles)
    summary = _loads(content, SUMMARY, troubles) if content is not None else {}
    meta, agent = _table(summary.get("meta")), _table(summary.get("agent"))
    _take_commits(facts, _table(summary.get("commits")), troubles)
    facts.status = facts.status or _word(agent.get("status")).lower()
    facts.task = facts.task or _word(meta.get("task_id"))
    facts.repo = facts.repo or _word(meta.get("repo"))
    facts.agent = facts.agent or _word(meta.get("agent"))
    facts.summary_model = _word(meta.get("model"))
    if facts.duration_s is None:
        facts.duration_s = _amount(agent.get("duration_s"))


def _take_commits(facts: Facts, commits: Mapping[str, Any], troubles: list[str]) -> None:
    for name, known in (("human", facts.human), ("pre", facts.parent)):
        value = commits.get(name)
        if known or not value:
            continue
        revision = value.strip().lower() if isinstance(value, str) else ""
        if not _HASH.fullmatch(revision):
            troubles.append(f"commits.{name} is no commit: {str(value)[:60]!r}")
        elif name == "human":
            facts.human = revision
        else:
            facts.parent = revision


def _agent_block(journal: _Journal, content: bytes, named: str) -> tuple[str, Mapping[str, Any]]:
    """The agent's name, and the block of its own figures; new agents name theirs as they like."""
    blocks = {name: block for name in _AGENTS if isinstance(block := getattr(journal, name), dict)}
    if not blocks and len(content) < SMALL:
        fields = _loads(content, JOURNAL, [])
        blocks = {name: block for name, block in fields.items() if "returncode" in _table(block)}
    if named not in blocks and blocks:
        name = next(iter(blocks))
        return named or name, blocks[name]
    return named, blocks.get(named, {})


def _content(path: str, name: str, troubles: list[str]) -> bytes | None:
    try:
        content = _read(f"{path}/{name}")
    except OSError as error:
        troubles.append(f"{name} cannot be read: {error.strerror}")
        return None
    if len(content) > LARGEST:
        troubles.append(f"{name} is larger than {LARGEST // 2**20} MB: only its beginning was looked at")
        return content[:SMALL]
    return content


def _read(path: str) -> bytes:
    """A file's bytes, ``LARGEST`` and a little at most; without the layers that cost as much as the reading."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not keep us waiting
    try:
        pieces = [os.read(handle, CHUNK)]
        size = len(pieces[0])
        while pieces[-1] and CHUNK <= size <= LARGEST:
            pieces.append(os.read(handle, CHUNK))
            size += len(pieces[-1])
    finally:
        os.close(handle)
    return b"".join(pieces)


def _loads(content: bytes, name: str, troubles: list[str]) -> Mapping[str, Any]:
    """As JSON with every leniency (NaN, lone surrogates, byte order marks); empty and noted if it is none."""
    try:
        found = json.loads(_text(content))
    except (ValueError, RecursionError) as error:
        troubles.append(f"{name} is damaged: {str(error).splitlines()[0]}")
        return {}
    if not isinstance(found, dict):
        troubles.append(f"{name} is damaged: no JSON object")
    return _table(found)


def _text(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def _salvaged(content: bytes) -> Mapping[str, Any]:
    """The commits of a journal that breaks off after them."""
    return {"commits": dict(_SALVAGE.findall(_text(content[:SMALL])))}


def _journal_of(fields: Mapping[str, Any]) -> _Journal:
    return _Journal(**{name: fields[name] for name in _Journal.__struct_fields__ if name in fields})


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) and value.isprintable() else ""


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        return None
    return float(value)
