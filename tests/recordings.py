"""Recorded evaluations as files, for tests of importing them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FRAME = 'Traceback (most recent call last):\n  File "/tmp/w/test_script.py", line 3, in setup\n    go()\n'
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
FROM = "\nThe above exception was the direct cause of the following exception:\n\n"
RUN = "2025-10-10_00-13-09"
HUMAN, PARENT = "1a2b3c4d" + "0" * 32, "f" * 40


def printed(avg_ms: float, p50_ms: float | None = None, **more: Any) -> dict[str, Any]:
    """What a perf script prints of a side."""
    return {"avg_ms": avg_ms, "p50_ms": p50_ms or avg_ms, "iters": 10, "opt_path_hit": True, "device": "cpu", **more}


def record(result: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """A `test_results.json`: by default of a baseline that printed nothing."""
    facts = {
        "run_id": f"vllm/trae/gpt-5/{RUN}",
        "item_id": "vllm_core-0001",
        "task_id": "vllm_core",
        "human_commit": HUMAN,
        "pre_commit": PARENT,
        "agent_status": "success",
        "patch_path": "/x/model_patch.diff",
        "test_script_path": "/x/1a2b3c4d_test_case_generator.py",
        "repo": "vllm",
        "agent": "trae",
        "model": "gpt-5",
        "timestamp": RUN,
    }
    empty = {
        "status": "error",
        "baseline_ms": None,
        "patched_ms": None,
        "speedup": None,
        "improvement": False,
        "baseline_output": None,
        "patched_output": None,
        "error_message": "Baseline test failed to produce output",
        "stdout": "",
        "stderr": "",
        "duration_s": 3.0,
    }
    return {"metadata": {**facts, **metadata}, "result": {**empty, **(result or {})}}


def measured(baseline_time: float, patched_time: float, /, **result: Any) -> dict[str, Any]:
    """The result of a run with times on both sides, in milliseconds."""
    baseline, patched = printed(baseline_time), printed(patched_time)
    return {
        "status": "success",
        "baseline_ms": baseline_time,
        "patched_ms": patched_time,
        "speedup": baseline_time / patched_time,
        "improvement": baseline_time > patched_time,
        "baseline_output": baseline,
        "patched_output": patched,
        "error_message": None,
        "stdout": f"{json.dumps(baseline)}\n\n{json.dumps(patched)}\n",
        **result,
    }


def write(
    root: Path, content: Any, *, item: str = "vllm_core-0001", name: str = "test_results.json", **names: str
) -> Path:
    """The file in its place of the hierarchical layout; text and bytes are written as they are."""
    place = {"repo": "vllm", "agent": "trae", "model": "gpt-5", "run": RUN, **names}
    return put(root / place["repo"] / place["agent"] / place["model"] / place["run"] / item / name, content)


def put(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return file


def served(status: str = "success", **fields: Any) -> dict[str, Any]:
    """A three-way result of an agent: by default a success without numbers."""
    return {
        "human_commit": "2b2b2b2b",
        "human_commit_full": "2b2b2b2b" + "0" * 32,
        "parent_commit": PARENT,
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "status": status,
        "error": None,
        "duration_s": 200.0,
        "metrics": {},
        "raw_output": "vLLM server ready\n",
        "timestamp": "2026-01-14 19:13:20",
        **fields,
    }


def way(
    root: Path,
    name: str = "2b2b2b2b_agent_result.json",
    *,
    folder: str = "iso_bench_results_3way_trae_gpt5_0123/results",
    **fields: Any,
) -> Path:
    """The file of a three-way result in its place."""
    return put(root / folder / name, served(**fields))
