"""Start git so that nothing of the user's changes what it does: no hooks, no settings, no prompts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_perfagents.model import BackendError

QUICK_S = 60.0
LONG_S = 900.0

# What the user's own git configuration could change, pinned.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.symlinks=true",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",  # a pack of its own; loose objects would freshen the mtimes of the user's clone
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.directory=*",
    "protocol.ext.allow=never",
)
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GCM_INTERACTIVE": "never",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
}
# How to reach a server is the user's to say; every other inherited GIT_… is dropped: GIT_DIR in a hook.
_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH")


@dataclass(frozen=True, slots=True)
class GitResult:
    """How one git command ended. ``code`` is -9 where it was stopped for taking too long."""

    arguments: tuple[str, ...]
    code: int
    out: bytes
    err: str
    timed_out: bool = False

    @property
    def text(self) -> str:
        """Standard output, decoded and stripped."""
        return self.out.decode(errors="surrogateescape").strip()

    @property
    def complaint(self) -> str:
        """The one line of standard error that says most."""
        if self.timed_out:
            return f"git {self.arguments[0]} took too long and was stopped"
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        for mark in ("error:", "fatal:"):
            for line in lines:
                if line.startswith(mark):
                    return line.removeprefix(mark).strip()
        return lines[-1] if lines else f"git {self.arguments[0]} ended with {self.code}"


def run_git(
    folder: Path,
    *arguments: str,
    stdin: bytes | None = None,
    timeout_s: float = QUICK_S,
    env: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
) -> GitResult:
    """Run ``git <arguments>`` in ``folder`` and return how it ended, whatever the exit status.

    ``settings`` (``section.key=value``) hold for this command. Interrupted or out of time, it ends, and its
    children with it.

    Raises:
        BackendError: there is no git.
    """
    options = [flag for setting in (*_SETTINGS, *settings) for flag in ("-c", setting)]
    child = _start(folder, [*options, *arguments], {**_ENVIRONMENT, **(env or {})}, with_stdin=stdin is not None)
    try:
        out, err = child.communicate(stdin, timeout=timeout_s)
        return GitResult(arguments, child.returncode, out, err.decode(errors="replace"))
    except subprocess.TimeoutExpired:
        _kill_group(child)
        return GitResult(arguments, -signal.SIGKILL, b"", "", timed_out=True)
    except BaseException:  # Ctrl-C or a deadline: git must not go on writing into a folder that we remove
        _kill_group(child)
        raise


def gitpython() -> Any:
    """GitPython, imported when it is first needed.

    Raises:
        BackendError: there is no git.
    """
    try:
        import git  # looks for the git program as it is imported
    except ImportError as error:
        raise BackendError(f"git cannot be started: {str(error).splitlines()[0]}; install git") from error
    return git


def _start(folder: Path, arguments: list[str], env: dict[str, str], *, with_stdin: bool) -> subprocess.Popen[bytes]:
    git = gitpython()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    inherited = [flag for name in os.environ if name.startswith("GIT_") for flag in ("-u", name)]
    assignments = [f"{name}={value}" for name, value in {**env, **kept}.items()] if inherited else []
    prefix = ["env", *inherited, *assignments] if inherited else []
    command = [*prefix, git.Git.GIT_PYTHON_GIT_EXECUTABLE, *arguments]
    handle = git.Git(str(folder)).execute(
        command,
        istream=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
        as_process=True,
        env=env,
        start_new_session=True,
    )
    child: subprocess.Popen[bytes] | None = handle.proc
    assert child is not None
    handle.proc = None  # else its finalizer would wait for a process that is ours to end
    return child


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
