"""``[repos.<name>]``: where a repository lies, and how its code is run."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pytest_perfagents.config.kinds import command, folder, inner, interpreter, place, setting, source
from pytest_perfagents.tables import Table, many, text


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


def take_repos(table: Table, base: Path) -> dict[str, RepoConfig]:
    """The repositories by name, ``base`` being the file's folder; what is wrong goes to the table's problems."""
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
    at, words = partial(place, base), many(text, f'["{name}"]', least=1)
    repo = RepoConfig(
        name=name,
        path=table.need("path", at, base, f'"../{name}"'),
        import_root=table.take("import_root", inner, "."),
        packages=table.take("packages", words, (name,)),
        python=table.take("python", partial(interpreter, base), Path(sys.executable)),
        match=table.take("match", words, (name,)),
        env=_env(table.table("env")),
        pass_env=table.take("pass_env", many(text, '["CUDA_HOME"]'), ()),
        build=table.take("build", many(command, '[["python", "setup.py", "build_ext", "--inplace"]]'), ()),
        overlay=table.take("overlay", partial(folder, base), None),
        fetch=table.take("fetch", partial(source, base), None),
        writable=table.take("writable", many(partial(folder, base), '["/data/hf"]'), ()),
    )
    table.close()
    return repo


def _env(table: Table) -> dict[str, str]:
    return {name: table.take(name, setting, "") for name in table.values}
