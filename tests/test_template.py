"""A template process: real forks, with pipes, environments and endings of their own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytest_perfagents.backends.assembling import write_worker
from pytest_perfagents.backends.base import WorkerEnded
from pytest_perfagents.backends.channel import ChannelWorker
from pytest_perfagents.model import Ending
from pytest_perfagents.processes.process import Command
from pytest_perfagents.processes.template import Template, TemplateGone

SCRIPT = """
import os, sys, decimal, pkg
def setup():
    return pkg.VALUE
def experiment(value):
    return value
def store_result(result, path):
    with open(path, "w") as file:
        print(result, os.environ["MARK"], os.getcwd(), os.getsid(0) == os.getpid(), file=file)
    os.environ.get("CRASH") and os.kill(os.getpid(), 9)
"""


def command(folder: Path, **env: str) -> Command:
    argv = (sys.executable, str(write_worker(folder / "worker.py")))
    return Command(argv, folder, {"PATH": os.environ["PATH"], **env}, 30.0)


@pytest.fixture
def template(tmp_path):
    made = Template(command(tmp_path, PYTHONHASHSEED="7"), ["decimal", "nowhere.at.all", "fractions"])
    yield made
    made.close()


def side(tmp_path: Path, name: str, value: int) -> tuple[Path, Path]:
    root = tmp_path / name
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text(f"VALUE = {value}")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return root, script


def fork(template: Template, root: Path, padding: int = 2048, **env: str) -> ChannelWorker:
    spec = {"root": str(root), "import_root": ".", "packages": ["pkg"], "parent": os.getpid(), "memory_bytes": None}
    return ChannelWorker(command(root, MARK=root.name, **env), spec, template, padding)


def test_two_forks_are_two_sides(template, tmp_path):
    roots = [side(tmp_path, name, value) for name, value in (("one", 1), ("two", 2))]
    workers = [fork(template, root) for root, _ in roots]
    try:
        for each, (root, script) in zip(workers, roots, strict=True):
            assert each.request("load", 10, script=str(script)).value["style"] == "driven"
            assert each.request("turn", 10).ok
            each.request("store", 10, path=str(root / "out"))
            modules = each.request("shared", 10).value["modules"]
            assert "decimal" in modules
            assert "pkg" not in modules
        assert (roots[0][0] / "out").read_text().split() == ["1", "one", str(roots[0][0]), "True"]
        assert (roots[1][0] / "out").read_text().split() == ["2", "two", str(roots[1][0]), "True"]
        assert workers[0].pid != workers[1].pid
        assert workers[0].cpu_s() < 5
    finally:
        ended = [each.close() for each in workers]
    assert [(each.ending, each.code) for each in ended] == [(Ending.EXITED, 0)] * 2


def test_a_fork_that_is_killed_says_so_and_the_next_one_lives(template, tmp_path):
    root, script = side(tmp_path, "one", 1)
    dying = fork(template, root, CRASH="1")
    dying.request("load", 10, script=str(script))
    dying.request("turn", 10)
    with pytest.raises(WorkerEnded) as ended:
        dying.request("store", 10, path=str(root / "out"))
    assert (ended.value.execution.ending, ended.value.execution.code) == (Ending.SIGNALED, 9)
    living = fork(template, root)
    assert living.request("load", 10, script=str(script)).ok
    assert living.close().code == 0


def test_forks_share_the_hash_seed_and_not_the_environment_of_each_other(template, tmp_path):
    root, _ = side(tmp_path, "one", 1)
    script = tmp_path / "hash.py"
    script.write_text("import os\ndef experiment():\n    return 1\ndef store_result(r, path):\n"
                      "    open(path, 'w').write(f'{hash(\"a\")} {os.environ.get(\"ONLY\")}')\n")  # fmt: skip
    said = []
    for env in ({"ONLY": "first"}, {}):
        each = fork(template, root, **env)
        each.request("load", 10, script=str(script))
        each.request("turn", 10)
        each.request("store", 10, path=str(root / "out"))
        each.close()
        said.append((root / "out").read_text().split())
    assert said[0][0] == said[1][0]
    assert [each[1] for each in said] == ["first", "None"]


def test_what_shared_imports_set_is_there_in_every_fork_and_is_told_as_set_by_its_import(tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    (library / "dear.py").write_text("import os\nos.environ['DEAR'] = 'set'\nos.environ.pop('GONE', None)\n")
    root, script = side(tmp_path, "one", 1)
    (root / "pkg" / "__init__.py").write_text("import os\nVALUE = os.environ['DEAR']\nos.environ['OWN'] = __file__\n")
    template = Template(command(tmp_path, PYTHONPATH=str(library)), ["dear"])
    try:
        told = []
        for each in (fork(template, root), fork(template, root)):
            told.append(each.request("load", 20.0, script=str(script)).value["settings"])
            each.close()
    finally:
        template.close()
    assert told == [[["DEAR", "set"], ["OWN", "/pkg/__init__.py"]]] * 2


def test_what_a_fork_leaves_behind_is_ended_with_it(template, tmp_path):
    root, script = side(tmp_path, "one", 1)
    file = tmp_path / "child"
    (root / "pkg" / "__init__.py").write_text(f"""
import os, time
VALUE = 1
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({str(file)!r}, "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
os.wait()
""")
    started = fork(template, root)
    assert started.request("load", 30.0, script=str(script)).ok
    deadline = time.monotonic() + 10
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    child = int(file.read_text())
    started.close()
    assert not psutil.pid_exists(child)


def test_closing_the_template_ends_its_forks(tmp_path):
    template = Template(command(tmp_path), [])
    root, _ = side(tmp_path, "one", 1)
    each = fork(template, root)
    template.close()
    with pytest.raises(WorkerEnded):
        each.request("load", 10, script="x")
    with pytest.raises(WorkerEnded):
        fork(template, root)


def test_imports_that_start_threads_are_no_template(tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()"
    )
    with pytest.raises(TemplateGone, match="threads"):
        Template(command(tmp_path, PYTHONPATH=str(tmp_path)), ["threaded"])


def test_imports_that_have_memory_in_common_with_their_forks_are_no_template(tmp_path):
    (tmp_path / "locking.py").write_text("import multiprocessing\nLOCK = multiprocessing.RLock()")
    with pytest.raises(TemplateGone, match="memory that forks would share"):
        Template(command(tmp_path, PYTHONPATH=str(tmp_path)), ["locking"])
