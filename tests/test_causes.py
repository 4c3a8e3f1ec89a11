"""Failures grouped by cause: text, order, hints, and what mending would recover."""

from pytest_perfagents.diagnosis import Evidence, diagnose
from pytest_perfagents.diagnosis.causes import group_causes, recoverable
from pytest_perfagents.model import (
    AgentRun,
    Blame,
    Case,
    Category,
    Change,
    Commit,
    Comparison,
    Failure,
    Outcome,
    Role,
    Side,
    Stage,
)


def outcome(number, failure, commit="2f192835"):
    run = AgentRun(
        Commit("vllm", commit, "0000abcd"),
        "trae",
        "gpt-5",
        "r",
        f"item-{number:04}",
        "f",
        "trae_gpt5",
        has_patch=True,
    )
    comparison = None
    if failure is None:
        comparison = Comparison(
            Side(Role.BASELINE), Side(Role.PATCHED, run.id), 10, 1.0, 0.9, 1.1, 0.95, 0.5, "cpu",
            Change.UNCLEAR, Category.SUCCESS_INCONCLUSIVE,
        )  # fmt: skip
    return Outcome(Case(run, None), comparison, failure)


def needs(module, role=Role.BASELINE):
    error = {
        "type": "ModuleNotFoundError",
        "message": f"No module named {module!r}",
        "module": module,
        "chain": [],
    }
    return diagnose(Evidence(error=error), role, packages=("vllm",), repo="vllm")


def no_commit(short):
    hint = f"git -C ../vllm fetch origin {short}"
    reason = f"commit {short} is not in the clone at /data/{short}/vllm"
    return Failure(Category.GIT_WORKTREE_FAILED, Stage.PREPARE, reason, blame=Blame.ENVIRONMENT, hint=hint)


def test_many_runs_of_one_cause_are_one_line():
    causes = group_causes([outcome(n, needs("transformers"), f"2f19283{n % 2}") for n in range(24)])
    assert [cause.text for cause in causes] == ["24 runs need transformers"]
    cause = causes[0]
    assert (cause.hint, cause.blame, cause.category) == (
        "pip install transformers",
        Blame.ENVIRONMENT,
        Category.BASELINE_IMPORT_ERROR,
    )
    assert len(cause.runs) == 24
    assert cause.commits == ("vllm-2f192830", "vllm-2f192831")
    assert cause.recoverable == 24


def test_one_run_is_told_in_the_singular():
    assert group_causes([outcome(1, needs("decord"))])[0].text == "1 run needs decord"


def test_most_runs_first_and_the_same_order_whatever_order_they_came_in():
    failures = [needs("a"), needs("b"), needs("b"), needs("c"), None]
    outcomes = [outcome(n, failure) for n, failure in enumerate(failures)]
    texts = [cause.text for cause in group_causes(outcomes)]
    assert texts == ["2 runs need b", "1 run needs a", "1 run needs c"]
    assert [cause.text for cause in group_causes(reversed(outcomes))] == texts


def test_particulars_do_not_split_a_cause_and_their_hints_are_counted():
    causes = group_causes(
        [outcome(n, no_commit(short)) for n, short in enumerate(["067c34a1", "005ae9be", "25373b6c"])]
    )
    assert [cause.text for cause in causes] == ["3 runs have no worktree"]
    assert causes[0].hint == "git -C ../vllm fetch origin 067c34a1 (and 2 more like it)"


def test_numbers_and_paths_do_not_split_a_cause():
    failures = [
        Failure(Category.PATCH_APPLY_FAILED, Stage.PREPARE, f"hunk {n} of /w{n}/a.py does not apply") for n in (1, 22)
    ]
    causes = group_causes([outcome(n, failure) for n, failure in enumerate(failures)])
    assert [cause.text for cause in causes] == ["2 runs carried a patch that does not apply"]


def test_the_same_module_on_another_side_is_another_cause():
    causes = group_causes([outcome(1, needs("ray")), outcome(2, needs("ray", Role.PATCHED))])
    assert {cause.blame for cause in causes} == {Blame.ENVIRONMENT, Blame.AGENT}
    assert recoverable(causes) == 1


def test_measured_runs_have_no_cause():
    assert group_causes([outcome(1, None)]) == []
    assert recoverable([]) == 0
