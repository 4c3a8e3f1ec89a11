"""The documentation says what is so: its tables against the code, its examples run on the demo."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from dataclasses import MISSING, fields
from enum import Enum
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_perfagents.cli import commands
from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig, load_config
from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.taxonomy import TABLE
from pytest_perfagents.discovery.finding import discover
from pytest_perfagents.gates import WORDS
from pytest_perfagents.model import Category, Commit, Ending, Execution, Role, UsageError
from pytest_perfagents.parsers.script_output import parse_output
from pytest_perfagents.prices import Price

ROOT = Path(__file__).resolve().parent.parent
USAGE = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
INPUTS = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
OUTCOMES = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
MEASUREMENT = (ROOT / "docs" / "measurement.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

OWN_TABLES = {"file", "name", "repos", "aliases", "outcomes", "protocol", "prices"}
"""Fields of the configuration's dataclasses that are no keys but tables, or come from elsewhere."""
IN_WORDS = {"none": None, "pytest's": Path(sys.executable), "the name": ("vllm",)}
"""Defaults that the tables give in words, in a configuration whose only repository is called ``vllm``."""


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match, f"there is no heading {heading!r}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"[|:-]+", line)}
    return [cells for number, cells in enumerate(split) if number not in rules and number + 1 not in rules]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def blocks(page: str, kind: str) -> dict[str, str]:
    """Fenced blocks of a language by their ``title="…"``; those without one by number."""
    found = re.findall(rf'^```{kind}(?: title="(.+?)")?\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    return {title or str(number): body for number, (title, body) in enumerate(found)}


def options_of(config: pytest.Config) -> set[str]:
    group = next(group for group in config._parser._groups if group.name == "perfagents")
    return {name for option in group.options for name in option.names()}


# Tables against the code


def test_every_option_is_in_the_table_and_nothing_else(pytestconfig):
    documented = [word.split()[0] for first, *_ in rows(section(USAGE, "Options")) for word in code(first)]
    assert sorted(documented) == sorted(options_of(pytestconfig))


@pytest.mark.parametrize("page", ["docs/usage.md", "docs/inputs.md", "docs/outcomes.md", "README.md"])
def test_no_page_names_an_option_that_is_not_there(page, pytestconfig):
    named = set(re.findall(r"(?<![\w-])--(?:perf-[a-z-]+|agent)\b", (ROOT / page).read_text(encoding="utf-8")))
    assert named
    assert named - options_of(pytestconfig) == set()


@pytest.fixture
def smallest(tmp_path):
    (tmp_path / "state" / "runs").mkdir(parents=True)
    (tmp_path / "test_scripts").mkdir()
    file = tmp_path / "perfagents.toml"
    file.write_text('[perfagents]\nruns = ["state/runs"]\nscripts = ["test_scripts"]\n[repos.vllm]\npath = "../vllm"\n')
    return file


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("`[perfagents]`", Config), ("`[repos.<name>]`", RepoConfig), ("`[perfagents.protocol]`", ProtocolConfig)],
)
def test_every_key_is_in_its_table_with_its_default(heading, kind, smallest):
    config = load_config(smallest)
    there = {Config: config, RepoConfig: config.repos["vllm"], ProtocolConfig: config.protocol}[kind]
    documented = {code(cells[0])[0]: cells[2] for cells in rows(section(USAGE, heading))}
    assert set(documented) == {field.name for field in fields(kind)} - OWN_TABLES
    for key, default in documented.items():
        if default == "required":
            text = re.sub(rf"(?m)^{key} = .*\n", "", smallest.read_text())
            (smallest.parent / "without.toml").write_text(text)
            with pytest.raises(UsageError, match=f"needs the key '{key}'"):
                load_config(smallest.parent / "without.toml")
        else:
            assert as_toml(getattr(there, key), smallest.parent) == as_toml(told(default), smallest.parent), key


def test_every_key_of_a_price_is_in_its_table():
    documented = {code(cells[0])[0]: cells[2] for cells in rows(section(USAGE, "`[perfagents.prices.<model>]`"))}
    needed = {field.name: "required" if field.default is MISSING else "none" for field in fields(Price)}
    assert documented == needed


def told(default: str) -> object:
    return IN_WORDS[default] if default in IN_WORDS else tomllib.loads(f"it = {code(default)[0]}")["it"]


def as_toml(value: object, base: Path) -> object:
    if isinstance(value, Path):
        return str(value.relative_to(base)) if value.is_relative_to(base) else str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [as_toml(item, base) for item in value]
    return value


def test_every_word_of_the_gates_is_in_the_table():
    documented = [word for first, *_ in rows(section(USAGE, "Gates")) for word in code(first)]
    assert sorted(documented) == sorted(WORDS)


def test_every_fixture_hook_and_command_is_in_its_table():
    fixtures = [code(first)[0] for first, *_ in rows(section(USAGE, "Tests of your own"))]
    hooks = [code(first)[0].partition("(")[0] for first, *_ in rows(section(USAGE, "Hooks"))]
    told = [code(first)[0].split()[1] for first, *_ in rows(section(USAGE, "The command `perfagents`"))]
    assert sorted(fixtures) == sorted(defined("shell/fixtures.py", r"@pytest\.fixture[^\n]*\ndef (\w+)"))
    assert sorted(hooks) == sorted(defined("session/hookspecs.py", r"@pytest\.hookspec[^\n]*\ndef (\w+)"))
    assert sorted(told) == sorted(commands.commands)


def defined(module: str, pattern: str) -> list[str]:
    return re.findall(pattern, (ROOT / "src" / "pytest_perfagents" / module).read_text(encoding="utf-8"))


def test_every_category_is_explained_as_the_taxonomy_has_it():
    of_sides = section(OUTCOMES, "One side failed")
    documented = [
        (code(category)[0], (outcome, where.split(" · ")[0], None if whose == "nobody" else whose), when, remedy)
        for category, outcome, where, whose, when, remedy in rows(OUTCOMES.replace(of_sides, ""))
    ]
    assert "every `PATCHED_…` is the agent's move. All of them are xfailed." in of_sides
    for baseline, whose, patched, stage, when, remedy in rows(of_sides):
        cells = [(baseline, whose), (patched, "agent")]
        documented += [
            (code(cell)[0], ("xfailed", stage, blame), when, remedy) for cell, blame in cells if cell != "none"
        ]
        assert baseline == "none" or baseline.replace("BASELINE_", "PATCHED_") == patched
    table = {category.value: (row.outcome, row.stage.value, row.blame) for category, row in TABLE.items()}
    assert sorted(name for name, *_ in documented) == sorted(category.value for category in Category)
    assert {name: facts for name, facts, *_ in documented} == table
    assert all(when and remedy for _, _, when, remedy in documented)


# How a baseline can end, as the words of its row tell it.
ENDS = {
    "segmentation fault": {"ending": Ending.SIGNALED, "code": signal.SIGSEGV},
    "abort": {"ending": Ending.SIGNALED, "code": signal.SIGABRT},
    "SIGKILL, exit code 137": {"code": 137},
    "SIGXCPU": {"ending": Ending.SIGNALED, "code": signal.SIGXCPU},
    "it printed none": {"code": 0},
    "could not be started": {"ending": Ending.NOT_STARTED, "code": None},
    "a time was reported and then the process failed": {"code": 3, "stdout": '{"avg_ms": 1.5}'},
}


@pytest.mark.parametrize("words", ENDS)
def test_how_a_process_ended_is_told_in_the_row_of_its_category(words):
    how = {"ending": Ending.EXITED, "stdout": "", **ENDS[words]}
    failure = diagnose(Evidence(Execution(("python",), stderr="", duration_s=1.0, **how)), Role.BASELINE)
    told = [cells[0] for cells in rows(section(OUTCOMES, "One side failed")) if words in cells[4]]
    assert told == [f"`{failure.category}`"]


@pytest.mark.parametrize(
    "page",
    ["docs/usage.md", "docs/inputs.md", "docs/outcomes.md", "docs/measurement.md", "docs/gpu.md", "README.md"],
)
def test_links_lead_somewhere(page):
    file = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        other = file.parent / path if path else file
        assert other.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "text"), [("usage", USAGE), ("README", README)])
def test_configurations_load(page, text, smallest):
    found = blocks(text, "toml")
    assert found, page
    for body in found.values():
        smallest.write_text(body)
        assert load_config(smallest).repos


def test_what_narrows_an_interval_is_told_with_settings_that_there_are(pytestconfig):
    told = code(section(MEASUREMENT, "How to get a tighter interval"))
    keys = {word.split(" = ")[0] for word in told}
    assert {"detects", "looks", "measure_s", "heavy_measure_s", "alpha", "--perf-calibrate"} <= keys
    assert {key for key in keys if key.startswith("--")} <= {*options_of(pytestconfig), "--perf-counter instructions"}
    looks = [tomllib.loads(word)["looks"] for word in told if word.startswith("looks = ")]
    assert looks == [[40, 80], [10, 20, 40, 80, 160]]


# Examples on the demo

BRIEFLY = "\n[perfagents.protocol]\nlooks = [6]\nmeasure_s = 2\nheavy_measure_s = 4\nturn_s = 0.005\n"


@pytest.fixture(scope="session")
def demo_repos(tmp_path_factory):
    """A folder with the demo's repositories."""
    spec = importlib.util.spec_from_file_location("demo_build_for_docs", ROOT / "fixtures" / "build.py")
    build = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    folder = tmp_path_factory.mktemp("demo")
    build.build(ROOT / "fixtures", folder)
    return folder


@pytest.fixture(scope="session")
def demo(demo_repos):
    """A configuration of the demo that measures briefly."""
    text = (ROOT / "perfagents.toml").read_text(encoding="utf-8")
    text = text.replace('"fixtures/runs"', f'"{ROOT / "fixtures" / "runs"}"')
    text = text.replace('"test_scripts"', f'"{ROOT / "test_scripts"}"')
    text = text.replace('".perfagents/demo', f'"{demo_repos}')
    text = text.replace("timeout_s = 20", "timeout_s = 120")
    return text + BRIEFLY


@pytest.fixture
def checkout(demo, pytester):
    """A folder with the demo's configuration."""
    pytester.makeini("[pytest]\n")
    (pytester.path / "perfagents.toml").write_text(demo)
    return pytester


def run(checkout, *args, **options):
    return checkout.runpytest_subprocess("-p", "no:cacheprovider", *args, **options)


SELECTIONS = [re.split(r" {3,}", line)[0] for line in blocks(USAGE, "console")["0"].splitlines()]


@pytest.mark.parametrize("line", SELECTIONS)
def test_selections_work(line, checkout):
    command, *words = shlex.split(line)
    if command == "perfagents":
        program = Path(sys.executable).with_name(command)
        done = subprocess.run([program, *words], capture_output=True, text=True, cwd=checkout.path)
        assert (done.returncode, "trae_sonnet45" in done.stdout) == (0, True), done.stderr
        return
    assert command == "pytest"
    result = run(checkout, "--collect-only", "-q", *words)
    assert result.ret == pytest.ExitCode.OK
    assert any(id_.startswith("perfagents.toml::mini") for id_ in result.outlines)


EXAMPLES = blocks(USAGE, "python")
ONE_RUN = ("--agent", "trae_sonnet45_0101", "--perf-commit", "8e8c802b")


def test_the_examples_of_tests_pass_on_a_real_run(checkout):
    pytest.importorskip("pytest_benchmark")
    tests = {name: body for name, body in EXAMPLES.items() if name.startswith("test_")}
    assert len(tests) == 4
    for name, body in tests.items():
        (checkout.path / name).write_text(body)
    result = run(checkout, *tests, *ONE_RUN, "-v", "--perf-json=out.json")
    result.assert_outcomes(passed=sum(len(re.findall(r"(?m)^def test_", body)) for body in tests.values()))
    assert '"total": 1' in (checkout.path / "out.json").read_text()


def test_the_example_of_hooks_replaces_the_evaluator(checkout):
    (checkout.path / "conftest.py").write_text(EXAMPLES["conftest.py"])
    result = run(checkout, *ONE_RUN, "-rs", "-s")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*results go to *", "*HARDWARE_UNAVAILABLE: this machine has no GPU*"])


def test_no_example_is_left_out():
    assert set(EXAMPLES) == {name for name in EXAMPLES if name.startswith("test_")} | {"conftest.py"}
    assert all(compile(dedent(body), name, "exec") for name, body in EXAMPLES.items())


# The examples of inputs.md, together with those of the first run in usage.md

JOURNALS = blocks(INPUTS, "json")
SCRIPTS = blocks(INPUTS, "python")
HIERARCHICAL = re.search(r"`(runs/\S+)/model_patch.diff`", INPUTS)[1]


@pytest.fixture
def first_run(demo_repos, pytester):
    """What "From nothing to your first run" asks for; the agent's patch is the human's."""
    folder = pytester.path / "mine"
    item = folder / HIERARCHICAL
    item.mkdir(parents=True)
    (item / "journal.json").write_text(JOURNALS["journal.json"])
    (folder / "scripts").mkdir()
    for name, body in SCRIPTS.items():
        (folder / "scripts" / name).write_text(body)
    start = dedent(
        re.search(r"( +)```toml\n(.*?)\1```", section(USAGE, "From nothing to your first run"), re.DOTALL)[2]
    )
    (folder / "perfagents.toml").write_text(start + BRIEFLY)
    (pytester.path / "minivllm").symlink_to(demo_repos / "minivllm.git")
    pair = json.loads(JOURNALS["journal.json"])["commits"]
    git = ["git", "-C", demo_repos / "minivllm.git", "diff", pair["pre"], pair["human"]]
    diff = subprocess.run(git, capture_output=True, check=True).stdout
    (item / "model_patch.diff").write_bytes(diff)
    return folder


def test_the_smallest_journals_are_one_run_each(first_run):
    flat = first_run / "runs" / "trae_core-0000" / "item-0002"
    flat.mkdir(parents=True)
    (flat / "journal.json").write_text(JOURNALS["flat journal.json"])
    hierarchical, other = sorted(discover(load_config(first_run / "perfagents.toml")), key=lambda run: run.item)
    commits = json.loads(JOURNALS["journal.json"])["commits"]
    for found in (hierarchical, other):
        assert found.commit == Commit("minivllm", commits["human"], commits["pre"])
        assert (found.agent, found.model, found.alias, found.trouble) == ("trae", "gpt-5", "trae_gpt5", "")
    assert (hierarchical.run, hierarchical.has_patch) == ("2026-01-01_00-00-00", True)
    assert (other.run, other.has_patch) == ("trae_core-0000", False)


WITHOUT_A_CHECK = ["store_result", "load_result", "check_equivalence"]


@pytest.mark.parametrize("lacking", [None, *WITHOUT_A_CHECK, "setup"])
def test_the_example_script_measures_as_its_table_says(lacking, first_run, monkeypatch, pytester):
    (name,) = SCRIPTS
    if lacking:
        body, count = re.subn(rf"^def {lacking}\(.*?(?=^\S|\Z)", "", SCRIPTS[name], flags=re.MULTILINE | re.DOTALL)
        assert count == 1
        (first_run / "scripts" / name).write_text(body)
        without = next(
            cells[2] for cells in rows(section(INPUTS, "What a perf script is")) if f"{lacking}(" in cells[0]
        )
        assert ("by structure" in without) == (lacking in WITHOUT_A_CHECK)
    monkeypatch.chdir(first_run)
    result = run(pytester, "--agent", "trae_gpt5", "--perf-json=out.json")
    assert result.ret == pytest.ExitCode.OK
    (outcome,) = json.loads((first_run / "out.json").read_text())["outcomes"]
    if lacking == "setup":
        assert outcome["category"] == "BASELINE_NO_OUTPUT"  # run as a program, it prints nothing
    else:
        assert outcome["category"].startswith("SUCCESS_"), outcome["reason"]  # a busy machine leaves it undecided
        assert outcome["speedup"]["point"] > 2  # a remembered text is encoded twenty times as fast
        assert not [flag for flag in outcome["integrity"]["flags"] if "check" in flag]
        assert outcome["integrity"]["equivalence"] == "equal"
        assert outcome["integrity"]["equivalence_by"] == ("structure" if lacking else "script")


def test_every_output_that_inputs_names_is_a_time():
    lines = blocks(INPUTS, "text")["1"].splitlines()
    reports = [parse_output(re.split(r" {3,}", line)[0]) for line in lines]
    assert [report.seconds for report in reports] == [pytest.approx(0.0123)] * len(lines)
    assert len(lines) == 3
