from __future__ import annotations

from dataclasses import replace

import pytest
from canned import failed, measured
from cases import case_of

from pytest_perfagents.diagnosis.kinds import hint_of_kind
from pytest_perfagents.diagnosis.types import Place
from pytest_perfagents.model import Category, Role
from pytest_perfagents.records import hint_of, outcome_to_json
from pytest_perfagents.report.calibration import render_calibrations
from pytest_perfagents.report.consoles import Screen
from pytest_perfagents.report.json_report import report_to_json
from pytest_perfagents.report.notes import render_notes
from pytest_perfagents.report.terminal import MOST_ROWS, render
from pytest_perfagents.shell.verdicts import failure_text, reason_line


def records(*outcomes):
    return [outcome_to_json(outcome) for outcome in outcomes]


@pytest.fixture
def mixed():
    return records(
        measured(case_of(number=0), "SUCCESS_IMPROVEMENT"),
        measured(case_of(number=1, agent="codex"), "SUCCESS_REGRESSION", flags=("first calls differ",)),
        failed(case_of(number=2), "TEST_IMPORT_ERROR"),
        failed(case_of(number=3), "TEST_IMPORT_ERROR"),
        failed(case_of(number=4), "AGENT_NO_PATCH", hint=None),
    )


def test_a_wide_screen_has_a_row_for_each_run(mixed):
    text = render(mixed, Screen(160), where="results/x")
    row = next(line for line in text.splitlines() if "trae_gpt5" in line)
    assert row.split()[:7] == ["minivllm-1a2b3c4d", "trae_gpt5", "1.50x", "[1.47,", "1.54]", "improvement", "2.00x"]
    assert "50 %" in row
    assert "first calls differ (minivllm-1a2b3c4d codex_gpt5)" in text
    assert text.splitlines()[-1] == "results: results/x"


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_no_line_is_wider_than_the_screen_and_nothing_is_lost(mixed, width):
    text = render(mixed, Screen(width), not_run=2, resumed=1)
    assert max(len(line) for line in text.splitlines() if "hint:" not in line) <= width
    words = " ".join(text.split())
    for part in (
        "1.50x",
        "[1.47, 1.54]",
        "regression",
        "TEST_IMPORT_ERROR",
        "pip install decord",
        "2 not run",
        "1 kept",
    ):
        assert part in words


def test_failures_are_grouped_by_cause_with_counts_and_hints(mixed):
    lines = render(mixed, Screen(120)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("2 runs"))
    assert "(TEST_IMPORT_ERROR, environment)" in lines[at]
    assert lines[at + 1].strip() == "baseline needs module 'decord'"
    assert lines[at + 2].strip() == "hint: pip install decord"
    runs = "minivllm-1a2b3c4d trae_gpt5 minivllm_core-0002, minivllm-1a2b3c4d trae_gpt5 minivllm_core-0003"
    assert " ".join(line.strip() for line in lines[at + 3 : at + 5]).startswith(f"in {runs}")


def test_a_hint_is_one_line_to_copy_however_narrow_the_screen():
    hint = "run: git -C ../vllm fetch origin 067c34a1 and then something that is longer than the screen is wide"
    assert f"    hint: {hint}\n" in render(records(failed(case_of(), "GIT_WORKTREE_FAILED", hint=hint)), Screen(60))


def test_the_summary_counts(mixed):
    text = render(mixed, Screen(200))
    assert "5 runs: 2 measured (1 improvement, 1 regression (1 flagged)), 2 xfailed, 1 skipped" in text


def test_the_summary_counts_what_is_flagged_among_each_verdict():
    flagged = [measured(case_of(number=n), "SUCCESS_IMPROVEMENT", flags=("odd",) * bool(n)) for n in range(3)]
    on_this_machine = measured(case_of(number=3), "SUCCESS_NEUTRAL", flags=("the GPU is hot",))
    told = [*records(*flagged), outcome_to_json(replace(on_this_machine, protocol={"gpu": ["the GPU is hot"]}))]
    assert "4 measured (3 improvement (2 flagged), 1 neutral)" in render(told, Screen(200))
    summary = report_to_json(told, [])["summary"]
    assert summary["categories"] == {"SUCCESS_IMPROVEMENT": 3, "SUCCESS_NEUTRAL": 1}
    assert summary["flagged"] == {"SUCCESS_IMPROVEMENT": 2}


def test_an_inconclusive_commit_wants_a_budget_or_more_and_looks_that_reach_so_far():
    outcomes = [measured(case_of(number=number), "SUCCESS_INCONCLUSIVE") for number in range(2)]  # they want 90 starts
    told = [
        replace(outcome, protocol={"needed_budget_s": 30 + 7 * n, "looks": (10, 100)})
        for n, outcome in enumerate(outcomes)
    ]
    lines = render(records(*told), Screen(60)).splitlines()
    assert [line for line in lines if line.startswith("inconclusive:")] == [
        "inconclusive: minivllm-1a2b3c4d wants about --perf-budget 37, or more"
    ]
    far = replace(outcomes[0], protocol={"needed_budget_s": 30, "looks": (10, 20, 40, 80)})
    wanted = ", and a look after 90 starts or more (looks of [perfagents.protocol] end at 80)"
    assert f"wants about --perf-budget 30, or more{wanted}\n" in render(records(far), Screen(60))
    assert hint_of(far) == f"about 90 starts or more would decide; raise --perf-budget 30{wanted}"
    assert hint_of(replace(far, protocol={"looks": (10, 100)})).endswith("would decide; raise --perf-budget")


def waited(number, waited_s, *, measured_s=20.0, category="SUCCESS_NEUTRAL"):
    outcome = measured(case_of(number=number), category)
    return replace(outcome, protocol={"waited_s": waited_s, "measured_s": measured_s})


def test_how_long_others_were_waited_for_is_a_line_and_counts_an_arena_once():
    together = records(waited(0, 30.25), waited(1, 30.25), waited(2, 12.0, measured_s=19.0))
    lines = render(together, Screen(120)).splitlines()
    assert lines[-2] == "waited 42 s for other measurements on this machine, which no budget counts"
    assert lines[-1].startswith("3 runs")
    for short in (
        (waited(0, 0.6), waited(1, 0.4, measured_s=19.0)),
        (waited(0, 0.0),),
        (failed(case_of(), "PATCHED_OOM"),),
    ):
        assert "waited" not in render(records(*short), Screen(120))


def test_colours_only_where_they_are_welcome(mixed):
    assert "\x1b[" in render(mixed, Screen(120, colour=True))
    assert "\x1b" not in render(mixed, Screen(120, colour=False))


NASTY = "a\x1b]0;title\x07\x1b[31mred\rover\u202eevil\udc80"


def nasty():
    """Outcomes in which others have had their say wherever they can."""
    case = case_of(number=1)
    commit = replace(case.run.commit, repo=f"repo{NASTY}")
    case = replace(case, run=replace(case.run, commit=commit, alias=f"agent{NASTY}", item=f"item{NASTY}"))
    told = failed(case, "BASELINE_EXCEPTION", reason=f"why{NASTY}", hint=f"do{NASTY}")
    caused = replace(told.failure, category=Category.BASELINE_OOM, evidence={"cause": f"need {NASTY}"})
    flagged = measured(case, "SUCCESS_INCONCLUSIVE", flags=(f"flag{NASTY}",))
    calibration = {"noise_floor": 0.1, "detectable": 0.1, "starts": 3, "recorded_at": "2026", "accusation": NASTY}
    state = {"findings": [{"name": NASTY, "what": NASTY, "why": NASTY, "remedy": NASTY}]}
    counts = {"note": f"note{NASTY}"}
    full = replace(
        flagged,
        environment={"state": state},
        protocol={"needed_budget_s": 30, "looks": (10,), "calibration": calibration},
        counts=counts,
    )
    return [told, replace(told, case=case_of(number=2), failure=caused), full]


@pytest.mark.parametrize("width", [40, 400])
def test_nothing_that_a_terminal_would_obey_is_let_through(width):
    text = render(records(*nasty()), Screen(width), where=f"results{NASTY}")
    assert [line for line in text.splitlines() if not line.isprintable()] == []
    assert "\\x1b[31mred" in text.replace("\n", "") and "\\u202eevil" in text.replace("\n", "")


def test_neither_is_by_what_pytest_prints_of_an_item():
    for record in records(*nasty()):
        record = {**record, "evidence": {"stderr": f"first\n\tat {NASTY}\n", "chain": [NASTY]}, "reason": NASTY}
        assert reason_line(record).isprintable()
        lines = failure_text(record).split("\n")
        assert all(line.isprintable() for line in lines)
        assert any(line.startswith("    at a\\x1b]0;title\\x07") for line in lines), "lines and indents stay"


def test_neither_is_by_a_calibration_or_a_note():
    calibration = {"name": NASTY, "speedup": None, "category": "X", "reason": NASTY, "accusation": NASTY}
    assert render_calibrations([calibration]).replace("\n", "").isprintable()
    assert render_notes([f"x\n{NASTY}"], 1).splitlines()[0].isprintable()


def test_a_terminal_without_unicode_gets_what_it_can_show():
    text = render(records(failed(case_of(), "TEST_IMPORT_ERROR", hint="größer → besser")), Screen(80, encoding="ascii"))
    assert "gr??er ? besser" in text
    text.encode("ascii")


def test_runs_of_one_agent_on_one_commit_are_told_apart():
    first, second = case_of(number=0, run="2026-01-01_00-00-00"), case_of(number=0, run="2026-02-02_00-00-00")
    text = render(records(measured(first, "SUCCESS_NEUTRAL"), measured(second, "SUCCESS_NEUTRAL")), Screen(200))
    assert "trae_gpt5 2026-01-01_00-00-00" in text and "trae_gpt5 2026-02-02_00-00-00" in text


def test_the_humans_share_needs_a_human_who_improved():
    outcome = measured(case_of(), "SUCCESS_IMPROVEMENT")
    assert "50 %" in render(records(outcome), Screen(200))
    neutral = outcome_to_json(outcome)
    neutral["human_speedup"] |= {"category": "SUCCESS_NEUTRAL"}
    assert " %" not in render([neutral], Screen(200))


def test_a_small_proven_change_is_said_beside_a_neutral_verdict():
    record = outcome_to_json(measured(case_of(), "SUCCESS_NEUTRAL"))
    record["speedup"] |= {"change": "faster"}
    assert "neutral, faster" in render([record], Screen(200))


def test_a_long_suite_is_cut_and_counts_its_false_discoveries():
    many = records(*(measured(case_of(number=number), "SUCCESS_IMPROVEMENT") for number in range(MOST_ROWS + 5)))
    text = render(many, Screen(160))
    assert text.count("improvement  ") == MOST_ROWS
    assert "... and 5 more" in text
    assert "205 of 205 proven changes hold at a false discovery rate of 5 % over these 205 runs" in text


def test_nothing_at_all_is_a_line():
    assert render([], Screen(80)) == "0 runs: 0 measured\n"


RAISED = """Traceback (most recent call last):
  File "/there/scripts/1a2b3c4d_test_case_generator.py", line 4, in <module>
    from shop.dedupe import count
  File "/there/.perfagents/sessions/d599c1575fd0/w/f90b9df6-000003/shop/dedupe.py", line 3, in <module>
    json.loads("")
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
ValueError: kaputt"""


def failure_lines(*outcomes, where="results/x"):
    lines = render(records(*outcomes), Screen(160), where=where).splitlines()
    return [line.strip() for line in lines[: lines.index("")]]


def test_a_failure_says_its_reason_with_the_place_and_where_the_traceback_is():
    hint = hint_of_kind("EXCEPTION", Place(Role.BASELINE, "shop", ("shop",), baseline_worked=None))
    outcome = failed(
        case_of(),
        "BASELINE_EXCEPTION",
        reason="baseline ended in ValueError: kaputt\x1b[31m",
        hint=hint,
        evidence={"traceback": RAISED},
    )
    lines = failure_lines(outcome)
    assert lines[1] == r"baseline ended in ValueError: kaputt\x1b[31m (shop/dedupe.py:3)"
    assert "see the tail of the traceback (perfagents show 1a2b3c4d --agent trae_gpt5): " in lines[2]
    assert "(perfagents show COMMIT --agent NAME)" in failure_lines(outcome, where=None)[2]


@pytest.mark.parametrize(
    ("category", "reason", "said"),
    [
        ("TIMER_TAMPERED", "shop/dedupe.py:5 replaces time.perf_counter", "1 run gave times that cannot be believed"),
        ("WRONG_TARGET", "there is no package shopp in . of shop", "1 run would not measure the workspace's code"),
    ],
)
def test_a_group_is_true_of_all_its_runs_and_the_reason_shows(category, reason, said):
    lines = failure_lines(failed(case_of(), category, reason=reason))
    assert lines[0] == f"{said} ({category}, environment)"
    assert lines[1] == reason


def test_of_many_reasons_that_differ_in_particulars_the_first_stands_there_and_the_others_are_counted():
    lines = failure_lines(
        *(failed(case_of(number=n), "TIMER_TAMPERED", reason=f"a.py:{n % 3} replaces time.time") for n in range(5))
    )
    assert lines[1] == "a.py:0 replaces time.time (and 2 more like it)"


def test_a_reason_that_says_what_the_cause_says_is_not_told_twice():
    for category, evidence in (("AGENT_NO_PATCH", {}), ("TEST_IMPORT_ERROR", {"cause": "need decord"})):
        lines = failure_lines(failed(case_of(), category, reason="told twice", evidence=evidence))
        assert lines[1] == "hint: pip install decord"
