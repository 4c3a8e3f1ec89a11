"""The calibration: everybody's rules on data whose truth is known, and a recording that can be cut off anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from math import exp
from pathlib import Path
from zlib import crc32

import numpy as np
import psutil
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from calibrating import noises, peers, replaying, shares, simulating, vectorised  # noqa: E402
from calibrating.bench import KITS, seats_of  # noqa: E402
from calibrating.datafile import Datafile  # noqa: E402
from calibrating.evaluating import evaluate  # noqa: E402
from calibrating.neighbour import neighbour  # noqa: E402
from calibrating.recording import CONDITIONS, KEPT, SEQUENCE, Cell, recorder  # noqa: E402
from calibrating.reporting import document  # noqa: E402
from calibrating.shares import Share  # noqa: E402
from calibrating.tables import Evidence  # noqa: E402
from calibrating.targets import figures  # noqa: E402
from calibrating.workloads import UNITS, WORKLOADS, patch_to, write_package  # noqa: E402

from pytest_perfagents.config import ProtocolConfig  # noqa: E402
from pytest_perfagents.judgement import judge, stats  # noqa: E402
from pytest_perfagents.measurement.trial import rule_of  # noqa: E402
from pytest_perfagents.model import BASELINE, Category, Change, Role, Side, SideSamples  # noqa: E402

PROTOCOL = ProtocolConfig()
RULE = rule_of(PROTOCOL)
QUIET = Cell("loop-1ms", "quiet")
TARGETS = (
    "A/A false verdicts, quiet and noisy",
    "A/A called neutral, quiet and noisy",
    "smallest slowdown found in 90 % of trials that use their budget, quiet: median over workloads",
    "smallest slowdown found in 90 % of trials that use their budget, quiet: worst workload",
    "smallest slowdown found in 90 % of trials in 5 s, quiet: pure Python",
    "smallest slowdown found in 90 % of trials in 5 s, quiet: NumPy",
    "a true +2 % called slower within the budget, quiet",
    "coverage of the stated 95 % interval",
    "cost of an A/A comparison of pure-Python code",
    "harness share",
)


# Canned recordings


def start(number, kit, cell=QUIET, *, noise=0.001, wrong=1.0, turns=6, seconds=0.4):
    """A row as the recorder writes it; ``wrong`` makes every second twin so much slower than its amount of work."""
    random = np.random.default_rng([number, crc32(f"{kit}/{cell}".encode())])
    sides = []
    for seat in seats_of(kit):
        walls = 0.001 * seat.units / UNITS * (wrong if seat.copy else 1) * np.exp(random.normal(0, noise, turns))
        values = [float(value) for value in walls]
        sides.append({"units": seat.units, "copy": seat.copy, "is_long": seat.is_long, "wall": values, "cpu": values,
                      "ready": [0.0] * turns})  # fmt: skip
    return {"kind": "start", "workload": cell.workload, "condition": cell.condition, "kit": kit, "seed": 1,
            "number": number, "seconds": seconds, "iterations": 20, "budget_s": 20.0, "startup_s": 0.1,
            "elapsed_s": 0.3, "inside_s": 0.2985, "sides": sides}  # fmt: skip


def sequence(number, cell=QUIET):
    random = np.random.default_rng(number)
    processes = []
    for seat in SEQUENCE:
        values = [float(v) for v in 0.001 * seat.units / UNITS * np.exp(random.normal(0, 0.001, KEPT))]
        mean = float(np.mean(values))
        processes.append({"units": seat.units, "copy": seat.copy, "values": values, "mean": mean, "rounds": KEPT})
    return {"kind": "sequential", "workload": cell.workload, "condition": cell.condition, "kit": "sequential",
            "seed": 1, "number": number, "seconds": 4.5, "processes": processes}  # fmt: skip


def recorded(cells, starts=40, **how):
    rows = [{"kind": "machine", "processor": "a processor", "cores": 2}]
    for cell in cells:
        rows += [start(number, kit, cell, **how) for kit in KITS for number in range(starts)]
        rows += [start(0, "pair", cell, **how), sequence(0, cell)]
    return rows


# Rules


def process(times):
    return {"values": list(times), "mean": float(np.mean(times))}


def test_every_other_rule_says_what_its_owner_would():
    random = np.random.default_rng(3)
    base = 0.010 * np.exp(random.normal(0, 0.001, 50))
    again, slower, faster = base[::-1], base * 1.07, base / 1.07
    for rule in (peers.predecessor, peers.iqr_mann_whitney, peers.pytest_benchmark):
        assert rule(process(base), process(again)) == peers.NONE
        assert rule(process(base), process(slower)) == peers.SLOWER
    assert peers.predecessor(process(base), process(faster)) == peers.FASTER
    assert peers.pytest_benchmark(process(base), process(faster)) == peers.NONE
    assert peers.predecessor(process(base), process(base * 1.04)) == peers.NONE
    assert peers.iqr_mann_whitney(process(base), process(base * 1.04)) == peers.SLOWER
    assert peers.pyperf(base, again) == peers.NONE
    assert peers.pyperf(base, base * 1.01) == peers.SLOWER


def test_values_beyond_the_fences_are_left_out():
    base = [0.010 + 1e-6 * number for number in range(20)]
    torn = [*base[:-1], 5.0]
    assert peers.iqr_mann_whitney(process(base), process(torn)) == peers.NONE


def test_a_t_test_over_all_values_is_the_one_of_pyperf():
    """Its published rule by hand: difference of means over the pooled standard error, against 1.984 at 118 degrees."""
    random = np.random.default_rng(0)
    for _ in range(200):
        a, b = random.normal(1.0, 0.02, 60), random.normal(1.004, 0.02, 60)
        pooled = (np.sum((a - a.mean()) ** 2) + np.sum((b - b.mean()) ** 2)) / 118
        score = abs(a.mean() - b.mean()) / np.sqrt(2 * pooled / 60)
        if abs(score - 1.982) > 0.003:  # the tool rounds its table
            assert (peers.pyperf(a, b) != peers.NONE) == (score >= 1.984)


@pytest.mark.parametrize("starts", [1, 5, 7, 10, 20, 40])
@pytest.mark.parametrize("effect", [0.0, 0.012, -0.06])
def test_the_vectorised_judge_is_the_judge(starts, effect):
    random = np.random.default_rng(starts)
    for spread in (0.002, 0.02, 0.1):
        ratios = random.standard_t(3, (12, starts)) * spread + effect
        seen = vectorised.judge_all(ratios, RULE)
        for row, values in enumerate(ratios):
            said = judge.compare(*samples(values), clock="wall", rule=RULE)
            ours = [exp(float(each[row])) for each in (seen.point, seen.low, seen.high)]
            assert ours == pytest.approx([said.point, said.low, said.high], rel=1e-12)
            flags = (seen.faster, seen.slower, seen.same)
            answers = (Change.FASTER, Change.SLOWER, Change.SAME)
            assert [bool(flag[row]) for flag in flags] == [said.change is answer for answer in answers]
            flags = (seen.improvement, seen.regression, seen.neutral)
            names = (Category.SUCCESS_IMPROVEMENT, Category.SUCCESS_REGRESSION, Category.SUCCESS_NEUTRAL)
            assert [bool(flag[row]) for flag in flags] == [said.category is name for name in names]
            assert bool(seen.decided[row]) == judge.is_decided(said)


def samples(ratios):
    ones = tuple((1.0,) for _ in ratios)
    times = tuple((exp(-float(ratio)),) for ratio in ratios)
    return SideSamples(BASELINE, 1, ones, ones), SideSamples(Side(Role.PATCHED, "r"), 1, times, times)


def test_simulated_turns_are_trimmed_as_measured_ones_are():
    before, after = np.random.default_rng(1).normal(0, 0.1, (2, 4, noises.TURNS))
    expected = [np.log(stats.trimmed_ratio(*pair)) for pair in zip(np.exp(before), np.exp(after), strict=True)]
    assert noises._trimmed_ratios(before, after) == pytest.approx(expected)


@pytest.mark.parametrize("name", [*noises.NOISES, *noises.BEYOND])
def test_no_noise_favours_a_side(name):
    noise = {**noises.NOISES, **noises.BEYOND}[name]
    ratios = noise(np.random.default_rng(5), 400, 20)
    assert ratios.shape == (400, 20)
    assert abs(np.median(ratios)) < 4 * 1.25 * np.std(ratios) / np.sqrt(ratios.size / 4)


def test_a_simulation_counts_every_trial_once_and_is_kept(tmp_path):
    said = []
    file = tmp_path / "simulation.json"
    first = simulating.simulated(file, 40, RULE, 1, said.append)
    assert len(said) == len(first) == len(simulating.EFFECTS) * (len(noises.NOISES) + len(noises.BEYOND))
    assert simulating.simulated(file, 40, RULE, 1, said.append) == first
    assert len(said) == len(first)
    obvious = next(each for each in first if (each.noise, each.effect) == ("drifting", 0.05))
    assert (obvious.trials, obvious.found) == (40, 40)
    assert 40 * RULE.looks[0] <= obvious.starts <= 40 * RULE.looks[-1]
    assert simulating.simulated(tmp_path / "other", 40, RULE, 2, said.append) != first


# Trials


def test_a_trial_stops_at_the_look_that_decides_and_no_start_is_used_twice():
    pairs = replaying.twins(recorded([QUIET]), QUIET)
    assert len(pairs) == 2 * 4 * 40 + 1
    done = replaying.trials(pairs, 0.4, 20.0, PROTOCOL)
    assert {trial.starts for trial in done} == {10}
    assert len(done) == 33  # 321 starts; the last trial borrows nine
    assert all(trial.is_neutral and not trial.is_change for trial in done)
    assert done[0].cost_s == pytest.approx(4.0)
    assert {trial.equal_paths for trial in done} == {True, False}


def test_the_budget_ends_a_trial_between_looks():
    pairs = replaying.twins(recorded([QUIET], starts=15, noise=0.2), QUIET)
    assert {trial.starts for trial in replaying.trials(pairs, 0.4, 5.0, PROTOCOL)} == {12}
    assert replaying.trials(pairs[:11], 0.4, 5.0, PROTOCOL) == []
    assert replaying.affordable_starts(0.4, 1000.0, PROTOCOL) == PROTOCOL.looks[-1]


def test_an_injected_slowdown_is_found_with_its_size():
    rows = recorded([QUIET])
    pairs = replaying.injected(rows, QUIET, UNITS + 4)
    assert len(pairs) == 2 * 40
    done = replaying.trials(pairs, 0.4, 20.0, PROTOCOL)
    assert all(trial.is_slower and trial.comparison.high < 1 for trial in done)
    assert done[0].comparison.point == pytest.approx(UNITS / (UNITS + 4), rel=0.002)
    assert replaying.injected(rows, Cell("matmul", "quiet"), UNITS + 4) == []


def test_power_is_asked_of_trials_that_use_their_budget():
    rows = recorded([QUIET], noise=0.02)
    pairs = replaying.injected(rows, QUIET, UNITS + 1)
    whole, short = (replaying.power(pairs, 0.4, budget_s, PROTOCOL, 0) for budget_s in (20.0, 4.0))
    assert (whole.n, short.n) == (80 / 50, 80 / 10)
    assert 0 < short.value < 0.5 < whole.value <= 1
    assert replaying.power(pairs, 0.4, 4.0, PROTOCOL, 0) == short
    assert replaying.power(pairs[:9], 0.4, 4.0, PROTOCOL, 0) == Share(0, 0)


def test_twins_that_differ_are_false_verdicts():
    (result,) = evaluate(recorded([QUIET], starts=10, wrong=1.08, seconds=1.0), PROTOCOL, seed=0)
    assert result.false_verdicts.value == 1.0
    assert result.neutral.value == 0.0


# Shares


def test_a_share_without_a_hit_has_the_exact_interval():
    low, high = Share(0, 500).interval
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 500), rel=1e-6)
    assert shares.total([Share(1, 2), Share(0, 3)]) == Share(1, 5)


def test_the_smallest_effect_lies_where_the_curve_crosses():
    found = ((0.01, Share(100, 200)), (0.02, Share(200, 200)), (0.05, Share(200, 200)))
    least = shares.smallest_found(found, seed=0)
    assert least.value == pytest.approx(0.018)
    assert 0.016 < least.low < least.value < least.high < 0.02
    assert shares.smallest_found(((0.01, Share(9, 9)),), seed=0).value == 0.01
    assert shares.smallest_found(((0.01, Share(1, 9)),), seed=0).value == float("inf")
    assert np.isnan(shares.smallest_found(((0.01, Share(0, 0)),), seed=0).value)


# Recording


def test_a_line_that_was_cut_off_is_dropped_and_one_in_the_middle_is_told(tmp_path):
    data = Datafile(tmp_path / "d" / "recording.jsonl")
    assert data.read() == []
    data.append({"number": 1})
    data.append({"number": 2})
    with data.path.open("ab") as file:
        file.write(b'{"number": 3, "si')
    assert data.read() == [{"number": 1}, {"number": 2}]
    assert data.mend() == 17
    data.append({"number": 4})
    assert [row["number"] for row in data.read()] == [1, 2, 4]
    data.path.write_bytes(b'{"number"\n{"number": 1}\n')
    with pytest.raises(ValueError, match=r"recording\.jsonl:1: "):
        data.read()


def test_a_recording_goes_on_where_it_was_cut_off(tmp_path):
    file, said = tmp_path / "recording.jsonl", []
    for _ in range(2):
        with recorder(file, [QUIET], 7, 0.001, said.append) as recording:
            recording.lease = nullcontext  # others may be measuring on this machine
            recording.run()
        with file.open("ab") as torn:
            torn.write(b'{"kind": "sta')
    with recorder(file, [QUIET], 7, 0.0, said.append) as recording:
        recording.least_s, recording.lease = 0.001, nullcontext
        recording._look_at(QUIET.workload)
        recording._sequence(QUIET)
    rows = Datafile(file).read()
    numbers = {kit: [row["number"] for row in rows if row.get("kit") == kit] for kit in (*KITS, "sequential", "pair")}
    assert len(numbers["pair"]) >= 2
    assert numbers.pop("pair") == list(range(sum(row.get("kit") == "pair" for row in rows)))
    assert numbers == {"fine": [0], "coarse": [0], "sequential": [0]}
    full = next(row for row in rows if row.get("kit") == "fine")
    assert [(side["units"], side["copy"]) for side in full["sides"]] == [
        (units, copy) for units in KITS["fine"] for copy in (0, 1)
    ]
    assert len({side["padding"] for side in full["sides"]}) > 1
    turns = {len(side[clock]) for side in full["sides"] for clock in ("wall", "cpu", "ready")}
    assert len(turns) == 1
    assert turns.pop() >= PROTOCOL.turns
    assert 0 < full["inside_s"] < full["elapsed_s"] < full["seconds"]
    last = rows[-1]["processes"]
    assert [len(each["values"]) for each in last] == [KEPT] * 4
    assert all(each["rounds"] >= KEPT and each["mean"] > 0 for each in last)
    assert any("cut off" in line for line in said)


def test_a_patch_makes_the_work_that_it_says(tmp_path):
    write_package(tmp_path)
    subprocess.run(["git", "apply", "-"], input=patch_to(210).encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "calibrated" / "__init__.py").read_text() == "REPEATS = 210\n"


# The neighbour


def gone(pids, within_s=5.0):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_the_neighbour_is_ended_also_by_an_exception():
    with neighbour(2, seed=1) as pids:
        assert len(pids) == 2
        assert all(psutil.pid_exists(pid) for pid in pids)
    assert gone(pids)
    with pytest.raises(KeyboardInterrupt), neighbour(1, seed=1) as pids:
        raise KeyboardInterrupt
    assert gone(pids)


def test_the_neighbour_leaves_when_its_parent_was_killed():
    code = (
        "import sys, time; from calibrating.neighbour import neighbour\n"
        "with neighbour(1, 1) as pids: print(*pids, flush=True); time.sleep(60)"
    )
    env = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(psutil.pid_exists(pid) for pid in pids)
        parent.kill()
    assert gone(pids)


def neighbours_of(pid):
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            found += [each.pid] if any("neighbour.py" in word for word in each.cmdline()) else []
    return found


def test_ctrl_c_keeps_what_was_recorded_and_ends_the_neighbour(tmp_path):
    command = [sys.executable, BENCHMARKS / "calibration.py", "--data", tmp_path, "--workload", "loop-1ms",
               "--condition", "noisy", "--minutes", "2", "--simulations", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        noisy = []
        while not noisy:
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
            noisy = neighbours_of(running.pid)
        family = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        shown, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert gone(noisy)
    assert gone([each.pid for each in family])
    assert "interrupted" in said
    assert "| A/A false verdicts, noisy | - | - | 0 of 0 |" in shown


# The report


def test_the_report_has_every_row_and_section(tmp_path):
    cells = [Cell(workload, condition) for workload in WORKLOADS for condition in CONDITIONS]
    results = evaluate(recorded(cells, starts=10, seconds=1.0), PROTOCOL, seed=0)  # 20 starts fit into the budget
    simulations = simulating.simulated(tmp_path / "simulation.json", 40, RULE, 1, lambda _: None)
    found = figures(results, simulations, seed=1)
    assert all(any(figure.name.startswith(name) for figure in found) for name in TARGETS)
    assert all(figure.is_met is not None for figure in found)
    by_name = {figure.name: figure for figure in found}
    assert by_name[TARGETS[0]].count == "0 of 90"
    assert by_name["coverage of the stated 95 % interval, simulated: the farthest off"].count.endswith(" of 40")
    assert by_name[TARGETS[2]].value == pytest.approx(0.005)
    assert by_name["a true +2 % called slower within the budget, noisy"].value == 1.0
    text = document(Evidence(results, simulations, [{"kind": "machine", "cores": 2}], 1))
    for peer in peers.PEERS:
        assert text.count(f"| {peer.title} |") == 2
    for workload in WORKLOADS.values():
        assert text.count(f"| {workload.title} |") == 2 * 4
    assert text.count("## ") == 12
    assert "not recorded" not in text


def test_without_data_every_row_says_so():
    found = figures([], [], seed=1)
    assert {figure.verdict for figure in found} == {"no data"}
    text = document(Evidence([], [], [], 1))
    assert all(name in text for name in TARGETS)
    assert text.count("not recorded.") == len(WORKLOADS)


def test_fewer_trials_than_asked_for_are_told():
    found = figures(evaluate(recorded([QUIET], starts=10, seconds=1.0), PROTOCOL, seed=0), [], seed=1)
    assert found[0].note == "fewer than 500 trials"
    assert found[0].verdict == "not shown: the interval reaches beyond"


def test_json_rows_are_what_evaluation_reads(tmp_path):
    data = Datafile(tmp_path / "recording.jsonl")
    for row in recorded([QUIET], starts=5):
        data.append(row)
    (result,) = evaluate(json.loads(json.dumps(data.read())), PROTOCOL, seed=0)
    assert result.cell == QUIET
    assert result.harness == pytest.approx([0.005])
