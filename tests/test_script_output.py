"""Reports among logs: JSON anywhere, times in words, and a bound on the effort of reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.parsers.script_output import parse_output, report_from_json

LINE = '{"impl_tag":"child","iters":50,"avg_ms":0.0349,"p50_ms":0.0325,"opt_path_hit":true}'

junk = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029"), max_size=200)


@given(before=junk, after=st.text(alphabet='abc {}[]",:123\n', max_size=100), ms=st.floats(1e-6, 1e9))
def test_a_report_on_a_line_of_its_own_is_found_in_any_junk(before, after, ms):
    text = f"{before}\n" + json.dumps({"avg_ms": ms, "iters": 3}) + f"\n{after}"
    report = parse_output(text)
    # An unfinished object before it may swallow the line as a part of itself; then there is no report to see.
    assert report is None or report.seconds == pytest.approx(ms / 1000) or "{" in before


@given(
    before=st.text(alphabet="abc [],:.'%-\n", max_size=300),
    indent=st.sampled_from([None, 2]),
    ms=st.floats(1e-6, 1e9),
)
def test_a_report_after_logs_is_always_found(before, indent, ms):
    text = before + json.dumps({"target_resolved": True, "avg_ms": ms}, indent=indent) + "\nINFO done\n"
    assert parse_output(text).seconds == pytest.approx(ms / 1000)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text):
    parse_output(text)


def test_the_plain_report():
    report = parse_output(LINE + "\n")
    assert report.seconds == pytest.approx(3.49e-5)
    assert (report.error, report.target_resolved, report.opt_path_hit) == (None, None, True)
    assert report.raw["impl_tag"] == "child"
    assert not report.blames


def test_the_last_report_wins():
    assert parse_output(f'{{"avg_ms": 7.0}}\nlog\n{LINE}\nmore logs {{"a": 1}}\n').seconds == pytest.approx(3.49e-5)


def test_an_object_inside_a_report_is_not_the_report():
    text = json.dumps({"avg_ms": 2.0, "detail": {"error": "a retry", "avg_ms": 9.0}}, indent=2)
    assert parse_output(text).seconds == pytest.approx(0.002)
    assert parse_output(text).error is None


def test_json_after_log_text_on_its_line():
    assert parse_output(f"INFO 12-23 [x.py:1] {LINE} (done)").seconds == pytest.approx(3.49e-5)


def test_log_records_and_python_dicts_are_no_reports():
    assert parse_output("{'avg_ms': 1.0}") is None
    assert parse_output('{"level": "error", "error": "retrying", "msg": "x"}\n') is None
    assert parse_output(f'{LINE}\n{{"level": "error", "error": "retrying"}}\n').error is None


def test_an_error_beside_a_zero_is_an_error():
    report = parse_output('{"avg_ms": 0.0, "iters": 0, "opt_path_hit": false, "error": "tensorizer_not_available"}')
    assert (report.seconds, report.error, report.opt_path_hit) == (None, "tensorizer_not_available", False)
    assert report.blames


@pytest.mark.parametrize(
    "fields", ['"avg_ms": 0.0, "iters": 0', '"avg_ms": NaN', '"avg_ms": Infinity', '"avg_ms": -1.0']
)
def test_what_is_no_time_is_no_measurement(fields):
    report = parse_output(f"{{{fields}}}")
    assert report.seconds is None
    assert not report.blames


def test_iterations_that_never_ran_measure_nothing():
    assert parse_output('{"avg_ms": 3.0, "iters": 0}').seconds is None


def test_the_names_of_the_error_fields():
    report = parse_output(
        '{"error_code": 3, "error_name": "OPT_PATH_NOT_TRIGGERED", "error_message": "why", "target_resolved": true}'
    )
    assert (report.error, report.error_name) == ("why", "OPT_PATH_NOT_TRIGGERED")
    assert report_from_json({"target_resolved": False}).blames
    assert report_from_json({"error": None, "avg_ms": 1.0}).seconds == 0.001
    assert report_from_json({"error": {"type": "E"}, "avg_ms": 1.0}).error == '{"type": "E"}'


def test_numbers_that_are_not_times():
    assert report_from_json({"avg_ms": True}).seconds is None
    assert report_from_json({"avg_ms": 10**400}).seconds is None
    assert report_from_json({"avg_ms": 0.0, "p50_ms": 2.0}).seconds == 0.002


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Execution time: 1.234s", 1.234),
        ("Duration: 0.0123 seconds", 0.0123),
        ("Duration: 12.5 ms", 0.0125),
        ("Execution time: 350 us", 350e-6),
        ("Execution time: 350 µs", 350e-6),
        ("Execution time (ms): 4.5", 0.0045),
        ("Execution time: 2.5", 2.5),
        ("  => Elapsed time: 1e-3 sec", 0.001),
        ("INFO 12-23 10:11:12 [run.py:3] Execution time: 2 minutes", 120.0),
        ("Average time: 1,234.5 ms", 1.2345),
        ("Execution time: 5s\nExecution time: 4s\n", 4.0),
        ("5000 loops, best of 5: 46.1 usec per loop", 46.1e-6),
        ("1 loop, best of 5: 1.5 sec per loop", 1.5),
        ("1.23 ms ± 45.6 µs per loop (mean ± std. dev. of 7 runs, 1000 loops each)", 0.00123),
    ],
)
def test_times_in_words(text, seconds):
    assert parse_output(f"starting\n{text}\n").seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["the duration: of it", "Benchmark duration (s):  4.05", "Execution time: none", "x" * 99]
)
def test_words_that_are_no_time(text):
    assert parse_output(text) is None


def test_a_time_in_words_completes_a_report_without_one():
    report = parse_output('{"target_resolved": true}\nExecution time: 2 s\n')
    assert (report.seconds, report.target_resolved) == (2.0, True)
    assert parse_output('{"error": "bad"}\nDuration: 3 s\n').seconds is None


def test_pytest_benchmarks_json():
    rows = [{"name": "a", "stats": {"mean": 0.5, "min": 0.4}}, {"name": "b", "stats": {"mean": 0.25}}]
    assert parse_output(json.dumps({"machine_info": {}, "benchmarks": rows[:1]}, indent=4)).seconds == 0.5
    assert parse_output(json.dumps({"benchmarks": rows})).seconds == 0.75
    assert parse_output(json.dumps({"benchmarks": [{"name": "c"}]})) is None


def test_pytest_benchmarks_table():
    text = """
------------------------- benchmark: 2 tests -------------------------
Name (time in us)         Min                   Max                Mean            Rounds
----------------------------------------------------------------------
test_fast              1.0000 (1.0)        9.0 (1.0)        2.0000 (1.0)          10
test_slow          1,000.0000 (9.1)    9,000.0 (9.9)    3,000.0000 (9.9)          10
----------------------------------------------------------------------
Legend: x
"""
    assert parse_output(text).seconds == pytest.approx(3002e-6)


def test_a_report_before_and_after_megabytes_of_logs():
    logs = "INFO 12-23 [x.py:1] step {'loss': 0.1} \"quoted\" {json?}\n" * 60_000
    assert parse_output(LINE + "\n" + logs).seconds == pytest.approx(3.49e-5)
    assert parse_output(logs + LINE + "\n").seconds == pytest.approx(3.49e-5)


@pytest.mark.parametrize(
    "hostile",
    [
        '{"a":' * 400_000,
        '{"' * 1_000_000,
        '{"":0}' * 1_000_000,
        '{"a": {' * 300_000 + "\n" + LINE,
        "Duration: " * 200_000,
    ],
)
def test_hostile_output_does_not_hide_a_report_on_a_line_of_its_own(hostile):
    report = parse_output(hostile)
    assert (report is not None) == hostile.endswith(LINE)
    assert report is None or report.seconds == pytest.approx(3.49e-5)


def test_effort_is_bounded_hostile_nesting_is_given_up():
    assert parse_output('{"a":' * 100_000 + LINE) is None
    assert parse_output('{"a":' * 10 + LINE) is not None


@pytest.mark.parametrize("indent", [None, 1])
def test_a_report_with_very_many_samples(indent):
    value = {"samples": [n / 7 for n in range(20_000)], "note": "x" * 70_000, "avg_ms": 3.0}
    assert parse_output("log\n" + json.dumps(value, indent=indent) + "\nlog\n").seconds == pytest.approx(0.003)


def test_numbers_of_thousands_of_digits_do_no_harm():
    assert parse_output('{"avg_ms": ' + "9" * 10_000 + "}\n" + LINE).seconds == pytest.approx(3.49e-5)
