from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

PROGRESS = """

EVALUATE = CannedEvaluator.evaluate

def evaluate(self, cases, deadline):
    self.progress("minivllm-1a2b3c4d: start 12, 3 sides, 8 s")
    self.progress("minivllm-1a2b3c4d: start 13, " + "x" * 300)
    return EVALUATE(self, cases, deadline)

CannedEvaluator.evaluate = evaluate

def pytest_perfagents_evaluator(config, settings, progress):
    return CannedEvaluator(Path({folder!r}), progress)
"""


@pytest.fixture
def talkative(project):
    for human in ("1a2b3c4d", "2b2b2b2b"):
        project.add_run("SUCCESS_NEUTRAL", human=human)
    conftest = project.folder / "conftest.py"
    conftest.write_text(conftest.read_text() + PROGRESS.format(folder=str(project.folder)))
    return project


def on_a_terminal(project, *args, env=()):
    """What pytest writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:benchmark",
        "--agent",
        "trae_gpt5",
        *args,
    ]
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1", **dict(env)}
    with subprocess.Popen(command, cwd=project.folder, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:
                break
            if process.poll() is not None and not written:
                break
    os.close(ours)
    return written.decode()


def played(text):
    """What stands on the screen in the end: carriage returns, erasing, and moving up and right are understood."""
    lines, row, column = [[]], 0, 0
    for part in re.findall(r"\x1b\[(\d*)([A-Za-z])|(.)", text, re.DOTALL):
        number, command, char = part
        if command == "K":
            del lines[row][column:]
        elif command == "A":
            row -= 1
        elif command == "C":
            column += int(number)
        elif char == "\r":
            column = 0
        elif char == "\n":
            row, column = row + 1, 0  # the terminal's driver has put a carriage return before it
            lines += [[]] if row == len(lines) else []
        elif char:
            lines[row] += [" "] * (column + 1 - len(lines[row]))
            lines[row][column] = char
            column += 1
    return ["".join(line).rstrip() for line in lines]


@pytest.mark.parametrize("args", [[], ["-s"], ["-v"]])
def test_a_line_comes_and_goes_and_pytests_own_output_is_whole(talkative, args):
    text = on_a_terminal(talkative, *args)
    assert "[1/2] minivllm-1a2b3c4d: start 12, 3 sides, 8 s" in text
    assert "[2/2] minivllm-1a2b3c4d: start 12" in text
    screen = "\n".join(played(text))
    assert "start 1" not in screen
    if args != ["-v"]:
        assert "perfagents.toml .." in screen
    else:
        assert screen.count("NEUTRAL 1.000x") == 2
    assert "2 passed" in screen


@pytest.mark.parametrize(("args", "env"), [(["-q"], {}), ([], {"TERM": "dumb"})])
def test_it_is_silent_where_it_is_not_welcome(talkative, args, env):
    assert "start 12" not in on_a_terminal(talkative, *args, env=env)


def test_it_is_silent_in_a_file(talkative):
    assert "start 12" not in talkative.run("--agent", "trae_gpt5").stdout.str()
