"""TOML tables read key by key: each problem is named with its table, its key and the nearest spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any, TypeVar

T = TypeVar("T")
Check = Callable[[Any], T]
"""Turns a TOML value into ours, or raises ValueError that says what it must be."""

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
)


def kind(value: object) -> str:
    """``"a string"``: what TOML calls the value."""
    return next((name for of, name in _KINDS if isinstance(value, of)), "a date or time")


def did_you_mean(word: str, known: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """``"; did you mean 'import_root'?"``, or nothing where no known word is near.

    ``elsewhere`` has the words of other tables, with what says where they belong; the known ones come first.
    """
    places = dict(elsewhere or {})
    if word in places:
        return f": that is {places[word]}"
    for names in ({name: repr(name) for name in known}, places):
        lowered = {name.lower(): shown for name, shown in names.items()}
        near = get_close_matches(word.lower(), lowered, n=1)
        if near:
            return f"; did you mean {lowered[near[0]]}?"
    return ""


class Table:
    """One table of a TOML file. ``take`` the keys it may have, then ``close`` it: what is left is unknown.

    ``places`` are the words of the whole file, with what says where each belongs.
    """

    def __init__(
        self,
        title: str,
        values: object,
        problems: list[str],
        *,
        absent: bool = False,
        places: Mapping[str, str] | None = None,
    ) -> None:
        self.title, self.problems, self.absent, self.places = title, problems, absent, places or {}
        self.values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        self._known: list[str] = []
        if not isinstance(values, dict):
            problems.append(f"{self.label} must be a table, not {kind(values)}")

    @property
    def label(self) -> str:
        """``[repos.vllm]``."""
        return f"[{self.title}]" if self.title else "the file"

    def take(self, key: str, check: Check[T], default: T) -> T:
        """The checked value of a key, or the default where it is absent or wrong."""
        self._known.append(key)
        if key not in self.values:
            return default
        try:
            return check(self.values[key])
        except ValueError as error:
            self.problems.append(f"{self.label} {key} {error}")
            return default

    def need(self, key: str, check: Check[T], default: T, example: str) -> T:
        """As ``take``, but the key must be there; where the whole table is absent, that was complained of."""
        if key not in self.values and not self.absent:
            self.problems.append(f"{self.label} needs the key {key!r}, e.g. {key} = {example}")
        return self.take(key, check, default)

    def table(self, key: str, *, needed: bool = False) -> Table:
        """A table in this table; empty where it is absent."""
        self._known.append(key)
        absent = key not in self.values
        if needed and absent:
            self.problems.append(f"{self.label} needs the table [{key}]")
        title = f"{self.title}.{key}" if self.title else key
        return Table(title, self.values.get(key, {}), self.problems, absent=absent, places=self.places)

    def close(self) -> None:
        """Complains of every key that nobody took."""
        for key in self.values:
            if key not in self._known:
                what = "table" if isinstance(self.values[key], dict) else "key"
                self.problems.append(f"{self.label} has no {what} {key!r}{did_you_mean(key, self._known, self.places)}")


def text(value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind(value)}")
    if not value.strip() or "\0" in value:
        raise ValueError("must not be empty" if not value.strip() else "must not hold a NUL character")
    return value


def number(low: float, high: float = inf, *, open_low: bool = False, open_high: bool = False) -> Check[float]:
    """A finite number within the bounds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number, not {kind(value)}")
        above = value > low if open_low else value >= low
        below = value < high if open_high else value <= high
        if not (isfinite(value) and above and below):
            upper = "" if high == inf else f" and {'below' if open_high else 'at most'} {high:g}"
            raise ValueError(f"must be {'above' if open_low else 'at least'} {low:g}{upper}, not {value}")
        return float(value)

    return check


def whole(low: int) -> Check[int]:
    """A whole number, ``low`` or more."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, not {value if isinstance(value, float) else kind(value)}")
        if value < low:
            raise ValueError(f"must be at least {low}, not {value}")
        return value

    return check


def yes_or_no(value: Any) -> bool:
    """A truth value, as TOML has them."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {kind(value)}")
    return value


def one_of(words: Iterable[str]) -> Check[str]:
    """One of some words."""
    known = tuple(words)

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a string, not {kind(value)}")
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}, not {value!r}{did_you_mean(value, known)}")
        return value

    return check


def many(check: Check[T], example: str, *, least: int = 0) -> Check[tuple[T, ...]]:
    """A list, of which every element passes ``check``."""

    def check_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, e.g. {example}, not {kind(value)}")
        if len(value) < least:
            raise ValueError(f"must hold at least {least} element{'s'[: least > 1]}, e.g. {example}")
        found = []
        for place, element in enumerate(value):
            try:
                found.append(check(element))
            except ValueError as error:
                raise ValueError(f"[{place}] {error}") from None
        return tuple(found)

    return check_all
