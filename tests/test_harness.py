"""``Evaluator`` on scripted sides: who is measured, who is not and why, and what the record proves."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_perfagents.backends.base import Reply
from pytest_perfagents.backends.scripted import Dies, Hangs, Raises, ScriptedBackend, ScriptedSide
from pytest_perfagents.config import Config, ProtocolConfig, RepoConfig
from pytest_perfagents.gitrepo.patches import read_patch
from pytest_perfagents.harness import Evaluator, fingerprint
from pytest_perfagents.measurement.arena import error_in
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    AgentRun,
    Blame,
    Case,
    Category,
    Change,
    Commit,
    Ending,
    Execution,
    Failure,
    Role,
    Side,
    Stage,
)
from pytest_perfagents.records import outcome_from_json, outcome_to_json

COMMIT = Commit("minivllm", "1a2b3c4d" + "0" * 32, "f" * 40)
PATCH = b"""\
diff --git a/minivllm/evictor.py b/minivllm/evictor.py
--- a/minivllm/evictor.py
+++ b/minivllm/evictor.py
@@ -1,1 +1,1 @@
-blocks = []
+blocks = {}
"""


class House:
    """A configuration, a script, agent runs, and a scripted backend for their sides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "1a2b3c4d_test_case_generator.py"
        self.script.write_text("def setup(): ...\ndef experiment(data): ...\n", encoding="utf-8")
        self.repo = RepoConfig("minivllm", folder / "clone")
        self.config = Config(
            folder / "perfagents.toml",
            {"minivllm": self.repo},
            (),
            (folder,),
            folder / "results",
            folder / "cache",
            timeout_s=60,
            protocol=ProtocolConfig(pin="off", seed=0),
        )
        self.cases: list[Case] = []
        self.sides: dict[Side, ScriptedSide] = {BASELINE: ScriptedSide(), HUMAN: ScriptedSide(call_s=0.005)}
        self.lines: list[str] = []
        self.rounds = 0

    def agent(self, side: ScriptedSide | None, name: str = "trae", patch: bytes | None = PATCH) -> Case:
        folder = self.folder / name
        folder.mkdir()
        if patch is not None:
            (folder / "model_patch.diff").write_bytes(patch)
        run = AgentRun(
            COMMIT, name, "gpt-5", "2026-01-01_00-00-00", "item-0", str(folder), f"{name}_gpt5", patch is not None,
            status="success" if patch is not None else "error",
        )  # fmt: skip
        case = Case(run, self.script)
        self.cases.append(case)
        if side is not None:
            self.sides[Side(Role.PATCHED, case.id)] = side
        return case

    def evaluate(self, seconds: float = 1e6, **protocol):
        evaluator = self.evaluator(**protocol)
        return evaluator.evaluate(self.cases, self.backend.clock() + seconds)

    def evaluator(self, **protocol) -> Evaluator:
        config = replace(self.config, protocol=replace(self.config.protocol, **protocol))
        self.rounds += 1
        folder = self.folder / f"w{self.rounds}"
        self.backend = ScriptedBackend(_inside(self.sides, folder), folder)
        return Evaluator(config, self.backend, lease=nullcontext, progress=self.lines.append, clock=self.backend.clock)


def _inside(sides, folder):
    """The sides with their package loaded from the workspace that each will get (they are numbered as they come)."""
    return {
        side: side_.__class__(**{name: getattr(side_, name) for name in side_.__slots__} | _modules(side_, folder, n))
        for n, (side, side_) in enumerate(sides.items(), 1)
    }


def _modules(side, folder, number):
    if side.modules or side.failure is not None:
        return {}
    return {"modules": {"minivllm": str(folder / f"{number:06d}" / "minivllm" / "__init__.py")}}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_a_faster_patch_is_an_improvement_beside_the_humans(house):
    case = house.agent(ScriptedSide(call_s=0.008, noise=0.01))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT
    assert outcome.comparison.change is Change.FASTER
    assert outcome.comparison.point == pytest.approx(1.25, rel=0.02)
    assert outcome.human.point == pytest.approx(2, rel=0.02)
    assert outcome.integrity.loaded_from_workspace is True
    assert outcome.integrity.equivalence == "equal"
    assert outcome.integrity.clock_ratio == pytest.approx(1.0)
    assert len(outcome.sides["patched"].cpu_s) == outcome.comparison.starts == 10
    assert outcome.protocol["iterations"] == 2  # 20 ms a turn
    assert (outcome.protocol["threshold"], outcome.protocol["looks"]) == (0.05, (10, 20, 40, 80))
    assert outcome.fingerprint


@pytest.mark.parametrize(
    ("ratio", "category"),
    [(1.0, Category.SUCCESS_NEUTRAL), (0.8, Category.SUCCESS_REGRESSION), (1.02, Category.SUCCESS_NEUTRAL)],
)
def test_the_category_follows_the_ratio(house, ratio, category):
    case = house.agent(ScriptedSide(call_s=0.010 / ratio, noise=0.01, start_noise=0.005))
    assert house.evaluate()[case.id].category is category


def test_noise_that_the_budget_cannot_settle_is_inconclusive_and_says_what_would(house):
    case = house.agent(ScriptedSide(start_noise=0.5))
    outcome = house.evaluate(measure_s=5.0)[case.id]
    assert outcome.category is Category.SUCCESS_INCONCLUSIVE
    assert outcome.protocol["needed_budget_s"] > 5


def test_all_agents_of_a_commit_share_one_baseline_and_one_human_side(house):
    cases = [house.agent(ScriptedSide(call_s=0.01 / r), f"agent{r}") for r in (2, 3, 4)]
    outcomes = house.evaluate()
    assert [round(outcomes[case.id].comparison.point) for case in cases] == [2, 3, 4]
    assert house.backend.entered.count(BASELINE) == house.backend.entered.count(HUMAN) == 1


def test_a_large_group_is_measured_in_several_arenas(house):
    cases = [house.agent(ScriptedSide(), f"agent{n}") for n in range(5)]
    outcomes = house.evaluate(max_sides=4)
    assert set(outcomes) == {case.id for case in cases}
    assert house.backend.entered.count(BASELINE) == 3


def test_no_worker_outlives_the_evaluation(house):
    house.agent(ScriptedSide(mishaps={("turn", 4): Dies(Ending.SIGNALED, 11)}))
    house.agent(ScriptedSide(), "other")
    house.evaluate()
    assert house.backend.live
    assert all(worker.cpu_s() is None for worker in house.backend.live)


def test_a_broken_baseline_is_looked_at_once_and_nobodys_patch_is_to_blame(house):
    house.sides[BASELINE] = ScriptedSide(mishaps={"turn": Raises("TypeError", "takes 1 positional argument")})
    cases = [house.agent(ScriptedSide(), "a"), house.agent(ScriptedSide(), "b")]
    outcomes = house.evaluate()
    assert {outcomes[case.id].category for case in cases} == {Category.BASELINE_TYPE_ERROR}
    assert all(outcomes[case.id].failure.blame is not Blame.AGENT for case in cases)
    assert house.backend.entered == [BASELINE]


def test_a_broken_patch_does_not_disturb_its_neighbour(house):
    bad = house.agent(ScriptedSide(mishaps={"load": Raises("ImportError", "cannot import name 'x'")}), "bad")
    good = house.agent(ScriptedSide(call_s=0.005), "good")
    outcomes = house.evaluate()
    assert outcomes[bad.id].category is Category.PATCHED_IMPORT_ERROR
    assert outcomes[bad.id].failure.blame is Blame.AGENT
    assert outcomes[good.id].category is Category.SUCCESS_IMPROVEMENT


def test_a_patch_that_breaks_only_in_the_fifth_turn_is_still_its_own_failure(house):
    bad = house.agent(ScriptedSide(mishaps={("turn", 5): Raises("ValueError", "late")}), "bad")
    good = house.agent(ScriptedSide(call_s=0.005), "good")
    outcomes = house.evaluate()
    assert outcomes[bad.id].category is Category.PATCHED_EXCEPTION
    assert outcomes[good.id].category is Category.SUCCESS_IMPROVEMENT


def test_a_hanging_patch_times_out_and_a_hanging_baseline_too(house):
    case = house.agent(ScriptedSide(mishaps={"turn": Hangs()}))
    assert house.evaluate()[case.id].category is Category.PATCHED_TIMEOUT
    house.sides[BASELINE] = ScriptedSide(mishaps={"turn": Hangs()})
    assert house.evaluate()[case.id].category is Category.BASELINE_TIMEOUT


def test_the_deadline_ends_measuring_but_keeps_what_was_measured(house):
    case = house.agent(ScriptedSide(start_noise=0.5))
    outcome = house.evaluate(seconds=12.0, measure_s=1000.0)[case.id]
    assert outcome.category is Category.SUCCESS_INCONCLUSIVE
    assert 1 <= outcome.comparison.starts < 80


def test_a_different_result_is_no_speedup(house):
    case = house.agent(ScriptedSide(call_s=0.001, equal=False, message="42 != 41"))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.EQUIVALENCE_FAILED
    assert "42 != 41" in outcome.failure.reason
    assert outcome.integrity.equivalence == "different"


def test_a_check_that_refuses_the_baselines_own_result_accuses_nobody(house):
    house.sides[BASELINE] = ScriptedSide(equal=False, message="unordered")
    case = house.agent(ScriptedSide(equal=False))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_NEUTRAL
    assert outcome.integrity.equivalence == "unchecked"
    assert any("own result" in flag for flag in outcome.integrity.flags)


def test_code_from_elsewhere_is_the_wrong_target(house):
    house.sides[BASELINE] = ScriptedSide(modules={"minivllm": "/usr/lib/python3/minivllm/__init__.py"})
    case = house.agent(ScriptedSide())
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.WRONG_TARGET
    assert "/usr/lib/python3/minivllm" in outcome.failure.reason


def test_a_script_that_goes_on_with_a_stub_is_the_wrong_target(house):
    error = {"type": "ModuleNotFoundError", "message": "No module named 'decord'", "module": "decord", "chain": []}
    house.sides[BASELINE] = ScriptedSide(targets={"minivllm.video": {"file": None, "error": error}})
    case = house.agent(ScriptedSide())
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.WRONG_TARGET
    assert "decord" in outcome.failure.reason
    assert "pip install decord" in outcome.failure.hint


def test_a_slow_clock_inside_is_tampering(house):
    case = house.agent(ScriptedSide(call_s=0.005, outside=2.0))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.TIMER_TAMPERED
    assert outcome.failure.blame is Blame.AGENT


def test_a_gain_that_only_repetition_shows_is_flagged_and_not_accused(house):
    case = house.agent(ScriptedSide(call_s=lambda number: 0.010 if number == 0 else 0.0005))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT
    assert outcome.integrity.first_call_speedup == pytest.approx(1.0)
    assert any("repetition" in flag for flag in outcome.integrity.flags)


def test_a_patch_whose_lines_never_run_measures_nothing(house):
    case = house.agent(None)
    patch = read_patch(PATCH, house.repo)
    [path] = patch.added_lines
    house.sides[Side(Role.PATCHED, case.id)] = ScriptedSide(patch=patch, lines={"executable": {path: [1]}})
    root = house.folder / "w1" / "000003" / path
    root.parent.mkdir(parents=True)
    root.write_text("blocks = {}\n", encoding="utf-8")
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.OPT_PATH_NOT_HIT
    assert (outcome.integrity.patched_lines, outcome.integrity.patched_lines_executed) == (1, 0)


def test_a_patch_that_only_deletes_where_the_script_comes_past_is_measured(house):
    case = house.agent(None)
    hunks = b"@@ -1,3 +1,2 @@\n a = 1\n-log(a)\n b = 2\n@@ -9,2 +8,3 @@\n x = 1\n+y = 2\n z = 3\n"
    patch = read_patch(PATCH[: PATCH.index(b"@@")] + hunks, house.repo)
    [path] = patch.added_lines
    lines = {"executable": {path: [1, 2, 9]}, "call": {path: [1, 2]}}
    house.sides[Side(Role.PATCHED, case.id)] = ScriptedSide(call_s=0.005, patch=patch, lines=lines)
    root = house.folder / "w1" / "000003" / path
    root.parent.mkdir(parents=True)
    root.write_text("a = 1\n", encoding="utf-8")
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT
    assert (outcome.integrity.patched_lines, outcome.integrity.patched_lines_executed) == (1, 0)
    assert outcome.integrity.flags == ()


DEAR = ScriptedSide(startup_s=2.0, shared=("torch",))


@pytest.mark.parametrize(
    "mishap", [Raises("ImportError", "No module named 'triton'"), Dies(Ending.SIGNALED, 11), Hangs()]
)
def test_a_side_that_fails_in_a_fork_is_admitted_without_and_the_record_says_so(house, mishap):
    house.sides[BASELINE] = DEAR
    case = house.agent(replace(DEAR, call_s=0.005, fork_mishaps={"load": mishap}))
    outcome = house.evaluate()[case.id]
    assert outcome.comparison is not None
    [flag] = outcome.integrity.flags
    assert flag.startswith("in a forked process it was rejected: ")


def test_a_start_of_forks_lasts_as_long_as_its_share_of_the_template(house):
    for shared, turns in (((), 16), (("torch",), 8)):
        sides = [replace(DEAR, startup_s=1.2, call_s=0.02, shared=modules) for modules in (shared, (), ())]
        house.sides |= {BASELINE: sides[0], HUMAN: sides[1]}
        case = house.agent(sides[2], f"agent{len(shared)}")
        assert house.evaluate()[case.id].protocol["turns"] == turns


@pytest.mark.parametrize(("settings", "forks"), [({}, True), ({"OMP_WAIT_POLICY": "ACTIVE"}, False)])
def test_what_a_template_has_imported_does_not_hear_of_variables_that_an_import_sets(house, settings, forks):
    house.sides |= {BASELINE: replace(DEAR, shared=("torch",)), HUMAN: replace(DEAR, shared=("torch",))}
    case = house.agent(replace(DEAR, settings=settings))
    outcome = house.evaluate()[case.id]
    assert outcome.comparison is not None
    assert (outcome.protocol["forked_starts"] > 0) is forks


def test_a_side_that_fails_in_every_process_is_named_after_the_plain_one(house):
    house.sides[BASELINE] = DEAR
    case = house.agent(replace(DEAR, mishaps={"load": Raises("ImportError", "No module named 'triton'")}))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.PATCHED_IMPORT_ERROR
    assert outcome.integrity.flags == ()


def test_what_a_fork_has_shown_of_the_baseline_does_not_count_where_it_is_tried_again(house):
    """The judge dies in a fork; in a plain process it says that the result is wrong."""
    house.sides[BASELINE] = replace(DEAR, fork_mishaps={"judge": Dies(Ending.SIGNALED, 11)})
    case = house.agent(replace(DEAR, call_s=0.005, result=8, judged=False))
    assert house.evaluate()[case.id].category is Category.EQUIVALENCE_FAILED


@pytest.mark.parametrize(
    ("side", "setups"),
    [
        (ScriptedSide(call_s=0.001), 4),
        (ScriptedSide(call_s=0.001, setup_s=0.001), 2),
        (ScriptedSide(call_s=0.001, setup_s=0.5), 0),
        (ScriptedSide(call_s=0.05, setup_s=0.03), 1),
        (ScriptedSide(call_s=0.05, setup_s=0.5), 0),
        (ScriptedSide(call_s=0.001, style="benchmark"), 1),
    ],
)
def test_data_are_made_anew_as_often_as_that_is_cheap(house, side, setups):
    house.sides = {BASELINE: side, HUMAN: side}
    case = house.agent(side)
    assert house.evaluate()[case.id].protocol["setups"] == setups


def test_what_was_noticed_of_a_side_that_is_turned_away_is_told(house):
    case = house.agent(None)
    patch = read_patch(PATCH + PATCH.replace(b"minivllm/evictor.py", b"sitecustomize.py"), house.repo)
    fails = {"load": Raises("ImportError", "No module named 'triton'")}
    house.sides[Side(Role.PATCHED, case.id)] = ScriptedSide(patch=patch, mishaps=fails)
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.PATCHED_IMPORT_ERROR
    assert any("sitecustomize" in flag for flag in outcome.integrity.flags)


def test_a_broken_human_side_costs_only_the_humans_figure(house):
    house.sides[HUMAN] = ScriptedSide(mishaps={"load": Raises("ImportError", "No module named 'triton'")})
    case = house.agent(ScriptedSide(call_s=0.005))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT
    assert outcome.human is None
    assert any("human" in flag for flag in outcome.integrity.flags)


def test_without_the_human_among_the_sides_it_is_never_prepared(house):
    case = house.agent(ScriptedSide())
    outcome = house.evaluate(sides=(Role.BASELINE, Role.PATCHED))[case.id]
    assert outcome.human is None
    assert HUMAN not in house.backend.entered


def test_a_workspace_that_cannot_be_made_is_the_outcome(house):
    failure = Failure(Category.GIT_WORKTREE_FAILED, Stage.PREPARE, "no such commit", blame=Blame.ENVIRONMENT)
    house.sides[BASELINE] = ScriptedSide(failure=failure)
    case = house.agent(ScriptedSide())
    assert house.evaluate()[case.id].failure == failure


@pytest.mark.parametrize(
    ("patch", "category"),
    [(None, Category.AGENT_NO_PATCH), (b"", Category.PATCH_INVALID), (b"hello\n", Category.PATCH_INVALID)],
)
def test_what_the_run_itself_says_comes_before_anything_runs(house, patch, category):
    case = house.agent(None, patch=patch)
    assert house.evaluate()[case.id].category is category
    assert house.backend.entered == []


def test_no_script_and_no_repository_are_said_before_anything_runs(house):
    first = house.agent(None)
    house.cases[0] = Case(first.run, None)
    assert house.evaluate()[first.id].category is Category.NO_TEST_SCRIPT
    house.config = replace(house.config, repos={})
    assert house.evaluate()[first.id].category is Category.GIT_WORKTREE_FAILED


def program(seconds: str, code: int = 0, stderr: str = "", text: str = "Execution time: {}s\n") -> Execution:
    taken_s = 0.2 + float(seconds or 0)
    return Execution(("python",), Ending.EXITED, code, text.format(seconds), stderr, taken_s)


def test_a_script_that_cannot_be_driven_runs_as_a_program(house):
    house.sides = {
        BASELINE: ScriptedSide(style="program", program=program("0.30")),
        HUMAN: ScriptedSide(style="program", program=program("0.10")),
    }
    case = house.agent(ScriptedSide(style="program", program=program("0.20")))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT
    assert outcome.comparison.clock == "script"
    assert outcome.comparison.point == pytest.approx(1.5)
    assert outcome.human.point == pytest.approx(3)


def test_run_test_alone_is_called_and_its_value_is_the_sample(house):
    house.sides = {
        side: ScriptedSide(style="run_test", returned=value) for side, value in ((BASELINE, 30.0), (HUMAN, 10.0))
    }
    case = house.agent(ScriptedSide(style="run_test", returned=15.0))
    outcome = house.evaluate()[case.id]
    assert outcome.comparison.point == pytest.approx(2.0)
    assert outcome.sides["baseline"].wall_s[0] == (pytest.approx(0.030),)  # more than the second it took: milliseconds


def test_a_program_that_reports_an_error_is_understood(house):
    said = '{{"target_resolved": false, "error": "No module named \'transformers\'"}}\n'
    house.sides[BASELINE] = ScriptedSide(style="program", program=program("", 1, text=said))
    case = house.agent(ScriptedSide())
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.TEST_IMPORT_ERROR
    assert "transformers" in outcome.failure.reason


def test_a_program_without_output_has_none(house):
    house.sides[BASELINE] = ScriptedSide(style="program", program=program("", text=""))
    case = house.agent(ScriptedSide())
    assert house.evaluate()[case.id].category is Category.BASELINE_NO_OUTPUT


def test_driven_mode_on_a_program_says_so(house):
    house.sides[BASELINE] = ScriptedSide(style="program", program=program("0.3"))
    case = house.agent(ScriptedSide())
    outcome = house.evaluate(mode="driven")[case.id]
    assert "--perf-mode script" in outcome.failure.hint


def test_a_dear_experiment_gets_fewer_turns_and_no_verdict_from_one_start(house):
    house.sides = {BASELINE: ScriptedSide(call_s=40.0), HUMAN: ScriptedSide(call_s=0.01)}
    case = house.agent(ScriptedSide(call_s=0.01))
    outcome = house.evaluate()[case.id]
    assert outcome.category is Category.SUCCESS_INCONCLUSIVE
    assert outcome.comparison.point > 1000
    assert outcome.protocol["turns"] == 1
    assert 260 <= outcome.protocol["needed_budget_s"] <= 280  # of 400 s for three sides


def test_the_fingerprint_follows_patch_script_and_protocol(house):
    case = house.agent(ScriptedSide())
    before = fingerprint(case, house.config)
    assert fingerprint(case, house.config) == before
    assert fingerprint(case, replace(house.config, protocol=ProtocolConfig(threshold=0.1))) != before
    house.script.write_text("def setup(): return 1\n", encoding="utf-8")
    after_script = fingerprint(case, house.config)
    assert after_script != before
    case.run.patch.write_bytes(PATCH + b"\n")
    assert fingerprint(case, house.config) != after_script


def test_an_outcome_says_which_text_of_the_patch_it_is_about(house):
    patched, without = house.agent(ScriptedSide()), house.agent(None, "codex", patch=None)
    outcomes = house.evaluate()
    assert outcomes[patched.id].patch_sha256 == sha256(PATCH).hexdigest()
    assert outcomes[without.id].patch_sha256 == ""
    assert outcome_from_json(outcome_to_json(outcomes[patched.id])).patch_sha256 == sha256(PATCH).hexdigest()


def test_progress_names_the_commit(house):
    house.agent(ScriptedSide(call_s=0.005))
    house.evaluate()
    assert any(line.startswith("minivllm-1a2b3c4d: start 10") for line in house.lines)


def test_a_program_that_says_it_missed_its_path_is_believed(house):
    said = '{{"avg_ms": {}, "opt_path_hit": false}}\n'
    house.sides[BASELINE] = ScriptedSide(style="program", program=program("3.0", text=said))
    case = house.agent(ScriptedSide())
    assert house.evaluate()[case.id].category is Category.OPT_PATH_NOT_HIT


def test_a_dear_neighbour_does_not_leave_others_with_cold_calls(house):
    lazy = house.agent(ScriptedSide(call_s=lambda number: 0.080 if number == 0 else 0.0001), "lazy")
    house.agent(ScriptedSide(call_s=1.5), "slow")
    outcome = house.evaluate(seconds=1e6)[lazy.id]
    assert outcome.comparison.point > 50
    assert outcome.integrity.first_call_speedup < 1


def test_one_hanging_patch_spends_its_own_time_and_no_neighbours(house):
    house.agent(ScriptedSide(mishaps={"turn": Hangs()}), "hang")
    fine = house.agent(ScriptedSide(call_s=0.005), "fine")
    outcome = house.evaluate(seconds=2 * 8.0)[fine.id]
    assert outcome.category is Category.SUCCESS_IMPROVEMENT


def test_a_gpu_that_only_the_patched_side_has_is_no_clock(house):
    case = house.agent(ScriptedSide(cuda=True))
    outcome = house.evaluate()[case.id]
    assert outcome.comparison.clock == "cpu"
    assert any("uses a GPU" in flag for flag in outcome.integrity.flags)


def test_sides_that_both_use_a_gpu_are_timed_by_it(house):
    house.sides = {BASELINE: ScriptedSide(cuda=True), HUMAN: ScriptedSide(cuda=True)}
    case = house.agent(ScriptedSide(cuda=True, call_s=0.005))
    assert house.evaluate()[case.id].comparison.clock == "cuda"


@pytest.mark.parametrize("value", ["nan", -5, None, True])
def test_an_answer_without_times_is_no_answer(value):
    reply = Reply(True, {"wall_ns": value, "cpu_ns": 1, "setup_ns": 0}, None, 0.1, None)
    assert "holds no times" in error_in(reply)["message"]
