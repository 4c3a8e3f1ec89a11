from __future__ import annotations

import pytest
from cases import case_of

from pytest_perfagents.session.naming import commit_of, item_name, named_cases, parameter_id


def test_an_item_is_named_after_agent_model_run_and_item():
    assert item_name(case_of()) == "trae-gpt-5[2026-01-01_00-00-00-minivllm_core-0000]"


def test_names_hold_nothing_that_pytest_reads_as_structure():
    name = item_name(case_of(agent="a::b[1]", model="open/ai model", run="x[y]"))
    assert name == "a_b_1_-open_ai_model[x_y_-minivllm_core-0000]"


def test_names_stay_unique_where_only_unfit_characters_differ():
    names = [name for _, name, _ in named_cases([case_of(model="gpt/5"), case_of(model="gpt:5")])]
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("nodeid", "commit"),
    [
        ("perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[2026-01-01_00-00-00-x]", "1a2b3c4d"),
        ("sub/perfagents.toml::minivllm-1a2b3c4d::trae-gpt-5[a-b]", "1a2b3c4d"),
        (f"tests/test_x.py::test_y[{parameter_id(case_of())}]", "1a2b3c4d"),
        (f"tests/test_x.py::test_y[1-{parameter_id(case_of())}-z]", "1a2b3c4d"),
        ("tests/test_x.py::TestA::test_y", None),
        ("tests/test_x.py::test_y[a/b/c]", None),
        ("other.toml::minivllm-1a2b3c4d::x[y]", None),
    ],
)
def test_the_commit_is_read_off_a_node_id(nodeid, commit):
    assert commit_of(nodeid, "perfagents.toml") == commit


def test_a_parameter_id_is_the_cases_id():
    assert parameter_id(case_of()) == case_of().id
