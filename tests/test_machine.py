"""The machine: what is read of it (from made-up trees), what is said of it, and where processes are put."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from canned import measured
from cases import case_of
from test_harness import House

from pytest_perfagents.backends.scripted import ScriptedSide
from pytest_perfagents.config import load_config
from pytest_perfagents.judgement.machine import Machine, described, findings
from pytest_perfagents.judgement.placing import Place, place_for
from pytest_perfagents.model import Role, UsageError
from pytest_perfagents.processes.machine import busy_cpus, read_machine
from pytest_perfagents.processes.placing import keeping_off, put
from pytest_perfagents.records import outcome_to_json
from pytest_perfagents.report.terminal import Screen, render

QUIET = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Quick  CPU @ 3 GHz\n",
    "proc/loadavg": "0.05 0.02 0.01 1/300 4711\n",
    "proc/stat": "cpu  1000 0 500 90000 100 0 10 0 0 0\ncpu0 500 0 250 45000 50 0 5 0 0 0\n",
    "proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 6000000 kB\nSwapTotal: 1000 kB\nSwapFree: 1000 kB\n",
    "proc/self/cgroup": "0::/user.slice/run\n",
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/fs/cgroup/user.slice/run/cpu.max": "max 100000\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/AC/online": "1\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/status": "Full\n",
} | {
    f"sys/devices/system/cpu/cpu{number}/{name}": value
    for number in range(4)
    for name, value in {
        "cpufreq/scaling_governor": "performance\n",
        "topology/thread_siblings_list": f"{number}\n",
        "thermal_throttle/core_throttle_count": "0\n",
    }.items()
}
ALLOWED = frozenset(range(4))
CPU = "sys/devices/system/cpu"


def read(root: Path, *, allowed: frozenset[int] = ALLOWED, **changes: str) -> Machine:
    for name, text in {**QUIET, **{key.replace("__", "/"): value for key, value in changes.items()}}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return read_machine(root, allowed)


def test_a_quiet_machine_is_read_and_nothing_is_said(tmp_path):
    machine = read(tmp_path)
    assert findings(machine) == []
    assert machine.name == "Quick CPU @ 3 GHz, 4 CPUs, 8 GB"
    assert (machine.turbo, machine.on_battery, machine.throttled, machine.stolen_share) == (False, False, 0, 0.0)
    assert machine.quota_cpus is None


def test_a_machine_that_tells_nothing_is_silent(tmp_path):
    machine = read_machine(tmp_path, ALLOWED)
    assert findings(machine) == []
    assert machine.allowed == (0, 1, 2, 3)


def test_this_machine_can_be_read():
    machine = read_machine()
    assert set(machine.allowed) == os.sched_getaffinity(0)
    assert all(found.what and found.why and found.remedy for found in findings(machine))


@pytest.mark.parametrize(
    ("file", "text", "name", "words"),
    [
        ("proc/loadavg", "3.10 2.00 1.00 4/300 4711\n", "load", "load average 3.1 on 4 CPUs, 3 other processes run"),
        (f"{CPU}/cpu2/cpufreq/scaling_governor", "powersave\n", "governor", "governor is powersave"),
        (f"{CPU}/intel_pstate/no_turbo", "0\n", "turbo", "no_turbo"),
        (f"{CPU}/cpu1/topology/thread_siblings_list", "1,3\n", "hyper-threads", "2 CPUs are threads that share 1 core"),
        (f"{CPU}/cpu3/thermal_throttle/core_throttle_count", "7\n", "throttling", "slowed down 7 times"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "acpi_pm\n", "clock source", "acpi_pm"),
        ("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n", "quota", "1.5 CPUs of 4"),
        ("proc/stat", "cpu  1000 0 500 90000 100 0 10 90 0 0\n", "steal", "6%"),
        ("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 400000 kB\n", "memory", "5% of the memory"),
    ],
)
def test_each_disturbance_is_named_with_its_remedy(tmp_path, file, text, name, words):
    read(tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    [found] = findings(read_machine(tmp_path, ALLOWED))
    assert found.name == name
    assert words in str(found)
    assert found.remedy in str(found)


def test_a_laptop_without_its_cable_is_on_battery(tmp_path):
    machine = read(
        tmp_path,
        sys__class__power_supply__AC__online="0\n",
        sys__class__power_supply__BAT0__status="Discharging\n",
    )
    assert [found.name for found in findings(machine)] == ["battery"]


def test_a_quota_of_the_older_cgroups_counts_too(tmp_path):
    machine = read(
        tmp_path,
        proc__self__cgroup="4:memory:/a\n3:cpu,cpuacct:/docker/b\n",
        **{"sys/fs/cgroup/cpu,cpuacct/docker/b/cpu.cfs_quota_us": "50000\n"},
        **{"sys/fs/cgroup/cpu,cpuacct/docker/b/cpu.cfs_period_us": "100000\n"},
    )
    assert machine.quota_cpus == 0.5


def test_one_cpu_is_too_few(tmp_path):
    assert [found.name for found in findings(read(tmp_path, allowed=frozenset({2})))] == ["one CPU"]


def test_load_that_is_over_is_nobodys_neighbour(tmp_path):
    assert findings(read(tmp_path, proc__loadavg="3.10 2.00 1.00 1/300 4711\n")) == []


def test_findings_stand_in_the_record_and_once_in_the_section(tmp_path):
    machine = read(tmp_path, proc__loadavg="3.10 2.00 1.00 4/300 4711\n")
    environment = {"state": described(machine)}
    records = [
        outcome_to_json(replace(measured(case_of(number=number), "SUCCESS_NEUTRAL"), environment=environment))
        for number in range(2)
    ]
    assert records[0]["environment"]["state"]["findings"][0]["name"] == "load"
    assert records[0]["environment"]["state"]["load"] == 3.1
    text = " ".join(render(records, Screen(200)).split())
    assert text.count("machine: load average 3.1") == 1
    assert "see it with: top" in text


# Where processes are put


FOUR = Machine(cpus=4, allowed=(0, 1, 2, 3), siblings=((0, 2), (1, 3)))


@pytest.mark.parametrize(
    ("pin", "threads", "machine", "place"),
    [
        ("off", 1, FOUR, Place()),
        ("auto", 1, FOUR, Place((3,), (0, 2), for_one_thread=True, is_apart=True)),
        ("auto", 4, FOUR, Place()),
        ("auto", 1, Machine(allowed=(5,)), Place()),
        ("auto", 1, Machine(allowed=(0, 1), siblings=((0, 1),)), Place((1,), (0,), for_one_thread=True)),
        ((0, 1, 9), 4, FOUR, Place((0, 1), (2, 3))),
        ((9,), 1, FOUR, Place()),
        ((0, 1, 2, 3), 1, FOUR, Place((0, 1, 2, 3), ())),
    ],
)
def test_timed_processes_share_a_cpu_and_the_harness_keeps_off(pin, threads, machine, place):
    assert place_for(pin, 0, threads, machine) == place


def test_a_process_gets_its_cpu_and_its_priority():
    cpu = max(os.sched_getaffinity(0))
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        got = put(process.pid, Place((cpu,), (), 3))
        assert os.sched_getaffinity(process.pid) == {cpu}
    finally:
        process.communicate(b"\n")
    assert got["cpus"] == [cpu]
    assert got["nice"] == os.getpriority(os.PRIO_PROCESS, 0) + 3


def test_what_the_kernel_refuses_is_not_claimed():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert "cpus" not in put(process.pid, Place((4095,)))
    finally:
        process.communicate(b"\n")
    assert put(process.pid, Place((0,), (), 1)) == {}


def test_the_harness_comes_back_to_its_cpus():
    before = os.sched_getaffinity(0)
    with keeping_off(Place((0,), (max(before),))):
        assert os.sched_getaffinity(0) == {max(before)}
    assert os.sched_getaffinity(0) == before


def test_the_idlest_cpu_is_taken():
    busy = {0: 0.9, 1: 0.02, 2: 0.6, 3: 0.7}
    assert place_for("auto", 0, 1, FOUR, busy).cpus == (1,)
    assert place_for("auto", 0, 1, FOUR, dict.fromkeys(range(4), 0.3)).cpus == (3,)


def test_how_busy_each_cpu_is_can_be_watched(tmp_path):
    assert all(0 <= share <= 1 for share in busy_cpus(watch_s=0.05).values())
    assert busy_cpus(tmp_path, 0.0) == {}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_what_was_placed_stands_in_the_record(house):
    case = house.agent(ScriptedSide(call_s=0.005))
    cpu = max(os.sched_getaffinity(0))
    assert house.evaluate(pin=(cpu,), nice=2)[case.id].environment["placed"] == {"cpus": [cpu], "nice": 2}
    assert "placed" not in house.evaluate(pin="off")[case.id].environment


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU: there is no choice")
def test_by_itself_only_code_on_one_thread_is_pinned(house):
    case = house.agent(ScriptedSide(call_s=0.005))
    assert len(house.evaluate(pin="auto")[case.id].environment["placed"]["cpus"]) == 1
    [patched] = [side for side in house.sides if side.role is Role.PATCHED]
    house.sides[patched] = ScriptedSide(call_s=0.005, cpu_share=3.0)
    assert "placed" not in house.evaluate(pin="auto")[case.id].environment


@pytest.mark.parametrize("line", ['pin = "on"', "pin = []", "pin = [-1]", "nice = 20", "nice = true", 'counter = "x"'])
def test_wrong_values_are_refused(tmp_path, line):
    (tmp_path / "r").mkdir()
    file = tmp_path / "perfagents.toml"
    head = '[perfagents]\nruns = ["r"]\nscripts = ["r"]\n[repos.a]\npath = "a"\n[perfagents.protocol]\n'
    file.write_text(head + line)
    with pytest.raises(UsageError, match=line.split()[0]):
        load_config(file)
    file.write_text(head + 'pin = [1, 0]\nnice = -5\ncounter = "instructions"\n')
    protocol = load_config(file).protocol
    assert (protocol.pin, protocol.nice, protocol.counter) == ((1, 0), -5, "instructions")
