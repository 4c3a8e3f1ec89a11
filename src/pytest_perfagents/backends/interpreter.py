"""The interpreter of the measured code: is it there, what is it, and the worker compiled for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_perfagents.backends.assembling import write_worker
from pytest_perfagents.config import RepoConfig
from pytest_perfagents.model import Ending, UsageError
from pytest_perfagents.processes.process import Command, run

PROBE_S = 60.0
OLDEST = (3, 8)
REPORTED = ("torch", "numpy", "transformers", "triton", "vllm", "sglang")
# Isolated mode: nothing but the interpreter and what is installed in it takes part.
_PROBE = """
import json, os, platform, py_compile, sys
versions = {}
if sys.version_info >= (3, 8):
    py_compile.compile(sys.argv[1], cfile=sys.argv[2], doraise=True)
    from importlib import metadata
    for name in sys.argv[3:]:
        try:
            versions[name] = metadata.version(name)
        except Exception:
            pass
print(json.dumps({"version_info": list(sys.version_info[:2]), "python": platform.python_version(),
    "implementation": platform.python_implementation(), "executable": sys.executable,
    "platform": platform.platform(), "machine": platform.machine(), "packages": versions,
    "places": [os.path.dirname(sys.executable), sys.prefix, sys.base_prefix, *sys.path]}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``worker`` is compiled for it, for a cheaper start; ``facts`` go into the record.

    ``places`` are folders (and archives) that it needs to read.
    """

    python: Path
    worker: Path
    facts: Mapping[str, Any]
    places: tuple[Path, ...] = ()


def find_interpreter(repo: RepoConfig, folder: Path, env: Mapping[str, str]) -> Interpreter:
    """Look at ``repo.python`` and compile the worker into ``folder``.

    Raises:
        UsageError: it is not there, is no Python, or is too old.
    """
    source = write_worker(folder / f"worker-{repo.name}.py")
    compiled = source.with_suffix(".pyc")
    compiled.unlink(missing_ok=True)
    argv = (str(repo.python), "-I", "-c", _PROBE, str(source), str(compiled), *REPORTED)
    found = run(Command(argv, folder, env, PROBE_S))
    key = f"[repos.{repo.name}] python"
    if found.ending is Ending.NOT_STARTED:
        why = "cannot be started" if repo.python.exists() else "is not there"
        raise UsageError(f"{key}: {repo.python} {why}")
    try:
        facts = json.loads(found.stdout)
    except ValueError:
        said = (found.stderr.strip() or found.stdout.strip() or "nothing").splitlines()[-1]
        raise UsageError(f"{key}: {repo.python} is no working Python 3.8 or later; it said: {said}") from None
    if tuple(facts.pop("version_info")) < OLDEST:
        raise UsageError(f"{key}: {repo.python} is Python {facts['python']}; 3.8 is the oldest that works")
    places = (repo.python.parent, repo.python.resolve().parent, *map(Path, facts.pop("places")))
    return Interpreter(repo.python, compiled, facts, places)
