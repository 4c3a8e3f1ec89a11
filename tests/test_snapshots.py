"""Who wrote where while sides were measured: stamps of trees, and what the harness makes of them without Landlock."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from backends.sides import SLOW, git, make_config, make_files, opened

from pytest_perfagents.backends.scripted import ScriptedBackend, ScriptedSide
from pytest_perfagents.gitrepo.snapshots import compare, is_cache, standing, take, take_files
from pytest_perfagents.harness import Evaluator
from pytest_perfagents.measurement.guarding import Guard
from pytest_perfagents.model import BASELINE, HUMAN, AgentRun, Case, Category, Commit, Role, Side

# --- stamps ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("pkg/core.py", "pkg/data.json", ".git/index", "link-target"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "link").symlink_to("link-target")
    return tmp_path


def test_a_snapshot_holds_files_links_and_folders_but_no_git_folder(tree: Path) -> None:
    assert sorted(take(tree)) == ["link", "link-target", "pkg/", "pkg/core.py", "pkg/data.json"]
    assert take(tree / "absent") == {}
    assert list(take_files([tree / "link-target", tree / "absent"])) == [str(tree / "link-target")]


def test_every_kind_of_writing_shows(tree: Path) -> None:
    before = take(tree)
    assert compare(before, take(tree)) == compare(before, before)
    (tree / "new.py").write_text("")
    (tree / "pkg/data.json").unlink()
    times = (tree / "pkg/core.py").stat()
    (tree / "pkg/core.py").write_text("x = 2\n")  # as long as it was,
    os.utime(tree / "pkg/core.py", ns=(times.st_atime_ns, times.st_mtime_ns))  # and as old
    (tree / "link").unlink()
    (tree / "link").symlink_to("pkg/core.py")
    difference = compare(before, take(tree))
    assert difference.created == ("new.py",)
    assert difference.changed == ("link", "pkg/core.py")
    assert difference.removed == ("pkg/data.json",)


def test_folders_show_by_their_names_and_where_somebody_set_their_times_or_modes(tree: Path) -> None:
    before = take(tree)
    (tree / "pkg/made").mkdir()
    (tree / "pkg/answer.tmp").write_text("")
    (tree / "pkg/answer.tmp").unlink()
    assert compare(before, take(tree)).created == ("pkg/made/",)
    assert compare(before, take(tree)).changed == ()
    os.utime(tree / "pkg", ns=(1, 2))
    assert compare(before, take(tree)).changed == ("pkg/",)
    (tree / "pkg/made").rmdir()
    before = take(tree)
    (tree / "pkg").chmod(0o700)
    assert compare(before, take(tree)).changed == ("pkg/",)
    assert is_cache("pkg/__pycache__/")
    assert not is_cache("pkg/__pycache__/answer/")
    assert not is_cache("pkg/__pycache__/__pycache__/")


def test_what_stands_is_what_a_first_run_left_alone_and_its_bytecode(tree: Path) -> None:
    fresh = take(tree)
    compiled = Path(py_compile.compile(str(tree / "pkg/core.py"), doraise=True))
    (tree / "generated.py").write_text("x = 1\n")
    made = Path(py_compile.compile(str(tree / "generated.py"), doraise=True))
    (tree / "pkg/data.json").write_text("written by every run")
    settled = take(tree)
    assert sorted(standing(fresh, settled)) == sorted(
        ["link", "link-target", "pkg/", "pkg/core.py", str(compiled.relative_to(tree))]
    )
    assert is_cache(str(made.relative_to(tree)))
    assert not is_cache("pkg/core.pyc")
    assert not is_cache("pkg/__pycache__/answer.json")


# --- a guard over trees -----------------------------------------------------------------------------------------------

OTHER = Side(Role.PATCHED, "other")
PATCHED = Side(Role.PATCHED, "one")
COMMIT = Commit("pkg", "b" * 40, "a" * 40)


class Trees:
    """Sides with a tree each, admitted one after the other: each writes what every run of the script writes."""

    def __init__(self, folder: Path, stack: ExitStack, *sides: Side) -> None:
        script = folder / "script.py"
        script.write_text("")
        self.guard = Guard(ScriptedBackend(dict.fromkeys(sides, ScriptedSide()), folder), script)
        self.roots: dict[Side, Path] = {}
        for number, side in enumerate(sides, 1):
            root = folder / f"{number:06d}"
            (root / "pkg").mkdir(parents=True)
            (root / "pkg/core.py").write_text("x = 1\n")
            (root / "pkg/data.json").write_text("{}")
            (root / "log.txt").write_text("")
            workspace = stack.enter_context(self.guard.workspace(COMMIT, side, None))
            assert workspace.root == root
            self.roots[side] = root
            self.run(side)
            py_compile.compile(str(root / "pkg/core.py"), doraise=True)
            self.guard.settle(side)

    def run(self, side: Side) -> None:
        (self.roots[side] / "log.txt").write_text("it ran")
        (self.roots[side] / "generated.py").write_text("x = 1\n")
        py_compile.compile(str(self.roots[side] / "generated.py"), doraise=True)


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with ExitStack() as stack:
        yield Trees(tmp_path, stack, BASELINE, HUMAN, PATCHED)


def append(file: Path) -> None:
    file.write_text(file.read_text() + "#\n")


DISTURBING: dict[str, tuple[Callable[[Trees], object], str]] = {
    "source": (lambda t: append(t.roots[BASELINE] / "pkg/core.py"), "pkg/core.py in the tree of the baseline side"),
    "human": (lambda t: append(t.roots[HUMAN] / "pkg/core.py"), "pkg/core.py in the tree of the human side"),
    "removed": (lambda t: (t.roots[HUMAN] / "pkg/core.py").unlink(), "pkg/core.py in the tree of the human side"),
    "dates": (lambda t: os.utime(t.roots[BASELINE] / "pkg/core.py"), "pkg/core.py in the tree of the baseline side"),
    "mode": (lambda t: (t.roots[BASELINE] / "pkg/core.py").chmod(0o600), "pkg/core.py in the tree of the baseline"),
    "bytecode": (lambda t: next(t.roots[BASELINE].glob("pkg/*/core.*")).write_bytes(b""), ".pyc in the tree of the"),
    "script": (lambda t: append(t.guard.script), "the script script.py"),
}
ONLY_OPEN: dict[str, tuple[Callable[[Trees], object], str]] = {
    "shadow": (lambda t: (t.roots[BASELINE] / "json.py").write_text(""), "json.py in the tree of the baseline side"),
    "data": (lambda t: append(t.roots[BASELINE] / "pkg/data.json"), "pkg/data.json in the tree of the baseline side"),
}


@pytest.mark.parametrize("is_confined", [True, False])
@pytest.mark.parametrize("what", DISTURBING)
def test_what_others_run_must_stay_as_it_is(what: str, is_confined: bool, trees: Trees) -> None:
    write, named = DISTURBING[what]
    write(trees)
    assert named in str(trees.guard.disturbance(is_confined=is_confined))


@pytest.mark.parametrize("what", ONLY_OPEN)
def test_what_a_confined_neighbour_cannot_have_done_is_the_sides_own(what: str, trees: Trees) -> None:
    write, named = ONLY_OPEN[what]
    write(trees)
    assert trees.guard.disturbance(is_confined=True) is None
    assert trees.guard.disturbance(is_confined=False) == named


@pytest.mark.parametrize("is_confined", [True, False])
def test_what_every_run_of_the_script_writes_is_nobodys_fault(is_confined: bool, trees: Trees) -> None:
    for side in trees.roots:
        trees.run(side)
        (trees.roots[side] / "pkg/late.py").write_text("")
        late = py_compile.compile(str(trees.roots[side] / "pkg/late.py"), doraise=True)
        (trees.roots[side] / "pkg/late.py").unlink()
        assert late
    assert trees.guard.disturbance(is_confined=is_confined) is None
    assert trees.guard.flags(PATCHED) == ()


OWN: dict[str, tuple[Callable[[Path], object], str]] = {
    "new": (lambda root: (root / "answer.json").write_text("1"), "answer.json"),
    "changed": (lambda root: append(root / "pkg/core.py"), "pkg/core.py"),
    "removed": (lambda root: (root / "pkg/core.py").unlink(), "pkg/core.py"),
    "hidden": (lambda root: (root / "pkg/__pycache__/answer").write_text("1"), "pkg/__pycache__/answer"),
    "bytecode": (lambda root: next(root.glob("pkg/__pycache__/core.*")).write_bytes(b"1"), "pkg/__pycache__/core."),
}


@pytest.mark.parametrize("what", OWN)
def test_who_writes_to_its_own_tree_is_told_so(what: str, trees: Trees) -> None:
    write, named = OWN[what]
    write(trees.roots[PATCHED])
    assert trees.guard.disturbance(is_confined=False) is None
    [flag] = trees.guard.flags(PATCHED)
    assert flag.startswith(f"it wrote {named}")
    assert flag.endswith("into its own tree while it was measured")
    append(trees.roots[PATCHED] / "pkg/data.json")
    trees.guard.disturbance(is_confined=False)
    assert " and 1 more file into" in trees.guard.flags(PATCHED)[0]


def test_among_several_that_nothing_confines_it_may_have_been_another(tmp_path: Path) -> None:
    with ExitStack() as stack:
        trees = Trees(tmp_path, stack, BASELINE, PATCHED, OTHER)
        append(trees.roots[OTHER] / "pkg/core.py")
        assert trees.guard.disturbance(is_confined=True) is None
        assert trees.guard.disturbance(is_confined=False) == "pkg/core.py in the tree of the patched side"


# --- a house with sides that write ------------------------------------------------------------------------------------


class House:
    """The repository of ``sides.py``, evaluated for real, with patches whose ``work`` does something besides."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.commit = folder, make_files(folder)
        self.config = make_config(folder)
        self.script = folder / "scripts" / "script.py"
        self.cases: list[Case] = []
        self.lines: list[str] = []
        sides = (Role.BASELINE, Role.PATCHED)
        protocol = replace(self.config.protocol, looks=(2,), turns=1, turn_s=0.001, measure_s=4.0, sides=sides)
        self.config = replace(make_config(folder), confine="off", protocol=protocol)

    def agent(self, name: str, besides: str = "", at_import: str = "") -> Case:
        """A patch that is fast and runs this code in the call, or when it is imported."""
        core = self.folder / "repo/pkg/core.py"
        known = core.read_text()
        code = f"import glob, os, sys\n{textwrap.dedent(at_import)}\ndef work(n):\n"
        code += textwrap.indent(textwrap.dedent(besides) or "pass\n", "    ")
        git(self.folder / "repo", "checkout", "-q", self.commit.parent)
        core.write_text(code + "\n    return n * (n - 1) // 2\n")
        folder = self.folder / "runs" / name
        folder.mkdir()
        (folder / "model_patch.diff").write_text(git(self.folder / "repo", "diff"))
        git(self.folder / "repo", "checkout", "-q", "-f", "main")
        assert core.read_text() == known
        run = AgentRun(self.commit, name, "m", "r", "i", str(folder), name, True, status="success")
        self.cases.append(Case(run, self.script))
        return self.cases[-1]

    def evaluate(self):
        with opened(self.config) as backend:
            evaluator = Evaluator(self.config, backend, lease=nullcontext, progress=self.lines.append)
            outcomes = evaluator.evaluate(self.cases, time.monotonic() + 200)
            # whatever was done to them, sides that come later find what the commit holds
            with backend.workspace(self.commit, BASELINE, None) as workspace:
                assert (workspace.root / "pkg/core.py").read_text() == SLOW
        return outcomes


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


OTHERS = "[r for r in glob.glob(os.path.dirname(os.getcwd()) + '/*') if r != os.getcwd()]"
APPENDS = f"for r in {OTHERS}: open(r + '/pkg/core.py', 'a').write('# slower\\n')\n"
HARMS_WORKER = "for f in glob.glob(os.getcwd() + '/../../interpreters/*.pyc'): open(f, 'ab').write(b' ')\n"


@pytest.mark.parametrize(
    ("besides", "named"),
    [(APPENDS, "pkg/core.py in the tree of the baseline side"), (HARMS_WORKER, "the worker worker-pkg.pyc")],
)
def test_who_writes_to_what_others_run_has_tampered(besides: str, named: str, house: House) -> None:
    case = house.agent("hostile", besides)
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.TIMER_TAMPERED, (outcome.failure, outcome.comparison)
    assert named in outcome.failure.reason
    assert outcome.failure.side is Role.PATCHED
    assert outcome.integrity.confined is False
    assert outcome.environment["confined"] is False


def test_the_culprit_is_found_and_its_neighbours_are_measured_without_it(house: House) -> None:
    honest = house.agent("honest")
    hostile = house.agent("hostile", at_import=APPENDS)
    other = house.agent("other")
    outcomes = house.evaluate()
    assert outcomes[hostile.id].category is Category.TIMER_TAMPERED
    for case in (honest, other):
        assert outcomes[case.id].comparison is not None, outcomes[case.id].failure
        assert [flag for flag in outcomes[case.id].integrity.flags if "tree" in flag] == []
    assert [line for line in house.lines if "every run is measured alone" in line]


def test_a_shared_tree_in_use_goes_with_its_last_user(house: House) -> None:
    with opened(house.config) as backend:
        with backend.workspace(house.commit, BASELINE, None) as old:
            backend.renew()
            with backend.workspace(house.commit, BASELINE, None) as new:
                assert new.root != old.root
                assert (old.root / "pkg/core.py").exists()
                with backend.workspace(house.commit, BASELINE, None) as third:
                    assert third.root == new.root
        assert not old.root.exists()
        assert new.root.exists()


def test_a_side_that_writes_and_a_script_that_does(house: House) -> None:
    """The script notes results in the current folder, which is the worktree, and generates a module."""
    house.script.write_text(
        "open('generated.py', 'w').write('x = 1')\nimport generated\n" + house.script.read_text()
        + "def setup():\n    open('results.json', 'a').write('1')\n    return 20_000\n"
    )  # fmt: skip
    honest, writer = house.agent("honest"), house.agent("writer", "open('answer.json', 'w').write('1')\n")
    outcomes = house.evaluate()
    for case, flags in ((honest, ()), (writer, ("it wrote answer.json into its own tree while it was measured",))):
        assert outcomes[case.id].comparison is not None, outcomes[case.id].failure
        assert tuple(flag for flag in outcomes[case.id].integrity.flags if "tree" in flag) == flags


def test_a_confined_patch_that_tries_fails_by_itself(house: House) -> None:
    code = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))"
    if int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout) < 1:
        pytest.skip("this kernel has no Landlock")
    house.config = replace(house.config, confine="auto")
    hostile = house.agent("hostile", APPENDS)
    honest = house.agent("honest")
    outcomes = house.evaluate()
    assert outcomes[hostile.id].category is Category.PATCHED_EXCEPTION
    assert "PermissionError" in str(outcomes[hostile.id].failure.evidence)
    assert outcomes[honest.id].comparison is not None
    assert outcomes[honest.id].integrity.confined is True
    assert outcomes[honest.id].environment["confined"] is True
    assert [flag for flag in outcomes[honest.id].integrity.flags if "tree" in flag] == []
