from __future__ import annotations


def test_a_selection_evaluates_the_configuration(project):
    project.add_run("SUCCESS_IMPROVEMENT")
    project.add_run("TEST_IMPORT_ERROR")
    project.add_run("AGENT_NO_PATCH", human="2b2b2b2b", patch=False)
    project.add_run("SUCCESS_REGRESSION", agent="codex", human="2b2b2b2b")
    result = project.run("--agent", "trae_gpt5", "-rsx", "--perf-json", "out.json")
    print(result.stdout.str())
    assert result.ret == 0
    result.assert_outcomes(passed=1, xfailed=1, skipped=1)
