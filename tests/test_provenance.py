"""Was it the workspace's code that ran?"""

from __future__ import annotations

from pytest_perfagents.judgement.honesty.provenance import look

ROOT = "/cache/w/000001"
ERROR = {"type": "ModuleNotFoundError", "message": "No module named 'decord'\nmore", "module": "decord"}


def test_modules_of_the_workspace_are_fine():
    seen = look({"vllm": f"{ROOT}/vllm/__init__.py", "vllm.core": None}, {}, ROOT, ["vllm"])
    assert seen.problem is None
    assert seen.flags == ()


def test_an_installed_package_is_not_the_workspaces():
    modules = {"vllm": f"{ROOT}/vllm/__init__.py", "vllm.core": "/usr/lib/vllm/core.py"}
    assert look(modules, {}, ROOT, ["vllm"]).problem == (
        "vllm.core was loaded from /usr/lib/vllm/core.py, not from the workspace"
    )


def test_a_folder_that_only_begins_alike_is_not_the_workspace():
    assert look({"vllm": f"{ROOT}9/vllm/__init__.py"}, {}, ROOT, ["vllm"]).problem


def test_a_script_that_loads_nothing_of_the_package_times_something_else():
    assert "never loaded vllm" in look({}, {}, ROOT, ["vllm"]).problem


def test_a_stub_for_a_target_that_does_not_import_is_named_with_its_cause():
    seen = look({"vllm": f"{ROOT}/vllm/__init__.py"}, {"vllm.video": {"error": ERROR}}, ROOT, ["vllm"])
    assert "goes on without vllm.video" in seen.problem
    assert "No module named 'decord'" in seen.problem
    assert "more" not in seen.problem
    assert seen.cause is ERROR


def test_one_target_of_two_that_does_not_import_is_only_flagged():
    targets = {"vllm.video": {"error": ERROR}, "vllm.core": {"error": None}}
    seen = look({"vllm": f"{ROOT}/vllm/__init__.py"}, targets, ROOT, ["vllm"])
    assert seen.problem is None
    assert seen.flags == ("vllm.video does not import and the script goes on",)
