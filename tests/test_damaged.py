"""Texts that are no whole JSON: what is saved of them, and where the search ends."""

from __future__ import annotations

import json

import pytest

from pytest_perfagents.recorded.damaged import SEARCHED, save
from pytest_perfagents.recorded.files import read_json

WHOLE = json.dumps({"metadata": {"repo": "vllm"}, "result": {"status": "error", "stdout": "a" * 1000}})


def test_of_a_long_broken_text_the_beginning_is_searched_and_that_is_said():
    saved = save(WHOLE[:-20], searched=200)
    assert (saved.fields["metadata"], saved.fields["result"]["status"]) == ({"repo": "vllm"}, "error")
    assert (saved.fields["result"]["stdout"], saved.breaks_off) == (
        "a" * saved.fields["result"]["stdout"].count("a"),
        False,
    )
    assert saved.unread == "; only its first 200 characters were searched"
    assert save(WHOLE[:-20]).unread == ""


def test_the_bound_is_told_of_a_file(tmp_path):
    file = tmp_path / "test_results.json"
    file.write_text(WHOLE[:-10] + "b" * SEARCHED)
    content = read_json(file)
    assert content.fields["result"]["status"] == "error"
    assert content.damage.endswith("; only its first 33,554,432 characters were searched")


@pytest.mark.parametrize("piece", ['"result": {"a": 1, ', '"metadata": {"a":"'])
def test_sections_that_are_broken_over_and_over_are_given_up_and_that_is_said(piece):
    saved = save('{bad "status": "error" ' + piece * 40_000)
    assert saved.fields["status"] == "error"
    assert "sections that are broken it was searched for single values alone" in saved.unread


def test_a_few_broken_sections_hide_no_whole_one():
    saved = save('{bad "result": {"a": }, ' * 50 + '"result": {"status": "error"}')
    assert (saved.fields, saved.breaks_off, saved.unread) == (
        {"result": {"status": "error"}, "status": "error"},
        False,
        "",
    )


def test_of_a_text_that_breaks_off_deep_inside_nothing_is_closed_wrongly():
    text = '{"a":[1,{"b":"c"},' * 200
    closed = save(text)
    assert closed.breaks_off
    assert json.dumps(closed.fields, separators=(",", ":")).startswith(text[:-1])
