"""The JSON that we write."""

from __future__ import annotations

import json

import msgspec
import pytest

from pytest_perfagents.jsontext import json_text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("plain ü 😀", "plain ü 😀"),
        ("\ud83d broke", r"\ud83d broke"),
        ("\ud83d\ud83d\ude00", "\\ud83d😀"),
        ("\udc80\udcff", r"\udc80\udcff"),
        (r"\ud83d", r"\ud83d"),
        ("\\\ud83d", r"\\ud83d"),
        ('"\n\ud800\t', '"\n\\ud800\t'),
    ],
)
def test_every_reader_takes_it(text, read):
    written = json_text({text: [text]}, indent=1)
    assert msgspec.json.decode(written) == json.loads(written) == {read: [read]}


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"a": float("nan")})
