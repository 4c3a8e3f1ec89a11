"""Results trees with the counts of earlier evaluations, written as outcomes are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from pytest_perfagents.diagnosis.modules import missing_module
from pytest_perfagents.diagnosis.taxonomy import default_blame, default_stage
from pytest_perfagents.diagnosis.types import Place
from pytest_perfagents.model import (
    BASELINE,
    HUMAN,
    AgentRun,
    Case,
    Category,
    Change,
    Commit,
    Comparison,
    Failure,
    Outcome,
    Role,
    Side,
    SideSamples,
)
from pytest_perfagents.records import outcome_to_json

START = datetime(2025, 12, 23, 22, 6, 6, tzinfo=UTC)
Agent = tuple[str, str]
GPT5, SONNET = ("trae", "gpt-5"), ("trae", "claude-sonnet-45")
CODEX = ("codex", "gpt-5")
ALIASES = {"gpt-5": "gpt5", "claude-sonnet-45": "sonnet45", "gpt-4o": "gpt4o", "o4-mini": "o4mini"}

_CHANGES = {
    "SUCCESS_IMPROVEMENT": Change.FASTER,
    "SUCCESS_REGRESSION": Change.SLOWER,
    "SUCCESS_NEUTRAL": Change.SAME,
    "SUCCESS_INCONCLUSIVE": Change.UNCLEAR,
}


def commit_named(name: object) -> str:
    """A commit of its own for each name."""
    return sha1(str(name).encode()).hexdigest()


class Tree:
    """Outcomes in the order in which they came; `write` makes a results folder of them."""

    def __init__(self, *, start: datetime = START, step_s: float = 60.0, run: str = "2025-12-22_00-00-00") -> None:
        self.records: list[dict[str, Any]] = []
        self.start, self.step_s, self.run = start, step_s, run

    def add(self, category: str, agent: Agent, commit: str, *, repo: str = "vllm", **more: Any) -> None:
        """One outcome; ``more`` are `measured` or `failed`'s."""
        number = len(self.records)
        base = more.pop("base", "f" * 40)
        name, model = agent
        case = Case(
            AgentRun(
                commit=Commit(repo, commit.ljust(40, "0"), base),
                agent=name,
                model=model,
                run=more.pop("run", self.run),
                item=more.pop("item", f"{repo}_{number:04}_{commit[:8]}"),
                folder="runs",
                alias=f"{name}_{ALIASES.get(model, model)}",
                has_patch=not category.startswith("AGENT"),
                status=more.pop("status", "success"),
                duration_s=more.pop("agent_s", None),
            ),
            None,
        )
        build = measured if category.startswith("SUCCESS") else failed
        times = {"started_at": self._moment(number), "duration_s": more.pop("duration_s", self.step_s)}
        tokens = more.pop("tokens", None)
        record = outcome_to_json(replace(build(case, category, times=times, **more), tokens=tokens))
        self.records.append({**record, "recorded_at": self._moment(number + 1)})

    def _moment(self, number: int) -> str:
        return (self.start + timedelta(seconds=number * self.step_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def write(self, folder: Path, *, by: str = "repo") -> Path:
        """``folder/<repo>/outcomes.jsonl``."""
        for name in dict.fromkeys(record[by] for record in self.records):
            place = folder / str(name)
            place.mkdir(parents=True)
            lines = [json.dumps(record) + "\n" for record in self.records if record[by] == name]
            (place / "outcomes.jsonl").write_text("".join(lines))
        return folder


def measured(
    case: Case,
    category: str,
    *,
    times: dict[str, Any],
    point: float = 1.0,
    baseline_ms: float | None = None,
    patched_ms: float | None = None,
    human: float | None = None,
    bare: bool = False,
) -> Outcome:
    """A speedup; ``bare`` ones have no interval."""
    patched = Side(Role.PATCHED, case.id)
    sides = {}
    for role, side, milliseconds in (("baseline", BASELINE, baseline_ms), ("patched", patched, patched_ms)):
        if milliseconds is not None:
            time = ((milliseconds / 1000,),)
            sides[role] = SideSamples(side, 1, time, time)
    own = _comparison(patched, category, point, bare)
    theirs = None if human is None else _comparison(HUMAN, "SUCCESS_IMPROVEMENT", human, bare)
    return Outcome(case, own, None, human=theirs, sides=sides, **times)


def _comparison(candidate: Side, category: str, point: float, bare: bool) -> Comparison:
    low, high = (0.0, float("inf")) if bare else (0.98 * point, 1.02 * point)
    return Comparison(
        BASELINE, candidate, 10, point, low, high, 0.95, 0.01, "cpu", _CHANGES[category], Category(category)
    )


def failed(
    case: Case,
    category: str,
    *,
    times: dict[str, Any],
    reason: str = "it failed",
    hint: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> Outcome:
    """A failure with the stage and the blame that the taxonomy gives it."""
    kind = Category(category)
    side = Role.BASELINE if category.startswith(("BASELINE", "TEST", "TARGET")) else None
    failure = Failure(kind, default_stage(kind), reason, side, default_blame(kind), hint, evidence or {})
    return Outcome(case, None, failure, **times)


# 833 runs of December 2024

IMPROVEMENTS = """
1.639 trae gpt-5 vllm 2f192835 0.81 0.49
1.585 codex gpt-5 vllm 2f192835 0.78 0.49
1.577 trae gpt-5 vllm 2f192835 0.79 0.50
1.568 trae claude-sonnet-45 vllm 2f192835 0.78 0.50
1.509 codex gpt-5 vllm fc542144 0.80 0.53
1.482 trae claude-sonnet-45 vllm 2f192835 0.79 0.53
1.334 trae gpt-5 vllm 3a243095 0.10 0.08
1.322 codex gpt-5 vllm 3a243095 0.10 0.08
1.317 trae claude-sonnet-45 vllm 3a243095 0.10 0.07
1.300 trae gpt-5 vllm 3a243095 0.10 0.08
1.166 trae claude-sonnet-45 vllm b55ed6ef 0.03 0.03
1.103 trae gpt-5 vllm b55ed6ef 0.03 0.02
"""
REGRESSIONS = """
0.134 trae claude-sonnet-45 vllm 7c01f706 1.13 8.44
0.233 trae gpt-5 vllm 7c01f706 1.13 4.84
0.237 trae gpt-5 vllm 7c01f706 1.14 4.80
0.242 codex gpt-5 vllm 7c01f706 1.14 4.70
0.422 trae gpt-5 sglang bb3a3b66 0.22 0.53
0.433 trae claude-sonnet-45 sglang bb3a3b66 0.23 0.53
0.511 trae gpt-5 vllm 83450458 3.99 7.81
0.513 trae claude-sonnet-45 vllm 83450458 4.00 7.81
0.517 trae gpt-5 vllm 83450458 3.98 7.70
0.877 trae gpt-5 vllm 89a84b0b 0.56 0.64
0.937 trae gpt-5 sglang 6f560c76 0.60 0.64
0.949 trae claude-sonnet-45 vllm 22d33bac 0.98 1.04
"""
NEUTRAL = """
1.036 trae gpt-5 sglang a73c4df4
1.034 trae gpt-5 sglang 6b7038ba
1.028 trae gpt-5 sglang e5db40dc
1.022 trae gpt-5 vllm f26c4aee
1.020 trae claude-sonnet-45 sglang c98e84c2
1.015 trae gpt-5 vllm 88693683
1.014 trae claude-sonnet-45 vllm 25ebed2f
1.013 trae claude-sonnet-45 vllm 93e5f3c5
1.013 trae claude-sonnet-45 sglang 9c064bf7
1.013 trae claude-sonnet-45 vllm 58eee5f2
1.013 trae claude-sonnet-45 vllm 89a84b0b
1.011 trae claude-sonnet-45 sglang 6fc17596
1.011 trae gpt-5 vllm 4c822298
1.010 trae claude-sonnet-45 sglang 6b7038ba
1.009 trae gpt-5 vllm 310aca88
1.007 trae gpt-5 sglang 6e2da515
1.006 trae gpt-5 sglang 2bd18e2d
1.006 trae gpt-5 vllm 9f1710f1
1.005 trae claude-sonnet-45 vllm 88693683
1.005 trae gpt-5 sglang dd1012fc
"""
NEUTRALS = 85
NO_PATCH = {
    GPT5: 223,
    SONNET: 112,
    ("trae", "gpt-4o"): 11,
    ("codex", "gpt-4o"): 9,
    ("openhands", "gpt-5"): 6,
    CODEX: 4,
    ("trae", "o4-mini"): 1,
}
BASELINES = {GPT5: 75, SONNET: 41, CODEX: 25, ("trae", "gpt-4o"): 2}
BASELINE_KINDS = {
    "TYPE_ERROR": 55,
    "EXCEPTION": 36,
    "IMPORT_ERROR": 29,
    "ATTRIBUTE_ERROR": 8,
    "RUNTIME_ERROR": 6,
    "ASSERTION": 5,
    "OOM": 2,
    "CUDA_ERROR": 1,
    "UNKNOWN": 1,
}
MODULES = {
    "transformers": 24,
    "vllm._C": 14,
    "decord": 6,
    "outlines": 6,
    "librosa": 6,
    "pybase64": 4,
    "transformers_neuronx": 4,
    "vllm": 3,
    "deep_ep": 3,
    "benchmark.kernels.minmax_text_01_lighting_attention": 2,
    "einops": 2,
    "outlines_core.fsm": 1,
    "vllm.core.block": 1,
}
TARGETS = {
    "cannot import name 'default_cache_dir' from 'triton.runtime....": 22,
    "Failed to import vLLM components: cannot import name 'Prompt...": 15,
    "type object 'P2pNcclEngine' has no attribute 'extract_kv_fro...": 5,
    "module 'vllm.model_executor.models.utils' has no attribute '...": 3,
    "module 'vllm.model_executor.layers.quantization.utils.fp8_ut...": 2,
    "cannot import name 'build_regex_from_schema' from 'outlines....": 2,
    "module 'vllm.core.block_manager' has no attribute 'UncachedB...": 2,
    "module 'vllm.v1.engine.output_processor' has no attribute 'R...": 2,
    "Failed to import required classes: cannot import name 'XGram...": 1,
    "cannot import name 'cuda_utils' from partially initialized m...": 1,
}
BASES = "067c34a1 005ae9be 25373b6c 0df4d9b0 89ac266b a869baca 526078a9 1d35662e 3e1c76cf 733e7c9e"
BASE_COUNT = 33
WITHOUT_SCRIPT = {
    "f06e90c2": 2,
    "fbcbb263": 2,
    "e88dd482": 2,
    "f0653886": 2,
    "5e5c8e09": 2,
    "81ede99c": 2,
    "b9986454": 1,
}
INVALID = {CODEX: 19, GPT5: 8, SONNET: 4}


def december_2024() -> Tree:
    """The counts of 833 runs, in the categories of the taxonomy."""
    tree = Tree()
    _measured(tree)
    _without_patch(tree)
    _baselines(tree)
    _environment(tree)
    _rest(tree)
    return tree


def _measured(tree: Tree) -> None:
    for category, text in (("SUCCESS_IMPROVEMENT", IMPROVEMENTS), ("SUCCESS_REGRESSION", REGRESSIONS)):
        for point, agent, model, repo, commit, baseline, patched in _rows(text):
            times = {"baseline_ms": float(baseline), "patched_ms": float(patched)}
            tree.add(category, (agent, model), commit, repo=repo, point=float(point), bare=True, **times)
    listed = list(_rows(NEUTRAL))
    for point, agent, model, repo, commit in listed:
        tree.add("SUCCESS_NEUTRAL", (agent, model), commit, repo=repo, point=float(point), bare=True)
    for number, agent in enumerate(islice(cycle((GPT5, SONNET, CODEX)), NEUTRALS - len(listed))):
        tree.add("SUCCESS_NEUTRAL", agent, commit_named(f"n{number}"), point=1.004 - number * 0.0005, bare=True)


def _without_patch(tree: Tree) -> None:
    for agent, count in NO_PATCH.items():
        for number in range(count):
            category = "AGENT_TIMEOUT" if agent[1] == "o4-mini" else "AGENT_NO_PATCH"
            repo = "sglang" if number % 3 == 0 else "vllm"
            reason = f"the agent left no patch (status error, exit code 1, {100 + number} s)"
            tree.add(category, agent, commit_named(f"p{number % 80}"), repo=repo, status="error", reason=reason)


def _baselines(tree: Tree) -> None:
    kinds = [kind for kind, count in BASELINE_KINDS.items() for _ in range(count)]
    for number, (kind, agent) in enumerate(zip(kinds, _spread(BASELINES), strict=True)):
        commit = commit_named(f"b{kind}{number // 3}")
        tree.add(f"BASELINE_{kind}", agent, commit, repo="sglang", reason=f"baseline ended in {kind} {number // 3}")


def _environment(tree: Tree) -> None:
    agents = cycle((GPT5, SONNET, CODEX))
    for number, module in enumerate(_spread(MODULES)):
        advice = missing_module(module, Place(Role.BASELINE, "vllm", ("vllm",)))
        evidence = {"module": advice.module, "cause": advice.cause, "exception": "ModuleNotFoundError"}
        words = {"reason": f"baseline {advice.reason}", "hint": advice.hint, "evidence": evidence}
        commit = commit_named(f"m{module}{number // 6}")
        tree.add("TEST_IMPORT_ERROR", next(agents), commit, **words)
    for message in _spread(TARGETS):
        reason = f"baseline wants something that is not there; reports: {message}"
        tree.add("TARGET_NOT_RESOLVED", next(agents), commit_named(f"t{message}"), reason=reason)
    for agent in (GPT5, SONNET):
        reason = "baseline reports: Custom allreduce not initialized"
        tree.add("OPT_PATH_NOT_HIT", agent, "25e1816e", repo="sglang", reason=reason)


def _rest(tree: Tree) -> None:
    bases = BASES.split()
    bases += [commit_named(f"base{number}")[:8] for number in range(BASE_COUNT - len(bases))]
    for number, base in enumerate(bases):
        words = {
            "reason": f"vllm: commit {base} is not in the clone at ../vllm",
            "hint": f"run: git -C ../vllm fetch origin {base}",
        }
        tree.add("GIT_WORKTREE_FAILED", CODEX, commit_named(f"g{number}"), base=base.ljust(40, "0"), **words)
    agents = cycle((GPT5, SONNET))
    for commit in _spread(WITHOUT_SCRIPT):
        words = {
            "reason": f"there is no perf script for commit {commit}",
            "hint": f"write {commit}_test_case_generator.py in test_scripts",
        }
        tree.add("NO_TEST_SCRIPT", next(agents), commit, **words)
    for number, agent in enumerate(_spread(INVALID)):
        tree.add("PATCH_INVALID", agent, commit_named(f"i{number}"), reason="the patch is empty")
    for item, commit in (("vllm_core-0016", "310aca88"), ("vllm_core-0029", "660470e5")):
        tree.add("PATCH_APPLY_FAILED", CODEX, commit, item=item, reason="hunk 1 of 2 does not fit the file")
    for number in range(3):
        tree.add("PATCHED_UNKNOWN", GPT5, commit_named(f"u{number}"), reason="patched failed, and nothing shows why")


def _rows(text: str) -> Iterator[list[str]]:
    return (line.split() for line in text.strip().splitlines())


def _spread(counts: dict[Any, int]) -> Iterator[Any]:
    return (key for key, count in counts.items() for _ in range(count))


# A rerun of December 2025

_RECOVERED = """
015069b0 0d243f2a 21d93c14 22d33bac 22dd9c27 296f927f 299ebb62 30172b49 3092375e 3127e975 379da6dc 4fb56914 526de822
61b8cea3 660470e5 67da5720 6a417b86 6d646d08 6dd94dbe 6e36f4fa 70b808fe 7c01f706 80aa7e91 83450458 88693683 8a4e5c5f
8aa1485f 8bc68e19 8c1e77fb 8d75fe48 9323a315 93e5f3c5 9474e89b 98f47f2a 99abb8b6 9a3b8832 9f1710f1 a3223766 ad8d696a
aea94362 b55ed6ef b6d10354 b9986454 baeded25 bd6028d6 bfdb1ba5
"""
_STILL_FAILING = """
0ec82edd 19d98e0c 2a052011 2deb029d 3476ed08 3b61cb45 5e5c8e09 6ce01f30 6d0734c5 7661e92e 81ede99c 89a84b0b 9d72daf4
9ed82e70 ac45c44d b10e5198 b2e0ad3b b690e348 bc7c4d20 c0569dbc c45f3c3a ca7a2d5f ccf02fcb ce6bf3a2 cf2f084d d4bc1a4d
d55e446d d7740ea4 dae68969 dcc6cfb9 e206b543 e3580537 e493e485 e7523c2e e7b20426 ec3b5ce9 ed250545 eefbf4a6 f092153f
f26c4aee fa63e710 fb0acb6c fc542144 fc7b8d1e fe66b347
"""
RECOVERED, STILL_FAILING = _RECOVERED.split(), _STILL_FAILING.split()
ORIGINAL_SUCCESSES, ORIGINAL_RUNS = 149, 261
RERUN_END = datetime(2025, 12, 24, 6, 0, 25, tzinfo=UTC)


def original_and_rerun() -> tuple[Tree, Tree]:
    """261 runs of one agent, of which 112 fail, and 91 of these again."""
    original = Tree(run="2025-11-28_00-00-00", start=datetime(2025, 11, 28, tzinfo=UTC))
    for number in range(ORIGINAL_SUCCESSES):
        original.add("SUCCESS_NEUTRAL", SONNET, commit_named(f"ok{number}"), point=1.01)
    retried = RECOVERED + STILL_FAILING
    lost = [commit_named(f"lost{number}") for number in range(ORIGINAL_RUNS - ORIGINAL_SUCCESSES - len(retried))]
    for commit in retried + lost:
        original.add("AGENT_NO_PATCH", SONNET, commit, status="error", reason="the agent left no patch (status error)")
    step_s = (RERUN_END - START).total_seconds() / len(retried)
    rerun = Tree(run="2025-12-23_22-06-06", start=START, step_s=step_s)
    for commit in RECOVERED:
        rerun.add("SUCCESS_IMPROVEMENT", SONNET, commit, point=1.2)
    kinds = cycle(("TEST_IMPORT_ERROR", "TARGET_NOT_RESOLVED", "BASELINE_TYPE_ERROR"))
    for commit in STILL_FAILING:
        rerun.add(next(kinds), SONNET, commit, reason="baseline failed")
    return original, rerun


# Agents on one plan of 93 commits, and repositories beside each other

SERVED = {CODEX: (12, 66, 14, 1), GPT5: (22, 61, 10, 0), SONNET: (13, 71, 9, 0)}
"""Measured, without metrics, crashed, timed out."""
REPOSITORIES = {"sglang": (80, 72, 29_280.0), "vllm": (99, 54, 57_600.0)}
"""Commits, measured, seconds."""


def served() -> Tree:
    """Three agents on the same commits."""
    tree = Tree()
    kinds = ("SUCCESS_NEUTRAL", "NO_METRICS", "SERVER_CRASHED", "BENCHMARK_TIMEOUT")
    for agent, counts in SERVED.items():
        named = [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]
        for number, kind in enumerate(named):
            tree.add(kind, agent, commit_named(f"s{number}"))
    return tree


def repositories() -> Iterable[Tree]:
    """A tree of each repository, which is one agent's run over it."""
    for repo, (commits, successes, seconds) in REPOSITORIES.items():
        tree = Tree(step_s=seconds / commits)
        for number in range(commits):
            category = "SUCCESS_NEUTRAL" if number < successes else "PATCHED_EXCEPTION"
            tree.add(category, SONNET, commit_named(f"{repo}{number}"), repo=repo)
        yield tree


def write_all(trees: Sequence[Tree], folder: Path) -> Path:
    """Several trees in one results folder."""
    for number, tree in enumerate(trees):
        tree.write(folder / str(number))
    return folder
