"""Results are checked where no patch has a say: by structure, by the script in a process of the baseline, with other
random data, and on whatever call of whatever start is looked at.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backends.sides import commit_all, git, make_config, opened
from test_harness import House
from test_worker import PATIENCE_S, Place, ask, find_interpreters, place  # noqa: F401 - a fixture

from pytest_perfagents.backends.scripted import Dies, Moment, ScriptedSide
from pytest_perfagents.harness import Evaluator
from pytest_perfagents.judgement.equivalence import compare
from pytest_perfagents.model import BASELINE, HUMAN, AgentRun, Case, Category, Commit, Ending, Outcome
from pytest_perfagents.worker.structure_reading import StructureReader

# --- on scripted sides --------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def evaluated(house: House, side: ScriptedSide, **others: ScriptedSide) -> Outcome:
    house.sides |= {{"baseline": BASELINE, "human": HUMAN}[name]: other for name, other in others.items()}
    case = house.agent(side)
    return house.evaluate()[case.id]


def test_an_equal_result_by_the_scripts_check(house: House) -> None:
    found = evaluated(house, ScriptedSide(call_s=0.005))
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("equal", "script")
    assert found.integrity.flags == ()


def test_what_the_patched_process_accepts_and_the_baselines_refuses_is_no_speedup(house: House) -> None:
    found = evaluated(house, ScriptedSide(call_s=0.001, judged=False, message="5 is not 7"))
    assert found.category is Category.EQUIVALENCE_FAILED
    assert "check, in a process of the baseline, refuses it: 5 is not 7" in found.failure.reason
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("different", "script")


def test_a_difference_that_the_check_accepts_is_stated(house: House) -> None:
    found = evaluated(house, ScriptedSide(call_s=0.005, result=8))
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert any("accepts a result that differs: result[0]: 8 instead of 7" in flag for flag in found.integrity.flags)


def test_a_difference_of_a_result_that_never_is_the_same_is_not_stated(house: House) -> None:
    found = evaluated(house, ScriptedSide(call_s=0.005, result=8), baseline=ScriptedSide(result=lambda now: now.seed))
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.flags == ()


def test_without_a_check_the_structure_decides(house: House) -> None:
    unchecked = {"baseline": ScriptedSide(equal=None), "human": ScriptedSide(equal=None)}
    found = evaluated(house, ScriptedSide(call_s=0.005, equal=None), **unchecked)
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("equal", "structure")


def test_without_a_check_a_certain_difference_is_no_speedup(house: House) -> None:
    unchecked = {"baseline": ScriptedSide(equal=None), "human": ScriptedSide(equal=None)}
    found = evaluated(house, ScriptedSide(call_s=0.001, equal=None, result=8), **unchecked)
    assert found.category is Category.EQUIVALENCE_FAILED
    assert "result[0]: 8 instead of 7" in found.failure.reason
    assert "check_equivalence" in found.failure.hint
    assert found.integrity.equivalence_by == "structure"


def test_by_structure_a_baseline_that_changes_accuses_nobody(house: House) -> None:
    changing = {"baseline": ScriptedSide(equal=None, result=lambda now: now.seed), "human": ScriptedSide(equal=None)}
    found = evaluated(house, ScriptedSide(call_s=0.005, equal=None, result=8), **changing)
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.equivalence == "unchecked"
    assert any("changes from process to process: result[0]: 2 instead of 1" in flag for flag in found.integrity.flags)


def test_a_check_that_refuses_another_process_of_the_baseline_accuses_nobody(house: House) -> None:
    forgetful = ScriptedSide(equal=lambda now: now.seed == 1, message="not the same data", result=lambda now: now.seed)
    refused = ScriptedSide(call_s=0.005, equal=False, message="5 is not 7", result=8)
    found = evaluated(house, refused, baseline=forgetful, human=ScriptedSide(result=1))
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.equivalence == "unchecked"
    said = "the script's check refuses the baseline's own result of another process: not the same data"
    assert said in found.integrity.flags


def test_a_check_that_accepts_another_process_of_the_baseline_is_believed(house: House) -> None:
    changing = ScriptedSide(result=lambda now: now.seed)
    found = evaluated(house, ScriptedSide(call_s=0.001, equal=False, result=8), baseline=changing)
    assert found.category is Category.EQUIVALENCE_FAILED


def test_a_judge_that_does_not_work_leaves_the_word_of_the_patched_process_and_a_note(house: House) -> None:
    broken = ScriptedSide(mishaps={"judge": Dies(Ending.SIGNALED, 11)})
    found = evaluated(house, ScriptedSide(call_s=0.005, result=7.1), baseline=broken)
    assert found.integrity.equivalence == "unchecked"
    assert any("inside the patched process" in flag for flag in found.integrity.flags)


@pytest.mark.parametrize("equal", [True, None], ids=["by the check", "by structure"])
def test_a_result_that_goes_wrong_in_the_timed_processes_is_found(house: House, equal: bool | None) -> None:
    def result(now: Moment) -> int:
        return 8 if now.calls > 4 else 7

    def judged(now: Moment) -> bool:
        return now.calls <= 4

    late = ScriptedSide(call_s=0.001, equal=equal, result=result, judged=judged if equal else None)
    found = evaluated(house, late, baseline=ScriptedSide(equal=equal), human=ScriptedSide(equal=equal))
    assert found.category is Category.EQUIVALENCE_FAILED
    assert found.integrity.equivalence == "different"


def test_a_result_that_is_wrong_in_one_later_start_only_is_found_all_the_same(house: House) -> None:
    starts: list[int] = []

    def result(now: Any) -> int:
        if now.calls > 4 and now.seed not in starts:
            starts.append(now.seed)
        return 8 if len(starts) == 4 else 7

    unchecked = {"baseline": ScriptedSide(equal=None), "human": ScriptedSide(equal=None)}
    found = evaluated(house, ScriptedSide(call_s=0.001, equal=None, result=result), **unchecked)
    assert len(starts) == 4
    assert found.category is Category.EQUIVALENCE_FAILED


def random_script(house: House) -> None:
    house.script.write_text("import random\ndef setup(): ...\ndef experiment(data): ...\n", encoding="utf-8")


def test_an_answer_that_is_right_for_the_scripts_data_only_is_found(house: House) -> None:
    random_script(house)
    varying = ScriptedSide(equal=None, result=lambda now: now.shift)
    found = evaluated(house, replace(varying, call_s=0.001, result=None), baseline=varying, human=varying)
    assert found.category is Category.EQUIVALENCE_FAILED
    assert "right for the script's own input only" in found.failure.reason
    assert (found.integrity.equivalence, found.integrity.fresh_inputs) == ("equal", "different")


STALE = ScriptedSide(equal=None, call_s=0.005, result=lambda now: None if now.calls > 1 else now.shift)


def test_an_answer_that_a_call_before_has_left_is_found(house: House) -> None:
    random_script(house)
    varying = ScriptedSide(equal=None, result=lambda now: now.shift)
    found = evaluated(house, STALE, baseline=varying, human=varying)
    assert found.category is Category.EQUIVALENCE_FAILED
    assert "wrong once a call with other data came before" in found.failure.reason
    assert (found.integrity.equivalence, found.integrity.fresh_inputs) == ("equal", "different")


@pytest.mark.parametrize(
    "baseline",
    [
        ScriptedSide(equal=None, result=lambda now: now.shift if now.shift is None else now.shift + now.calls - 1),
        ScriptedSide(equal=None, result=lambda now: now.shift, call_s=6.0),
    ],
    ids=["it changes the baseline's result", "a call is dear"],
)
def test_no_call_comes_before_where_that_proves_nothing(house: House, baseline: ScriptedSide) -> None:
    random_script(house)
    found = evaluated(house, replace(STALE, call_s=baseline.call_s), baseline=baseline, human=baseline)
    assert found.integrity.fresh_inputs == "equal"
    assert not any("other data" in flag for flag in found.integrity.flags)


def test_a_check_that_accepts_it_on_other_data_too_decides(house: House) -> None:
    random_script(house)
    varying = ScriptedSide(result=lambda now: now.shift)
    found = evaluated(house, replace(varying, call_s=0.005, result=None), baseline=varying, human=varying)
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.fresh_inputs == "equal"


def test_other_random_data_that_a_side_knows_too_are_equal(house: House) -> None:
    random_script(house)
    sides = [ScriptedSide(equal=None, result=lambda now: now.shift, call_s=each) for each in (0.01, 0.008, 0.005)]
    found = evaluated(house, sides[2], baseline=sides[0], human=sides[1])
    assert found.integrity.fresh_inputs == "equal"
    assert found.integrity.flags == ()


def test_a_gain_that_only_the_scripts_data_have_is_stated(house: House) -> None:
    random_script(house)
    base = ScriptedSide(equal=None, result=lambda now: now.shift)
    found = evaluated(house, replace(base, call_s=0.001, shifted_call_s=0.01), baseline=base, human=base)
    assert found.category is Category.SUCCESS_IMPROVEMENT
    said = "on other inputs it is 1.000x as fast as the baseline, on the script's own 10.00x or more"
    assert said in found.integrity.flags


def test_what_threads_gain_is_looked_for_by_the_clock_that_shows_it(house: House) -> None:
    random_script(house)
    base = ScriptedSide(equal=None, result=lambda now: now.shift)
    found = evaluated(house, replace(base, call_s=0.003, cpu_share=3.4), baseline=base, human=base)
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.comparison is not None
    assert found.comparison.clock == "wall"
    assert found.integrity.flags == ()


def test_where_the_human_differs_on_other_data_nobody_is_accused(house: House) -> None:
    random_script(house)
    base = ScriptedSide(equal=None, result=lambda now: now.shift)
    other = replace(base, result=None)
    found = evaluated(house, replace(other, call_s=0.005), baseline=base, human=other)
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.fresh_inputs == "unchecked"
    assert any("as the human's does" in flag for flag in found.integrity.flags)


@pytest.mark.parametrize(
    "baseline",
    [ScriptedSide(equal=None), ScriptedSide(equal=None, result=lambda now: (now.seed, now.shift) if now.shift else 7)],
    ids=["its result has nothing random", "it never is the same"],
)
def test_other_random_data_that_prove_nothing(house: House, baseline: ScriptedSide) -> None:
    random_script(house)
    found = evaluated(house, ScriptedSide(equal=None, call_s=0.005), baseline=baseline, human=ScriptedSide(equal=None))
    assert found.category is Category.SUCCESS_IMPROVEMENT
    assert found.integrity.fresh_inputs == "unchecked"


def test_a_script_without_random_data_is_not_run_again(house: House) -> None:
    evaluated(house, ScriptedSide(call_s=0.005))
    quiet = len(house.backend.live)
    random_script(house)
    house.evaluate()
    assert len(house.backend.live) > quiet


# --- on real processes --------------------------------------------------------------------------------------------

SLOW = "def work(values):\n    total = 0\n    for value in values:\n        total += value * value\n    return {}\n"
BASE = SLOW.format("{'total': total, 'first': values[:2]}")
FAST = "def work(values):\n    return {'total': sum(value * value for value in values), 'first': values[:2]}\n"
SCRIPT = """
    import json, random
    from pkg.core import work

    def setup():
        rng = random.Random(7)
        return [rng.randrange(1000) for _ in range(20_000)]

    def experiment(values):
        return work(values)
"""
CHECK = """
    def store_result(result, path):
        with open(path, "w") as file:
            json.dump(result, file)

    def load_result(path):
        with open(path) as file:
            return json.load(file)

    def check_equivalence(current, reference):
        assert current == reference, f"{current} is not {reference}"
"""


class Study:
    """A repository with a slow function, a script, and patches that replace the function."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repo = folder, folder / "repo"
        self.core = self.repo / "pkg" / "core.py"
        self.core.parent.mkdir(parents=True)
        git(self.repo, "init", "-q", "-b", "main")
        (self.repo / "pkg" / "__init__.py").write_text("")
        self.core.write_text(BASE)
        self.parent = commit_all(self.repo, "start")
        self.script = folder / "script.py"

    def outcome(self, code: str, script: str = SCRIPT + CHECK, base: str = BASE) -> Outcome:
        self.script.write_text(textwrap.dedent(script))
        if base != BASE:
            self.core.write_text(base)
            self.parent = commit_all(self.repo, "another start")
        run_folder = self.folder / "run"
        run_folder.mkdir()
        self.core.write_text(textwrap.dedent(code))
        (run_folder / "model_patch.diff").write_text(git(self.repo, "diff"))
        git(self.repo, "checkout", "-q", ".")
        same = ("commit-tree", f"{self.parent}^{{tree}}", "-p", self.parent, "-m", "nothing changed")
        commit = Commit("pkg", git(self.repo, *same).strip(), self.parent)
        run = AgentRun(commit, "trae", "gpt", "r", "i", str(run_folder), "trae_gpt", True, status="success")
        config = make_config(self.folder)
        protocol = replace(config.protocol, looks=(3,), measure_s=8.0, sides=(BASELINE.role,), seed=1)
        config = replace(config, protocol=protocol, timeout_s=60)
        with opened(config) as backend:
            evaluator = Evaluator(config, backend, lease=nullcontext)
            return evaluator.evaluate([Case(run, self.script)], evaluator.clock() + 120)[run.id]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


HONEST = FAST.replace("def work", "def honest")
LIES = """
class Yes(dict):
    __hash__ = None

    def __eq__(self, other):
        return True

def work(values):
    return Yes(total=0, first=[])
"""
CHECK_REPLACED = """
import sys

def work(values):
    script = sys.modules["__perfscript__"]
    script.check_equivalence.__code__ = (lambda current, reference: None).__code__
    return {"total": 0}
"""
JSON_REPLACED = """
import json

def work(values):
    json.load = lambda file: {"total": 0, "first": []}
    return {"total": 0, "first": []}
"""
BY_HEART = """
def work(values):
    if values[:2] == FIRST:
        return {"total": TOTAL, "first": FIRST}
    return {"total": 0, "first": []}
"""
WRONG_LATER = """
calls = []

def work(values):
    calls.append(1)
    return honest(values) if len(calls) < 7 else {"total": 0, "first": []}
"""
KEPT = """
last = []

def work(values):
    if not last:
        last.append(honest(values))
    return last[0]
"""
KEPT_BY_VALUE = """
known = {}

def work(values):
    key = tuple(values)
    if key not in known:
        known[key] = honest(values)
    return known[key]
"""
IN_THE_PROCESS = "check, in a process of the baseline, refuses it"
CHEATS: Mapping[str, tuple[str, str]] = {
    "an equality that lies": (LIES, IN_THE_PROCESS),
    "a check that was replaced": (CHECK_REPLACED, IN_THE_PROCESS),
    "a reference that was replaced": (JSON_REPLACED, IN_THE_PROCESS),
    "an answer by heart": (BY_HEART, "right for the script's own input only"),
    "an answer kept for any input": (HONEST + KEPT, "wrong once a call with other data came before"),
    "wrong after seven calls": (HONEST + WRONG_LATER, "is not"),
}


def notes(outcome: Outcome) -> list[str]:
    """What was noticed about results; times are noisy here."""
    return [flag for flag in outcome.integrity.flags if any(word in flag for word in ("result", "check", "inputs"))]


def by_heart(code: str) -> str:
    import random

    rng = random.Random(7)
    values = [rng.randrange(1000) for _ in range(20_000)]
    return code.replace("TOTAL", str(sum(value * value for value in values))).replace("FIRST", str(values[:2]))


@pytest.mark.parametrize("how", CHEATS)
def test_cheats_are_found_and_named(study: Study, how: str) -> None:
    code, said = CHEATS[how]
    found = study.outcome(by_heart(code))
    assert found.category is Category.EQUIVALENCE_FAILED
    assert said in found.failure.reason
    assert found.integrity.equivalence == "different" or found.integrity.fresh_inputs == "different"


def test_an_honest_patch_is_equal_on_other_data_too(study: Study) -> None:
    found = study.outcome(FAST)
    assert found.category.measured
    integrity = found.integrity
    assert (integrity.equivalence, integrity.equivalence_by, integrity.fresh_inputs) == ("equal", "script", "equal")
    assert notes(found) == []


def test_a_cache_by_its_argument_is_equal_on_other_data_too(study: Study) -> None:
    found = study.outcome(HONEST + KEPT_BY_VALUE)
    assert found.category.measured
    assert (found.integrity.equivalence, found.integrity.fresh_inputs) == ("equal", "equal")
    assert notes(found) == []


def test_a_script_whose_data_are_made_at_import_accuses_nobody_of_keeping_an_answer(study: Study) -> None:
    script = SCRIPT.replace("def setup():\n        rng", "rng").replace("        return [", "    DATA = [")
    script = script.replace("(values):\n        return work(values)", "():\n        return work(DATA)")
    found = study.outcome(HONEST + KEPT, script)
    assert found.category.measured
    assert (found.integrity.equivalence, found.integrity.fresh_inputs) == ("equal", "equal")


def test_a_script_that_forgets_its_seed_accuses_nobody(study: Study) -> None:
    found = study.outcome(FAST, (SCRIPT + CHECK).replace("Random(7)", "Random()"))
    assert found.category.measured
    assert found.integrity.equivalence == "unchecked"
    assert any("refuses the baseline's own result of another process" in flag for flag in found.integrity.flags)


def test_an_honest_class_of_its_own_is_judged_by_what_is_in_it(study: Study) -> None:
    code = "class Found(dict):\n    '''With a name.'''\n" + FAST.replace("return {", "return Found({").replace(
        "2]}", "2]})"
    )
    found = study.outcome(code)
    assert found.category.measured
    assert found.integrity.equivalence == "equal"
    assert notes(found) == []


def test_a_script_without_a_check_is_compared_by_structure(study: Study) -> None:
    found = study.outcome(FAST, SCRIPT)
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("equal", "structure")


def test_a_wrong_result_is_found_without_a_check_too(study: Study) -> None:
    found = study.outcome(FAST.replace("value * value", "value"), SCRIPT)
    assert found.category is Category.EQUIVALENCE_FAILED
    assert "result['total']" in found.failure.reason


def test_a_check_that_wants_results_as_they_were_returned(study: Study) -> None:
    """As many scripts have it: the current result is made plain first, which one that was loaded cannot be."""
    plain = """
    def plain(result):
        return [result.pop("total"), list(result.items())]
    """
    check = CHECK.replace("dump(result", "dump(plain(dict(result))").replace("current ==", "plain(dict(current)) ==")
    check = check.replace("== reference", "== [reference[0], [tuple(each) for each in reference[1]]]")
    found = study.outcome(FAST, SCRIPT + plain + check)
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("equal", "script")
    assert notes(found) == []


def test_a_check_that_types_lost_in_the_file_defeat_accuses_nobody(study: Study) -> None:
    tuples = {
        "base": BASE.replace("values[:2]", "tuple(values[:2])"),
        "code": FAST.replace("values[:2]", "tuple(values[:2])"),
    }
    found = study.outcome(**tuples)
    assert found.category.measured
    assert (found.integrity.equivalence, found.integrity.equivalence_by) == ("equal", "structure")
    assert any("refuses the baseline's own result" in flag for flag in found.integrity.flags)


# --- in one worker ------------------------------------------------------------------------------------------------


def described(worker: Any, file: Path, **arguments: Any) -> bytes:
    answer = ask(worker, "describe", path=str(file), **arguments)
    data = file.read_bytes()
    file.unlink()
    assert answer["bytes"] == len(data)
    return data


def value_of(data: bytes) -> Any:
    return StructureReader(data).read().value


def test_the_structure_of_a_result_and_of_a_stored_one(place: Place, tmp_path: Path) -> None:  # noqa: F811
    script = "import json\ndef experiment(): return (1, 2)\n" + textwrap.dedent(CHECK)
    worker = place.load(script)
    assert worker.request("describe", PATIENCE_S, path=str(tmp_path / "x")).error["type"] == "Refusal"
    ask(worker, "turn")
    file = tmp_path / "structure"
    returned = described(worker, file)
    ask(worker, "store", path=str(tmp_path / "stored"))
    assert StructureReader(returned).read().kind == "tuple"
    assert compare(returned, described(worker, file, stored=str(tmp_path / "stored"))) is None
    file.write_bytes(b"")
    assert not worker.request("describe", PATIENCE_S, path=str(file)).ok  # never over a file that is there


VARIED = """
    import collections, datetime, decimal, enum, gc
    class Colour(enum.Enum):
        RED = 1
    class Slotted:
        __slots__ = ("a", "b")
        def __init__(self): self.a = 1
    class Named(list): pass
    Pair = collections.namedtuple("Pair", "a b")
    def experiment(n=3):
        assert gc.isenabled()
        return [None, True, 2 ** 70, -1.5, 1j, "text", b"bytes", (1,), {2}, {"k": [3]}, list(range(99)), Pair(1, 2),
                Colour.RED, Slotted(), Named([4]), collections.OrderedDict(a=1), collections.deque([5]),
                datetime.date(2020, 1, 2), decimal.Decimal("1.5"), ValueError("x"), range(3), frozenset([6])]
"""


@pytest.mark.parametrize("python", find_interpreters(), ids=lambda path: Path(path).name)
def test_structures_are_the_same_from_every_interpreter(place: Place, tmp_path: Path, python: str) -> None:  # noqa: F811
    found = []
    for each in (sys.executable, python):
        place.python = each
        worker = place.load(VARIED)
        for _ in range(2):  # the collector is on again for the second
            ask(worker, "turn", iterations=4)
            found.append(described(worker, tmp_path / "s", place=1))
    assert found[0] == found[1] == found[2] == found[3]


def test_any_call_of_a_turn_may_be_looked_at(place: Place, tmp_path: Path) -> None:  # noqa: F811
    worker = place.load("calls = []\ndef experiment():\n    calls.append(1)\n    return len(calls)\n")
    seen = set()
    for number in range(40):
        ask(worker, "turn", iterations=10)
        last = value_of(described(worker, tmp_path / "s"))
        assert last == 10 * (number + 1)
        seen.add((value_of(described(worker, tmp_path / "s", place=number)) - 1) % 10)
    assert len(seen) > 5


def test_what_is_called_sees_neither_which_call_is_kept_nor_how_many_are_left(place: Place, tmp_path: Path) -> None:  # noqa: F811
    worker = place.load("""
        import itertools, sys
        def left():
            frame, found = sys._getframe(1), []
            while frame is not None:
                for value in frame.f_locals.values():
                    found += [value.__length_hint__()] if isinstance(value, itertools.repeat) else []
                    found += [repr(value)] if isinstance(value, itertools.islice) else []
                frame = frame.f_back
            return found
        def experiment(): return left()
    """)
    ask(worker, "turn", iterations=5)
    assert value_of(described(worker, tmp_path / "s", place=0)) == []


@pytest.mark.parametrize(
    "fill",
    [
        "sys.setprofile(lambda *a: made.append(1))",
        "signal.signal(signal.SIGALRM, lambda *a: made.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.02, 1e-4)",
        "gc.callbacks.append(lambda *a: made.append(1)); gc.set_threshold(9)",
        "sys.addaudithook(lambda event, a: made.append(1))",
    ],
    ids=["profiler", "signal", "collector", "audit hook"],
)
def test_nothing_fills_in_a_result_after_the_clock_has_stopped(place: Place, tmp_path: Path, fill: str) -> None:  # noqa: F811
    worker = place.load(f"""
        import gc, signal, sys
        more = [[list(range(n))] for n in range(300)]
        def experiment():
            made = []
            result = [made, more]
            {fill}
            return result
    """)
    ask(worker, "turn")
    time.sleep(0.05)
    made, more = value_of(described(worker, tmp_path / "s"))
    assert len(more.value) == 300
    assert len(made.value) < 10  # before the clock was stopped it may
    ask(worker, "turn", setups=1)


def test_a_worker_whose_functions_were_replaced_does_not_describe(place: Place, tmp_path: Path) -> None:  # noqa: F811
    worker = place.load("""
        import sys
        def experiment():
            frame = sys._getframe(1)
            while "StructureWriter" not in frame.f_globals: frame = frame.f_back
            frame.f_globals["StructureWriter"].take = lambda self, value: b"i7;"
            return 0
    """)
    ask(worker, "turn")
    error = worker.request("describe", PATIENCE_S, path=str(tmp_path / "s")).error
    assert error is not None
    assert "were replaced" in error["message"]


SEEDED: Mapping[str, str] = {
    "random.seed(3)": "random.random()",
    "random.seed(a=3)": "random.random()",
    "r = random.Random(SEED)": "r.random()",
    "r = random.Random('x')": "r.random()",
    "r = random.Random()": "r.random()",
    "pass": "random.random()",
    "numpy.random.seed(3)": "numpy.random.rand()",
    "g = numpy.random.default_rng(seed=3)": "g.random()",
    "g = numpy.random.default_rng()": "g.random()",
    "g = numpy.random.RandomState(3)": "g.rand()",
    "numpy.zeros(1)": "numpy.random.rand()",
}


@pytest.mark.parametrize("seeding", SEEDED)
def test_other_random_data_repeat_with_the_shift(place: Place, tmp_path: Path, seeding: str) -> None:  # noqa: F811
    code = f"import random, numpy\nSEED = 4\ndef setup():\n    {seeding}\n    return [{SEEDED[seeding]}]\n"
    code += "def experiment(data): return data[0]\n"
    found: dict[int | None, list[bytes]] = {}
    for shift in (None, 1, 1, 2):
        worker = place.load(code, shift=shift)
        ask(worker, "turn")
        found.setdefault(shift, []).append(described(worker, tmp_path / "s"))
    assert found[1][0] == found[1][1]
    assert len({found[1][0], found[2][0], found[None][0]}) == 3


@pytest.mark.parametrize("seeding", SEEDED)
def test_a_call_with_the_scripts_own_data_comes_before_and_leaves_the_others_as_they_are(
    place: Place,  # noqa: F811
    tmp_path: Path,
    seeding: str,
) -> None:
    code = f"import random, numpy\nSEED = 4\ndef setup():\n    {seeding}\n    return [{SEEDED[seeding]}]\n"
    code += "def experiment(data): return data[0]\n"
    found = []
    for shift, turns in ((None, [{}]), (5, [{}]), (5, [{"own": True}, {}])):
        worker = place.load(code, shift=shift)
        for arguments in turns:
            ask(worker, "turn", **arguments)
            found.append(described(worker, tmp_path / "s"))
    unshifted, alone, own, other = found
    assert alone == other != own
    if any(seed in seeding for seed in ("3", "SEED", "'x'")):
        assert own == unshifted


def test_torch_is_seeded_too(place: Place, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("torch")
    code = """
        import torch
        def setup():
            torch.manual_seed(1)
            own = torch.Generator().manual_seed(1)
            return torch.rand(2), torch.rand(2, generator=own)
        def experiment(one, other): return [one, other]
    """
    found = []
    for shift in (None, 5, 5):
        worker = place.load(code, shift=shift)
        ask(worker, "turn")
        found.append(described(worker, tmp_path / "s"))
    assert found[1] == found[2] != found[0]


def test_a_judge_never_ran_the_experiment(place: Place, tmp_path: Path) -> None:  # noqa: F811
    script = "import json\ndef experiment(): return {'a': (1, 2.5)}\n" + textwrap.dedent(CHECK).replace("==", "!=")
    candidate = place.load(script)
    ask(candidate, "turn")
    structure = tmp_path / "structure"
    ask(candidate, "describe", path=str(structure))
    (tmp_path / "reference").write_text('{"a": [1, 2.5]}')
    judge: Callable[..., Any] = place.load(script).request
    reply = judge("judge", PATIENCE_S, candidate=str(structure), reference=str(tmp_path / "reference"))
    assert reply.value == {"equal": True, "message": "", "faithful": True}
