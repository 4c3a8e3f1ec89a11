from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.discovery import journals
from pytest_perfagents.discovery.finding import cases, discover, find_scripts
from pytest_perfagents.discovery.selection import Selection
from pytest_perfagents.model import AgentRun, UsageError
from pytest_perfagents.parsers.prediction import load_patch

HUMAN, PARENT = "2f192835" + "ab" * 16, "067c34a1" + "cd" * 16
STAMP = "2025-12-23_22-06-06"
HIERARCHICAL = f"runs/vllm/trae/gpt-5/{STAMP}/vllm_core-0000"
FLAT = "runs/vllm_core-c0645fb7/vllm_core-0000"


def journal(agent: str = "trae", **changes: Any) -> dict[str, Any]:
    block = {"cli": "python", "time_budget_minutes": 120, "returncode": 0, "duration_s": 12.5}
    whole = {
        "task_id": "vllm_core",
        "commits": {"pre": PARENT, "human": HUMAN},
        "status": "success",
        agent: block,
    }
    return {**whole, **changes}


def summary(**meta: str) -> dict[str, Any]:
    return {
        "schema_version": "1.0",
        "meta": {"repo": "vllm", "agent": "trae", "model": "gpt-5", "task_id": "vllm_core", **meta},
        "commits": {"human": HUMAN, "pre": PARENT},
        "agent": {"status": "Error", "patch_generated": False, "duration_s": 3.5},
    }


class Tree:
    """A folder of agent runs in the making."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "runs").mkdir()

    def add(self, place: str, files: dict[str, Any] | None = None, **journal_changes: Any) -> Path:
        folder = self.root / place
        folder.mkdir(parents=True)
        for name, content in ({"journal.json": journal(**journal_changes)} if files is None else files).items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (folder / name).write_bytes(data)
        return folder

    def config(self, *roots: str, scripts: tuple[Path, ...] = ()) -> Config:
        repos = {
            "vllm": RepoConfig("vllm", Path("vllm"), match=("vllm", "prefix_caching_opt")),
            "sglang": RepoConfig("sglang", Path("sglang")),
            "vllm_fork": RepoConfig("vllm_fork", Path("fork")),
        }
        paths = tuple(self.root / root for root in roots or ("runs",))
        return Config(self.root / "perfagents.toml", repos, paths, scripts, self.root, self.root)

    def runs(self, *roots: str) -> list[AgentRun]:
        return discover(self.config(*roots))

    def run(self, *roots: str) -> AgentRun:
        (run,) = self.runs(*roots)
        return run


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_hierarchical(tree: Tree) -> None:
    folder = tree.add(HIERARCHICAL)
    run = tree.run()
    assert run.id == f"vllm/2f192835/trae/gpt-5/{STAMP}/vllm_core-0000"
    assert (run.commit.human, run.commit.parent, run.alias) == (HUMAN, PARENT, "trae_gpt5")
    assert (run.status, run.returncode, run.duration_s, run.time_budget_minutes) == ("success", 0, 12.5, 120)
    assert (run.folder, run.has_patch, run.trouble) == (str(folder), False, "")


def test_flat(tree: Tree) -> None:
    tree.add(FLAT, agent="codex_cli", status="ERROR")
    run = tree.run()
    assert run.id == "vllm/2f192835/codex_cli/unknown/vllm_core-c0645fb7/vllm_core-0000"
    assert (run.alias, run.status, run.trouble) == ("codex_cli", "error", "")


def test_both_layouts_side_by_side_sorted_by_id(tree: Tree) -> None:
    for place in (
        HIERARCHICAL,
        FLAT,
        HIERARCHICAL.replace("gpt-5", "gpt-4o"),
        f"runs/sglang/codex/gpt-5/{STAMP}_s1/x",
    ):
        tree.add(place)
    ids = [run.id for run in tree.runs()]
    assert ids == sorted(ids)
    assert len(set(ids)) == 4


@pytest.mark.parametrize("root", ["runs", "state/runs", "state", ".", "state/runs/vllm", "state/runs/vllm/trae"])
def test_generous_roots(tree: Tree, root: str) -> None:
    tree.add(f"state/{HIERARCHICAL}")
    (tree.root / "runs").rmdir()
    (tree.root / "runs").symlink_to("state/runs")
    assert tree.run(root).id == f"vllm/2f192835/trae/gpt-5/{STAMP}/vllm_core-0000"


def test_root_without_the_name_runs(tree: Tree) -> None:
    tree.add("records/vllm_core-c0645fb7/vllm_core-0001")
    tree.add(f"records/vllm/trae/gpt-5/{STAMP}/vllm_core-0000")
    assert [run.run for run in tree.runs("records")] == [STAMP, "vllm_core-c0645fb7"]


def test_place_without_agent_takes_it_from_the_journal(tree: Tree) -> None:
    metadata = {"repo": "vllm", "agent": "openhands", "model": "anthropic-claude-sonnet-4-5"}
    tree.add(
        f"runs/oh54_hf_partial/runs/vllm/{STAMP}/vllm_core-0000",
        {
            "journal.json": journal("openhands", run_metadata=metadata),
            "run_summary.json": summary(model="gpt-5"),
        },
    )
    run = tree.run()
    assert run.id == f"vllm/2f192835/openhands/anthropic-claude-sonnet-4-5/{STAMP}/vllm_core-0000"
    assert run.alias == "openhands_sonnet45"


def test_place_without_repository(tree: Tree) -> None:
    tree.add(f"runs/trae/gpt-5/{STAMP}/a-0")
    assert tree.run().id.startswith("vllm/2f192835/trae/gpt-5/")


def test_folder_called_flat_is_structure(tree: Tree) -> None:
    tree.add("runs/openhands_gpt5/flat/vllm_core-0000", agent="openhands")
    run = tree.run()
    assert (run.run, run.agent, run.alias) == ("openhands_gpt5", "openhands", "openhands_gpt5")


def test_flat_model_by_item_name_before_summary_but_as_the_summary_spells_it(tree: Tree) -> None:
    files = {"journal.json": journal(), "run_summary.json": summary(model="claude-sonnet-45")}
    tree.add("runs/x/vllm_sonnet45_rerun_015069b0", files)
    files = {"journal.json": journal(), "run_summary.json": summary(model="gpt-5")}
    tree.add("runs/y/vllm_sonnet45_rerun_015069b0", files)
    assert [run.model for run in tree.runs()] == ["claude-sonnet-45", "sonnet45"]
    assert {run.alias for run in tree.runs()} == {"trae_sonnet45"}


def test_summary_that_contradicts_folder_and_journal_loses(tree: Tree) -> None:
    files = {"journal.json": journal("claude_code"), "run_summary.json": summary(agent="trae", model="gpt-5")}
    tree.add(f"runs/vllm/claude_code/sonnet/{STAMP}/a-0", files)
    tree.add("runs/vllm_core_cc-00/a-0", files)
    assert [(run.agent, run.model) for run in tree.runs()] == [
        ("claude_code", "sonnet"),
        ("claude_code", "unknown"),
    ]


def test_journal_that_contradicts_the_folder_loses(tree: Tree) -> None:
    tree.add(HIERARCHICAL, run_metadata={"repo": "sglang", "agent": "codex", "model": "gpt-4o"})
    assert tree.run().id.startswith("vllm/2f192835/trae/gpt-5/")


def test_summary_that_contradicts_the_journal_loses(tree: Tree) -> None:
    files = {"journal.json": journal(status=None, commits={"human": "10189d08"}), "run_summary.json": summary()}
    tree.add(HIERARCHICAL, files)
    run = tree.run()
    assert (run.commit.human, run.commit.parent, run.status) == ("10189d08", PARENT, "error")


def test_agent_that_nobody_has_met(tree: Tree) -> None:
    tree.add(FLAT, agent="aider")
    run = tree.run()
    assert (run.agent, run.alias, run.duration_s) == ("aider", "aider", 12.5)


@pytest.mark.parametrize(
    ("place", "task", "repo"),
    [
        (f"sglan/trae/gpt-5/{STAMP}/a-0", "sglang_core", "sglang"),
        (f"sglan/trae/gpt-5/{STAMP}/a-0", "", "sglang"),
        (f"SGLang/trae/gpt-5/{STAMP}/a-0", "", "sglang"),
        (f"vllm/trae/gpt-5/{STAMP}/a-0", "sglang_core", "vllm"),
        (f"vllm_fork/trae/gpt-5/{STAMP}/a-0", "vllm_core", "vllm_fork"),
        ("r/prefix_caching_opt-0000", "", "vllm"),
        ("r/a-0", "vllm_fork_core", "vllm_fork"),
        ("r/sglang_073_e822e590", "", "sglang"),
        ("sglang_core-389be848/a-0", "", "sglang"),
        ("r/minivllm_core-0", "minivllm_core", "minivllm"),
        (f"flashinfer/trae/gpt-5/{STAMP}/a-0", "fi_core", "flashinfer"),
        (f"flashinf/trae/gpt-5/{STAMP}/a-0", "flashinfer_core", "flashinfer"),
        (f"sgl/trae/gpt-5/{STAMP}/a-0", "", "sgl"),
        ("r/0", "", "0"),
    ],
)
def test_repository(tree: Tree, place: str, task: str, repo: str) -> None:
    tree.add(f"runs/{place}", task_id=task)
    assert tree.run().commit.repo == repo


BROKEN = {
    "truncated": json.dumps(journal()).encode()[:140],
    "empty": b"",
    "no object": b"[1, 2]",
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
    "no text": b'{"commits": 3, "status": 4, "trae": [], "run_metadata": "x", "task_id": {}}',
    "commits that are none": json.dumps(journal(commits={"human": "HEAD~1", "pre": 7})).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_journal_is_a_run_with_trouble(tree: Tree, name: str) -> None:
    tree.add(HIERARCHICAL, {"journal.json": BROKEN[name], "model_patch.diff": b"x"})
    run = tree.run()
    assert run.trouble
    assert run.has_patch
    assert run.commit.human == (HUMAN if name == "truncated" else "")
    assert run.agent == "trae"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + json.dumps(journal()).encode(),
        json.dumps(journal()).encode("utf-16"),
        json.dumps(journal(), indent=2).replace("\n", "\r\n").encode(),
        json.dumps(journal(metrics={"patch_size_loc": float("nan")})).encode(),
        json.dumps(journal(note="\ud800")).encode(),
        json.dumps(journal(note="@")).encode().replace(b"@", b"\xff\xfe"),
        json.dumps(journal(commits={"human": HUMAN.upper(), "pre": f" {PARENT}\n"})).encode(),
        json.dumps(journal(trajectory=["step"] * 300_000)).encode(),
    ],
    ids=["BOM", "UTF-16", "CRLF", "NaN", "surrogate", "not UTF-8", "upper case", "huge"],
)
def test_odd_journal_is_read_all_the_same(tree: Tree, content: bytes) -> None:
    tree.add(HIERARCHICAL, {"journal.json": content})
    run = tree.run()
    assert (run.commit.human, run.commit.parent, run.status, run.trouble) == (HUMAN, PARENT, "success", "")
    assert (run.returncode, run.duration_s) == (0, 12.5)


def test_monstrous_journal_is_not_read_whole(tree: Tree) -> None:
    folder = tree.add(HIERARCHICAL)
    with (folder / "journal.json").open("r+b") as file:
        file.truncate(journals.LARGEST + 1)
    run = tree.run()
    assert "larger than 64 MB" in run.trouble
    assert run.commit.human == HUMAN


@pytest.mark.parametrize("value", [True, "0", None, [0]])
def test_figures_that_are_none(tree: Tree, value: Any) -> None:
    block = {"returncode": value, "duration_s": value, "time_budget_minutes": -1}
    tree.add(HIERARCHICAL, trae=block)
    run = tree.run()
    assert (run.returncode, run.duration_s, run.time_budget_minutes) == (None, None, None)


def test_short_human_and_missing_parent(tree: Tree) -> None:
    tree.add(HIERARCHICAL, commits={"human": "10189d08"})
    assert (tree.run().commit.human, tree.run().commit.parent) == ("10189d08", "")


def test_summary_fills_what_the_journal_lacks(tree: Tree) -> None:
    tree.add(HIERARCHICAL, {"journal.json": {"task_id": "x"}, "run_summary.json": summary()})
    run = tree.run()
    assert (run.commit.human, run.commit.parent, run.status, run.duration_s) == (HUMAN, PARENT, "error", 3.5)
    assert run.trouble == ""


def test_only_a_summary(tree: Tree) -> None:
    tree.add(HIERARCHICAL, {"run_summary.json": summary()})
    run = tree.run()
    assert (run.commit.human, run.status, run.trouble) == (HUMAN, "error", "no journal.json")


@pytest.mark.parametrize("name", ["model_patch.diff", "prediction.jsonl"])
def test_only_a_patch(tree: Tree, name: str) -> None:
    tree.add(HIERARCHICAL, {name: b""})
    run = tree.run()
    assert run.commit.human == ""
    assert run.trouble == "no journal.json; no commit is named"


def test_commit_in_the_name_of_the_folder(tree: Tree) -> None:
    tree.add("runs/r/sglang_073_e822e590", {"journal.json": b"{"})
    run = tree.run()
    assert run.commit.human == "e822e590"
    assert "no commit is named but in the name of its folder" in run.trouble


def test_journal_that_is_a_pipe_keeps_nobody_waiting(tree: Tree) -> None:
    folder = tree.add("runs/vllm/trae/gpt-5/2026-01-01_00-00-00/vllm_core-0000", {"run_summary.json": summary()})
    os.mkfifo(folder / "journal.json")
    [run] = tree.runs()
    assert run.commit.human == HUMAN


def test_journal_that_is_a_folder(tree: Tree) -> None:
    (tree.add(HIERARCHICAL, {}) / "journal.json").mkdir()
    assert "journal.json cannot be read: Is a directory" in tree.run().trouble


@pytest.mark.parametrize(
    ("files", "has_patch", "patch_file"),
    [
        ({}, False, "model_patch.diff"),
        ({"model_patch.diff": b""}, True, "model_patch.diff"),
        ({"model_patch.diff": b"diff"}, True, "model_patch.diff"),
        (
            {"model_patch.diff": b"diff", "prediction.jsonl": {"model_patch": "other"}},
            True,
            "model_patch.diff",
        ),
        ({"prediction.jsonl": {"model_patch": "text"}}, True, "prediction.jsonl"),
        ({"model_patch.diff": b"", "prediction.jsonl": {"model_patch": "text"}}, True, "prediction.jsonl"),
        ({"prediction.jsonl": {"model_patch": ""}}, False, "model_patch.diff"),
        ({"prediction.jsonl": {"model_patch": None}}, False, "model_patch.diff"),
        ({"prediction.jsonl": b"not json\n"}, False, "model_patch.diff"),
    ],
)
def test_patch(tree: Tree, files: dict[str, Any], has_patch: bool, patch_file: str) -> None:
    tree.add(HIERARCHICAL, {"journal.json": journal(), **files})
    run = tree.run()
    assert (run.has_patch, run.patch_file) == (has_patch, patch_file)
    if patch_file == "prediction.jsonl":
        assert load_patch(run.patch) == b"text"
    elif has_patch:
        assert load_patch(run.patch) == files["model_patch.diff"]


def test_journal_that_links_to_itself(tree: Tree) -> None:
    (tree.add(HIERARCHICAL, {}) / "journal.json").symlink_to("journal.json")
    assert "journal.json cannot be read: Too many levels of symbolic links" in tree.run().trouble


def test_patch_that_is_a_folder(tree: Tree) -> None:
    (tree.add(HIERARCHICAL) / "model_patch.diff").mkdir()
    assert (tree.run().has_patch, tree.run().trouble) == (False, "model_patch.diff is a folder")


def test_files_of_a_whole_batch_above_the_items_are_no_run(tree: Tree) -> None:
    (tree.add(HIERARCHICAL).parent / "prediction.jsonl").write_text("{}")
    (tree.root / "runs/run_summary.json").write_text("{}")
    assert tree.run().item == "vllm_core-0000"
    assert len(discover(tree.config(), Selection(agents=("codex",)))) == 0, "nor where the items are passed by"


def test_nothing_inside_an_item_is_a_run(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    tree.add(f"{HIERARCHICAL}/workspace/copy")
    assert len(tree.runs()) == 1


def test_begun_run_is_noted(tree: Tree) -> None:
    tree.add(HIERARCHICAL, {"prompt.json": b"{}"})
    notes: list[str] = []
    assert discover(tree.config(), notes=notes) == []
    assert notes == [f"{tree.root}/{HIERARCHICAL}: begun, but it holds no journal, no summary and no patch"]


def test_links_are_followed_once_and_never_round(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    outside = tree.add(f"elsewhere/codex/gpt-5/{STAMP}/a-0").parents[3]
    (tree.root / "runs/vllm/trae/latest").symlink_to("gpt-5")
    (tree.root / "runs/vllm/trae/up").symlink_to(tree.root)
    (tree.root / "runs/vllm/itself").symlink_to("itself")
    (tree.root / "runs/dangling").symlink_to("nowhere")
    (tree.root / "runs/sglang").symlink_to(outside)
    (tree.root / "runs/again").symlink_to(outside)
    (outside / "back").symlink_to(tree.root / "runs")
    ids = [run.id for run in tree.runs()]
    assert len(ids) == 2
    assert ids[1].startswith("vllm/2f192835/trae/gpt-5/")


def test_overlapping_roots_count_once(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    assert len(tree.runs("runs", ".", "runs/vllm")) == 1


def test_same_id_under_two_roots_becomes_unique_in_the_roots_order(tree: Tree) -> None:
    for root in "bac":
        tree.add(f"{root}/{HIERARCHICAL}")
    tree.add(f"a/{HIERARCHICAL}~2")
    for _ in range(2):
        runs = tree.runs("b", "a", "c")
        assert [(run.item, run.folder.split("/runs/")[0][-1]) for run in runs] == [
            ("vllm_core-0000", "b"),
            ("vllm_core-0000~2", "a"),
            ("vllm_core-0000~3", "a"),
            ("vllm_core-0000~4", "c"),
        ]


def test_names_that_no_id_can_hold(tree: Tree) -> None:
    tree.add(f"runs/vllm/my agent/gpt::5/{STAMP}/a[0]")
    folder = os.fsencode(tree.root / f"runs/vllm/trae/gpt-5/{STAMP}") + b"/\xff\xfe"
    Path(os.fsdecode(folder)).mkdir(parents=True)
    Path(os.fsdecode(folder), "journal.json").write_text(json.dumps(journal()))
    first, second = tree.runs()
    assert (first.agent, first.model, first.item) == ("my-agent", "gpt-5", "a-0-")
    assert first.alias == "my_agent_gpt5"
    assert second.id.encode().endswith(b"/-")
    assert Path(second.folder, "journal.json").exists()


def test_folder_without_permission_is_a_run_or_a_note() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        tree = Tree(root)
        root.chmod(0o755)
        closed = [tree.add(HIERARCHICAL), tree.add("runs/closed/x/a-0").parent]
        for folder in closed:
            folder.chmod(0)
        program = (
            "import os, sys; from pathlib import Path; from pytest_perfagents.discovery.finding import discover;"
            "from pytest_perfagents.config import Config; r = Path(sys.argv[1]); notes = [];"
            "os.getuid() or os.seteuid(65534);"
            "runs = discover(Config(r, {}, (r,), (), r, r), notes=notes);"
            "print([run.trouble for run in runs], notes)"
        )
        source = str(Path(journals.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)],
            env={"PYTHONPATH": source},
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == (
            "['the folder cannot be read: Permission denied; no commit is named'] "
            f"['{root}/runs/closed/x: the folder cannot be read: Permission denied']"
        ), done.stderr
    finally:
        for folder in (root / HIERARCHICAL, root / "runs/closed/x"):
            folder.chmod(0o755)
        shutil.rmtree(root)


def scripts_in(tree: Tree, folder: str, *names: str) -> Path:
    path = tree.root / folder
    path.mkdir()
    for name in names:
        (path / name).write_text("")
    return path


@pytest.mark.parametrize(
    ("names", "human", "expected"),
    [
        (
            ["2f192835_test_case_generator.py", "2f192835_a.py", "2f192835ab.py"],
            HUMAN,
            "2f192835_test_case_generator.py",
        ),
        (["2f192835_b.py", "2f192835_a.py"], HUMAN, "2f192835_a.py"),
        (["2f192835.py", "2f192835ab.py", "2f19283.py"], HUMAN, "2f192835ab.py"),
        (["2F192835_Bench.py"], HUMAN, "2F192835_Bench.py"),
        (["2f192835bench.py"], HUMAN, "2f192835bench.py"),
        ([f"{HUMAN}.py"], "2f192835", f"{HUMAN}.py"),
        (["2f192835aa.py", "2f192835bb.py"], "2f192835", None),
        (["2f1928.py", "2f192835.txt", "bench_2f192835.py"], HUMAN, None),
        (["2f192835.py"], "", None),
        (["2f192836.py"], HUMAN, None),
    ],
)
def test_script(tree: Tree, names: list[str], human: str, expected: str | None) -> None:
    folder = scripts_in(tree, "scripts", *names)
    found = find_scripts(tree.config(scripts=(folder,))).for_commit(human)
    assert found == (folder / expected if expected else None)


def test_first_script_folder_wins(tree: Tree) -> None:
    first = scripts_in(tree, "first", "2f192835_own.py")
    second = scripts_in(tree, "second", "2f192835_test_case_generator.py", "067c34a1.py")
    index = find_scripts(tree.config(scripts=(first, second)))
    assert index.for_commit(HUMAN) == first / "2f192835_own.py"
    assert index.for_commit(PARENT) == second / "067c34a1.py"


def test_cases_have_their_scripts_and_runs_without_one_stay(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    tree.add(FLAT, commits={"human": "067c34a1"})
    folder = scripts_in(tree, "scripts", "2f192835.py")
    found = cases(tree.config(scripts=(folder,)), Selection())
    assert [case.script for case in found] == [None, folder / "2f192835.py"]


def test_excluded_folders_are_not_entered(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    tree.add(HIERARCHICAL.replace("trae", "codex"))
    tree.add(HIERARCHICAL.replace("runs/vllm", "runs/sglang"))
    tree.add(FLAT)
    selection = Selection(agents=("trae",), repos=("vllm",))
    assert len(discover(tree.config(), selection)) == 2
    assert len(cases(tree.config(), selection)) == 2


def test_message_counts_the_excluded_too(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    with pytest.raises(UsageError, match=r"there is: trae_gpt5 \(1\)"):
        cases(tree.config(), Selection(agents=("codex",)))
    with pytest.raises(UsageError, match="together"):
        tree.add(HIERARCHICAL.replace("runs/vllm", "runs/sglang").replace("trae", "codex"))
        cases(tree.config(), Selection(agents=("codex",), repos=("vllm",)))


def test_names_known_only_outside_the_other_filters_are_known(tree: Tree) -> None:
    tree.add(HIERARCHICAL)
    tree.add(HIERARCHICAL.replace("runs/vllm", "runs/sglang").replace("trae", "codex"))
    found = cases(tree.config(), Selection(agents=("trae", "codex"), repos=("vllm",)))
    assert [case.run.agent for case in found] == ["trae"]


def test_nothing_heavy_is_imported() -> None:
    heavy = ("torch", "numpy", "scipy", "git", "docker", "rich", "subprocess", "unidiff")
    program = f"import sys, pytest_perfagents.discovery.finding; print([m for m in {heavy} if m in sys.modules])"
    source = str(Path(journals.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["task_id", "commits", "status", "run_metadata", "trae", "codex", "meta", "agent"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=60) | st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=5),
    st.binary(max_size=60) | st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=5),
)
def test_whatever_they_hold_a_folder_is_one_run(
    tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any
) -> None:
    tree = Tree(tmp_path_factory.mktemp("tree"))
    tree.add(FLAT, {"journal.json": first, "run_summary.json": second})
    run = tree.run()
    assert run.id.isprintable()
    assert run.id.count("/") == 5
