"""The worker's parts as one file: what a target's Python is given, and what cannot become one file."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from test_worker import find_interpreters

from pytest_perfagents import worker
from pytest_perfagents.backends.assembling import HEAD, PARTS, assemble, assembled, write_worker

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
FUTURE = "from __future__ import annotations"
START = f'"""One file."""\n\n{FUTURE}\n\nimport sys\n\nif __name__ == "__main__":\n    del sys.path[0]\n'
LOW = f'"""Low."""\n\n{FUTURE}\n\nimport os\n\n\ndef here():\n    return os.getcwd()\n'


def high(line: str, code: str = "def there():\n    return here()\n") -> str:
    return f'"""High."""\n\n{FUTURE}\n\n{line}\n\n\n{code}'


def names_of(module: ast.Module) -> list[str]:
    """Functions, classes and variables at the top level, as often as they are bound there."""
    found = []
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    return found


# --- the worker ---------------------------------------------------------------------------------------------------


def test_the_worker_is_valid_python_3_8() -> None:
    ast.parse(assembled(), feature_version=(3, 8))


@pytest.mark.parametrize("python", [sys.executable, *find_interpreters()], ids=lambda path: Path(path).name)
def test_it_compiles_where_it_is_to_run(python: str, tmp_path: Path) -> None:
    source, compiled = write_worker(tmp_path / "worker.py"), tmp_path / "worker.pyc"
    code = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"
    subprocess.run([python, "-I", "-W", "error", "-c", code, source, compiled], check=True, timeout=60)
    asked = subprocess.run([python, compiled, '{"mode": "none"}'], capture_output=True, text=True, timeout=60)
    assert asked.stderr.splitlines()[-1] == "KeyError: 'keeper_fd'"  # it ran to where it wants more than that


def test_it_imports_the_standard_library_alone() -> None:
    for node in ast.walk(ast.parse(assembled())):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names), names


def test_it_starts_with_the_head() -> None:
    folder = Path(worker.__file__).parent
    head = (folder / f"{HEAD}.py").read_text(encoding="utf-8")
    assert assembled().startswith(head)
    first = [type(node) for node in ast.parse(head).body]
    assert first == [ast.Expr, ast.ImportFrom, ast.Import, ast.Import, ast.If]  # nothing else comes before


def test_every_name_of_the_parts_is_there_once() -> None:
    folder = Path(worker.__file__).parent
    parts = [name for part in PARTS for name in names_of(ast.parse((folder / f"{part}.py").read_text("utf-8")))]
    assert Counter(names_of(ast.parse(assembled()))) == Counter(parts)
    assert {"text", "Script", "StructureWriter", "SYSTEM_CALLS", "close_file", "main"} <= set(parts)
    assert max(Counter(parts).values()) == 1


def test_the_parts_are_the_modules_of_the_package_in_the_order_of_their_layers() -> None:
    files = {file.stem for file in Path(worker.__file__).parent.glob("*.py")}
    assert files == {HEAD, *PARTS}
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["pytest_perfagents.worker"])
    assert tuple(reversed(layers)) == PARTS


# --- any parts ----------------------------------------------------------------------------------------------------


def test_parts_become_one_source() -> None:
    line = "import os\nfrom os.path import (\n    join,\n)\n\nfrom pytest_perfagents.worker.low import here"
    typed = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from typing import Any\n\n"
    there = "def there(value: Any):\n    import json\n    return join(here(), json.dumps(value))"
    code = f'# why\nLIMIT = 1\n"""Of what."""\n\n\n{there}'
    whole = assemble({HEAD: START, "low": LOW, "high": high(line, typed + code)})
    assert whole == (
        f"{START}\nimport os\nfrom os.path import join\n\n\n"
        "# --- low.py: Low.\n\n\ndef here():\n    return os.getcwd()\n\n\n"
        f"# --- high.py: High.\n\n\n{code}\n"
    )
    names: dict[str, object] = {"__name__": "worker"}
    exec(compile(whole, "worker.py", "exec"), names)
    assert names["there"](1) == f"{names['here']()}/1"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("line", "code", "name", "by"),
    [
        ("import os", "def here(): pass", "here", "'low.py' and by 'high.py'"),
        ("import os", "class here: pass", "here", "'low.py' and by 'high.py'"),
        ("import os", "there, (here, x) = 1, (2, 3)", "here", "'low.py' and by 'high.py'"),
        ("import os", "sys = None", "sys", "'import sys' and by 'high.py'"),
        ("from os import path as here", "", "here", "'low.py' and by 'from os import path as here'"),
        ("import posix as os", "", "os", "'import os' and by 'import posix as os'"),
    ],
)
def test_a_name_that_is_bound_twice_is_refused(line: str, code: str, name: str, by: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is bound twice, by {by}: "):
        assemble({HEAD: START, "low": LOW, "high": high(line, code)})


@pytest.mark.parametrize(
    "line",
    [
        "from pytest_perfagents.worker.low import here as there",
        "from pytest_perfagents.worker.later import here",
        "from pytest_perfagents.worker.low import nowhere",
        "from pytest_perfagents.worker import low",
        "from pytest_perfagents.model import here",
        "import pytest_perfagents.worker.low",
        "from . import low",
    ],
)
def test_an_import_that_one_file_cannot_have_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^high\.py, line 5: .* names of parts that come before it$"):
        assemble({HEAD: START, "low": LOW, "high": high(line, "")})
