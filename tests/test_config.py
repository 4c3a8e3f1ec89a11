from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_perfagents.config import Config, RepoConfig, load_config
from pytest_perfagents.model import Role, UsageError

SMALLEST = """
[perfagents]
runs = ["state/runs"]              # folders of agent runs, either layout; relative to this file
scripts = ["test_scripts"]
results = "results"
cache = ".perfagents"              # worktrees, built demo repositories
timeout_s = 600                    # one side of one run

[repos.vllm]
path = "../vllm"                   # a clone, bare or not, or a bundle
import_root = "."                  # sglang: "python"
packages = ["vllm"]                # must be loaded from the workspace
python = ".venv/bin/python"        # interpreter of the measured code; default: the one that runs pytest
match = ["vllm", "vllm_core"]
"""
MAIN = '[perfagents]\nruns = ["state/runs"]\nscripts = ["test_scripts"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/state/runs").mkdir(parents=True)
    (tmp_path / "project/test_scripts").mkdir()
    return tmp_path / "project"


def load(project: Path, text: str | bytes) -> Config:
    file = project / "perfagents.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(file)


def problems(project: Path, text: str | bytes) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(project, text)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{project / 'perfagents.toml'}: ") for line in lines)
    return [line.removeprefix(f"{project / 'perfagents.toml'}: ") for line in lines]


def test_smallest_configuration(project: Path) -> None:
    config = load(project, SMALLEST)
    assert config.runs == (project / "state/runs",)
    assert config.scripts == (project / "test_scripts",)
    assert (config.results, config.cache) == (project / "results", project / ".perfagents")
    assert config.timeout_s == 600
    vllm = config.repos["vllm"]
    assert vllm.path == project.parent / "vllm"
    assert vllm.python == project / ".venv/bin/python", "a missing interpreter is reported when it is used"
    assert (vllm.packages, vllm.match) == (("vllm",), ("vllm", "vllm_core"))
    assert (vllm.env, vllm.pass_env, vllm.build, vllm.overlay, vllm.fetch) == ({}, (), (), None, None)


def test_defaults(project: Path) -> None:
    config = load(project, MAIN + '[repos.sglang]\npath = "/repos/sglang"\n')
    assert config.repos["sglang"] == RepoConfig(
        "sglang", Path("/repos/sglang"), ".", ("sglang",), Path(sys.executable), ("sglang",)
    )
    assert config.protocol.sides == (Role.BASELINE, Role.HUMAN, Role.PATCHED)
    assert config.protocol.looks == (10, 20, 40, 80)
    assert (config.protocol.threshold, config.protocol.memory_gb, config.disk_gb) == (0.05, None, 20.0)


def test_everything_that_can_be_said(project: Path) -> None:
    (project / "wheel").mkdir()
    config = load(
        project,
        MAIN
        + """disk_gb = 5
[perfagents.protocol]
sides = ["baseline", "patched"]
looks = [4, 8]
memory_gb = 2.5
mode = "script"
[repos.sglang]
path = "repos/sglang.bundle"
import_root = "python"
env = {OMP_NUM_THREADS = "1", EMPTY = ""}
pass_env = ["CUDA_HOME"]
build = [["make", "-j2"], "pip install -e '.[all]'"]
overlay = "wheel"
fetch = "https://example.org/sglang.git"
[aliases]
best = ["trae/claude-*", "codex_gpt5"]
[outcomes]
PATCH_INVALID = "failed"
""",
    )
    assert config.protocol.sides == (Role.BASELINE, Role.PATCHED)
    assert (config.protocol.looks, config.protocol.memory_gb, config.protocol.mode) == ((4, 8), 2.5, "script")
    sglang = config.repos["sglang"]
    assert sglang.env == {"OMP_NUM_THREADS": "1", "EMPTY": ""}
    assert sglang.build == (("make", "-j2"), ("pip", "install", "-e", ".[all]"))
    assert (sglang.overlay, sglang.import_root) == (project / "wheel", "python")
    assert config.aliases == {"best": ("trae/claude-*", "codex_gpt5")}
    assert config.outcomes == {"PATCH_INVALID": "failed"}


def test_paths_are_relative_to_the_file_not_to_the_working_folder(project: Path) -> None:
    here = Path.cwd()
    (project / "perfagents.toml").write_text(MAIN)
    os.chdir(project.parent)
    try:
        config = load_config(Path("project/perfagents.toml"))
    finally:
        os.chdir(here)
    assert config.runs == (project / "state/runs",)
    assert config.file == project / "perfagents.toml"


def test_symbolic_links_of_an_interpreter_stay(project: Path) -> None:
    (project / "python").symlink_to(sys.executable)
    config = load(project, MAIN + '[repos.vllm]\npath = "x"\npython = "./python"\n')
    assert config.repos["vllm"].python == project / "python", "resolved, it would leave its virtual environment"


def test_bare_interpreter_name_comes_from_path(project: Path) -> None:
    config = load(project, MAIN + '[repos.vllm]\npath = "x"\npython = "python3"\n')
    assert config.repos["vllm"].python.is_absolute()
    assert config.repos["vllm"].python.parent != project


VLLM = MAIN + '[repos.vllm]\npath = "../vllm"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VLLM + 'import_rot = "."', "[repos.vllm] has no key 'import_rot'; did you mean 'import_root'?"),
        (VLLM + 'Python = "x"', "[repos.vllm] has no key 'Python'; did you mean 'python'?"),
        (VLLM + "zzz = 1", "[repos.vllm] has no key 'zzz'"),
        (VLLM + "env = {A = 1}", '[repos.vllm.env] A must be a string, e.g. "1", not a number'),
        (VLLM + 'env = "A=1"', "[repos.vllm.env] must be a table, not a string"),
        (VLLM + "python = 3.11", "[repos.vllm] python must be a string, not a number"),
        (VLLM + "packages = []", '[repos.vllm] packages must hold at least 1 element, e.g. ["vllm"]'),
        (
            VLLM + 'import_root = "../up"',
            "[repos.vllm] import_root must be a folder inside the repository, not '../up'",
        ),
        (VLLM + 'fetch = ""', "[repos.vllm] fetch must not be empty"),
        (VLLM + 'build = [["a", 1]]', "[repos.vllm] build [0] [1] must be a string, not a number"),
        (VLLM + '[repo.x]\npath = "y"', "the file has no table 'repo'; did you mean 'repos'?"),
        (
            VLLM + '[repos.v2]\npath = "y"\nmatch = ["VLLM"]',
            "[repos.v2] match 'VLLM' already means [repos.vllm]",
        ),
        (VLLM + '[repos."a/b"]\npath = "y"', "[repos.a/b] is no name of letters, digits, '.', '_' and '-'"),
        (MAIN + "[repos.vllm]", "[repos.vllm] needs the key 'path', e.g. path = \"../vllm\""),
        (MAIN + "timeout = 3", "[perfagents] has no key 'timeout'; did you mean 'timeout_s'?"),
        (MAIN + "timeout_s = 0", "[perfagents] timeout_s must be above 0, not 0"),
        (MAIN + "timeout_s = inf", "[perfagents] timeout_s must be above 0, not inf"),
        (MAIN + "timeout_s = nan", "[perfagents] timeout_s must be above 0, not nan"),
        (MAIN + "timeout_s = true", "[perfagents] timeout_s must be a number, not a boolean"),
        (MAIN + "timeout_s = 1979-05-27", "[perfagents] timeout_s must be a number, not a date or time"),
        (MAIN + "[perfagents.protocl]", "[perfagents] has no table 'protocl'; did you mean 'protocol'?"),
        (MAIN + "[protocol]\nturns = 3", "the file has no table 'protocol': that is [perfagents.protocol]"),
        (MAIN + "[protocl]\nturns = 3", "the file has no table 'protocl'; did you mean [perfagents.protocol]?"),
        ("turns = 3\n" + MAIN, "the file has no key 'turns': that is 'turns' of [perfagents.protocol]"),
        ("runs = []\n", "the file has no key 'runs': that is 'runs' of [perfagents]"),
        (MAIN + "measure_s = 3", "[perfagents] has no key 'measure_s': that is 'measure_s' of [perfagents.protocol]"),
        (
            MAIN + "mesure_s = 3",
            "[perfagents] has no key 'mesure_s'; did you mean 'measure_s' of [perfagents.protocol]?",
        ),
        (
            MAIN + "[perfagents.protocol]\nmesure_s = 3",
            "[perfagents.protocol] has no key 'mesure_s'; did you mean 'measure_s'?",
        ),
        (
            MAIN + "[perfagents.protocol]\ntimeout_s = 3",
            "[perfagents.protocol] has no key 'timeout_s': that is 'timeout_s' of [perfagents]",
        ),
        (VLLM + "threads = 2", "[repos.vllm] has no key 'threads': that is 'threads' of [perfagents.protocol]"),
        (MAIN + "[perfagents.env]", "[perfagents] has no table 'env': that is 'env' of [repos.<name>]"),
        (MAIN + '[perfagents.repos.vllm]\npath = "x"', "[perfagents] has no table 'repos': that is [repos.<name>]"),
        (
            MAIN + "[perfagents.protocol]\nturns = 1.5",
            "[perfagents.protocol] turns must be a whole number, not 1.5",
        ),
        (
            MAIN + "[perfagents.protocol]\nthreshold = 5",
            "[perfagents.protocol] threshold must be above 0 and below 1, not 5",
        ),
        (
            MAIN + "[perfagents.protocol]\nlooks = [10, 5]",
            "[perfagents.protocol] looks must increase, not [10, 5]",
        ),
        (
            MAIN + '[perfagents.protocol]\nmode = "drive"',
            "[perfagents.protocol] mode must be one of auto, driven, script, not 'drive'",
        ),
        (
            MAIN + '[perfagents.protocol]\nsides = ["patched", "human"]',
            "[perfagents.protocol] sides must hold 'baseline' and 'patched', and may hold 'human', each once",
        ),
        (
            MAIN + '[outcomes]\nPATCH_INVALD = "failed"',
            "[outcomes] has no key 'PATCH_INVALD'; did you mean 'PATCH_INVALID'?",
        ),
        (
            MAIN + '[outcomes]\nPATCH_INVALID = "xfail"',
            "[outcomes] PATCH_INVALID must be one of passed, skipped, xfailed, failed, not 'xfail'",
        ),
        (
            MAIN + '[aliases]\nbest = "trae"',
            '[aliases] best must be a list, e.g. ["trae/claude-*", "codex_gpt5"], not a string',
        ),
        (
            '[perfagents]\nruns = ["state/runs"]',
            "[perfagents] needs the key 'scripts', e.g. scripts = [\"test_scripts\"]",
        ),
        ("", "the file needs the table [perfagents]"),
        ("perfagents = 3", "[perfagents] must be a table, not a number"),
    ],
)
def test_message(project: Path, text: str, expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems(project, text))


def test_missing_folder_names_its_neighbour(project: Path) -> None:
    text = MAIN.replace("state/runs", "state/run")
    assert problems(project, text) == [
        f"[perfagents] runs [0] names a folder that is not there: {project}/state/run; did you mean 'runs'?"
    ]


def test_file_where_a_folder_should_be(project: Path) -> None:
    (project / "f").write_text("")
    assert "must be a folder" in problems(project, MAIN.replace("state/runs", "f"))[0]


def test_all_problems_at_once(project: Path) -> None:
    found = problems(project, '[perfagents]\nruns = 1\nscripts = ["no"]\n[repos.vllm]\npat = "x"\n')
    assert len(found) == 4
    assert [line.split("]")[0] for line in found].count("[repos.vllm") == 2


def test_absent_table_is_one_problem(project: Path) -> None:
    assert problems(project, "") == ["the file needs the table [perfagents]"]


def test_syntax_error_names_the_line(project: Path) -> None:
    assert "line 3" in problems(project, '[perfagents]\nruns = ["a"]\nscripts = [\n')[0]


def test_not_utf8_and_byte_order_mark(project: Path) -> None:
    assert problems(project, b'[perfagents]\nruns = ["\xff"]') == ["not UTF-8: invalid start byte at byte 22"]
    assert load(project, b"\xef\xbb\xbf" + SMALLEST.encode()).repos


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read: No such file"):
        load_config(tmp_path / "none.toml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["runs", "scripts", "results", "cache", "timeout_s", "disk_gb"]
REPO = ["path", "import_root", "packages", "python", "match", "env", "pass_env", "build", "overlay", "fetch"]
PROTOCOL = ["threshold", "confidence", "alpha", "sides", "mode", "warmups", "turns", "looks", "seed", "memory_gb"]
PROTOCOL += ["counter", "pin", "nice"]


def toml(value: object) -> str:
    """Any value as TOML, its tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escapes = "".join(f"\\U{ord(letter):08X}" for letter in value)
        return f'"{escapes}"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return '""' if value is None else str(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    main=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), VALUES, max_size=4),
    repo=st.dictionaries(st.sampled_from(REPO), VALUES, max_size=4),
    protocol=st.dictionaries(st.sampled_from(PROTOCOL), VALUES, max_size=4),
    rest=st.dictionaries(st.sampled_from(["aliases", "outcomes", "x"]), VALUES, max_size=2),
)
def test_nonsense_is_a_usage_error_or_a_configuration(
    project: Path, main: object, repo: object, protocol: object, rest: dict[str, object]
) -> None:
    whole = {"perfagents": main, "repos": {"vllm": repo}, **rest}
    whole["perfagents"] = {**main, "protocol": protocol}  # type: ignore[dict-item]
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in whole.items())
    text = text.replace("\\U0000D", "\\U0000C")
    try:
        config = load(project, text)
    except UsageError as error:
        assert "perfagents.toml: " in str(error)
    else:
        assert set(config.repos) == {"vllm"}
