"""A report on the page: Markdown that shows what it is given, screens that fit."""

from __future__ import annotations

import evaluations
import pytest
from evaluations import GPT5, Tree, commit_named
from rich.cells import cell_len
from test_report import perfagents

from pytest_perfagents.analysis.reporting import report
from pytest_perfagents.analysis.tables import Document, Kind, Section, table
from pytest_perfagents.report.cells import clean, duration, shown
from pytest_perfagents.report.markdown import code, escaped, to_markdown
from pytest_perfagents.report.screens import to_screen
from pytest_perfagents.report.terminal import Screen
from pytest_perfagents.resultsets import read_results


@pytest.fixture(scope="module")
def december(tmp_path_factory):
    folder = evaluations.december_2024().write(tmp_path_factory.mktemp("december"))
    return report(read_results([folder]).entries)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 240])
def test_no_line_is_wider_than_the_screen(width, december):
    lines = to_screen(december, Screen(width)).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [40, 80, 240])
def test_nothing_is_lost_on_a_narrow_screen(width, december):
    words = " ".join(to_screen(december, Screen(width), rows=0).split())
    for part in ("13.1 %", "366", "1.639x", "2f192835", "sonnet-45", "pip install decord", "codex_gpt5", "60.9 %"):
        assert part in words
    assert "showing 10 of 366 runs" in words


def test_figures_are_never_broken_and_titles_only_between_words():
    wide = table("t", {"a long title": Kind.COUNT, "text": Kind.TEXT}, [(123456, "word " * 20)])
    lines = to_screen(Document("d", (Section("s", (), (wide,)),)), Screen(40)).splitlines()
    assert any("123456  word" in line for line in lines)
    assert max(map(len, lines)) <= 40


def test_colours_only_where_they_are_welcome(december):
    assert "\x1b[" in to_screen(december, Screen(100, colour=True))
    assert "\x1b" not in to_screen(december, Screen(100))


def test_our_own_words_are_ascii(december):
    assert to_screen(december, Screen(100)).isascii()
    assert to_markdown(december).isascii()


NASTY = "a\x1b[31mred\x07 | `tick` <b>*bold*</b>\nsecond [link](x) \u202eevil \udc80"


def test_others_words_do_nothing_to_a_terminal():
    told = to_screen(Document("d", (Section(NASTY, (NASTY,), ()),)), Screen(200))
    assert all(character.isprintable() for character in told.replace("\n", ""))
    assert "\\x1b[31mred" in told and "\\u202eevil" in told
    rows = table("t", {"code": Kind.CODE, "text": Kind.TEXT}, [(NASTY, NASTY)])
    told = to_screen(Document("d", (Section("s", (), (rows,)),)), Screen(60, encoding="ascii"))
    assert told.isascii() and "\x1b" not in told
    assert "gr??er ? besser" in to_screen(Document("größer → besser"), Screen(60, encoding="ascii"))


def test_others_words_do_nothing_to_markdown(tmp_path):
    rows = table("t", {"code": Kind.CODE, "text": Kind.TEXT, "n": Kind.COUNT}, [(NASTY, NASTY, 7)])
    line = to_markdown(Document("d", (Section("s", (), (rows,)),))).splitlines()[-1]
    assert len([part for part in line.replace("\\|", "").split("|") if part]) == 3
    assert "\\<b>" in line.replace("\\>", ">") and "\\`tick\\`" in line
    assert escaped("a_b _c_ x*y") == "a_b \\_c\\_ x\\*y"
    assert code("a`b|c") == "`` a`b\\|c ``"
    tree = Tree()
    tree.add("PATCH_INVALID", GPT5, commit_named("x"), reason="the | patch | is `odd`")
    text = perfagents("report", tree.write(tmp_path / "x"), "--format", "markdown").stdout
    assert "| the \\| patch \\| is \\`odd\\` |\n" in text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, Kind.SPEEDUP, "-"),
        (1.6394, Kind.SPEEDUP, "1.639x"),
        (250.04, Kind.SPEEDUP, "250x"),
        (0.00123, Kind.SPEEDUP, "0.00123x"),
        ((1.4, 1.6), Kind.SPEEDUPS, "[1.400, 1.600]"),
        (0.1308, Kind.SHARE, "13.1 %"),
        ((0.1, 0.25), Kind.SHARES, "[10.0, 25.0] %"),
        (8.4444, Kind.MILLISECONDS, "8.44"),
        (0.5, Kind.MILLISECONDS, "0.50"),
        (0.0342, Kind.MILLISECONDS, "0.0342"),
        (0.0000034, Kind.MILLISECONDS, "3.4e-06"),
        (12345.678, Kind.MILLISECONDS, "12345.68"),
        (0.0004, Kind.PROBABILITY, "< 0.001"),
        (0.25, Kind.PROBABILITY, "0.250"),
        (7, Kind.COUNT, "7"),
    ],
)
def test_cells_are_written_as_people_read_them(value, kind, text):
    assert shown(value, kind) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(19, "19.0 s"), (312, "5.2 min"), (28_459, "7 h 54 min"), (3600, "1 h 0 min")]
)
def test_durations_are_told_in_hours_minutes_and_seconds(seconds, text):
    assert duration(seconds) == text


def test_a_long_text_is_cut():
    assert clean("x" * 500).endswith(" ...") and len(clean("x" * 500)) == 200


def test_a_table_refuses_a_row_that_does_not_fit():
    with pytest.raises(ValueError, match="a row of 1 cells"):
        table("t", {"a": Kind.TEXT, "b": Kind.TEXT}, [("x",)])


def test_columns_that_hold_nothing_are_left_out():
    found = table("t", {"a": Kind.TEXT, "b": Kind.COUNT, "c": Kind.TEXT}, [(None, None, "x")]).filled()
    assert [column.title for column in found.columns] == ["a", "c"]
