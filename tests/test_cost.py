"""Tokens and dollars in reports, and the prices of the configuration."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from evaluations import CODEX, GPT5, SONNET, Tree, commit_named
from test_report import perfagents, tables

from pytest_perfagents.config import load_config
from pytest_perfagents.model import Tokens, UsageError
from pytest_perfagents.prices import Price
from pytest_perfagents.subcommands.pricing import price_finder

MAIN = '[perfagents]\nruns = ["runs"]\nscripts = ["scripts"]\n[repos.vllm]\npath = "../vllm"\n'
SONNETS = '[perfagents.prices."us-anthropic-claude-sonnet-4-5-20250929-v1-0"]\ninput = 3\noutput = 15\n'
GPTS = "[perfagents.prices.gpt5]\ninput = 1.25\noutput = 10\ncached_input = 0.125\n"
MILLION = 1_000_000


def configured(folder, *prices):
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "perfagents.toml").write_text(MAIN + "".join(prices))
    return folder / "perfagents.toml"


def problems(folder, text):
    with pytest.raises(UsageError) as raised:
        load_config(configured(folder, text))
    return str(raised.value)


# Prices


def test_a_price_is_dollars_for_a_million_tokens():
    price = Price(input=3, output=15, cached_input=0.3, cache_write=3.75)
    assert price.dollars(Tokens(4 * MILLION, MILLION, MILLION, MILLION, MILLION)) == pytest.approx(22.05)
    assert Price(3, 15).dollars(Tokens(MILLION, MILLION // 2, MILLION // 2)) == pytest.approx(9.0)


@pytest.mark.parametrize(
    "tokens",
    [Tokens(100), Tokens(100, None, 100), Tokens(100, 50, 25, cached_input=25), Tokens(100, 50, 25, cache_write=25)],
)
def test_there_are_no_dollars_where_a_kind_of_tokens_has_no_price_or_is_not_told(tokens):
    assert Price(3, 15).dollars(tokens) is None


def test_no_cached_tokens_need_no_price_of_them():
    assert Price(2, 2).dollars(Tokens(MILLION, MILLION, 0, 0, 0)) == pytest.approx(2.0)


def test_prices_are_read_and_validated(tmp_path):
    prices = load_config(configured(tmp_path, SONNETS, GPTS)).prices
    assert prices["gpt5"] == Price(1.25, 10, 0.125)
    assert prices["us-anthropic-claude-sonnet-4-5-20250929-v1-0"] == Price(3, 15)
    assert load_config(configured(tmp_path)).prices == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[perfagents.prices.gpt5]\ninput = 1\n", "[perfagents.prices.gpt5] needs the key 'output'"),
        ("[perfagents.prices.gpt5]\ninput = -1\noutput = 1\n", "input must be at least 0, not -1"),
        ('[perfagents.prices.gpt5]\ninput = "3"\noutput = 1\n', "input must be a number, not a string"),
        ("[perfagents.prices.gpt5]\ninput = 1\noutput = nan\n", "output must be at least 0, not nan"),
        ("[perfagents.prices.gpt5]\ninput = 1\noutput = 1\ncached = 1\n", "did you mean 'cached_input'?"),
        ("[perfagents.prices]\ngpt5 = 3\n", "[perfagents.prices.gpt5] must be a table, not a number"),
        (
            "[perfagents.prices.gpt-4.1]\ninput = 1\noutput = 1\n",
            'quote a name with dots: [perfagents.prices."gpt-4.1"]',
        ),
    ],
)
def test_a_wrong_price_is_named_with_its_table_and_key(text, words, tmp_path):
    assert words in problems(tmp_path, text)


def entry(agent, model, tmp_path):
    from pytest_perfagents.resultsets import read_results

    tree = Tree()
    tree.add("SUCCESS_NEUTRAL", (agent, model), commit_named("a"))
    return read_results([tree.write(tmp_path / f"{agent}{model}")]).entries[0]


def test_a_price_is_found_by_any_spelling_of_the_model_and_that_of_the_agent_goes_first(tmp_path):
    general, own, default = Price(1, 1), Price(2, 2), Price(3, 3)
    find = price_finder({"GPT-5": general, "codex/gpt5": own, "claude_code/default": default})
    assert find(entry("trae", "openai-gpt-5", tmp_path)) is general
    assert find(entry("codex", "gpt-5", tmp_path)) is own
    assert find(entry("claude_code", "default", tmp_path)) is default
    assert find(entry("codex_cli", "default", tmp_path)) is None
    assert find(entry("trae", "gpt-4o", tmp_path)) is None


def test_two_names_of_one_model_are_refused():
    with pytest.raises(UsageError, match=r"'gpt-5' and 'openai\.gpt5' are one model"):
        price_finder({"gpt-5": Price(1, 1), "openai.gpt5": Price(2, 2)})


# Reports


@pytest.fixture
def spent(tmp_path):
    """Four runs of Sonnet, three of them counted; one of GPT-5 with a total alone; two of Codex, one counted."""
    tree = Tree()
    a, b = commit_named("a"), commit_named("b")
    tree.add("SUCCESS_IMPROVEMENT", SONNET, a, point=1.5, tokens=Tokens(2 * MILLION, MILLION, MILLION))
    tree.add("AGENT_NO_PATCH", SONNET, b, tokens=Tokens(3 * MILLION, 2 * MILLION, MILLION, at_least=True))
    tree.add("SUCCESS_NEUTRAL", SONNET, b, tokens=Tokens(2 * MILLION, 2 * MILLION, 0))
    tree.add("SUCCESS_NEUTRAL", SONNET, commit_named("c"))
    tree.add("SUCCESS_NEUTRAL", GPT5, a, tokens=Tokens(500_000, at_least=True))
    tree.add("BASELINE_OOM", CODEX, a, tokens=Tokens(MILLION, 200_000, 400_000, 400_000))
    tree.add("BASELINE_OOM", CODEX, b)
    return tree.write(tmp_path / "results")


def cost_rows(results, *args):
    done = perfagents("report", results, "--format", "markdown", *args)
    assert done.returncode == 0, done.stderr
    section = tables(done.stdout)["Timeline and cost"]
    return done.stdout, {(row["agent"], row["model"]): row for row in section.get("Tokens and cost", [])}


def test_tokens_and_dollars_by_agent_and_model(spent, tmp_path):
    text, rows = cost_rows(spent, "-c", configured(tmp_path, SONNETS, GPTS))
    sonnet = rows["trae", "claude-sonnet-45"]
    assert (sonnet["runs"], sonnet["counted"], sonnet["share"]) == ("4", "3", "75.0 %")
    assert (sonnet["input"], sonnet["output"], sonnet["tokens"]) == ("5,000,000", "2,000,000", "7,000,000")
    assert (sonnet["cached input"], sonnet["tokens per commit"]) == ("-", "3,500,000")
    assert (sonnet["dollars"], sonnet["dollars per commit"], sonnet["dollars per success"]) == (
        "45.00",
        "22.50",
        "22.50",
    )
    codex = rows["codex", "gpt-5"]
    assert (codex["cached input"], codex["dollars"], codex["dollars per success"]) == ("400,000", "4.30", "-")
    total = rows["total", "-"]
    assert (total["runs"], total["counted"], total["priced"], total["dollars"]) == ("7", "5", "4", "49.30")
    assert total["dollars per success"] == "24.65"
    assert "Token counts: 5 of 7 runs." in text
    assert "2 of the counts are lower bounds" in text


def test_what_has_no_dollars_is_named_with_its_reason(spent, tmp_path):
    text, rows = cost_rows(spent, "-c", configured(tmp_path, GPTS.replace("cached_input = 0.125\n", "")))
    assert "No dollars for 3 runs of trae with claude-sonnet-45: no price; set" in text
    assert "No dollars for 1 run of codex with gpt-5: no price of cached_input" in text.replace("\\_", "_")
    assert "No dollars for 1 run of trae with gpt-5: their trajectories do not tell input from output." in text
    assert {row.get("dollars", "-") for row in rows.values()} == {"-"}


def test_without_prices_there_are_tokens_and_no_dollars(spent, tmp_path):
    _, rows = cost_rows(spent, "-c", configured(tmp_path))
    assert rows["total", "-"]["tokens"] == "8,500,000"
    assert "dollars" not in rows["total", "-"]


def test_records_without_counts_have_no_figure(tmp_path):
    tree = Tree()
    tree.add("SUCCESS_NEUTRAL", GPT5, commit_named("a"))
    text, rows = cost_rows(tree.write(tmp_path / "x"), "-c", configured(tmp_path, GPTS))
    assert rows == {} and "Cost: no figure, for the records hold no token counts." in text


def test_terminal_json_and_csv_have_the_same_figures(spent, tmp_path):
    config = configured(tmp_path, SONNETS, GPTS)
    told = perfagents("report", spent, "-c", config).stdout
    assert "49.30" in told and "8,500,000" in told
    report = json.loads(perfagents("report", spent, "-c", config, "--format", "json").stdout)
    (found,) = [each for part in report["sections"] for each in part["tables"] if each["title"] == "Tokens and cost"]
    names = [column["title"] for column in found["columns"]]
    total = dict(zip(names, found["rows"][-1], strict=True))
    assert (total["tokens"], total["cache writes"]) == (8_500_000, None)
    assert total["dollars"] == pytest.approx(49.30)
    runs = list(csv.DictReader(StringIO(perfagents("report", spent, "-c", config, "--format", "csv").stdout)))
    assert sum(float(run["dollars"] or 0) for run in runs) == pytest.approx(49.30)
    assert sorted(run["tokens"] for run in runs)[:2] == ["", ""], "unknown is not 0"
    args = ("--by", "agent,model", "--format", "csv")
    groups = list(csv.DictReader(StringIO(perfagents("report", spent, "-c", config, *args).stdout)))
    assert {(row["agent"], row["model"]): row["dollars per success"] for row in groups} == {
        ("trae", "claude-sonnet-45"): "22.5",
        ("trae", "gpt-5"): "",
        ("codex", "gpt-5"): "",
    }


def test_a_configuration_that_nobody_named_and_that_is_broken_costs_the_prices_alone(spent, tmp_path):
    (tmp_path / "perfagents.toml").write_text("[perfagents\n")
    done = perfagents("report", spent, "--format", "markdown", cwd=tmp_path)
    assert (done.returncode, "no prices" in done.stderr, "8,500,000" in done.stdout) == (0, True, True)
    assert perfagents("report", spent, "-c", tmp_path / "perfagents.toml").returncode == 2
    configured(tmp_path, SONNETS)
    assert "45.00" in perfagents("report", spent, cwd=tmp_path).stdout, "one that is there is read"
