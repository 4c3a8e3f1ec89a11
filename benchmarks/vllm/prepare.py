"""Makes a project of the vLLM case study: a configuration, and the runs of two synthetic agents.

python benchmarks/vllm/prepare.py --clone ../vllm --python ../vllm-venv/bin/python OUT

``human_replay`` hands in the human's own diff and must be judged like the human; ``noop`` adds one comment to a module
that the script loads and must be neutral. Both are cut from the clone, which is only read. The same clone gives the
same runs, and runs that somebody has copied to OUT/runs stay.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_perfagents.gitrepo.command import GitResult, run_git
from pytest_perfagents.gitrepo.failure import shown
from pytest_perfagents.model import UsageError

HERE = Path(__file__).resolve().parent
PACKAGE = "vllm"
SUFFIX = "_test_case_generator.py"
AGENTS = {
    "human_replay": "the human's own diff; must be judged like the human",
    "noop": "one comment and nothing else; must be neutral",
}
DAY, WRITTEN = "2026-11-21_00-00-00", 1795219200.0  # no clock, so that the same clone gives the same runs
COMMENT = "# A comment; nothing else changes.\n"
DIFF = ("diff-tree", "-M", "--binary", "--full-index", "--no-ext-diff")  # reads no diff.* settings, as git diff would
CONFIG = (HERE / "perfagents.toml.in").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Change:
    """What a script measures: a commit of a clone, and its first parent."""

    script: Path
    clone: Path
    human: str
    parent: str

    def read(self, *arguments: str) -> str:
        """What git says, byte for byte; raises ``UsageError`` where the clone does not hold it."""
        result = ask(self.clone, *arguments)
        if result.code != 0:
            reason = f"commit {self.human[:8]} cannot be read from the clone at {shown(self.clone)}: {result.complaint}"
            raise UsageError(f"vllm: {reason}; a partial or damaged clone does not do, clone vLLM anew and whole")
        return result.out.decode(errors="surrogateescape")

    def patch(self, agent: str) -> str:
        """What the synthetic agent hands in."""
        return self.noop_patch() if agent == "noop" else self.read(*DIFF, self.parent, self.human)

    def noop_patch(self) -> str:
        """A comment at the end of a module that the script loads; one that the human changed, where there is one."""
        there = self.read("ls-tree", "-r", "-z", "--name-only", self.parent).split("\0")
        changed = self.read("diff-tree", "-r", "-z", "--name-only", self.parent, self.human).split("\0")
        loaded = [file for file in imported_files(self.script) if file in there]
        if not loaded:
            reason = f"{shown(self.script)}: imports no module of {PACKAGE} that the parent of {self.human[:8]} has"
            raise UsageError(f"{reason}; correct its imports, or name another folder with --scripts")
        file = next((file for file in loaded if file in changed), loaded[0])
        return comment_patch(file, self.read("cat-file", "blob", f"{self.parent}:{file}"))


def ask(clone: Path, *arguments: str) -> GitResult:
    """Git in ``clone`` itself, never in a repository that lies above it."""
    return run_git(clone, *arguments, env={"GIT_CEILING_DIRECTORIES": str(clone.resolve().parent)})


def imported_files(script: Path) -> Iterator[str]:
    """Where the modules of the package may lie that ``script`` imports at its top, the most precise first."""
    names = []
    try:
        body = ast.parse(script.read_bytes()).body
    except SyntaxError as error:
        raise UsageError(f"{shown(script)}: no Python: {error.msg} in line {error.lineno}; correct it") from None
    for node in body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [*(f"{node.module}.{alias.name}" for alias in node.names), node.module]
    for name in sorted(names, key=lambda name: -name.count(".")):
        if name.split(".")[0] == PACKAGE:
            yield from (f"{name.replace('.', '/')}{end}" for end in (".py", "/__init__.py"))


def comment_patch(file: str, text: str) -> str:
    """The diff that adds a comment at the end of ``file``, whose content is ``text``."""
    before = list(io.StringIO(text))  # splitlines would also end a line at a form feed
    ended = text if text.endswith("\n") or not text else f"{text}\n"
    hunks = difflib.unified_diff(before, [*io.StringIO(ended), COMMENT], f"a/{file}", f"b/{file}")
    lines = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in hunks)
    return f"diff --git a/{file} b/{file}\n{''.join(lines)}"


def find_changes(clone: Path, scripts: Path) -> tuple[list[Change], list[str]]:
    """The commits of ``scripts`` that the clone holds with their parents, and the names of those that it lacks."""
    files = sorted(scripts.glob("[0-9a-f]" * 8 + SUFFIX))
    if not files:
        raise UsageError(f"{shown(scripts)}: holds no <commit8>{SUFFIX}; name another folder with --scripts")
    if not clone.is_dir() or ask(clone, "rev-parse", "--git-dir").code != 0:
        place = shown(clone)
        raise UsageError(f"vllm: there is no clone at {place}; git clone URL {place}, or name another with --clone")
    found, missing = [], []
    for script in files:
        name = script.name.removesuffix(SUFFIX)
        human, parent = (ask(clone, "rev-parse", "--verify", f"{name}{of}^{{commit}}") for of in ("", "^"))
        if human.code == parent.code == 0:
            found.append(Change(script, clone, human.text, parent.text))
        else:
            missing.append(name)
    return found, missing


def journal(change: Change, agent: str) -> dict[str, object]:
    """A run's journal in the format of real ones; ``synthetic`` says what it is."""
    run = {"repo": "vllm", "agent": agent, "model": "synthetic", "run_timestamp": DAY}
    return {
        "task_id": "vllm_core",
        "commits": {"pre": change.parent, "human": change.human},
        "agent_branch": f"agent/vllm_core/{change.human[:8]}",
        "status": "success",
        "synthetic": AGENTS[agent],
        "run_metadata": {**run, "run_path": "/".join(run.values())},
        "metrics": {"time_to_first_edit_s": None, "patch_size_loc": None, "violations_count": 0},
        agent: {"time_budget_minutes": 0, "returncode": 0, "duration_s": 0.0},
        "timestamps": {"written": WRITTEN},
    }


def write_runs(out: Path, changes: list[Change]) -> None:
    """The runs of both agents, in place of those of an earlier preparation."""
    patches = {(agent, change): change.patch(agent) for agent in AGENTS for change in changes}
    for agent in AGENTS:
        shutil.rmtree(out / "runs/vllm" / agent / "synthetic", ignore_errors=True)
    for (agent, change), patch in patches.items():
        folder = out / "runs/vllm" / agent / "synthetic" / DAY / f"vllm_core-{change.human[:8]}"
        folder.mkdir(parents=True)
        (folder / "model_patch.diff").write_bytes(patch.encode(errors="surrogateescape"))
        (folder / "journal.json").write_text(json.dumps(journal(change, agent), indent=2) + "\n")


def prepare(clone: Path, python: str, scripts: Path, out: Path) -> str:
    """Write the project and return what to tell; raises ``UsageError`` before anything is written."""
    file, interpreter = out / "perfagents.toml", shutil.which(python)
    if interpreter is None:
        raise UsageError(f"--python: there is no interpreter {python}; benchmarks/vllm/README.md says how to make one")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{shown(out)}: is a file and should be a folder; name another one")
    if file.exists() and not file.read_bytes().startswith(CONFIG.partition("\n")[0].encode()):
        raise UsageError(f"{shown(file)}: was not made by this program and is left as it is; name another folder")
    changes, missing = find_changes(clone, scripts)
    lacks = f"vllm: not in the clone at {shown(clone)}, or without parent: {', '.join(missing)}; "
    lacks += f"run: git -C {shown(clone)} fetch --all (with --unshallow, if it is shallow)"
    if not changes:
        raise UsageError(lacks)
    write_runs(out, changes)
    places = {"scripts": scripts, "clone": clone, "python": Path(interpreter)}
    quoted = {name: json.dumps(str(path.absolute()), ensure_ascii=False) for name, path in places.items()}
    file.write_text(CONFIG.format(**quoted), encoding="utf-8")
    told = [f"{2 * len(changes)} runs of {len(changes)} commits in {shown(out / 'runs')}"]
    return "\n".join([*told, *([lacks] if missing else []), f"now: pytest --perf-config {shown(file)}"])


def main() -> None:
    """A ``UsageError`` is a message and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clone", type=Path, required=True, help="a clone of vLLM, bare or not; only read")
    parser.add_argument("--python", required=True, help="the interpreter that requirements.txt was installed for")
    parser.add_argument("--scripts", type=Path, default=HERE / "scripts", help="default: ours")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    try:
        print(prepare(**vars(parser.parse_args())))
    except UsageError as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
