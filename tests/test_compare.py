from __future__ import annotations

import csv
import json
from io import StringIO

import evaluations
import pytest
from evaluations import CODEX, GPT5, SONNET, Tree, commit_named
from test_report import perfagents, tables


@pytest.fixture(scope="module")
def rerun(tmp_path_factory):
    """Two result sets, the second of which is a rerun of what failed in the first."""
    folder = tmp_path_factory.mktemp("rerun")
    original, again = evaluations.original_and_rerun()
    return original.write(folder / "original"), again.write(folder / "rerun")


def compared(*args):
    done = perfagents("compare", *args, "--format", "markdown")
    assert done.returncode == 0, done.stderr
    return done.stdout, tables(done.stdout)


# A rerun beside the original


def test_a_rerun_is_counted_against_its_original(rerun):
    text, found = compared(*rerun)
    assert "46 of 91 recovered (50.5 %)" in text
    assert "195 of 261 combined (74.7 %, after 57.1 % in original: +17.6 points)" in text
    rows = {row["tasks"]: (row["count"], row["rate"]) for row in found["rerun as a rerun of original"]["Tasks"]}
    assert rows == {
        "in both": ("91", "-"),
        "newly successful": ("46", "50.5 %"),
        "still failing": ("45", "49.5 %"),
        "newly failing": ("0", "0.0 %"),
        "still successful": ("0", "0.0 %"),
        "successful in the first": ("149", "57.1 %"),
        "successful in either": ("195", "74.7 %"),
    }


def test_the_recovered_and_the_lost_are_named(rerun):
    _, found = compared(*rerun, "--rows", "0")
    section = found["rerun as a rerun of original"]
    assert [row["commit"] for row in section["Newly successful (46 tasks)"]] == evaluations.RECOVERED
    assert [row["commit"] for row in section["Still failing (45 tasks)"]] == evaluations.STILL_FAILING
    assert sum(int(row["tasks"]) for row in section["Why they still fail"]) == 45


def test_both_sets_are_told_with_their_times(rerun):
    _, found = compared(*rerun)
    came_to = {row["name"]: row for row in found["Side by side"]["What they came to"]}
    assert (came_to["original"]["measured"], came_to["original"]["success rate"]) == ("149", "57.1 %")
    assert (came_to["rerun"]["measured"], came_to["rerun"]["success rate"]) == ("46", "50.5 %")
    took = {row["name"]: row for row in found["Side by side"]["How long they took"]}["rerun"]
    assert (took["start (UTC)"], took["end (UTC)"]) == ("2025-12-23 22:06:06", "2025-12-24 06:00:25")
    assert (took["total"], took["average per commit"]) == ("7 h 54 min", "5.2 min")


def test_nothing_is_tested_where_only_failures_were_run_again(rerun):
    text, found = compared(*rerun)
    assert "McNemar" not in text and "original against rerun" not in found


def test_what_broke_since_is_named(tmp_path):
    before, after = Tree(), Tree(run="2026-01-02_00-00-00")
    for name, was, now in (
        ("kept", "SUCCESS_NEUTRAL", "SUCCESS_NEUTRAL"),
        ("broke", "SUCCESS_NEUTRAL", "PATCHED_OOM"),
        ("came", "BASELINE_OOM", "SUCCESS_NEUTRAL"),
    ):
        before.add(was, GPT5, commit_named(name))
        after.add(now, GPT5, commit_named(name))
    before.add("BASELINE_OOM", GPT5, commit_named("came"), run="2025-01-01_00-00-00")  # a second attempt, no success
    for day in (1, 31):  # before and after the attempt that succeeded
        before.add("PATCHED_OOM", GPT5, commit_named("kept"), run=f"2025-12-{day:02}_00-00-00")
    text, found = compared(before.write(tmp_path / "a"), after.write(tmp_path / "b"))
    assert "1 of 1 recovered (100.0 %)" in text and "3 of 3 combined (100.0 %, after 66.7 % in a: +33.3 points)" in text
    (broken,) = found["b as a rerun of a"]["Newly failing (1 task)"]
    assert (broken["commit"], broken["category"]) == (commit_named("broke")[:8], "PATCHED_OOM")
    assert "McNemar" in text


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A rerun in which one task of each kind moved, and in which a task is new; its runs' models are not in aliases."""
    before, after = Tree(), Tree(run="2026-01-02_00-00-00")
    for name, was, now in (
        ("kept", "SUCCESS_NEUTRAL", "SUCCESS_NEUTRAL"),
        ("better", "SUCCESS_NEUTRAL", "SUCCESS_IMPROVEMENT"),
        ("broke", "SUCCESS_NEUTRAL", "PATCHED_OOM"),
        ("broke too", "SUCCESS_NEUTRAL", "PATCHED_OOM"),
        ("came", "BASELINE_OOM", "SUCCESS_NEUTRAL"),
        ("fails", "BASELINE_OOM", "BASELINE_OOM"),
        ("fails otherwise", "BASELINE_OOM", "TEST_IMPORT_ERROR"),
        ("new", None, "BASELINE_OOM"),
    ):
        if was is not None:
            before.add(was, GPT5, commit_named(name), **({} if was.startswith("SUCCESS") else {"reason": "it broke"}))
        more = {"point": 1.5} if now == "SUCCESS_IMPROVEMENT" else {}
        after.add(
            now, GPT5, commit_named(name), **more, **({} if now.startswith("SUCCESS") else {"reason": "it broke"})
        )
    folder = tmp_path_factory.mktemp("moved")
    return before.write(folder / "a"), after.write(folder / "b")


def test_the_headline_has_the_losses_and_the_net(moved):
    text, _ = compared(*moved)
    assert "1 of 3 recovered (33.3 %): failed in a, measured in b." in text
    assert "2 of 4 newly failing (50.0 %): measured in a, failed in b." in text
    assert "Net -1: of 7 tasks in both 4 were measured in a, 3 in b." in text


def test_what_is_combined_and_what_was_before_are_shares_of_the_same_tasks(moved):
    text, found = compared(*moved)
    assert "5 of 7 combined (71.4 %, after 57.1 % in a: +14.3 points)" in text
    assert "1 task in b alone, 0 of them measured: not among the 7." in text
    of = {row["tasks"]: (row["rate"], row["of"]) for row in found["b as a rerun of a"]["Tasks"]}
    assert of == {
        "in both": ("-", "-"),
        "newly successful": ("33.3 %", "3 failed in a, run again"),
        "still failing": ("66.7 %", "3 failed in a, run again"),
        "newly failing": ("28.6 %", "7 in both"),
        "still successful": ("28.6 %", "7 in both"),
        "successful in the first": ("57.1 %", "7 in a"),
        "successful in either": ("71.4 %", "7 in a"),
        "only in the second, successful": ("0.0 %", "1 only in b"),
    }


def test_a_changed_verdict_is_listed(moved):
    _, found = compared(*moved)
    (row,) = found["b as a rerun of a"]["Changed verdict (1 task)"]
    assert (row["commit"], row["was"], row["is"]) == (
        commit_named("better")[:8],
        "SUCCESS_NEUTRAL",
        "SUCCESS_IMPROVEMENT",
    )
    assert (row["speedup was"], row["speedup"]) == ("1.000x", "1.500x")


def test_commits_that_changed_come_first_with_what_changed(moved):
    _, found = compared(*moved)
    rows = found["Commit by commit"]["What each came to"]
    changes = {row["commit"]: row["what changed"] for row in rows}
    assert [what == "-" for what in changes.values()] == [False] * 5 + [True] * 2
    assert {name: changes[commit_named(name)[:8]] for name in ("better", "broke", "came", "fails otherwise")} == {
        "better": "neutral to improvement",
        "broke": "newly failing: PATCHED_OOM",
        "came": "recovered",
        "fails otherwise": "BASELINE_OOM to TEST_IMPORT_ERROR",
    }


def test_tasks_are_of_agents_with_models_also_where_an_alias_has_none(tmp_path):
    before, after = Tree(), Tree(run="2026-01-02_00-00-00")
    for tree, category in ((before, "SUCCESS_NEUTRAL"), (after, "PATCHED_OOM")):
        for model in ("default", "unknown"):
            tree.add(category if model == "unknown" else "SUCCESS_NEUTRAL", ("claude_code", model), commit_named("x"))
            tree.records[-1]["alias"] = "claude_code"
    _, found = compared(before.write(tmp_path / "a"), after.write(tmp_path / "b"))
    came_to = {row["name"]: row for row in found["Side by side"]["What they came to"]}
    assert (came_to["a"]["runs"], came_to["a"]["tasks"]) == ("2", "2")
    section = found["b as a rerun of a"]
    (broken,) = section["Newly failing (1 task)"]
    assert broken["agent"] == "claude_code/unknown"
    (row,) = found["Commit by commit"]["What each came to"]
    assert row["what changed"] == "claude_code/unknown: newly failing: PATCHED_OOM"
    _, found = compared(tmp_path / "a", "--by", "agent")
    assert {row["name"] for row in found["Side by side"]["What they came to"]} == {
        "claude_code/default",
        "claude_code/unknown",
    }


def test_days_between_imported_records_are_no_duration(tmp_path):
    first, second = Tree(step_s=86_400), Tree(step_s=86_400, run="2026-01-02_00-00-00")
    for tree in (first, second):
        for number in range(3):
            tree.add("SUCCESS_NEUTRAL", GPT5, commit_named(number), duration_s=60.0)
    text, found = compared(first.write(tmp_path / "a"), second.write(tmp_path / "b"))
    for row in found["Side by side"]["How long they took"]:
        assert (row["span"], row["total"], row["commits"]) == ("48 h 1 min", "3.0 min", "3")
        assert row["average per commit"] == "1.0 min"
    assert "no working time" in text


def test_report_and_compare_give_one_interval(tmp_path):
    tree = Tree()
    for number in range(12):
        agent = (GPT5, SONNET, CODEX)[number % 3]
        tree.add("SUCCESS_NEUTRAL", agent, commit_named(f"v{number}"), point=0.9 + 0.37 * (number * number % 7))
    folder = tree.write(tmp_path / "x")
    _, found = compared(folder, tree.write(tmp_path / "y"))
    intervals = {row["its interval"] for row in found["Side by side"]["What they came to"]}
    report = tables(perfagents("report", folder, "--format", "markdown").stdout)
    assert intervals == {report["Scores"]["Speedups"][-1]["its interval"]}


def test_sets_of_one_name_are_told_apart_by_their_paths(tmp_path):
    original, again = (tmp_path / name / "results" for name in ("a", "b"))
    for place, tree in zip((original, again), evaluations.original_and_rerun(), strict=True):
        tree.write(place)
    text, _ = compared(original, again)
    assert "46 of 91 recovered" in text


# Agents and repositories


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    """Two agents on ten commits: one is 1.2 times as fast on all of them, and fails on five more."""
    tree = Tree()
    for number in range(15):
        commit = commit_named(f"c{number}")
        tree.add("SUCCESS_NEUTRAL", CODEX, commit, point=1.0 + number / 100)
        if number < 10:
            tree.add("SUCCESS_IMPROVEMENT", GPT5, commit, point=1.2 * (1.0 + number / 100))
        else:
            tree.add("AGENT_NO_PATCH", GPT5, commit)
    return tree.write(tmp_path_factory.mktemp("agents"))


def test_agents_are_paired_on_the_same_commits(agents):
    _, found = compared(agents, "--by", "agent")
    rows = {row["what"]: row for row in found["codex_gpt5 against trae_gpt5"]["Same commits"]}
    counts = {what: int(row["commits"]) for what, row in rows.items()}
    assert counts["commits in common"] == 15
    assert (counts["measured by both"], counts["measured by codex_gpt5 only"]) == (10, 5)
    assert (counts["measured by trae_gpt5 only"], counts["measured by neither"]) == (0, 0)
    assert rows["measured more often, McNemar"]["p"] == f"{2 / 2**5:.3f}"
    speedup = rows["speedup of codex_gpt5 / trae_gpt5, Wilcoxon"]
    assert (speedup["ratio"], speedup["interval"]) == ("0.833x", "[0.833, 0.833]")
    assert speedup["p"] == f"{2 / 2**10:.3f}"


def test_two_sets_of_different_agents_are_paired_as_well(tmp_path):
    ours, theirs = Tree(), Tree()
    for number in range(4):
        ours.add("SUCCESS_NEUTRAL", GPT5, commit_named(number))
        theirs.add("SUCCESS_NEUTRAL", SONNET, commit_named(number))
    _, found = compared(ours.write(tmp_path / "gpt5"), theirs.write(tmp_path / "sonnet"))
    assert "sonnet as a rerun of gpt5" not in found
    assert found["gpt5 against sonnet"]["Same commits"][0]["commits"] == "4"


def test_repositories_stand_beside_each_other(tmp_path):
    folder = evaluations.write_all(list(evaluations.repositories()), tmp_path / "results")
    text, found = compared(folder, "--by", "repo")
    came_to = {row["name"]: row for row in found["Side by side"]["What they came to"]}
    took = {row["name"]: row for row in found["Side by side"]["How long they took"]}
    assert (came_to["sglang"]["success rate"], came_to["vllm"]["success rate"]) == ("90.0 %", "54.5 %")
    assert (took["sglang"]["total"], took["sglang"]["average per commit"]) == ("8 h 8 min", "6.1 min")
    assert (took["vllm"]["total"], took["vllm"]["average per commit"]) == ("16 h 0 min", "9.7 min")
    assert "no commit in common" in text
    (row,) = found["vllm against sglang"]["Different commits"]
    assert (row["difference"], row["p"]) == ("-35.5 %", "< 0.001")


def test_every_commit_says_what_each_side_came_to(tmp_path):
    tree = Tree()
    gpt5 = ("19d98e0c", "58eee5f2", "a3223766", "b690e348", "bc7c4d20", "d7740ea4")
    sonnet = ("9ed82e70", "b690e348", "d7740ea4", "e206b543")
    for commit in gpt5:
        if commit == "a3223766":
            tree.add("SERVER_CRASHED", GPT5, commit)
        else:
            tree.add("SUCCESS_NEUTRAL", GPT5, commit, point=1.02)
    for commit in sonnet:
        tree.add("SUCCESS_NEUTRAL" if commit != "d7740ea4" else "PATCHED_OOM", SONNET, commit)
    for point in (1.0, 4.0):
        tree.add("SUCCESS_IMPROVEMENT", SONNET, "a3223766", point=point, run=f"2026-01-0{int(point)}_00-00-00")
    _, found = compared(tree.write(tmp_path / "x"), "--by", "agent")
    rates = {row["name"]: row["success rate"] for row in found["Side by side"]["What they came to"]}
    assert rates == {"trae_gpt5": "83.3 %", "trae_sonnet45": "83.3 %"}
    assert [list(row.values()) for row in found["Commit by commit"]["What each came to"]] == [
        ["a3223766", "vllm", "SERVER_CRASHED", "2.000x"],
        ["b690e348", "vllm", "1.020x", "1.000x"],
        ["d7740ea4", "vllm", "1.020x", "PATCHED_OOM"],
    ]


def test_three_agents_make_three_pairs(tmp_path):
    folder = evaluations.served().write(tmp_path / "served")
    _, found = compared(folder, "--by", "agent")
    assert len([title for title in found if " against " in title]) == 3


# Formats and mistakes


def test_comparisons_are_written_for_programs(rerun):
    report = json.loads(perfagents("compare", *rerun, "--format", "json").stdout)
    assert set(report["read"]) == {"original", "rerun"}
    lines = [line for section in report["sections"] for line in section["lines"]]
    assert any(line.startswith("46 of 91 recovered") for line in lines)
    rows = list(csv.DictReader(StringIO(perfagents("compare", *rerun, "--format", "csv").stdout)))
    assert [(row["name"], row["measured"]) for row in rows] == [("original", "149"), ("rerun", "46")]


def test_a_set_is_not_compared_with_itself(rerun):
    done = perfagents("compare", rerun[0], rerun[0].parent / "rerun" / ".." / "original")
    assert (done.returncode, "are the same results" in done.stderr) == (2, True)


def test_one_side_cannot_be_compared(rerun):
    for args in ((rerun[0],), (rerun[0], "--by", "agent"), (rerun[0], "--by", "colour")):
        done = perfagents("compare", *args)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert "--by" in done.stderr
