"""``perfagents show COMMIT``: which run is meant, what is told of it, its patch, and the command that repeats it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import recordings
from canned import failed, measured
from cases import case_of

from pytest_perfagents.model import Blame, Role, Stage
from pytest_perfagents.recorded.importing import import_records
from pytest_perfagents.store import ResultsWriter, outcome_to_json

OTHER = "1a2b9999" + "0" * 32
PATCH = (
    "diff --git a/minivllm/x.py b/minivllm/x.py\n--- a/minivllm/x.py\n+++ b/minivllm/x.py\n"
    "@@ -1,2 +1,2 @@\n import os\n-a = 1\n+\ta = 2  # \x1b[31mred\n"
)


class House:
    """A folder with results, and the command run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def case(self, patch: str | None = PATCH, **more):
        """A case whose run folder is here, with its patch."""
        case = case_of(**more)
        name = f"{case.run.commit.short}-{case.run.agent}-{case.run.item}"
        runs = self.folder / "runs" / name
        runs.mkdir(parents=True)
        if patch is not None:
            (runs / "model_patch.diff").write_text(patch)
        return replace(case, run=replace(case.run, folder=str(runs), has_patch=patch is not None))

    def store(self, *outcomes, run="one", **more):
        with ResultsWriter(self.folder / "results" / run) as writer:
            writer.append_all([{**outcome_to_json(outcome), **more} for outcome in outcomes])

    def show(self, *words, columns=80):
        command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", "show", *map(str, words)]
        environment = {"COLUMNS": str(columns), "PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, env=environment)

    def told(self, *words, **more):
        """What is printed, with its sections by their titles; the head is ''."""
        done = self.show(*words, **more)
        assert (done.returncode, done.stderr) == (0, "")
        sections, title = {"": ""}, ""
        for line in done.stdout.splitlines():
            if line in ("Verdict", "Why it was not measured", "Sides", "Starts", "Integrity", "Patch", "Again"):
                title, sections[line] = line, ""
            else:
                sections[title] += line + "\n"
        return sections


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# Which run


@pytest.fixture
def several(house):
    house.store(
        measured(house.case(), "SUCCESS_IMPROVEMENT"),
        measured(house.case(agent="codex", alias="codex_gpt5"), "SUCCESS_NEUTRAL"),
        failed(house.case(agent="codex", alias="codex_gpt5", number=1), "TEST_IMPORT_ERROR"),
        measured(house.case(human=OTHER), "SUCCESS_REGRESSION"),
    )
    return house


@pytest.mark.parametrize("agent", ["trae_gpt5", "tra*", "trae/gpt-5"])
def test_one_run_is_explained_by_the_beginning_of_its_commit_and_an_agent(several, agent):
    told = several.told("1A2B3C", "results", "--agent", agent)
    assert told[""].startswith("minivllm-1a2b3c4d trae_gpt5: SUCCESS_IMPROVEMENT\n")
    assert "1a2b3c4d" + "0" * 32 in told[""] and "f" * 40 in told[""]
    assert "trae, model gpt-5" in told[""] and "2026-01-01_00-00-00, item minivllm_core-0000" in told[""]
    assert "2026-01-01T00:00:00Z in 3.2 s" in told[""]


def test_several_runs_are_listed_with_ids_that_explain_one(several):
    listed = several.show("1a2b3c4d", "results").stdout.splitlines()
    ids = [line for line in listed if line.startswith("minivllm/")]
    assert len(ids) == 3 and listed[-1].startswith("3 runs; ")
    assert "    TEST_IMPORT_ERROR: baseline needs module 'decord'" in listed
    told = several.told(ids[1], "results")
    assert told[""].startswith("minivllm-1a2b3c4d codex_gpt5: TEST_IMPORT_ERROR\n") or "SUCCESS_NEUTRAL" in told[""]
    assert ids[1].rsplit("/", 1)[1] in told[""]


def test_all_explains_each_of_them(several):
    done = several.show("1a2b3c4d", "results", "--all")
    titles = [line for line in done.stdout.splitlines() if line.startswith("minivllm-1a2b3c4d ")]
    assert [title.split(": ")[1] for title in titles] == ["SUCCESS_NEUTRAL", "TEST_IMPORT_ERROR", "SUCCESS_IMPROVEMENT"]


def test_a_hash_that_begins_several_commits_is_refused_with_what_there_is(several):
    done = several.show("1a2b", "results")
    assert done.returncode == 2
    assert "1a2b means 2 commits; type more of the hash" in done.stderr
    assert "minivllm-1a2b3c4d (3 runs), minivllm-1a2b9999 (1 run)" in done.stderr
    assert several.show("1a2b", "results", "--agent", "codex").returncode == 0  # it has runs of one of them only


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["7777"], ["commit 7777: no run is of that name", "1a2b3c4d (3), 1a2b9999 (1)"]),
        (["1a2b3c4d", "--agent", "traee"], ["minivllm-1a2b3c4d: --agent traee: no run", "'trae'?", "codex_gpt5 (2)"]),
        (["minivllm/1a2b3c4d/trae/gpt-5/x/y"], ["no run has this id", "did you mean"]),
        (["1a2b3c4d", "1a2b9999"], ["one commit at a time"]),
        (["1a2b3c4d", "third"], ["third: no results here"]),
    ],
)
def test_what_is_not_there_is_told_with_what_there_is(several, words, said):
    done = several.show("results", *words)
    assert done.returncode == 2 and not done.stdout
    assert all(each in done.stderr for each in said), done.stderr
    assert "Traceback" not in done.stderr


def test_the_last_outcome_of_a_run_counts_and_run_chooses_another(house):
    case = house.case()
    house.store(measured(case, "SUCCESS_REGRESSION"), run="first")
    house.store(measured(case, "SUCCESS_IMPROVEMENT"), run="second")
    told = house.told("1a2b3c4d", "results")
    assert "SUCCESS_IMPROVEMENT" in told[""] and "results/second/outcomes.jsonl" in told[""]
    assert "1 other outcome of this run" in told[""]
    first = house.told("1a2b3c4d", "results", "--run", "first")
    assert "SUCCESS_REGRESSION" in first[""] and "other outcome" not in first[""]
    assert "there are second, first" in house.show("1a2b3c4d", "results", "--run", "zero").stderr


def test_without_results_the_configuration_says_where_they_lie_and_has_aliases(house):
    assert "perfagents.toml" in house.show("1a2b3c4d").stderr
    (house.folder / "perfagents.toml").write_text(
        '[perfagents]\nruns = ["runs"]\nscripts = ["runs"]\nresults = "results"\n'
        '[repos.minivllm]\npath = "x"\n[aliases]\nmine = ["tra*"]\n'
    )
    house.store(measured(house.case(), "SUCCESS_IMPROVEMENT"))
    assert house.told("1a2b3c4d", "--agent", "mine")[""].startswith("minivllm-1a2b3c4d trae_gpt5")
    assert "1 run: 1 measured" in house.show().stdout


def test_a_damaged_line_is_named_and_an_outcome_of_another_version_too(house):
    house.store(measured(house.case(), "SUCCESS_IMPROVEMENT"))
    file = house.folder / "results" / "one" / "outcomes.jsonl"
    record = json.loads(file.read_text())
    with file.open("a") as lines:
        lines.write('{"schema": "perfagents/outc\n')
    done = house.show("1a2b3c4d", "results")
    assert done.returncode == 0 and "outcomes.jsonl:2: " in done.stderr
    record["integrity"]["aura"] = 1
    file.write_text(json.dumps(record) + "\n")
    done = house.show("1a2b3c4d", "results")
    assert done.returncode == 2 and "none of this version's" in done.stderr and "aura" in done.stderr


# What is told of a measured run


def test_the_verdict_the_sides_and_what_proves_it(house):
    house.store(measured(house.case(), "SUCCESS_IMPROVEMENT", flags=("it keeps answers",)))
    told = house.told("1a2b3c4d", "results", columns=160)
    verdict = {line.split()[0]: line for line in told["Verdict"].splitlines() if line}
    assert "1.50x the baseline's speed, 95 % interval [1.47, 1.54], 2 starts, cpu clock" in verdict["speedup"]
    assert "improvement" in verdict["verdict"] and "faster, p = 0.004" in verdict["change"]
    assert "2.00x [1.96, 2.06], faster; the agent has 50 % of the human's gain" in verdict["human"]
    sides = {line.split()[0]: line.split() for line in told["Sides"].splitlines()[:4]}
    assert sides["baseline"] == ["baseline", "13.50", "15.19", "2", "2", "-"]
    assert sides["human"][1] == "6.75" and sides["patched"][1] == "9.00"
    integrity = told["Integrity"]
    assert "9 of 12 patched lines that hold code" in integrity and "1.49x" in integrity
    assert "equal" in integrity and "flag: it keeps answers" in integrity


def test_an_undecided_run_says_what_would_decide(house):
    house.store(measured(house.case(), "SUCCESS_INCONCLUSIVE"))
    assert "about 90 starts or more would decide" in house.told("1a2b3c4d", "results")["Verdict"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_but_paths_commands_and_the_diff_is_wider_than_the_screen(house, columns):
    case = house.case()
    house.store(measured(case, "SUCCESS_IMPROVEMENT", flags=("it keeps answers " * 12,)))
    stays_whole = ("read from", "script", "file ", "pytest ")
    for title, text in house.told("1a2b3c4d", "results", "--patch", "none", columns=columns).items():
        for line in text.splitlines():
            assert len(line) <= columns or line.startswith(stays_whole), (title, line)


def test_what_others_wrote_is_cleaned(house):
    case = house.case(patch="\x1b]0;title\x07" + PATCH)
    house.store(
        failed(
            case,
            "PATCHED_EXCEPTION",
            reason="patched ended in \x1b[2J",
            evidence={"traceback": "a\x1b[31m\n\tb", "stderr": "c\rd", "ex\x1bit": "e\x07"},
        )
    )
    text = "".join(house.told("1a2b3c4d", "results").values())
    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert r"\x1b[31m" in text and "      b" in text


# What is told of a failure


def test_a_failure_has_reason_blame_hint_and_the_end_of_the_traceback(house):
    lines = "".join(f"frame {number}\n" for number in range(40))
    evidence = {
        "traceback": f"Traceback (most recent call last):\n{lines}OSError: no",
        "stderr": "before\nlast words",
        "chain": ["OSError: no", "KeyError: 'deep'"],
        "exit_code": 1,
        "command": "pytest -q perfagents.toml::a::b",
        "ran": "git worktree add x",
        "cause": "call something",
    }
    house.store(
        failed(
            house.case(),
            "PATCHED_EXCEPTION",
            stage=Stage.RUN,
            side=Role.PATCHED,
            blame=Blame.AGENT,
            reason="patched ended in OSError: no",
            hint="look at the patch",
            evidence=evidence,
        )
    )
    told = house.told("1a2b3c4d", "results", columns=120)
    why = told["Why it was not measured"]
    facts = {line[:14].strip(): line[15:] for line in why.splitlines()}
    assert facts["reason"] == "patched ended in OSError: no"
    assert (facts["at"], facts["whose move"]) == ("stage run on the patched side", "agent")
    assert facts["chain"] == "OSError: no" and "KeyError: 'deep'" in why
    assert facts["exit code"] == "1"
    assert "hint: look at the patch\n" in why and "ran: git worktree add x\n" in why
    assert "frame 39" in why and "frame 5\n" not in why and "OSError: no\n" in why
    assert "the last 14 of 42 recorded lines" in why
    assert "last words" in why
    assert told["Again"] == "pytest -q perfagents.toml::a::b\n"
    assert "Verdict" not in told and "Starts" not in told


def test_of_a_run_without_a_patch_nothing_was_run(house):
    case = house.case(patch=None)
    house.store(
        failed(case, "AGENT_NO_PATCH", stage=Stage.DISCOVER, side=None, blame=Blame.AGENT, reason="no patch", hint=None)
    )
    told = house.told("1a2b3c4d", "results")
    assert "the agent left none" in told["Patch"]
    assert "nothing of it was run" in told["Again"] and "pytest" not in told["Again"]


# The patch


def test_the_patch_is_shown_as_evaluated(house):
    house.store(replace(measured(house.case(), "SUCCESS_IMPROVEMENT"), patch_sha256=digest(PATCH)))
    told = house.told("1a2b3c4d", "results", columns=120)["Patch"]
    assert f"as evaluated, sha256 {digest(PATCH)[:12]}" in told
    assert "1 file, 1 line added: minivllm/x.py" in told
    assert "\n@@ -1,2 +1,2 @@\n import os\n-a = 1\n+   a = 2  # \\x1b[31mred\n" in told


def test_a_patch_that_was_changed_or_is_gone_is_said_to_be(house):
    case = house.case()
    house.store(replace(measured(case, "SUCCESS_IMPROVEMENT"), patch_sha256=digest(PATCH)))
    case.run.patch.write_text(PATCH.replace("a = 2", "a = 3"))
    told = house.told("1a2b3c4d", "results", columns=160)["Patch"]
    assert f"CHANGED since it was evaluated: sha256 was {digest(PATCH)[:12]}" in told and "a = 3" in told
    case.run.patch.unlink()
    told = house.told("1a2b3c4d", "results", columns=160)["Patch"]
    assert "the file is gone since it was evaluated" in told and digest(PATCH)[:12] in told and "@@" not in told


def test_an_older_record_does_not_say_which_text_it_was(house):
    house.store(measured(house.case(), "SUCCESS_IMPROVEMENT"))
    assert "the record does not say which text was evaluated" in house.told("1a2b3c4d", "results")["Patch"]


def test_a_long_patch_is_shortened_with_a_note(house):
    body = "".join(f"+line {number}\n" for number in range(100))
    text = f"--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,100 @@\n{body}"
    house.store(measured(house.case(patch=text), "SUCCESS_IMPROVEMENT"))
    short = house.told("1a2b3c4d", "results")["Patch"]
    assert "... 73 of 103 lines more; --patch full shows all" in short and "+line 99" not in short
    assert "+line 99\n" in house.told("1a2b3c4d", "results", "--patch", "full")["Patch"]
    none = house.told("1a2b3c4d", "results", "--patch", "none")["Patch"]
    assert "+line" not in none and "100 lines added" in none


def test_a_patch_that_is_no_diff_is_shown_and_called_so(house):
    house.store(failed(house.case(patch="I made it faster.\n"), "PATCH_INVALID"))
    told = house.told("1a2b3c4d", "results")["Patch"]
    assert "it is no diff" in told and "I made it faster." in told


def test_a_prediction_holds_the_patch_as_text(house):
    case = house.case()
    file = Path(case.run.folder, "prediction.jsonl")
    file.write_text(json.dumps({"model_patch": PATCH}))
    case = replace(case, run=replace(case.run, patch_file=file.name))
    house.store(replace(measured(case, "SUCCESS_NEUTRAL"), patch_sha256=digest(file.read_text())))
    told = house.told("1a2b3c4d", "results")["Patch"]
    assert "as evaluated" in told and "\n-a = 1\n" in told and "model_patch" not in told


# Recorded evaluations


@pytest.fixture
def imported(house):
    recordings.write(house.folder / "eval", recordings.record(recordings.measured(12.0, 8.0)))
    stderr = f"{recordings.FRAME}RuntimeError: no such device\n"
    failing = recordings.record({"stderr": stderr}, item_id="vllm_core-0002")
    recordings.write(house.folder / "eval", failing, item="vllm_core-0002")
    command = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()", "import", "eval"]
    subprocess.run([*command, "--perf-json", "old.json"], cwd=house.folder, check=True, capture_output=True)
    return house


def test_a_recorded_speedup_is_told_as_recorded(imported):
    listed = imported.show("1a2b3c4d", "old.json").stdout.splitlines()
    told = imported.told(listed[0], "old.json", columns=120)
    assert "1.50x as recorded" in told["Verdict"] and "no interval" in told["Verdict"]
    sides = {line.split()[0]: line.split()[1:] for line in told["Sides"].splitlines() if line}
    assert sides["baseline"] == ["12.00", "mean,", "12.00", "median", *"----"]
    assert sides["patched"][:2] == ["8.00", "mean,"]
    assert "no samples" in told["Starts"]
    assert "not beside the record" in told["Patch"]
    assert "test_results.json" in told[""] and "its status     success" in told[""]
    assert told["Again"].splitlines()[1].startswith("perfagents import ")


def test_the_command_that_judges_a_record_again_works_from_any_folder(imported, tmp_path):
    recordings.write(imported.folder / "my evals", recordings.record(recordings.measured(12.0, 8.0)))
    program = [sys.executable, "-c", "from pytest_perfagents.cli import main; main()"]
    done = subprocess.run(
        [*program, "import", "my evals", "--perf-json", "mine.json"], cwd=imported.folder, check=False
    )
    assert done.returncode == 0
    (line,) = imported.told("1a2b3c4d", "mine.json", columns=400)["Again"].splitlines()[1:]
    words = shlex.split(line)
    assert words[:2] == ["perfagents", "import"] and Path(words[2]).is_absolute() and " evals/" in words[2]
    again = subprocess.run([*program, *words[1:]], cwd="/", capture_output=True, text=True, check=False)
    assert (again.returncode, "1 run" in again.stdout) == (0, True)


def test_an_elder_record_with_a_relative_path_says_so(imported):
    report = json.loads((imported.folder / "old.json").read_text())
    for each in report["outcomes"]:
        each["protocol"]["recorded"]["file"] = "gone/test_results.json"
    (imported.folder / "elder.json").write_text(json.dumps(report))
    listed = imported.show("1a2b3c4d", "elder.json").stdout.splitlines()
    told = imported.told(listed[0], "elder.json", columns=200)["Again"]
    assert "relative to the folder where it was imported" in told and "gone/test_results.json" in told


def test_a_recorded_failure_has_its_output(imported):
    run = "vllm/1a2b3c4d/trae/gpt-5/2025-10-10_00-13-09/vllm_core-0002"
    why = imported.told(run, "old.json", columns=120)["Why it was not measured"]
    assert "RuntimeError: no such device" in why and "Standard error" in why and "script" in why


def test_every_record_of_the_corpus_is_explained(house):
    corpus = Path(os.environ.get("PERFAGENTS_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not (corpus / "eval").is_dir():
        pytest.skip(f"no recorded evaluations under {corpus} (set PERFAGENTS_CORPUS)")
    imported = import_records([corpus / "eval", corpus / "threeway"]).outcomes
    house.store(*imported)
    done = house.show("results", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.count("Again") == len({outcome.case.id for outcome in imported})
    assert lines.count("Verdict") + lines.count("Why it was not measured") == lines.count("Again")
    assert all(line.isprintable() for line in lines)


# For programs


def test_json_has_the_records_and_what_an_explanation_adds(several):
    done = several.show("1a2b3c4d", "results", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "perfagents/report/1" and len(found["outcomes"]) == 3
    (trae,) = [record for record in found["outcomes"] if record["agent"] == "trae"]
    added = found["explained"][trae["id"]]
    assert added["patch"]["text"] == PATCH and added["file"] == "results/one/outcomes.jsonl"
    assert added["start_speedups"]["human"] == pytest.approx([2.0, 2.0])
    (several.folder / "some.json").write_text(done.stdout)
    assert several.told("1a2b3c4d", "some.json", "--agent", "trae")[""].startswith("minivllm-1a2b3c4d trae_gpt5")
