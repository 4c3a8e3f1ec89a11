from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import evaluations
import pytest
from evaluations import CODEX, GPT5, SONNET, Tree, commit_named

from pytest_perfagents.analysis.families import FAMILIES
from pytest_perfagents.analysis.missing import error_message, missing_revision
from pytest_perfagents.model import Category
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.subcommands import reporting


def perfagents(*args, cwd=None):
    command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def tables(markdown):
    """Section to table to rows, each row a dictionary by column, without the marks of code."""
    found, section, title = {}, "", ""
    for line in markdown.splitlines():
        if line.startswith("## "):
            section, title = line[3:], ""
        elif line.startswith("### "):
            title, columns = line[4:], []
        elif line.startswith("| ") and not line.startswith("| -"):
            cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not columns:
                columns = cells
                found.setdefault(section, {})[title] = []
            elif not set(line) <= set("|-: "):
                found[section][title].append(dict(zip(columns, cells, strict=True)))
    return found


@pytest.fixture(scope="module")
def december(tmp_path_factory):
    return evaluations.december_2024().write(tmp_path_factory.mktemp("december"))


@pytest.fixture(scope="module")
def markdown(december):
    done = perfagents("report", december, "--format", "markdown")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def printed(markdown):
    return tables(markdown)


# The report of 833 runs


def test_the_overview_has_the_counts_and_shares(printed, markdown):
    assert "833 runs of 7 agents" in markdown
    rows = printed["Summary"]["Outcomes"]
    assert [(row["runs"], row["share"]) for row in rows] == [
        ("109", "13.1 %"),
        ("366", "43.9 %"),
        ("143", "17.2 %"),
        ("133", "16.0 %"),
        ("33", "4.0 %"),
        ("13", "1.6 %"),
        ("36", "4.3 %"),
        ("833", "100.0 %"),
    ]


def test_every_section_has_its_count(printed):
    counts = [re.search(r"\((\d+) runs\)", title) for title in printed]
    assert [int(found[1]) for found in counts if found] == [109, 366, 143, 76, 55, 2, 33, 13, 31, 2, 3]


def test_the_categories_are_those_of_the_taxonomy(printed):
    rows = {row["category"]: int(row["runs"]) for row in printed["Summary"]["Categories"]}
    assert sum(rows.values()) == 833
    assert rows["AGENT_NO_PATCH"] == 365
    assert {kind: rows[f"BASELINE_{kind}"] for kind in evaluations.BASELINE_KINDS} == evaluations.BASELINE_KINDS
    whose = {row["category"]: row["whose move"] for row in printed["Summary"]["Categories"]}
    assert (whose["PATCH_INVALID"], whose["TEST_IMPORT_ERROR"], whose["SUCCESS_NEUTRAL"]) == (
        "agent",
        "environment",
        "-",
    )


@pytest.mark.parametrize(
    ("title", "text"),
    [("Improvements (12 runs)", evaluations.IMPROVEMENTS), ("Regressions (12 runs)", evaluations.REGRESSIONS)],
)
def test_changed_runs_are_listed_with_their_times(title, text, printed):
    rows = printed["Measured (109 runs)"][title]
    names = ("speedup", "agent", "model", "repo", "commit", "baseline ms", "patched ms")
    expected = [line.split() for line in text.strip().splitlines()]
    assert [[row[name] for name in names] for row in rows] == [[f"{row[0]}x", *row[1:]] for row in expected]


def test_neutral_runs_are_listed_as_far_as_a_page_goes(printed, markdown):
    rows = printed["Measured (109 runs)"]["Neutral (85 runs)"]
    told = {(row["speedup"], row["agent"], row["model"], row["repo"], row["commit"]) for row in rows}
    expected = [line.split() for line in evaluations.NEUTRAL.strip().splitlines()]
    assert told == {(f"{row[0]}x", *row[1:]) for row in expected}
    assert "*(showing 20 of 85 neutral runs)*" in markdown


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("Agent left no patch (366 runs)", evaluations.NO_PATCH),
        ("Baseline gave no result (143 runs)", evaluations.BASELINES),
        ("Patch is no patch of the code (31 runs)", evaluations.INVALID),
        ("No worktree (33 runs)", {CODEX: 33}),
        ("Patch does not apply (2 runs)", {CODEX: 2}),
    ],
)
def test_each_family_is_broken_down_by_agent_and_model(section, expected, printed):
    rows = printed[section]["By agent and model"]
    assert {(row["agent"], row["model"]): int(row["runs"]) for row in rows} == expected
    assert [int(row["runs"]) for row in rows] == sorted(expected.values(), reverse=True)


def test_the_shares_within_a_family_are_those_of_the_report(printed):
    rows = printed["Agent left no patch (366 runs)"]["By agent and model"]
    assert [row["of these"] for row in rows] == ["60.9 %", "30.6 %", "3.0 %", "2.5 %", "1.6 %", "1.1 %", "0.3 %"]


def test_missing_modules_are_counted_with_what_mends_them(printed):
    rows = printed["Module not installed (76 runs)"]["Missing modules"]
    assert {row["module"]: int(row["runs"]) for row in rows} == evaluations.MODULES
    hints = {row["module"]: row["what mends it"] for row in rows}
    assert hints["decord"] == "pip install decord"
    assert "pip install" not in hints["vllm._C"] and "build" in hints["vllm._C"]


def test_unresolved_targets_are_counted_by_message(printed):
    rows = printed["Target not resolved (55 runs)"]["Messages"]
    assert {row["message"]: int(row["runs"]) for row in rows} == evaluations.TARGETS


def test_commits_that_the_clone_lacks_and_commits_without_a_script_are_listed(december):
    whole = tables(perfagents("report", december, "--format", "markdown", "--rows", "0").stdout)
    rows = whole["No worktree (33 runs)"]["Commits that the clone lacks"]
    assert len(rows) == 33 and set(evaluations.BASES.split()) <= {row["missing commit"] for row in rows}
    assert {row["agents"] for row in rows} == {"codex_gpt5"}
    scripts = whole["No test script (13 runs)"]["Commits without a script"]
    assert {row["human commit"]: int(row["runs"]) for row in scripts} == evaluations.WITHOUT_SCRIPT


def test_samples_say_which_runs(printed, markdown):
    applied = printed["Patch does not apply (2 runs)"]["Sample runs"]
    assert [(row["item"], row["commit"]) for row in applied] == [
        ("vllm_core-0016", "310aca88"),
        ("vllm_core-0029", "660470e5"),
    ]
    missed = printed["Optimised path not reached (2 runs)"]["Sample runs"]
    assert {row["reason"] for row in missed} == {"baseline reports: Custom allreduce not initialized"}
    assert {row["agent's status"] for row in printed["Agent left no patch (366 runs)"]["Sample runs"]} == {"error"}
    assert "*(showing 10 of 366 runs)*" in markdown


def test_samples_show_rare_causes_beside_frequent_ones(printed):
    rows = printed["Baseline gave no result (143 runs)"]["Sample runs"]
    assert len({row["reason"].split()[3] for row in rows}) == len(evaluations.BASELINE_KINDS)


def test_recommendations_are_ordered_by_what_they_would_recover(december):
    whole = tables(perfagents("report", december, "--format", "markdown", "--rows", "0").stdout)
    rows = whole["What to do next"]["What it would recover"]
    counts = {row["what to do"]: int(row["runs"]) for row in rows}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert sum(counts.values()) == 833 - 109
    assert counts["install transformers"] == 24
    assert counts["install outlines_core (outlines_core.fsm)"] == 1
    assert not [words for words in counts if words.startswith("install vllm")]  # nobody installs what is measured
    assert counts["fetch 33 commits of vllm"] == 33
    assert counts["write scripts for 7 commits of vllm"] == 13
    assert counts["build vllm.\\_C"] == 14
    assert counts["run the agents again: 365 runs left no patch"] == 365


def test_one_fetch_brings_all_missing_commits_however_git_put_it(tmp_path):
    tree = Tree()
    for base, reason in (
        ("067c34a1", "vllm: commit 067c34a1 is not in the clone"),
        ("005ae9be", "fatal: invalid reference: 005ae9be"),
        ("005ae9be", "fatal: bad object 005ae9be"),
    ):
        tree.add("GIT_WORKTREE_FAILED", CODEX, commit_named(reason), base=base.ljust(40, "0"), reason=reason)
    found = tables(perfagents("report", tree.write(tmp_path / "x"), "--format", "markdown").stdout)
    (row,) = found["What to do next"]["What it would recover"]
    assert (row["what to do"], row["runs"]) == ("fetch 2 commits of vllm", "3")
    lacking = found["No worktree (3 runs)"]["Commits that the clone lacks"]
    assert {row["missing commit"]: row["runs"] for row in lacking} == {"067c34a1": "1", "005ae9be": "2"}


# The same figures from other trees


def test_agents_on_one_plan_have_their_rates_and_outcomes(tmp_path):
    evaluations.served().write(tmp_path / "served")
    done = perfagents("report", tmp_path / "served", "--by", "agent,model,category", "--format", "markdown")
    found = tables(done.stdout)
    rates = found["Success rates"]["By agent"]
    names = ("agent", "model", "runs", "measured", "failed", "timed out", "success rate")
    assert [tuple(row[name] for name in names) for row in sorted(rates, key=lambda row: row["agent"])] == [
        ("codex", "gpt-5", "93", "12", "80", "1", "12.9 %"),
        ("total", "-", "279", "47", "231", "1", "16.8 %"),
        ("trae", "claude-sonnet-45", "93", "13", "80", "0", "14.0 %"),
        ("trae", "gpt-5", "93", "22", "71", "0", "23.7 %"),
    ]
    groups = found["Groups"]["By agent, model, category"]
    codex = {row["category"]: (row["runs"], row["of agent and model"]) for row in groups if row["agent"] == "codex"}
    assert codex == {
        "NO_METRICS": ("66", "71.0 %"),
        "SERVER_CRASHED": ("14", "15.1 %"),
        "SUCCESS_NEUTRAL": ("12", "12.9 %"),
        "BENCHMARK_TIMEOUT": ("1", "1.1 %"),
    }


def test_the_timeline_has_start_end_total_and_average(tmp_path):
    _, rerun = evaluations.original_and_rerun()
    (row,) = tables(perfagents("report", rerun.write(tmp_path / "x"), "--format", "markdown").stdout)[
        "Timeline and cost"
    ]["Timeline"]
    assert (row["start (UTC)"], row["end (UTC)"]) == ("2025-12-23 22:06:06", "2025-12-24 06:00:25")
    assert (row["total"], row["commits"], row["average per commit"]) == ("7 h 54 min", "91", "5.2 min")


def test_the_time_of_agents_is_told_beside_that_of_evaluating(tmp_path):
    tree = Tree(step_s=3)
    for number, agent_s in enumerate((100, 200, None)):
        tree.add("SUCCESS_NEUTRAL", GPT5, commit_named(number), agent_s=agent_s)
    (row,) = tables(perfagents("report", tree.write(tmp_path / "x"), "--format", "markdown").stdout)[
        "Timeline and cost"
    ]["Timeline"]
    assert (row["total"], row["agents' own time"]) == ("9.0 s", "5.0 min")
    assert row["average per agent run"] == "2.5 min"


def timelines(tree, tmp_path):
    text = perfagents("report", tree.write(tmp_path / "tree"), "--format", "markdown").stdout
    return text, tables(text)["Timeline and cost"]["Timeline"]


def test_days_between_runs_are_a_span_and_no_working_time(tmp_path):
    tree = Tree(step_s=86_400)
    for number in range(3):
        tree.add("SUCCESS_NEUTRAL", GPT5, commit_named(number), duration_s=60.0)
    for number in range(3, 5):  # of these nobody knows when, of one also not for how long
        tree.add("SUCCESS_NEUTRAL", GPT5, commit_named(number), duration_s=60.0 * (number - 3))
        tree.records[-1]["started_at"] = ""
    text, (row,) = timelines(tree, tmp_path)
    assert (row["span"], row["total"]) == ("48 h 1 min", "4.0 min")
    assert (row["commits"], row["average per commit"]) == ("4", "1.0 min")
    assert "summed over the 4 of 5 runs that record one" in text
    assert "of the 3 of 5 runs that say when: no working time" in text


def test_runs_that_were_measured_together_take_their_time_once(tmp_path):
    tree = Tree(step_s=0)
    for agent in (GPT5, SONNET, CODEX):
        tree.add("SUCCESS_NEUTRAL", agent, commit_named("a"), duration_s=90.0)
    _, (row,) = timelines(tree, tmp_path)
    assert (row["total"], row["commits"], row["average per commit"]) == ("1.5 min", "1", "1.5 min")
    for record in tree.records:  # recorded evaluations took their time each for itself
        record["protocol"]["recorded"] = {"kind": "evaluation"}
    _, (row,) = timelines(tree, tmp_path / "recorded")
    assert (row["total"], row["commits"], row["average per commit"]) == ("4.5 min", "1", "4.5 min")


def test_agents_are_counted_with_their_models(tmp_path):
    tree = Tree()
    for model in ("default", "unknown"):
        tree.add("SUCCESS_NEUTRAL", ("claude_code", model), commit_named("a"))
        tree.records[-1]["alias"] = "claude_code"
    text = perfagents("report", tree.write(tmp_path / "x"), "--format", "markdown").stdout
    assert "2 runs of 2 agents" in text
    assert [row["tasks"] for row in tables(text)["Scores"]["Attempts"]] == ["1", "1", "2"]


def test_whose_move_it_is_is_split_where_runs_of_a_category_differ(tmp_path):
    tree = Tree()
    for number, blame in enumerate(("environment", "script", "environment", "script")):
        tree.add("BASELINE_RUNTIME_ERROR", GPT5, commit_named(number), reason="baseline broke")
        tree.records[-1]["blame"] = blame
    tree.add("AGENT_NO_PATCH", GPT5, commit_named(4), reason="no patch")
    tree.add("SUCCESS_NEUTRAL", GPT5, commit_named(5))
    folder = tree.write(tmp_path / "x")
    found = tables(perfagents("report", folder, "--format", "markdown").stdout)["Summary"]
    whose = {row["category"]: row["whose move"] for row in found["Categories"]}
    assert whose == {
        "BASELINE_RUNTIME_ERROR": "2 environment, 2 script",
        "AGENT_NO_PATCH": "agent",
        "SUCCESS_NEUTRAL": "-",
    }
    moves = [(row["whose move"], row["runs"], row["share"]) for row in found["Whose move"]]
    assert moves == [
        ("environment", "2", "33.3 %"),
        ("script", "2", "33.3 %"),
        ("agent", "1", "16.7 %"),
        ("nobody", "1", "16.7 %"),
    ]
    groups = csv.DictReader(StringIO(perfagents("report", folder, "--by", "blame", "--format", "csv").stdout))
    assert {row["blame"]: row["runs"] for row in groups} == {each[0]: each[1] for each in moves}


def test_what_to_do_next_comes_right_after_the_summary(printed):
    assert list(printed)[:2] == ["Summary", "What to do next"]


def test_of_no_outcomes_there_is_a_word(tmp_path):
    (tmp_path / "outcomes.jsonl").write_text("")
    for kind in ("terminal", "markdown", "json"):
        done = perfagents("report", tmp_path, "--format", kind, "--by", "agent")
        assert (done.returncode, "There are no outcomes." in done.stdout) == (0, True)


# Universal failures


def universal(tree, tmp_path):
    found = tables(perfagents("report", tree.write(tmp_path / "tree"), "--format", "markdown").stdout)
    return [row["commit"] for row in found.get("Universal failures", {}).get("Commits", [])]


def test_a_commit_on_which_all_agents_meet_one_cause_is_the_scripts_fault(tmp_path):
    tree = Tree()
    same, mixed, alone, agents, some = (commit_named(name)[:8] for name in ("same", "mixed", "alone", "agents", "some"))
    for agent in (GPT5, SONNET):
        tree.add("TARGET_NOT_RESOLVED", agent, same, reason="baseline reports: no such name")
        tree.add("PATCH_INVALID", agent, agents, reason="the patch is empty")
    tree.add("AGENT_NO_PATCH", CODEX, same, reason="the agent left no patch")  # never met the script
    tree.add("TARGET_NOT_RESOLVED", GPT5, mixed, reason="baseline reports: no such name")
    tree.add("BASELINE_TYPE_ERROR", SONNET, mixed, reason="baseline ended in TypeError")
    tree.add("TARGET_NOT_RESOLVED", GPT5, alone, reason="baseline reports: no such name")
    tree.add("TARGET_NOT_RESOLVED", GPT5, some, reason="baseline reports: no such name")
    tree.add("SUCCESS_NEUTRAL", SONNET, some)
    assert universal(tree, tmp_path) == [same]


# Scores


def scores(tree, tmp_path):
    return tables(perfagents("report", tree.write(tmp_path / "tree"), "--format", "markdown").stdout)["Scores"]


def test_scores_beside_the_human_count_the_agents_failures_and_nobody_elses(tmp_path):
    tree = Tree()
    for name, point in (("a", 1.96), ("b", 1.0)):
        tree.add(
            "SUCCESS_IMPROVEMENT" if point > 1 else "SUCCESS_NEUTRAL", GPT5, commit_named(name), point=point, human=2.0
        )
    tree.add("PATCHED_EXCEPTION", GPT5, commit_named("a"), reason="patched broke")  # as if nothing was changed: 1 / 2
    tree.add("BASELINE_OOM", GPT5, commit_named("b"), reason="baseline broke")
    tree.add("AGENT_NO_PATCH", GPT5, commit_named("c"), reason="no patch")  # of this commit no human is known
    found = scores(tree, tmp_path)
    assert found["Speedups"][0]["geometric mean"] == "1.400x"
    (row,) = found["Beside the human"]
    assert (row["\\>= 95 % of human"], row["runs"]) == ("33.3 %", "3")
    assert row["harmonic mean of human"] == f"{100 * 3 / (1 / 0.98 + 2 + 2):.1f} %"


def test_what_failed_never_comes_near_the_human_however_little_the_human_gained(tmp_path):
    tree = Tree()
    tree.add("SUCCESS_NEUTRAL", CODEX, commit_named("a"), point=1.0, human=1.04)
    tree.add("PATCHED_EXCEPTION", GPT5, commit_named("a"), reason="patched broke")
    found = scores(tree, tmp_path)
    near = {row["agent"]: row["\\>= 95 % of human"] for row in found["Beside the human"]}
    assert (near["codex"], near["trae"]) == ("100.0 %", "0.0 %")
    assert {row["agent"]: row["Opt@K"] for row in found["Attempts"]}["trae"] == "0.0 %"


def test_several_attempts_at_a_task_give_pass_at_k_and_opt_at_k(tmp_path):
    tree = Tree()
    for number, category in enumerate(("SUCCESS_IMPROVEMENT", "PATCHED_EXCEPTION", "SUCCESS_NEUTRAL")):
        point = 2.0 if number == 0 else 1.0
        more = {"point": point, "human": 2.0} if category.startswith("SUCCESS") else {}
        tree.add(category, GPT5, commit_named("a"), run=f"2026-01-0{number + 1}_00-00-00", **more)
    rows = {row["K"]: (row["pass@K"], row["Opt@K"]) for row in scores(tree, tmp_path)["Attempts"]}
    assert rows == {"1": ("66.7 %", "33.3 %"), "2": ("100.0 %", "66.7 %"), "3": ("100.0 %", "100.0 %")}


def test_the_table_of_attempts_says_what_it_leaves_out(tmp_path):
    tree = Tree()
    tree.add("SUCCESS_NEUTRAL", GPT5, commit_named("a"))
    for number in range(3):
        tree.add("BASELINE_OOM", GPT5, commit_named(number), reason="baseline broke")
    folder = tree.write(tmp_path / "tree")
    for kind in ("markdown", "terminal", "json"):
        text = " ".join(perfagents("report", folder, "--format", kind).stdout.split())
        assert "Not the success rate: 3 of 4 runs, which the script or the environment stopped, are left out" in text
    (row,) = scores(tree, tmp_path / "again")["Attempts"]
    assert (row["pass@K"], row["runs left out"], row["of runs"]) == ("100.0 %", "3", "4")


# Formats


def test_json_has_every_row_as_plain_numbers(december):
    report = json.loads(perfagents("report", december, "--format", "json").stdout)
    assert (report["schema"], report["read"]["all"]["outcomes"]) == ("perfagents/summary/1", 833)
    sections = {section["title"]: section for section in report["sections"]}
    neutral = next(t for t in sections["Measured (109 runs)"]["tables"] if t["title"].startswith("Neutral"))
    assert len(neutral["rows"]) == 85 and neutral["rows"][0][0] == 1.036
    outcomes = sections["Summary"]["tables"][0]
    assert outcomes["rows"][0][1:] == [109, pytest.approx(109 / 833)]


def test_csv_has_a_row_for_each_run_or_for_each_group(december):
    rows = list(csv.DictReader(StringIO(perfagents("report", december, "--format", "csv").stdout)))
    assert len(rows) == 833
    best = max(rows, key=lambda row: float(row["speedup"] or 0))
    assert (best["speedup"], best["commit"][:8], float(best["baseline_ms"])) == (
        "1.639",
        "2f192835",
        pytest.approx(0.81),
    )
    groups = csv.DictReader(StringIO(perfagents("report", december, "--format", "csv", "--by", "repo").stdout))
    assert {row["repo"]: row["runs"] for row in groups} == {"vllm": "550", "sglang": "283"}


@pytest.mark.parametrize("sign", list("=+-@\uff1d"))
def test_no_text_of_others_is_a_formula_or_a_control_character_in_csv(tmp_path, sign):
    tree, text = Tree(), f"\t{sign}2 \x1b[31m\x07\x00\x9b\u202e\rend"
    tree.add("TEST_IMPORT_ERROR", CODEX, "ab" * 20, item=f"{sign}1+cmd|calc", reason=text)
    done = perfagents("report", tree.write(tmp_path), "--format", "csv")
    assert (done.returncode, [c for c in done.stdout if not c.isprintable() and c != "\n"]) == (0, [])
    [row] = csv.DictReader(StringIO(done.stdout))
    assert row["item"] == f"'{sign}1+cmd|calc"
    assert row["reason"] == rf"'{sign}2 \x1b[31m\x07\x00\x9b\u202e end"


def test_damage_is_said_in_every_format_and_nothing_else_is_lost(december, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    lines = (december / "vllm" / "outcomes.jsonl").read_text().splitlines(keepends=True)
    (folder / "outcomes.jsonl").write_text("".join(["{broken\n", *lines[:3], *lines[:1]]))
    for kind in ("terminal", "markdown", "json", "csv"):
        done = perfagents("report", folder, "--format", kind)
        assert done.returncode == 0
        assert f"{folder / 'outcomes.jsonl'}:1:" in done.stderr
    text = perfagents("report", folder).stdout
    assert "4 outcomes read from 1 file, 1 replaced by another outcome of the same run, 1 damaged" in " ".join(
        text.split()
    )


def test_a_damaged_file_with_an_evil_name_does_nothing_to_a_terminal(tmp_path):
    folder = tmp_path / "a\x1b[31mb"
    folder.mkdir()
    (folder / "outcomes.jsonl").write_text("{broken\n")
    for kind in ("terminal", "markdown", "json", "csv"):
        done = perfagents("report", tmp_path, "--format", kind)
        assert "a\\x1b[31mb" in done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_the_configurations_results_are_the_default(december, project):
    (project.folder / "results").symlink_to(december)
    assert "833 runs" in perfagents("report", cwd=project.folder).stdout
    missing = perfagents("report", "nowhere", cwd=project.folder)
    assert (missing.returncode, "nowhere: no results here" in missing.stderr) == (2, True)


def test_recorded_evaluations_are_named_with_the_command_that_judges_them(tmp_path):
    import recordings

    file = recordings.write(tmp_path / "old evals", recordings.record())
    for command, place in (("report", tmp_path / "old evals"), ("compare", file), ("report", file)):
        done = perfagents(command, place)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert f"{place}: these are recorded evaluations" in done.stderr
        assert f"perfagents import {shlex.quote(str(place))} --results results\n" in done.stderr
    (tmp_path / "nothing").mkdir()
    assert "no results here" in perfagents("report", tmp_path / "nothing").stderr


def test_without_a_configuration_results_are_to_be_named(tmp_path):
    done = perfagents("report", cwd=tmp_path)
    assert (done.returncode, "or name RESULTS: perfagents report RESULTS" in done.stderr) == (2, True)


@pytest.mark.parametrize("option", ["--rows", "--seed"])
def test_a_negative_number_is_refused(option, december):
    for command in ("report", "compare"):
        done = perfagents(command, december, option, "-1")
        assert (done.returncode, option in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("agent,colour", "'colour'"),
        ("time", "agent, model, repo, commit, category"),
        ("agent, model,agent", "agent is named twice"),
    ],
)
def test_a_group_that_is_none_is_named(by, said, december):
    done = perfagents("report", december, "--by", by)
    assert (done.returncode, said in done.stderr) == (2, True)


# Rules


def test_every_category_belongs_to_one_family():
    assert sorted(category for family in FAMILIES for category in family.categories) == sorted(Category)


def entry_of(category, reason, **more):
    from pytest_perfagents.analysis.entries import Entry

    tree = Tree()
    tree.add(category, GPT5, commit_named("x"), reason=reason, **more)
    import msgspec

    return msgspec.convert(tree.records[0], Entry)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("baseline wants 'a' from b, which does not have it; reports: no attribute 'a'", "no attribute 'a'"),
        (
            "baseline ended in ImportError: cannot import name 'a' from 'b' (/w/1/b.py)",
            "cannot import name 'a' from 'b'",
        ),
        ("baseline needs module 'decord', which is not installed", "needs module 'decord', which is not installed"),
    ],
)
def test_a_message_is_the_failed_runs_own_words(reason, message):
    assert error_message(entry_of("TARGET_NOT_RESOLVED", reason)) == message


@pytest.mark.parametrize(
    ("reason", "hint", "revision"),
    [
        ("vllm: commit 067c34a1 is not in the clone at ../vllm", "run: git fetch", "067c34a1"),
        ("fatal: invalid reference: 067c34a1ffff", None, "067c34a1"),
        ("git worktree add failed: bad object", None, "ffffffff"),
        ("vllm: the disk is full where .perfagents lies", "free some space", None),
        ("vllm is not configured", "add [repos.vllm]", None),
    ],
)
def test_only_a_commit_that_is_missing_is_to_be_fetched(reason, hint, revision):
    assert missing_revision(entry_of("GIT_WORKTREE_FAILED", reason, hint=hint)) == revision


def test_a_flagged_speedup_says_so(tmp_path):
    from canned import measured
    from cases import case_of

    records = [outcome_to_json(measured(case_of(), "SUCCESS_IMPROVEMENT", flags=("first calls differ",)))]
    (tmp_path / "outcomes.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    text = perfagents("report", tmp_path, "--format", "markdown").stdout
    assert "1 of them are flagged" in text
    (row,) = tables(text)["Measured (1 run)"]["Improvements (1 run)"]
    assert (row["flags"], row["interval"], row["human"]) == ("1", "[1.470, 1.545]", "2.000x")


# Documentation


def test_every_option_and_example_of_the_documentation_is_real():
    page = (Path(__file__).parent.parent / "docs" / "usage.md").read_text(encoding="utf-8")
    reports = page[page.index("## Reports") : page.index("## Prepare")]
    options = {option for parameter in reporting.report.params for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"(?m)^\| `(--[a-z]+)` \|", reports)) == options - {"--config"}
    examples = [re.split(r" {3,}", line)[0] for line in re.findall(r"(?m)^perfagents (.*)$", reports)]
    assert len(examples) == 8
    for command, *words in map(shlex.split, examples):
        getattr(reporting, command).make_context(command, words)
