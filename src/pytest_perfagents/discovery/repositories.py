"""Which configured repository a run belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pytest_perfagents.config import RepoConfig

_FIRST_WORD = re.compile(r"[^\W_]+")


class Repositories:
    """Resolves the names that a run carries by the ``match`` entries of the configuration."""

    def __init__(self, repos: Iterable[RepoConfig]) -> None:
        self._owners = {word.lower(): repo.name for repo in repos for word in repo.match}
        self._longest_first = sorted(self._owners, key=lambda word: (-len(word), word))
        self.named = lru_cache(4096)(self._named)

    def _named(self, name: str) -> str:
        """The repository that a name is or begins with (``vllm_core-0012``); the longest entry wins."""
        name = name.lower()
        for word in self._longest_first:
            if name.startswith(word) and not name[len(word) : len(word) + 1].isalnum():
                return self._owners[word]
        return ""

    def resolve(self, folder: str, *names: str) -> str:
        """The repository of a run by its folder, else by the other names in turn, else by a folder cut short.

        Where no configured one is meant: the folder's name, or the first word of the first other name.
        """
        found = next(filter(None, map(self.named, (folder, *names))), "")
        return found or self._cut_short(folder) or _unconfigured(folder, names)

    def _cut_short(self, folder: str) -> str:
        owners = {self._owners[word] for word in self._owners if word.startswith(folder.lower())}
        return owners.pop() if len(folder) >= 4 and len(owners) == 1 else ""


def _unconfigured(folder: str, names: Iterable[str]) -> str:
    words = (_FIRST_WORD.match(name) for name in names)
    first = next((word[0].lower() for word in words if word), "")
    return first if first.startswith(folder.lower()) else folder
