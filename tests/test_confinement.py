"""What a measured side can reach: its own tree and its room to write, no other tree, reference or process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from backends.sides import PATCHED, SLOW, git, make_config, make_files, opened

from pytest_perfagents import diagnosis
from pytest_perfagents.backends.base import ProgramRun, Workspace
from pytest_perfagents.gitrepo.clone import git_folders
from pytest_perfagents.model import BASELINE, HUMAN, Blame, Category, Commit, Role, UsageError
from pytest_perfagents.processes.confinement import cache_folders, reach
from pytest_perfagents.worker.confining import SYSTEM_CALLS, access_rights, as_struct

PATIENCE_S = 30.0


def landlock_abi() -> int:
    code = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)


needs_landlock = pytest.mark.skipif(landlock_abi() < 1, reason="this kernel has no Landlock")
needs_scopes = pytest.mark.skipif(landlock_abi() < 6, reason="this kernel's Landlock cannot hold signals back")


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    return make_files(tmp_path)


def run(workspace: Workspace, folder: Path, code: str, *arguments: object) -> ProgramRun:
    script = folder / "scripts" / "program.py"
    script.write_text("import os, sys\nwhere = sys.argv[1:]\n" + textwrap.dedent(code))
    return workspace.run_program(script, list(map(str, arguments)), PATIENCE_S, {})


# --- the lists ----------------------------------------------------------------------------------------------------


def allows(lists: tuple[str, ...], path: Path) -> bool:
    return any(path.is_relative_to(each) for each in lists)


def test_everything_but_the_hidden_can_be_read(tmp_path: Path) -> None:
    for name in ("cache/own", "cache/other/deep", "src", "clone/.git", "clone/pkg"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("")
    hidden = [tmp_path / "cache", tmp_path / "clone/.git", tmp_path / "results-to-come"]
    lists = reach(hidden, [tmp_path / "cache/other/deep"], [tmp_path / "cache/own"])
    readable = ["src", "src/new", "notes.txt", "clone/pkg", "cache/other/deep/x"]
    unreadable = ["cache/own", "cache/other", "cache/other/x", "cache", "clone/.git/HEAD", "results-to-come/x"]
    assert [name for name in readable if not allows(lists.read, tmp_path / name)] == []
    assert [name for name in unreadable if allows(lists.read, tmp_path / name)] == []
    assert all(allows(lists.read, Path(place)) for place in ("/usr/bin", "/proc", "/dev/null"))
    assert allows(lists.write, tmp_path / "cache/own")
    assert not allows(lists.write, tmp_path / "src")


def test_the_innermost_mark_decides(tmp_path: Path) -> None:
    (tmp_path / "cache/venv/clone/.git").mkdir(parents=True)
    (tmp_path / "cache/venv/lib").mkdir()
    lists = reach([tmp_path / "cache", tmp_path / "cache/venv/clone/.git"], [tmp_path / "cache/venv"], [])
    assert allows(lists.read, tmp_path / "cache/venv/lib/x")
    assert not allows(lists.read, tmp_path / "cache/venv/clone/.git")
    assert not allows(lists.read, tmp_path / "cache/x")


def test_links_open_no_door_and_hidden_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk/cache").mkdir(parents=True)
    (tmp_path / "disk/data").mkdir()
    (tmp_path / "cache").symlink_to("disk/cache")
    (tmp_path / "door").symlink_to("disk")
    lists = reach([tmp_path / "cache"], [], [])
    assert allows(lists.read, tmp_path / "disk/data")
    for path in ("disk/cache", "cache", "door", "disk"):
        assert str(tmp_path / path) not in lists.read
    assert not allows(lists.read, tmp_path / "disk/cache/x")


def test_what_is_shown_anyway_needs_no_list(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    assert reach([], [tmp_path / "venv", Path("/")], []).read == ("/",)


def test_caches_are_folders_that_variables_name(tmp_path: Path) -> None:
    env = {"HF_HOME": str(tmp_path), "CUDA_HOME": str(tmp_path), "MY_CACHE_DIR": str(tmp_path / "absent"), "TMP": "."}
    assert cache_folders(env) == [tmp_path]


def test_git_folders_of_every_kind(tmp_path: Path) -> None:
    make_files(tmp_path)
    repo = tmp_path / "repo"
    git(tmp_path, "clone", "-q", "--bare", "--shared", "repo", "bare.git")
    git(tmp_path, "clone", "-q", "--shared", "bare.git", "borrower")
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    (tmp_path / "bundle").write_text("")
    real = {each: [str(Path(os.path.realpath(f)).relative_to(tmp_path)) for f in git_folders(tmp_path / each)]
            for each in ("repo", "bare.git", "borrower", "linked", "bundle", "absent")}  # fmt: skip
    assert real == {
        "repo": ["repo/.git"],
        "bare.git": ["bare.git", "repo/.git/objects"],
        "borrower": ["borrower/.git", "bare.git/objects", "repo/.git/objects"],
        "linked": ["linked/.git", "repo/.git/worktrees/linked", "repo/.git"],
        "bundle": ["bundle"],
        "absent": [],
    }


@pytest.mark.parametrize(("abi", "size", "truncate"), [(1, 8, False), (3, 8, True), (7, 24, True)])
def test_older_kernels_are_asked_for_what_they_know(abi: int, size: int, truncate: bool) -> None:
    assert bool(access_rights(abi) >> 14 & 1) is truncate
    assert access_rights(abi) >> (13 if abi == 1 else 15) == 0  # never ioctl: GPUs need it
    assert as_struct([access_rights(abi), 0, 3][: 3 if abi >= 6 else 1])[1] == size


# --- a confined side ------------------------------------------------------------------------------------------------


@contextmanager
def two_sides(folder: Path, commit: Commit, repo: str = "", confine: str = "auto") -> Iterator[tuple]:
    """The backend, a baseline that has run, and a patched side."""
    with (
        opened(replace(make_config(folder, repo), confine=confine)) as backend,
        backend.workspace(commit, BASELINE, None) as baseline,
        backend.workspace(commit, PATCHED, folder / "patches/good.diff") as patched,
    ):
        yield backend, baseline, patched


TRY = """
def attempt(action):
    try:
        return action() and "done"
    except OSError as error:
        return type(error).__name__
"""


@needs_landlock
def test_a_side_writes_to_its_own_tree_and_room_only(tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit) as (_, baseline, patched):
        ours = patched.interpreter.worker
        others = [baseline.root / "pkg/core.py", ours, tmp_path / "repo/pkg/core.py", tmp_path / "perfagents.toml"]
        code = f"""{TRY}
own = ["x.txt", os.path.expanduser("~/x"), os.environ["TMPDIR"] + "/x", "/dev/shm/" + str(os.getpid()), "/dev/null"]
print([attempt(lambda: open(name, "w").write("x")) for name in own])
os.remove(own[3])
print([attempt(lambda: open(name, "a").write("x")) for name in where])
print([attempt(lambda: os.truncate(name, 0)) for name in where])
print([attempt(lambda: os.replace("x.txt", name)) for name in where])
print([attempt(lambda: os.mkdir(os.path.dirname(name) + "/new")) for name in where])
"""
        before = [file.read_bytes() for file in others]
        seen = run(patched, tmp_path, code, *others)
        assert [file.read_bytes() for file in others] == before
    first, *attempts = seen.execution.stdout.splitlines()
    assert first == str(["done"] * 5)
    assert attempts == [str(["PermissionError"] * 4)] * 4
    assert seen.confined is True


@needs_landlock
def test_a_side_reads_no_other_tree_no_reference_and_no_history(tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit) as (backend, baseline, patched), backend.workspace(commit, HUMAN, None) as human:
        (baseline.scratch / "reference").write_text("42")
        (tmp_path / "results").mkdir()
        (tmp_path / "results/outcomes.jsonl").write_text("")
        cached = next((tmp_path / ".perfagents/repos").glob("*.git"))
        hidden = [baseline.scratch / "reference", human.root / "pkg/core.py", cached / "HEAD",
                  tmp_path / "repo/.git/HEAD", tmp_path / "results/outcomes.jsonl"]  # fmt: skip
        visible = [patched.root / "pkg/core.py", tmp_path / "repo/pkg/core.py", tmp_path / "scripts/script.py"]
        names = [str(file) for file in (*hidden, *visible)]  # as an argument a reference would be handed over
        code = f"""{TRY}
print([attempt(lambda: [open(name).read()]) for name in {names}])
import subprocess
for folder in (".", {str(tmp_path / "repo")!r}):
    shown = subprocess.run(["git", "-C", folder, "show", "HEAD"], capture_output=True, timeout=20)
    print(shown.returncode != 0, len(shown.stdout))
"""
        seen = run(patched, tmp_path, code)
    lines = seen.execution.stdout.splitlines()
    assert lines == [str(["PermissionError"] * 5 + ["done"] * 3), "True 0", "True 0"]


@needs_scopes
def test_a_side_stops_and_ends_no_others_processes_but_its_own(tmp_path: Path, commit: Commit) -> None:
    code = """
import signal, subprocess, time
for pid in map(int, where):
    try:
        os.kill(pid, signal.SIGSTOP)
        print("stopped")
    except PermissionError:
        print("refused")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
child.kill()
print(child.wait())
"""
    with two_sides(tmp_path, commit) as (_, baseline, patched):
        worker = baseline.start_worker(seed=1, padding=0)
        bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
        try:
            seen = run(patched, tmp_path, code, worker.pid, bystander.pid)
            assert psutil.Process(worker.pid).status() != psutil.STATUS_STOPPED
        finally:
            os.kill(worker.pid, signal.SIGCONT)
            worker.close()
            bystander.kill()
            bystander.wait()
    assert seen.execution.stdout.split() == ["refused", "refused", str(-signal.SIGKILL)]


@needs_landlock
@pytest.mark.skipif(os.uname().machine not in SYSTEM_CALLS, reason="the numbers of its system calls are not known")
def test_a_side_sets_no_limits_of_others_but_its_own(tmp_path: Path, commit: Commit) -> None:
    code = """
import resource
limit = resource.RLIMIT_NOFILE
soft, hard = resource.getrlimit(limit)
resource.setrlimit(limit, (soft - 1, hard))
resource.prlimit(os.getpid(), limit, (soft - 2, hard))
print(resource.getrlimit(limit)[0] - soft, resource.prlimit(int(where[0]), limit)[0] > 0)
try:
    resource.prlimit(int(where[0]), limit, (1, 1))
except PermissionError:
    print("refused")
"""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
    try:
        with two_sides(tmp_path, commit) as (_, _, patched):
            seen = run(patched, tmp_path, code, bystander.pid)
    finally:
        bystander.kill()
        bystander.wait()
    assert seen.execution.stdout.splitlines() == ["-2 True", "refused"], seen.execution.stderr


@needs_landlock
@pytest.mark.skipif(os.uname().machine not in SYSTEM_CALLS, reason="the numbers of its system calls are not known")
def test_a_side_comes_before_no_others_and_sets_no_others_back(tmp_path: Path, commit: Commit) -> None:
    code = """
other, param = int(where[0]), os.sched_param
def tried(ask):
    try:
        ask()
    except PermissionError:
        return "refused"
    return "done"
print(*map(tried, (
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, param(1)),
    lambda: os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, param(1)),
    lambda: os.nice(-1),
    lambda: os.setpriority(os.PRIO_PROCESS, other, 5),
    lambda: os.setpriority(os.PRIO_USER, 0, 5),
    lambda: os.sched_setscheduler(other, os.SCHED_IDLE, param(0)),
)))
print(*map(tried, (
    lambda: os.nice(1),
    lambda: os.setpriority(os.PRIO_PROCESS, os.getpid(), os.getpriority(os.PRIO_PROCESS, 0)),
    lambda: os.sched_setscheduler(0, os.SCHED_OTHER, param(0)),
    lambda: os.sched_setscheduler(0, os.SCHED_BATCH, param(0)),
    lambda: os.sched_setscheduler(os.getpid(), os.SCHED_IDLE, param(0)),
)))
"""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
    try:
        with two_sides(tmp_path, commit) as (_, _, patched):
            seen = run(patched, tmp_path, code, bystander.pid)
        assert os.getpriority(os.PRIO_PROCESS, bystander.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        assert os.sched_getscheduler(bystander.pid) == os.SCHED_OTHER
    finally:
        bystander.kill()
        bystander.wait()
    lines = seen.execution.stdout.splitlines()
    assert lines == [" ".join(["refused"] * 6), " ".join(["done"] * 5)], seen.execution.stderr


LEAVE = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype, libc.shmat.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
if not os.path.ismount("/dev/shm") or os.listdir("/dev/shm"):
    sys.exit(7)
memory = ctypes.cast(libc.shmat(libc.shmget(0x7e57, 4096, 0o1600), None, 0), ctypes.POINTER(ctypes.c_char * 4))
def look():
    print([name for name in os.listdir("/dev/shm") if name == "perfagents-test"], memory[0].raw, flush=True)
"""
KEYS = """
add, keyring = {"x86_64": (248, -4), "aarch64": (217, -4)}[os.uname().machine]
print(libc.syscall(add, b"user", b"perfagents-test", b"x", 1, keyring))
"""


@needs_landlock
def test_what_a_process_leaves_in_shared_memory_no_later_one_finds(tmp_path: Path, commit: Commit) -> None:
    leave = f"{LEAVE}memory[0].raw = b'left'\nopen('/dev/shm/perfagents-test', 'x').close()\nlook()\n"
    with two_sides(tmp_path, commit) as (_, _, patched):
        first = run(patched, tmp_path, leave + "os.system('ls /dev/shm/perfagents-test')")
        if first.execution.code == 7:
            pytest.skip("this kernel gives processes no namespaces here")
        later = run(patched, tmp_path, LEAVE + "look()")
    assert first.execution.stdout.splitlines() == ["['perfagents-test'] b'left'", "/dev/shm/perfagents-test"]
    assert not Path("/dev/shm/perfagents-test").exists()
    assert later.execution.stdout == "[] b'\\x00\\x00\\x00\\x00'\n", later.execution.stderr


@needs_landlock
@pytest.mark.skipif(os.uname().machine not in SYSTEM_CALLS, reason="the numbers of its system calls are not known")
def test_a_side_leaves_no_keys_and_adopts_its_orphans(tmp_path: Path, commit: Commit) -> None:
    code = f"{LEAVE}{KEYS}print(libc.prctl(36, 0, 0, 0, 0), libc.prctl(15, b'name', 0, 0, 0))"
    with two_sides(tmp_path, commit) as (_, _, patched):
        seen = run(patched, tmp_path, code)
    assert seen.execution.stdout.splitlines() == ["-1", "-1 0"], seen.execution.stderr


ALONE = """
import ctypes, os, sys
from pytest_perfagents.worker import confining
libc = ctypes.CDLL(None)
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
    libc.prctl(4, 1, 0, 0, 0)  # as a program that this user started
libc.prctl(confining.PR_SET_PDEATHSIG, 9, 0, 0, 0)
who = os.getuid(), os.getgid()
if not confining.live_alone(ctypes, libc):
    sys.exit(7)
signal = ctypes.c_int()
libc.prctl(2, ctypes.byref(signal), 0, 0, 0)
with open("/proc/self/status") as file:
    powers = {line.split()[0]: line.split()[1] for line in file if line.startswith("Cap")}
print(os.listdir("/dev/shm"), (os.getuid(), os.getgid()) == who, signal.value, int(powers["CapEff:"], 16))
"""


USELESS = """
import ctypes, os, tempfile
from pytest_perfagents.worker import confining
libc = ctypes.CDLL(None)
os.setgid(65534), os.setuid(65534)
libc.prctl(4, 0, 0, 0, 0)  # nobody writes to its files in /proc: a namespace, but no user in it
print(confining.live_alone(ctypes, libc), os.getuid())
tempfile.TemporaryFile().close()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up being root")
def test_a_namespace_that_cannot_be_used_leaves_the_process_as_it_was() -> None:
    seen = subprocess.run([sys.executable, "-c", USELESS], capture_output=True, text=True, timeout=60)
    assert seen.stdout == "False 65534\n", seen.stderr


@needs_landlock
def test_what_lies_in_shared_memory_stays_to_be_seen(tmp_path: Path, commit: Commit) -> None:
    data = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        with two_sides(tmp_path, commit, f'writable = ["{data}"]') as (_, _, patched):
            seen = run(patched, tmp_path, "open(where[0] + '/x', 'w').write('x')", data)
        assert (data / "x").read_text() == "x", seen.execution.stderr
    finally:
        shutil.rmtree(data)


def test_shared_memory_of_its_own_needs_no_privileges() -> None:
    seen = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60)
    if seen.returncode == 7:
        pytest.skip("this kernel gives unprivileged users no namespaces")
    assert seen.stdout == "[] True 9 0\n", seen.stderr


@pytest.mark.skipif(os.uname().machine not in SYSTEM_CALLS, reason="the numbers of its system calls are not known")
@pytest.mark.parametrize(("alone", "answers"), [(True, "True True"), (False, "False False")])
def test_who_shares_memory_with_later_processes_gets_none(alone: bool, answers: str) -> None:
    code = f"""
import ctypes, sys
from pytest_perfagents.worker import confining
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
confining.refuse_calls(ctypes, libc.syscall, is_alone={alone})
segment = libc.shmget(0, 4096, 0o1600)
queue = libc.msgget(0, 0o1600)
print(segment >= 0, queue >= 0)
libc.shmctl(segment, 0, None), libc.msgctl(queue, 0, None)
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert seen.stdout.strip() == answers, seen.stderr


@needs_landlock
def test_live_workers_are_confined_as_programs_are(tmp_path: Path, commit: Commit) -> None:
    script = tmp_path / "scripts" / "driven.py"
    outside = tmp_path / "outside.txt"
    script.write_text(f"def setup(): return 1\ndef experiment(n): open({str(outside)!r}, 'w')\n")
    with two_sides(tmp_path, commit) as (_, _, patched):
        worker = patched.start_worker(seed=1, padding=0)
        try:
            assert worker.hello["confined"] is True
            assert worker.request("load", PATIENCE_S, script=str(script)).ok
            error = worker.request("turn", PATIENCE_S).error
        finally:
            worker.close()
    assert not outside.exists()
    failure = diagnosis.diagnose(diagnosis.Evidence(error=error), Role.PATCHED, packages=["pkg"], repo="pkg")
    assert failure.category is Category.PATCHED_EXCEPTION
    assert str(outside) in failure.reason
    assert "own worktree, HOME and TMP" in str(failure.hint)
    assert "`writable` of [repos.pkg]" in str(failure.hint)


def test_a_denial_on_the_baseline_is_nobodys_patch() -> None:
    error = {"type": "PermissionError", "message": "[Errno 13] Permission denied: '/data/hf/x'", "chain": []}
    failure = diagnosis.diagnose(diagnosis.Evidence(error=error), Role.BASELINE, repo="pkg")
    assert (failure.category, failure.blame) == (Category.BASELINE_EXCEPTION, Blame.ENVIRONMENT)
    assert "/data/hf/x" in failure.reason
    assert "`writable` of [repos.pkg]" in str(failure.hint)


def test_without_confinement_the_greeting_says_so(tmp_path: Path, commit: Commit) -> None:
    outside = tmp_path / "outside.txt"
    with two_sides(tmp_path, commit, confine="off") as (_, _, patched):
        worker = patched.start_worker(seed=1, padding=0)
        assert worker.hello["confined"] is False
        worker.close()
        seen = run(patched, tmp_path, "open(where[0], 'w').write('x')", outside)
    assert seen.confined is False
    assert outside.read_text() == "x"


# --- what may be opened ---------------------------------------------------------------------------------------------


@needs_landlock
@pytest.mark.parametrize("line", ['writable = ["data"]', 'env = { HF_HOME = "DATA" }', 'pass_env = ["HF_*"]'])
def test_configured_folders_can_be_written(
    line: str, tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("HF_HOME", str(data))
    with two_sides(tmp_path, commit, line.replace("DATA", str(data))) as (_, _, patched):
        seen = run(patched, tmp_path, "os.makedirs(where[0] + '/a/b'); print('made')", data)
    assert seen.execution.stdout == "made\n", seen.execution.stderr


@needs_landlock
def test_a_cache_variable_does_not_open_what_is_hidden(tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit, f'env = {{ HF_HOME = "{tmp_path}" }}') as (_, baseline, patched):
        seen = run(patched, tmp_path, "open(where[0], 'w')", baseline.root / "pkg/core.py")
        assert (baseline.root / "pkg/core.py").read_text() == SLOW
    assert "PermissionError" in seen.execution.stderr


@pytest.mark.parametrize("folder", [".", "repo", "/"])
def test_writable_folders_must_not_hold_what_is_hidden(folder: str, tmp_path: Path, commit: Commit) -> None:
    with (
        pytest.raises(UsageError, match=r"\[repos\.pkg\] writable: .* must not reach"),
        opened(make_config(tmp_path, f'writable = ["{folder}"]')),
    ):
        pytest.fail("it was accepted")


def test_writable_folders_must_be_there(tmp_path: Path, commit: Commit) -> None:
    with pytest.raises(UsageError, match=r"\[repos\.pkg\] writable \[0\] names a folder that is not there"):
        make_config(tmp_path, 'writable = ["absent"]')


@needs_landlock
def test_an_interpreter_and_a_script_in_the_cache_work(tmp_path: Path, commit: Commit) -> None:
    cache = tmp_path / ".perfagents"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", cache / "venv"], check=True)
    site = next((cache / "venv/lib").glob("python*/site-packages"))
    (site / "installed.py").write_text("VALUE = 7\n")
    (cache / "tests").mkdir()
    (cache / "tests/beside.py").write_text("VALUE = 35\n")
    script = cache / "tests/script.py"
    script.write_text("import beside, installed, json, pkg.core\nprint(beside.VALUE + installed.VALUE)\n")
    config = make_config(tmp_path, 'python = ".perfagents/venv/bin/python"')
    config = replace(config, scripts=(cache / "tests",))
    with opened(config) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        seen = workspace.run_program(script, (), PATIENCE_S, {})
    assert (seen.confined, seen.execution.stdout) == (True, "42\n"), seen.execution.stderr


@needs_landlock
def test_a_clone_in_the_cache_and_scripts_beside_it_work(tmp_path: Path, commit: Commit) -> None:
    """The cache is the whole folder: what is needed of it is shown again."""
    config = replace(make_config(tmp_path), cache=tmp_path)
    with opened(config) as backend, backend.workspace(commit, PATCHED, tmp_path / "patches/good.diff") as workspace:
        seen = workspace.run_program(tmp_path / "scripts/script.py", (), PATIENCE_S, {})
        assert seen.execution.stdout == "Execution time: 1.5s\n", seen.execution.stderr
        denied = run(workspace, tmp_path, "open(where[0])", tmp_path / "patches/good.diff")
        assert "PermissionError" in denied.execution.stderr


@needs_landlock
def test_multiprocessing_and_shared_memory_work(tmp_path: Path, commit: Commit) -> None:
    code = """
import multiprocessing
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=8)
block.close()
block.unlink()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(abs, [-1, 2]))
"""
    with two_sides(tmp_path, commit) as (_, _, patched):
        seen = run(patched, tmp_path, code)
    assert seen.execution.stdout == "[1, 2]\n", seen.execution.stderr


# --- a room for each process ----------------------------------------------------------------------------------------

REMEMBERS = """
import tempfile
places = [os.path.expanduser("~"), tempfile.gettempdir(), os.environ["XDG_CACHE_HOME"], os.environ["TMPDIR"] + "/.."]
seen = [name for place in places for _, _, files in os.walk(place) for name in files if name.startswith("memory")]
for number, place in enumerate(places):
    try:
        open(f"{place}/memory{number}", "w").close()
    except OSError:
        pass
print(len(seen))
"""


@pytest.mark.parametrize("confine", ["auto", "off"])
def test_what_a_process_leaves_is_not_seen_by_the_next(confine: str, tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit, confine=confine) as (_, _, patched):
        for _ in range(2):
            assert run(patched, tmp_path, REMEMBERS).execution.stdout == "0\n"
        assert list(patched.private.iterdir()) == []


def test_a_workers_room_goes_with_it_and_all_are_equally_long(tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit) as (_, baseline, patched):
        workers = [each.start_worker(seed=1, padding=0) for each in (baseline, patched, patched)]
        try:
            assert all(worker.hello for worker in workers)  # before that it may still be starting
            homes = [psutil.Process(worker.pid).environ()["HOME"] for worker in workers]
            assert len(set(homes)) == 3
            assert len({len(home) for home in homes}) == 1
            assert all(Path(home).is_dir() for home in homes)
        finally:
            for worker in workers:
                worker.close()
        assert not any(Path(home).exists() for home in homes)


def test_a_worker_that_dies_leaves_no_room(tmp_path: Path, commit: Commit) -> None:
    with opened(make_config(tmp_path)) as backend, backend.workspace(commit, BASELINE, None) as workspace:
        worker = workspace.start_worker(seed=1, padding=0)
        os.kill(worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while psutil.pid_exists(worker.pid) and worker.cpu_s() and time.monotonic() < deadline:
            if psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE:
                break
        worker.close()
        assert list(workspace.private.iterdir()) == []


@pytest.mark.parametrize("confine", ["auto", "off"])
def test_references_are_handed_over_with_all_that_belongs_to_them(confine: str, tmp_path: Path, commit: Commit) -> None:
    """A script may take the path for a prefix, and a folder is a result too."""
    stores = """
name = where[-1]
os.makedirs(name + ".d")
open(name + ".d/part", "w").write("42")
open(name + ".json", "w").write("43")
os.symlink("/etc/passwd", name + ".link")
"""
    reads = """
name = where[-1]
print(open(name + ".d/part").read(), open(name + ".json").read(), os.path.lexists(name + ".link"))
open(os.environ["TMPDIR"] + "/copy", "w").write("x")
"""
    with two_sides(tmp_path, commit, confine=confine) as (_, baseline, patched):
        reference = baseline.scratch / "reference"
        run(baseline, tmp_path, stores, "--prefix", reference)
        assert sorted(each.name for each in reference.parent.iterdir()) == ["reference.d", "reference.json"]
        assert run(patched, tmp_path, reads, "--prefix", reference).execution.stdout == "42 43 False\n"


def test_a_result_that_is_stored_again_replaces_the_first(tmp_path: Path, commit: Commit) -> None:
    with two_sides(tmp_path, commit) as (_, baseline, _):
        place = baseline.scratch / "reference"
        place.write_text("an older one")
        worker = baseline.start_worker(seed=1, padding=0)
        try:
            worker.request("load", PATIENCE_S, script=str(tmp_path / "scripts/script.py"))
            worker.request("turn", PATIENCE_S)
            assert worker.request("store", PATIENCE_S, path=str(place)).value["stored"] is True
        finally:
            worker.close()
        assert place.read_text() == str(sum(range(20_000)))


def test_build_steps_are_not_confined(tmp_path: Path, commit: Commit) -> None:
    step = f'build = [["python", "-c", "open(\'{tmp_path}/built\', \'w\')"]]'
    with opened(make_config(tmp_path, step)) as backend, backend.workspace(commit, BASELINE, None):
        assert (tmp_path / "built").exists()
