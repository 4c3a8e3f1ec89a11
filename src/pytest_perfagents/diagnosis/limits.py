"""What the operating system does not give any more: a table of advice. Its numbers tell it in every language."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.types import Rule, fixed

LIMITS: tuple[Rule, ...] = (
    (
        re.compile(r"(?:(?P<file>[^\s:]+): )?cannot allocate memory in static TLS block"),
        fixed(
            "loads {file} too late: there is no room left for its thread-local data",
            "load it first: LD_PRELOAD={file} in env of [repos.{repo}], or import what brings it before all else",
            "need a library that is loaded first",
        ),
    ),
    (
        either(
            r"killed by signal: Bus error|out of shared memory\. Please",
            r"No space left on device: '/dev/shm|unable to \w+ shared memory object",
        ),
        fixed(
            "ran out of shared memory (/dev/shm)",
            "enlarge /dev/shm (in a container: --shm-size=16g, or --ipc=host), or take fewer workers of the DataLoader",
            "need more shared memory",
        ),
    ),
    (
        re.compile(r"\[Errno 2[34]\]|(?i:too many open files)"),
        fixed(
            "has too many files open",
            "raise the limit where it starts: ulimit -n 65536",
            "need a higher limit of open files",
        ),
    ),
    (
        re.compile(r"\[Errno 122\]|(?i:disk quota exceeded)"),
        fixed(
            "used up the disk quota of this user",
            "free some of it, or set the caches (HF_HOME, TMPDIR) to another disk in env of [repos.{repo}]",
            "need disk space",
        ),
    ),
    (
        re.compile(r"\[Errno 30\]|(?i:read-only file system)"),
        fixed(
            "may only read the file system that it writes to",
            "let it write elsewhere (HF_HOME, TMPDIR in env of [repos.{repo}]), or mount that one for writing",
            "need a folder to write to",
        ),
    ),
    (
        either(
            r"can't start new thread|pthread_create failed",
            r"\[Errno 11\]|fork: (?:retry: )?Resource temporarily unavailable",
        ),
        fixed(
            "may start no more threads or processes",
            "raise the limit (ulimit -u; in a container --pids-limit), or take fewer threads: OMP_NUM_THREADS=8 in env "
            "of [repos.{repo}]",
            "need a higher limit of processes",
        ),
    ),
    (
        re.compile(r"failed to map segment from shared object"),
        fixed(
            "may not load a compiled file from where it lies",
            "the file system is mounted noexec, or the limit of memory (ulimit -v) is too low: install it elsewhere, "
            "or raise the limit",
            "need a place to load compiled files from",
        ),
    ),
)
