"""A name that is nearly another: the hint asks whether it is misspelt before anything else is blamed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from gitkit import commit, diff, git, make_repository

from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.names import names_in_file, near
from pytest_perfagents.model import Blame, Category, Ending, Execution, Role

SHOP = """
import json as tools
try:
    from .fast import Crane
except ImportError:
    class Crane: ...
LIMIT = 3
class Shop:
    def mill(self): return sum(range(1000))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "mill"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "shop.py").write_text(SHOP)
    return folder


def hint_of(error: dict[str, object], role: Role = Role.BASELINE) -> str:
    failure = diagnose(Evidence(error={"chain": [], **error}), role, packages=("mill",), repo="mill")
    assert failure.hint
    return failure.hint


def lacking(name: str, module: str, file: Path) -> dict[str, object]:
    return {"type": "ImportError", "message": f"cannot import name {name!r} from {module!r} ({file})"}


def test_a_name_near_one_of_the_module_may_be_misspelt(package: Path) -> None:
    hint = hint_of(lacking("Shopp", "mill.shop", package / "shop.py"))
    assert (
        hint == "mill.shop has 'Shop': is 'Shopp' misspelt? If not: "
        "perhaps the script calls an API of the human commit; guard it"
    )
    assert "is 'crane' misspelt?" in hint_of(lacking("crane", "mill.shop", package / "shop.py"))
    assert "mill has 'shop': is 'shopp' misspelt?" in hint_of(lacking("shopp", "mill", package / "__init__.py"))


@pytest.mark.parametrize("name", ["Scheduler", "mill_all_at_once"])
def test_a_name_that_is_near_to_none_is_not(package: Path, name: str) -> None:
    assert (
        hint_of(lacking(name, "mill.shop", package / "shop.py"))
        == "perhaps the script calls an API of the human commit; guard it"
    )


def test_what_a_script_reports_of_its_import_is_read_likewise(package: Path) -> None:
    error = f"cannot import name 'Shopp' from 'mill.shop' ({package / 'shop.py'})"
    said = json.dumps({"target_resolved": False, "error": error})
    execution = Execution(("python", "script.py"), Ending.EXITED, 1, said, "", 1.0)
    failure = diagnose(Evidence(execution=execution), Role.BASELINE, packages=("mill",), repo="mill")
    assert failure.category is Category.TARGET_NOT_RESOLVED
    assert failure.hint is not None and failure.hint.startswith("mill.shop has 'Shop': is 'Shopp' misspelt?")


def test_a_patched_tree_is_not_read_and_other_packages_are_not_the_scripts_spelling(package: Path) -> None:
    asked: list[str] = []
    for role, packages in ((Role.PATCHED, ("mill",)), (Role.BASELINE, ("other",))):
        error = {"chain": [], **lacking("Shopp", "mill.shop", package / "shop.py")}
        failure = diagnose(
            Evidence(error=error), role, packages=packages, names_in=lambda file: asked.append(file) or frozenset()
        )
        assert "misspelt" not in (failure.hint or "")
    assert asked == []


def test_what_python_itself_guesses_is_passed_on() -> None:
    message = "module 'mill.shop' has no attribute 'Shopp'"
    traceback = f"Traceback (most recent call last):\n  ...\nAttributeError: {message}. Did you mean: 'Shop'?\n"
    hint = hint_of({"type": "AttributeError", "message": message, "traceback": traceback})
    assert hint.startswith("there is 'Shop': is 'Shopp' misspelt? If not: ")
    foreign = message.replace("mill.shop", "transformers")
    theirs = traceback.replace("mill.shop", "transformers")
    assert "misspelt" not in hint_of({"type": "AttributeError", "message": foreign, "traceback": theirs})


# Where the name stands that is misspelt: in the script, in the measured package, in a library.
AT_FAULT = "the package's own code (mill/broken.py, line 1) is at fault at this commit, not the script: "
SHOPS = {
    "script": ("", "shop.mil()", Blame.SCRIPT, "there is 'mill': is 'mil' misspelt? If not: "),
    "a class of the script": (
        "def use(shop): return shop.mil()",
        "class Shop:\n    def mill(self): pass\nuse(Shop())",
        Blame.SCRIPT,
        "there is 'mill': is 'mil' misspelt? If not: ",
    ),
    "package": (
        "def use(shop): return shop.mil()",
        "use(shop)",
        Blame.ENVIRONMENT,
        f"{AT_FAULT}there is 'mill': is 'mil' misspelt? Let the script not reach it",
    ),
    "import": (
        "def use(_): from mill.shop import Shopp",
        "use(shop)",
        Blame.ENVIRONMENT,
        f"{AT_FAULT}mill.shop has 'Shop': is 'Shopp' misspelt?",
    ),
    "library": (
        "import lib\ndef use(shop): lib.use(shop)",
        "use(shop)",
        Blame.ENVIRONMENT,
        "it is lib's own code that asks for it (lib.py, line 1), not the script: install the versions",
    ),
}


@pytest.mark.parametrize("which", SHOPS)
def test_whose_a_misspelt_name_is_is_told_by_the_file_that_it_stands_in(tmp_path: Path, package: Path, which) -> None:
    inside, outside, blame, hint = SHOPS[which]
    library = tmp_path / "venv" / "site-packages"
    library.mkdir(parents=True)
    (library / "lib.py").write_text("def use(shop): shop.mil()\n")
    (package / "broken.py").write_text(f"{inside}\n")
    head = "from mill.shop import Shop\nshop = Shop()\n" + ("from mill.broken import use\n" if inside else "")
    script = tmp_path / "mill" / "of" / "scripts" / "script.py"  # a folder of the package's name makes no package
    script.parent.mkdir(parents=True)
    script.write_text(f"{head}{outside}\n")
    paths = {"PYTHONPATH": f"{tmp_path}:{library}"}
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=paths)
    execution = Execution((sys.executable, str(script)), Ending.EXITED, ended.returncode, "", ended.stderr, 1.0)
    failure = diagnose(Evidence(execution=execution), Role.BASELINE, packages=("mill",), repo="mill")
    assert (failure.blame, (failure.hint or "")[: len(hint)]) == (blame, hint), ended.stderr


@pytest.mark.parametrize("content", [b"def broken(:", b"\0", b"\xff\xfe", b"x = " + b"(" * 5000, b"pass\n" * 300_000])
def test_a_source_that_cannot_be_read_has_no_names(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.py"
    file.write_bytes(content)
    assert names_in_file(str(file)) == frozenset()


@pytest.mark.parametrize("name", ["missing.py", "folder.py", "secret.txt", "a\0b.py"])
def test_what_is_no_source_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "secret.txt").write_text("name = 1")
    assert names_in_file(str(tmp_path / name)) == frozenset()


def test_names_at_module_level_are_those_that_an_import_gives(package: Path) -> None:
    assert names_in_file(str(package / "shop.py")) == {"tools", "Crane", "LIMIT", "Shop"}
    (package / "shop.py").write_text("PATTERN = '\\d'\n")
    assert names_in_file(str(package / "shop.py")) == {"PATTERN"}, "its warnings are not ours"
    assert {"shop"} <= names_in_file(str(package / "__init__.py"))
    assert (near("limit", {"LIMIT"}), near("LIMIT", {"LIMIT"}), near("a", {"b"})) == ("LIMIT", None, None)


SCRIPTS = {
    "import": ("from mill.shop import Shopp\ndef setup(): return Shopp()\ndef experiment(shop): return shop.mill()\n"),
    "experimnt": "from mill.shop import Shop\ndef setup(): return Shop()\ndef experimnt(shop): return shop.mill()\n",
    "both": "from mill.shop import Shop\ndef setpu(): return Shop()\ndef Experiments(shop): return shop.mill()\n",
    "no setup": "from mill.shop import Shop\ndef experiment(shop): return shop.mill()\n",
    "setpu": "from mill.shop import Shop\ndef setpu(): return Shop()\ndef experiment(shop): return shop.mill()\n",
    "neither": "from mill.shop import Shop\ndef prepare(): return Shop()\ndef go(shop): return shop.mill()\n",
}
HINTS = {
    "import": "mill.shop has 'Shop': is 'Shopp' misspelt? If not: ",
    "experimnt": "is experimnt() meant to be experiment()? If not: it prints no time and offers nothing to call",
    "both": "are setpu() meant to be setup() and Experiments() meant to be experiment()? If not: it prints no time",
    "no setup": "experiment() wants data and there is no setup(): add a setup() that returns it",
    "setpu": "is setpu() meant to be setup()? If not: experiment() wants data and there is no setup()",
    "neither": "it prints no time and offers nothing to call",
}


@pytest.mark.parametrize("which", SCRIPTS)
def test_a_newcomers_script_on_a_real_tree(project, tmp_path_factory, which: str) -> None:
    clone = make_repository(project.folder / "clone", {"minivllm/__init__.py": "", "minivllm/shop.py": SHOP})
    human = commit(clone, {"minivllm/shop.py": SHOP.replace("1000", "10")})
    project.add_run("unused", human=human)
    run = next((project.folder / "state" / "runs").rglob("model_patch.diff"))
    journal = json.loads((run.parent / "journal.json").read_text())
    journal["commits"] = {"human": human, "pre": git(clone, "rev-parse", "HEAD~")}
    (run.parent / "journal.json").write_text(json.dumps(journal))
    git(clone, "checkout", "--quiet", "HEAD~")
    run.write_bytes(diff(clone, {"minivllm/shop.py": SHOP.replace("1000", "20")}))
    script = project.folder / "test_scripts" / f"{human[:8]}_test_case_generator.py"
    script.write_text(SCRIPTS[which].replace("mill.shop", "minivllm.shop"))
    (project.folder / "conftest.py").unlink()  # the real evaluator
    project.run("--agent", "trae_gpt5", "--perf-json=out.json")
    (record,) = project.report()["outcomes"]
    assert record["category"].startswith("BASELINE_"), record
    assert record["blame"] == Blame.SCRIPT
    assert record["hint"].startswith(HINTS[which].replace("mill.shop", "minivllm.shop")), record["hint"]
    assert record["evidence"]["command"].startswith("pytest ")
    assert ("ran" in record["evidence"]) == (which != "import")
