"""How long recorded evaluations take to import: python benchmarks/importing.py [RECORDS]

Makes a tree of records like real ones (an import error, a traceback behind warnings, times, no patch, a truncated file)
and prints the seconds that reading, judging and writing take, the memory and whether torch was imported.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

FRAMES = "".join(f'  File "/tmp/w/vllm/module_{number}.py", line {number}, in f\n    g()\n' for number in range(40))
TRACEBACK = f"Traceback (most recent call last):\n{FRAMES}RuntimeError: operator torchvision::nms does not exist\n"
PRINTED = {"avg_ms": 2.0, "p50_ms": 2.0, "iters": 100, "opt_path_hit": True}
ABSENT = {"target_resolved": False, "error": "No module named 'decord'"}
RESULTS = [
    {"status": "baseline_failed", "baseline_output": ABSENT, "error_message": ABSENT["error"]},
    {"status": "error", "error_message": "Baseline test failed to produce output", "stderr": TRACEBACK * 4},
    {"status": "success", "baseline_ms": 2.0, "patched_ms": 2.0, "baseline_output": PRINTED, "patched_output": PRINTED},
    {"status": "no_patch"},
]


def make(root: Path, count: int) -> None:
    """``count`` records; every fiftieth breaks off."""
    for number in range(count):
        commit = f"{number % 100:08x}" + "0" * 32
        facts = {"human_commit": commit, "pre_commit": "f" * 40, "agent_status": "success", "repo": "vllm"}
        facts |= {"patch_path": None if number % 4 == 3 else "/x/model_patch.diff", "agent": "trae", "model": "gpt-5"}
        text = json.dumps({"metadata": facts, "result": RESULTS[number % 4]}, indent=2)
        folder = root / "vllm" / "trae" / "gpt-5" / "2025-10-10_00-13-09" / f"vllm_core-{number:06}"
        folder.mkdir(parents=True)
        (folder / "test_results.json").write_text(text[: -len(text) // 3] if number % 50 == 0 else text)


def main() -> None:
    """Make, import, write; then say how long it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, count)
        began = time.perf_counter()
        from pytest_perfagents.recorded.importing import import_records
        from pytest_perfagents.records import outcome_to_json
        from pytest_perfagents.report.json_report import imported_to_json, write_report

        imported = import_records([root])
        judged = time.perf_counter()
        records = [outcome_to_json(outcome) for outcome in imported.outcomes]
        write_report(root / "out.json", imported_to_json(records, imported.notes, imported.files))
        written = time.perf_counter()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    torch = "imported" if "torch" in sys.modules else "not imported"
    print(
        f"{imported.files} records: {judged - began:.1f} s to read and judge, {written - judged:.1f} s to write, "
        f"{memory_mb:.0f} MB, {len(imported.notes)} notes, torch {torch}"
    )


if __name__ == "__main__":
    main()
