"""The environment of measured code: an allow list, private folders, one thread, no secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_perfagents.processes.orphans import SESSION_MARKER

ALLOWED = (
    "PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
    "CONDA_PREFIX", "CUDA*", "NVIDIA_*", "HIP_*", "ROCM_*", "ROCR_*", "CC", "CXX", "SYSTEMROOT",
)  # fmt: skip
THREAD_COUNTS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
# They act before a worker is in charge: a patch's sitecustomize would run, another standard library be
# loaded.
FORBIDDEN = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONPLATLIBDIR",
    "__PYVENV_LAUNCHER__",
)


def child_env(
    ambient: Mapping[str, str],
    *,
    session_id: str,
    private: Path,
    env: Mapping[str, str] | None = None,
    pass_env: Sequence[str] = (),
    threads: int = 1,
    seed: int | None = None,
    padding: int = 0,
) -> dict[str, str]:
    """All of what a child sees, out of ``ambient`` (our own environment) and the configuration.

    ``private`` gets HOME, TMPDIR and the XDG folders; it is made by `make_private`. ``pass_env`` names
    further variables of ours, globs allowed; ``env`` sets some and wins over all but our own marks and
    FORBIDDEN. ``seed`` makes the hash seed; ``padding`` bytes of environment shift the memory layout.
    """
    child = passed(ambient, (*ALLOWED, *pass_env))
    child.update(_private_folders(private))
    child.update(dict.fromkeys(THREAD_COUNTS, str(threads)))
    child["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    child["PYTHONNOUSERSITE"] = "1"
    child.update(env or {})
    for name in FORBIDDEN:
        child.pop(name, None)
    if seed is not None:
        child["PYTHONHASHSEED"] = str(seed % 2**32)
    child["PERFAGENTS_PADDING"] = "x" * padding
    child[SESSION_MARKER] = session_id
    return child


def passed(ambient: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """The variables that are wanted by name; globs are allowed."""
    return {name: value for name, value in ambient.items() if any(fnmatchcase(name, each) for each in wanted)}


def make_private(folder: Path) -> Path:
    """The folders that `child_env` names, inside ``folder``."""
    for path in _private_folders(folder).values():
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _private_folders(folder: Path) -> dict[str, str]:
    home, tmp = folder / "home", folder / "tmp"
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_RUNTIME_DIR": str(tmp),
        "TMPDIR": str(tmp),
        "TMP": str(tmp),
        "TEMP": str(tmp),
    }
