"""Limits of this process, and what it may reach: prctl, Landlock, namespaces, seccomp."""

from __future__ import annotations

import json
import os
import struct
import sys
from stat import S_ISDIR
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SIGKILL = 9
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_PATH_BENEATH = 444, 445, 446, 1
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1 << 0, 1 << 1
READ_FILES = 1 << 0 | 1 << 2  # execute, read
ACCESS_OF_FILES = READ_FILES | 1 << 1 | 1 << 14  # write, truncate
ACCESS_ABI_1 = ((1 << 13) - 1) & ~(1 << 3)  # all but listing a folder
ACCESS_REFER, ACCESS_TRUNCATE = 1 << 13, 1 << 14
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 1 << 2
SECCOMP_ALLOW, SECCOMP_EPERM, X32 = 0x7FFF0000, 0x00050001, 1 << 30  # from there on, x86 has its calls once more
NEGATIVE = 1 << 31  # as 32 bits without a sign
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 1 << 17, 1 << 27, 1 << 28
MS_NOSUID_NODEV, MS_REC_PRIVATE, CAPABILITY_VERSION = 2 | 4, 1 << 14 | 1 << 18, 0x20080522
# AUDIT_ARCH; the numbers of seccomp, prctl, prlimit64, setpriority, sched_setscheduler; add_key, request_key, keyctl,
# sched_setattr; shmget, semget, msgget, mq_open
SYSTEM_CALLS = {
    "x86_64": (0xC000003E, 317, 157, 302, 141, 144, (248, 249, 250, 314), (29, 64, 68, 240)),
    "aarch64": (0xC00000B7, 277, 167, 261, 140, 119, (217, 218, 219, 274), (194, 190, 186, 180)),
}
SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, PRIO_USER = 0, 3, 5, 2


def set_limits(spec: Mapping[str, Any]) -> None:
    """Die with the harness, adopt what is orphaned below, be the first that the kernel kills for memory."""
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # no Linux, or a Python without ctypes: the end of the channel ends us too
    if spec.get("parent") and os.getppid() != spec["parent"]:
        os._exit(1)  # the harness was gone before we asked to die with it
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")
    except OSError:
        pass
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec.get("memory_bytes"):
        resource.setrlimit(resource.RLIMIT_DATA, (spec["memory_bytes"], spec["memory_bytes"]))


def confine(spec: Mapping[str, Any]) -> bool:
    """Landlock(7): from here on this process and its children keep to what the file ``spec["confine"]`` lists.

    It holds JSON, ``read`` and ``write``: paths that exist, of files or of folders with all below them. Names can
    be listed everywhere. Shared memory is this process's own where that can be had, and where none of the paths lies
    in it. Signals and abstract sockets reach no other process where the kernel can hold them back (ABI 6). False where
    there is no such list, no Landlock, or where it is refused: then no files are guarded.
    """
    if not spec.get("confine"):
        return False
    with open(spec["confine"], encoding="utf-8") as file:
        reach = json.load(file)
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        call, prctl = libc.syscall, libc.prctl
        abi = call(LANDLOCK_CREATE, None, 0, 1)
    except (ImportError, OSError, AttributeError):
        return False
    if abi < 1:
        return False
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0
    ruleset = call(LANDLOCK_CREATE, *as_struct([access_rights(abi), 0, scopes][: 3 if abi >= 6 else 1]), 0)
    if ruleset < 0:
        return False
    paths = (spec.get("root", ""), *reach["read"], *reach["write"])
    needs_shared = any((path + "/").startswith("/dev/shm/") for path in paths)
    is_alone = not needs_shared and live_alone(ctypes, libc)
    try:
        for path in reach["read"]:
            allow(call, ruleset, path, READ_FILES)
        for path in reach["write"]:
            allow(call, ruleset, path, access_rights(abi))
        if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or call(LANDLOCK_RESTRICT, ruleset, 0):
            return False
        refuse_calls(ctypes, call, is_alone=is_alone)
        return True
    finally:
        os.close(ruleset)


def live_alone(ctypes: Any, libc: Any) -> bool:
    """Give this process and its children shared memory of their own, so that they leave none behind for later ones.

    namespaces(7): System V's and POSIX's, and a new ``/dev/shm``. Without privileges by way of a user namespace, whose
    privileges are given up again; some systems give one that cannot be used, so a child tries it before. False where
    the kernel does not allow it.
    """
    if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0:
        return new_memory(libc)
    if os.getuid() == 0:
        return False  # a user namespace would take rights away that are left
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if live_alone_unprivileged(ctypes, libc) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0 and live_alone_unprivileged(ctypes, libc)


def live_alone_unprivileged(ctypes: Any, libc: Any) -> bool:
    """The same in a user namespace in which everybody is who they were. Raises OSError where it is an empty one."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) != 0:
        return False
    for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(line)
    is_alone = new_memory(libc)
    libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())
    return is_alone


def new_memory(libc: Any) -> bool:
    """An empty ``/dev/shm``, which nobody outside sees."""
    is_private = libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) == 0
    return is_private and bool(libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", MS_NOSUID_NODEV, b"mode=1777") == 0)


def refuse_calls(ctypes: Any, call: Callable[..., int], *, is_alone: bool) -> None:
    """seccomp(2): what Landlock does not guard is refused with EPERM; where the kernel will not, nothing is.

    Limits and priorities of other processes, and scheduling that comes before theirs; to leave orphans to somebody
    else; keys, which outlive a process, and memory and queues that do, unless it has ``is_alone`` its own. Code for
    another architecture is refused, since its calls have other numbers. Data speculation stays as it is.
    """
    if os.uname().machine not in SYSTEM_CALLS:
        return
    architecture, seccomp, prctl, prlimit, priority, scheduler, never, ipc = SYSTEM_CALLS[os.uname().machine]
    load, equal, least, give = 0x20, 0x15, 0x35, 0x06  # BPF; offsets are those of struct seccomp_data
    refused = never if is_alone else (*never, *ipc)
    lines: list[tuple[int, int | str, int | str, int]] = [(load, 0, 0, 4), (equal, 0, "refuse", architecture)]
    lines += [(load, 0, 0, 0), (least, "refuse", 0, X32), *[(equal, "refuse", 0, number) for number in refused]]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    of_itself: list[tuple[int, int | str, int | str, int]]
    of_itself = [(equal, "allow", 0, 0), (equal, "allow", "refuse", os.getpid())]
    lines += [
        (equal, 0, 8, priority), (load, 0, 0, 32),
        (least, *(("refuse", 0) if own >= 0 else (0, 1)), NEGATIVE), (least, 0, "refuse", own % (1 << 32)),
        (load, 0, 0, 16), (equal, "refuse", 0, PRIO_USER), (load, 0, 0, 24), *of_itself,
        (equal, 0, 7, scheduler), (load, 0, 0, 24), (equal, "allow", 0, SCHED_OTHER),
        (equal, 1, 0, SCHED_BATCH), (equal, 0, "refuse", SCHED_IDLE), (load, 0, 0, 16), *of_itself,
    ]  # fmt: skip
    lines += [(equal, 0, 2, prctl), (load, 0, 0, 16), (equal, "refuse", "allow", PR_SET_CHILD_SUBREAPER)]
    lines += [
        (equal, 0, "allow", prlimit),
        (load, 0, 0, 32), (equal, 0, 2, 0), (load, 0, 0, 36), (equal, "allow", 0, 0),  # no new limit: it only asks
        (load, 0, 0, 16), *of_itself,
    ]  # fmt: skip
    ends = {"refuse": len(lines), "allow": len(lines) + 1}
    lines += [(give, 0, 0, SECCOMP_EPERM), (give, 0, 0, SECCOMP_ALLOW)]
    program = [
        struct.pack("HBBI", code, *[ends[to] - at - 1 if isinstance(to, str) else to for to in jumps], value)
        for at, (code, *jumps, value) in enumerate(lines)
    ]
    source = ctypes.create_string_buffer(b"".join(program))
    filters = struct.pack("HP", len(program), ctypes.addressof(source))
    call(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, filters)


def access_rights(abi: int) -> int:
    """All that this version of Landlock can forbid, but listing folders and, for GPUs, ioctl on devices."""
    return ACCESS_ABI_1 | (ACCESS_REFER if abi >= 2 else 0) | (ACCESS_TRUNCATE if abi >= 3 else 0)


def allow(call: Callable[..., int], ruleset: int, path: str, rights: int) -> None:
    """Add the file or folder to the ruleset; what is not there needs no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if rights != READ_FILES and not S_ISDIR(os.fstat(place).st_mode):
            rights &= ACCESS_OF_FILES
        rule = rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
        call(LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def as_struct(numbers: Sequence[int]) -> tuple[bytes, int]:
    """64-bit numbers as the kernel reads them, and their size."""
    data = b"".join([number.to_bytes(8, sys.byteorder) for number in numbers])
    return data, len(data)
