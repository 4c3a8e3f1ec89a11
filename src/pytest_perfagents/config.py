"""``perfagents.toml``: what to measure, where it lies, and how. :func:`load_config` validates it whole."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from pytest_perfagents.model import Category, Role, UsageError
from pytest_perfagents.prices import Price, take_prices
from pytest_perfagents.tables import Table, did_you_mean, kind, many, number, one_of, text, whole, yes_or_no

MODES = ("auto", "driven", "script")
CONFINE = ("auto", "off")
COUNTERS = ("off", "instructions")
PINS = ("off", "auto")
Pin = str | tuple[int, ...]
"""One of `PINS`, or the numbers of CPUs."""
PYTEST_OUTCOMES = ("passed", "skipped", "xfailed", "failed")


@dataclass(frozen=True, slots=True)
class RepoConfig:
    """One repository: ``[repos.<name>]``.

    ``path`` is a clone, bare or not, or a bundle; it need not exist until a run needs it. ``import_root`` is
    the folder in it that goes on the import path. ``packages`` must be loaded from the workspace. ``match``
    lists the repository folders, task ids and item prefixes that mean it. ``env`` is set, ``pass_env`` handed
    through, for the measured code. ``build`` holds the commands run in a workspace after the patch.
    ``overlay`` is a folder of installed packages whose compiled and generated files are copied in. ``fetch``
    is where missing commits may come from. ``writable`` are folders that measured code may write to.
    """

    name: str
    path: Path
    import_root: str = "."
    packages: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    match: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    build: tuple[tuple[str, ...], ...] = ()
    overlay: Path | None = None
    fetch: str | None = None
    writable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name in ("packages", "match"):
            if not getattr(self, name):
                object.__setattr__(self, name, (self.name,))


@dataclass(frozen=True, slots=True)
class ProtocolConfig:
    """How to measure: ``[perfagents.protocol]``. ``measure_s`` is a whole commit's, ``turn_s`` one turn's.

    ``gpu_warmup_s`` is for each process that uses a GPU; ``l2_flush`` empties the GPU's cache before each block.
    """

    threshold: float = 0.05
    confidence: float = 0.95
    alpha: float = 0.01
    sides: tuple[Role, ...] = (Role.BASELINE, Role.HUMAN, Role.PATCHED)
    mode: str = "auto"
    warmups: int = 2
    turns: int = 6
    turn_s: float = 0.02
    measure_s: float = 20.0
    heavy_measure_s: float = 60.0
    looks: tuple[int, ...] = (10, 20, 40, 80)
    seed: int = 0
    threads: int = 1
    memory_gb: float | None = None
    max_sides: int = 8
    counter: str = "off"
    pin: Pin = "auto"
    nice: int = 0
    template: bool = True
    gpu_warmup_s: float = 0.2
    l2_flush: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. All paths are absolute; ``outcomes`` maps a category to what pytest shows for it, and
    ``prices`` a model to what its tokens cost.

    ``confine``: ``auto`` keeps measured code from other trees and processes where the kernel can, ``off`` does not.
    """

    file: Path
    repos: Mapping[str, RepoConfig]
    runs: tuple[Path, ...]
    scripts: tuple[Path, ...]
    results: Path
    cache: Path
    timeout_s: float = 600.0
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    disk_gb: float = 20.0
    confine: str = "auto"
    prices: Mapping[str, Price] = field(default_factory=dict)


_TABLES = {
    "perfagents": "[perfagents]",
    "protocol": "[perfagents.protocol]",
    "prices": "[perfagents.prices.<model>]",
    "repos": "[repos.<name>]",
    "aliases": "[aliases]",
    "outcomes": "[outcomes]",
}


def _places() -> dict[str, str]:
    """Every key and table of the file, and where it belongs: ``'measure_s' of [perfagents.protocol]``."""
    places = {
        each.name: f"{each.name!r} of {table}"
        for table, kind_of in (
            ("[perfagents]", Config),
            ("[repos.<name>]", RepoConfig),
            (_TABLES["protocol"], ProtocolConfig),
            (_TABLES["prices"], Price),
        )
        for each in fields(kind_of)
    }
    return {name: place for name, place in places.items() if name not in ("file", "name")} | _TABLES


_PLACES = _places()


def load_config(file: Path) -> Config:
    """Reads and validates the whole file; relative paths in it are relative to its folder.

    Raises:
        UsageError: a line for every problem, which names file, table, key and the nearest spelling.
    """
    shown = _shown(file)
    problems: list[str] = []
    config = _config(file.absolute(), Table("", _parse(file, shown), problems))
    if problems:
        raise UsageError("\n".join(f"{shown}: {problem}" for problem in problems))
    return config


def _shown(file: Path) -> str:
    """The file as a person would type it."""
    absolute, here = file.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _parse(file: Path, shown: str) -> dict[str, Any]:
    content = ""
    try:
        content = file.read_text(encoding="utf-8-sig")
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        last = f"at line {content.rstrip().count(chr(10)) + 1}, the last"
        raise UsageError(f"{shown}: not valid TOML: {str(error).replace('at end of document', last)}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise UsageError(
            f"{shown}: cannot be read: {error.strerror}; name another with --perf-config, or -c of perfagents"
        ) from None


def _config(file: Path, top: Table) -> Config:
    base = file.parent.resolve()
    main = top.table("perfagents", needed=True)
    place, folders = partial(_place, base), partial(many, partial(_folder, base))
    config = Config(
        file=file,
        repos=_repos(top.table("repos"), base),
        runs=main.need("runs", folders('["state/runs"]'), (), '["state/runs"]'),
        scripts=main.need("scripts", folders('["test_scripts"]'), (), '["test_scripts"]'),
        results=main.take("results", place, base / "results"),
        cache=main.take("cache", place, base / ".perfagents"),
        timeout_s=main.take("timeout_s", number(0, open_low=True), 600.0),
        disk_gb=main.take("disk_gb", number(0, open_low=True), 20.0),
        confine=main.take("confine", one_of(CONFINE), "auto"),
        protocol=_protocol(main.table("protocol")),
        prices=take_prices(main.table("prices")),
        aliases=_aliases(top.table("aliases")),
        outcomes=_outcomes(top.table("outcomes")),
    )
    main.close(_PLACES)
    top.close(_PLACES)
    return config


def _protocol(table: Table) -> ProtocolConfig:
    default, positive = ProtocolConfig(), number(0, open_low=True)
    protocol = ProtocolConfig(
        threshold=table.take("threshold", number(0, 1, open_low=True, open_high=True), default.threshold),
        confidence=table.take("confidence", number(0.5, 1, open_low=True, open_high=True), default.confidence),
        alpha=table.take("alpha", number(0, 0.5, open_low=True, open_high=True), default.alpha),
        sides=table.take("sides", _sides, default.sides),
        mode=table.take("mode", one_of(MODES), default.mode),
        warmups=table.take("warmups", whole(0), default.warmups),
        turns=table.take("turns", whole(1), default.turns),
        turn_s=table.take("turn_s", positive, default.turn_s),
        measure_s=table.take("measure_s", positive, default.measure_s),
        heavy_measure_s=table.take("heavy_measure_s", positive, default.heavy_measure_s),
        looks=table.take("looks", _looks, default.looks),
        seed=table.take("seed", whole(0), default.seed),
        threads=table.take("threads", whole(1), default.threads),
        memory_gb=table.take("memory_gb", positive, default.memory_gb),
        max_sides=table.take("max_sides", whole(2), default.max_sides),
        counter=table.take("counter", one_of(COUNTERS), default.counter),
        pin=table.take("pin", _pin, default.pin),
        nice=table.take("nice", _nice, default.nice),
        template=table.take("template", yes_or_no, default.template),
        gpu_warmup_s=table.take("gpu_warmup_s", number(0), default.gpu_warmup_s),
        l2_flush=table.take("l2_flush", yes_or_no, default.l2_flush),
    )
    table.close(_PLACES)
    return protocol


def _repos(table: Table, base: Path) -> dict[str, RepoConfig]:
    repos: dict[str, RepoConfig] = {}
    for name in table.values:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            table.problems.append(f"[repos.{name}] is no name of letters, digits, '.', '_' and '-'")
        repos[name] = _repo(name, table.table(name), base)
    owners: dict[str, str] = {}
    for repo in repos.values():
        for word in repo.match:
            if owners.setdefault(word.lower(), repo.name) != repo.name:
                other = owners[word.lower()]
                table.problems.append(f"[repos.{repo.name}] match {word!r} already means [repos.{other}]")
    return repos


def _repo(name: str, table: Table, base: Path) -> RepoConfig:
    place, words = partial(_place, base), many(text, f'["{name}"]', least=1)
    repo = RepoConfig(
        name=name,
        path=table.need("path", place, base, f'"../{name}"'),
        import_root=table.take("import_root", _inner, "."),
        packages=table.take("packages", words, (name,)),
        python=table.take("python", partial(_interpreter, base), Path(sys.executable)),
        match=table.take("match", words, (name,)),
        env=_env(table.table("env")),
        pass_env=table.take("pass_env", many(text, '["CUDA_HOME"]'), ()),
        build=table.take("build", many(_command, '[["python", "setup.py", "build_ext", "--inplace"]]'), ()),
        overlay=table.take("overlay", partial(_folder, base), None),
        fetch=table.take("fetch", partial(_source, base), None),
        writable=table.take("writable", many(partial(_folder, base), '["/data/hf"]'), ()),
    )
    table.close(_PLACES)
    return repo


def _source(base: Path, value: Any) -> str:
    """Where git may fetch from: a URL or the name of a remote as it is, a path relative to the file."""
    source = text(value)
    is_path = "/" in source and ":" not in source
    return str(_place(base, source)) if is_path else source


def _env(table: Table) -> dict[str, str]:
    return {name: table.take(name, _setting, "") for name in table.values}


def _aliases(table: Table) -> dict[str, tuple[str, ...]]:
    words = many(text, '["trae/claude-*", "codex_gpt5"]', least=1)
    return {name: table.take(name, words, ()) for name in table.values}


def _outcomes(table: Table) -> dict[str, str]:
    for category in Category:
        table.take(category.value, one_of(PYTEST_OUTCOMES), "")
    table.close()
    return {name: value for name, value in table.values.items() if value in PYTEST_OUTCOMES}


def _place(base: Path, value: Any) -> Path:
    """A path that need not exist, normalised but with its symbolic links left as they are."""
    return Path(os.path.normpath(base / Path(text(value)).expanduser()))


def _folder(base: Path, value: Any) -> Path:
    path = _place(base, value)
    if path.is_dir():
        return path
    if path.exists():
        raise ValueError(f"must be a folder, and {path} is a file")
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    raise ValueError(f"names a folder that is not there: {path}{did_you_mean(path.name, beside)}")


def _inner(value: Any) -> str:
    path = Path(text(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must be a folder inside the repository, not {value!r}")
    return str(path)


def _interpreter(base: Path, value: Any) -> Path:
    """An interpreter by path, or a bare name from PATH; reported as missing only when it is used."""
    found = shutil.which(text(value)) if "/" not in text(value) else None
    return Path(found) if found else _place(base, value)


def _setting(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'must be a string, e.g. "1", not {kind(value)}')
    return value


def _command(value: Any) -> tuple[str, ...]:
    """A command as a list of words, or as one string that a shell would split the same way."""
    return many(text, '["make", "all"]', least=1)(shlex.split(value) if isinstance(value, str) else value)


def _sides(value: Any) -> tuple[Role, ...]:
    sides = tuple(Role(word) for word in many(one_of(list(Role)), '["baseline", "human", "patched"]')(value))
    if not {Role.BASELINE, Role.PATCHED} <= set(sides) or len(set(sides)) != len(sides):
        raise ValueError("must hold 'baseline' and 'patched', and may hold 'human', each once")
    return sides


def _pin(value: Any) -> Pin:
    if isinstance(value, list):
        return many(whole(0), "[2, 3]", least=1)(value)
    return one_of(PINS)(value)


def _nice(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -20 <= value <= 19:
        raise ValueError(f"must be a whole number from -20 to 19, not {value!r}")
    return value


def _looks(value: Any) -> tuple[int, ...]:
    looks = many(whole(2), "[10, 20, 40, 80]", least=1)(value)
    if any(later <= sooner for sooner, later in pairwise(looks)):
        raise ValueError(f"must increase, not {list(looks)}")
    return looks
