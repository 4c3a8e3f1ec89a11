from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_perfagents.parsers.prediction import load_patch, patch_in


@pytest.mark.parametrize(
    ("lines", "patch"),
    [
        (b'{"model_patch": "a"}\n', b"a"),
        (b'{"model_patch": "a"}\n{"model_patch": "b"}\n{"model_patch": null}\n{"model_patch": ""}', b"b"),
        (b'\xef\xbb\xbf{"model_patch": "a"}', b"a"),
        (b'\n{"model_pa\n{"model_patch": "a"}', b"a"),
        (b'"model_patch"\n[1]\n3\n{"model_patch": 3}', b""),
        (b'{"model_patch": "\\ud800 \xff"}', b"\xed\xa0\x80 \xed\xb3\xbf"),
        (b'{"model_patch": "\xff"}\r\n', b"\xff"),
        (b"", b""),
    ],
)
def test_patch_in(lines: bytes, patch: bytes) -> None:
    assert patch_in(lines) == patch


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_comes_out_as_it_went_in(patch: str) -> None:
    assert patch_in(json.dumps({"model_patch": patch}).encode()) == patch.encode()
    assert patch_in(json.dumps({"model_patch": patch}, ensure_ascii=False).encode()) == patch.encode()


@given(st.binary())
def test_rubbish_is_no_patch(content: bytes) -> None:
    assert isinstance(patch_in(content), bytes)


def test_a_diff_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model_patch.diff").write_bytes(b'{"model_patch": "a"}\r\n')
    assert load_patch(tmp_path / "model_patch.diff") == b'{"model_patch": "a"}\r\n'
