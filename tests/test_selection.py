from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.config import Config, RepoConfig
from pytest_perfagents.discovery.selection import Selection, alias_of, probe, select
from pytest_perfagents.model import AgentRun, Commit, UsageError


def config(**aliases: tuple[str, ...]) -> Config:
    repos = {
        "vllm": RepoConfig("vllm", Path("vllm"), match=("vllm", "vllm_core")),
        "sglang": RepoConfig("sglang", Path("sglang")),
        "minivllm": RepoConfig("minivllm", Path("minivllm")),
    }
    return Config(Path("perfagents.toml"), repos, (Path("state/runs"),), (), Path("r"), Path("c"), aliases=aliases)


def run(
    agent: str, model: str, stamp: str = "2026-01-23_00-00-00", repo: str = "vllm", human: str = "a" * 40
) -> AgentRun:
    return AgentRun(Commit(repo, human, ""), agent, model, stamp, "i-0", "f", alias_of(agent, model), has_patch=True)


SONNET = run("trae", "us-anthropic-claude-sonnet-4-5-20250929-v1-0", "2025-12-24_07-50-32", human="2f19283512345678")
RUNS = [
    SONNET,
    run("trae", "gpt-5", "2026-01-23_10-00-00", human="2f192835ffffffff"),
    run("trae", "openai-gpt-5", "2025-11-05_10-00-00_s1", human="067c34a1"),
    run("codex", "gpt-5", "2026-01-23_10-00-00"),
    run("codex", "gpt-4o"),
    run("codex_cli", "default", repo="sglang"),
    run("claude_code", "default"),
    run("claude_code", "sonnet", repo="sglang"),
    run("openhands", "gpt-5", "vllm_core-c0645fb7"),
]


def picked(*, aliases: dict[str, tuple[str, ...]] | None = None, **parts: tuple[str, ...]) -> list[int]:
    kept = select(RUNS, Selection(**parts), config(**(aliases or {})))
    return [RUNS.index(run) for run in kept]


def refused(*, aliases: dict[str, tuple[str, ...]] | None = None, **parts: tuple[str, ...]) -> str:
    with pytest.raises(UsageError) as caught:
        picked(aliases=aliases, **parts)
    return str(caught.value)


@pytest.mark.parametrize(
    ("agent", "model", "alias"),
    [
        ("trae", "claude-sonnet-45", "trae_sonnet45"),
        ("trae", "us-anthropic-claude-sonnet-4-5-20250929-v1-0", "trae_sonnet45"),
        ("trae", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "trae_sonnet45"),
        ("trae", "anthropic/claude-sonnet-4.5", "trae_sonnet45"),
        ("trae", "openai-gpt-5", "trae_gpt5"),
        ("trae", "gpt-5", "trae_gpt5"),
        ("trae", "gpt-5-2025-08-07", "trae_gpt5"),
        ("codex", "gpt-4o", "codex_gpt4o"),
        ("codex", "o4-mini", "codex_o4mini"),
        ("codex_cli", "default", "codex_cli"),
        ("codex-cli", "", "codex_cli"),
        ("claude_code", "default", "claude_code"),
        ("claude_code", "sonnet", "claude_code_sonnet"),
        ("openhands", "gpt-5", "openhands_gpt5"),
        ("openhands", "anthropic-claude-sonnet-4-5", "openhands_sonnet45"),
        ("a", "claude-3-5-sonnet-20241022", "a_sonnet35"),
        ("a", "claude-opus-4-1@20250805", "a_opus41"),
        ("a", "claude-sonnet-4-5-thinking", "a_sonnet45_thinking"),
        ("a", "gemini-2.5-pro", "a_gemini25pro"),
        ("a", "deepseek-chat-v3", "a_deepseek_chat_v3"),
        ("Foo Bar", "Qwen/Qwen3-Coder-480B", "foo_bar_qwen3_coder_480b"),
        ("a", "openai", "a_openai"),
        ("", "", "unknown"),
    ],
)
def test_alias(agent: str, model: str, alias: str) -> None:
    assert alias_of(agent, model) == alias


@given(st.text(max_size=40), st.text(max_size=60))
def test_every_alias_is_one_word_that_selects_its_run(agent: str, model: str) -> None:
    alias = alias_of(agent, model)
    assert re.fullmatch(r"\w+", alias)
    assert select([run(agent, model)], Selection(agents=(alias,)), config())


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (("trae_sonnet45",), [0]),
        (("trae_gpt5",), [1, 2]),
        (("trae_gpt5_0123",), [1]),
        (("trae_gpt5_1105", "codex_gpt4o"), [2, 4]),
        (("trae_0123",), [1]),
        (("trae",), [0, 1, 2]),
        (("TRAE",), [0, 1, 2]),
        (("trae*",), [0, 1, 2]),
        (("trae*_0123",), [1]),
        (("codex",), [3, 4]),
        (("codex*",), [3, 4, 5]),
        (("codex_cli",), [5]),
        (("codex-cli",), [5]),
        (("claude_code",), [6, 7]),
        (("claude_code_sonnet",), [7]),
        (("claude_code/default",), [6]),
        (("trae/gpt-5",), [1, 2]),
        (("trae/claude-sonnet-45",), [0]),
        (("trae/*claude*",), [0]),
        (("*/gpt-5",), [1, 2, 3, 8]),
        (("*_gpt5",), [1, 2, 3, 8]),
        (("trae_sonnet45,codex_gpt5", "openhands"), [0, 3, 8]),
        (("*",), list(range(9))),
        ((), list(range(9))),
    ],
)
def test_agents(terms: tuple[str, ...], expected: list[int]) -> None:
    assert picked(agents=terms) == expected


def test_configured_aliases() -> None:
    aliases = {
        "best": ("trae/*sonnet*", "codex_gpt5"),
        "all": ("best", "openhands", "absent"),
        "codex": ("codex", "codex_cli"),
    }
    assert picked(aliases=aliases, agents=("best",)) == [0, 3]
    assert picked(aliases=aliases, agents=("all",)) == [0, 3, 8]
    assert picked(aliases=aliases, agents=("best_0123",)) == [3]
    assert picked(aliases=aliases, agents=("codex",)) == [3, 4, 5], "an alias may name what it widens"


def test_aliases_that_name_each_other_end() -> None:
    assert "no run is of that name" in refused(aliases={"a": ("b",), "b": ("a",)}, agents=("a",))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (("gpt-5",), [1, 2, 3, 8]),
        (("gpt5",), [1, 2, 3, 8]),
        (("gpt-5-2025-08-07",), [1, 2, 3, 8]),
        (("gpt*",), [1, 2, 3, 4, 8]),
        (("sonnet45", "o4*,gpt-4o"), None),
        (("sonnet45", "gpt-4o"), [0, 4]),
        (("claude-sonnet-45",), [0]),
        (("default",), [5, 6]),
    ],
)
def test_models(terms: tuple[str, ...], expected: list[int] | None) -> None:
    if expected is None:
        assert "--perf-model o4*: no run is of that name" in refused(models=terms)
    else:
        assert picked(models=terms) == expected


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("2f192835", [0, 1]),
        ("2F1928351", [0]),
        ("2f19", [0, 1]),
        ("067c34a1" + "0" * 32, [2]),
        ("*ffffffff", [1]),
        ("067c34a1", [2]),
    ],
)
def test_commits(term: str, expected: list[int]) -> None:
    assert picked(commits=(term,)) == expected


@pytest.mark.parametrize("term", ["sglang", "sgl*", "SGLANG"])
def test_repos(term: str) -> None:
    assert picked(repos=(term,)) == [5, 7]


def test_repository_by_its_match_entries() -> None:
    assert picked(repos=("vllm_core",)) == picked(repos=("vllm",)) == [0, 1, 2, 3, 4, 6, 8]


def test_parts_are_joined() -> None:
    assert picked(agents=("trae", "codex"), models=("gpt-5",), commits=("a",), repos=("vllm",)) == [3]


def test_unknown_agent_lists_what_there_is_with_counts_and_the_nearest_spelling() -> None:
    message = refused(agents=("trea_gpt5",))
    assert "--agent trea_gpt5" in message
    assert "did you mean 'trae_gpt5'?" in message
    assert "there is: claude_code (1), claude_code_sonnet (1), codex_cli (1)" in message
    assert "trae_gpt5 (2)" in message


def test_one_unknown_name_among_known_ones_is_an_error() -> None:
    assert "--agent nope" in refused(agents=("trae,nope",))


def test_known_agent_without_a_run_of_that_day_lists_its_days() -> None:
    assert "there is: trae_gpt5_0123 (1), trae_gpt5_1105 (1)" in refused(agents=("trae_gpt5_0230",))


def test_unknown_repository_lists_configured_ones_too() -> None:
    message = refused(repos=("sglan",))
    assert "did you mean 'sglang'?" in message
    assert "minivllm (0), sglang (2), vllm (7)" in message


def test_known_names_that_leave_nothing_together() -> None:
    message = refused(agents=("openhands",), repos=("sglang",))
    assert message == (
        "no run is in --agent openhands and --perf-repo sglang together;"
        " runs in each: --agent openhands (1), --perf-repo sglang (2)"
    )


def test_no_runs_at_all() -> None:
    with pytest.raises(UsageError, match="there is: none: no agent run lies under state/runs"):
        select([], Selection(agents=("trae",)), config())
    assert select([], Selection(), config()) == []


def test_long_lists_are_cut() -> None:
    many = [run("trae", "gpt-5", human=f"{number:08x}") for number in range(100)]
    with pytest.raises(UsageError, match="60 more"):
        select(many, Selection(commits=("fff",)), config())


@pytest.mark.parametrize("typed", [("",), (",",), (" , ", "")])
def test_an_empty_name_is_not_everything(typed: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="names nothing"):
        Selection(agents=typed)


def test_probe_looks_at_neither_commit_nor_unknown_repository() -> None:
    may_hold = probe(Selection(agents=("trae",), commits=("ffff",), repos=("sglang",)), config())
    folder = run("trae", "gpt-5", human="")
    assert not may_hold(folder)
    assert may_hold(run("trae", "gpt-5", repo="sglang", human=""))
    assert may_hold(run("trae", "gpt-5", repo="", human=""))
    assert not may_hold(run("codex", "gpt-5", repo="", human=""))


TERMS = st.sampled_from(["trae", "trae_gpt5", "codex*", "gpt-5", "vllm", "sglang", "2f19", "a", "*", "default", "best"])


@given(*(st.lists(TERMS, max_size=2).map(tuple) for _ in range(4)))
def test_selected_runs_pass_the_probe_and_keep_their_order(
    agents: tuple[str, ...], models: tuple[str, ...], commits: tuple[str, ...], repos: tuple[str, ...]
) -> None:
    selection, configured = Selection(agents, models, commits, repos), config(best=("trae",))
    try:
        kept = select(RUNS, selection, configured)
    except UsageError:
        return
    assert kept == [run for run in RUNS if run in kept]
    assert all(map(probe(selection, configured), kept))
