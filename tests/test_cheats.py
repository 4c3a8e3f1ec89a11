"""Every cheat of the corpus is caught and named; nobody honest is accused. Real processes, seconds each.

Cases of the same script share an arena, which the first of them runs for all; those that harm others are alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cheats.corpus import KINDS, Place, Sample, arenas, load, load_all
from cheats.running import Finding, missing, run_together

STARTS, MORE_STARTS = 6, 20  # enough for every flag where the machine is quiet, and where it is not
ARENA = 6
SAMPLES = load_all()
ARENAS = arenas([sample for sample in SAMPLES if not missing(sample)], ARENA) + arenas(filter(missing, SAMPLES), 1)
HARMFUL = ("baseline_killed", "baseline_limited", "baseline_crowded", "baseline_tree_edited", "worker_edited")


def _parameter(sample: Sample) -> Any:
    marks = []
    if missing(sample):
        marks.append(pytest.mark.skip(reason=missing(sample)))
    if sample.missed or sample.unsure:
        marks.append(pytest.mark.xfail(strict=bool(sample.missed), reason=sample.missed or sample.unsure))
    return pytest.param(sample, id=f"{sample.kind}-{sample.name}", marks=marks)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("cheats"))


@pytest.fixture(scope="session")
def finding_of(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sample], Finding]:
    """What became of a case, in the arena that it shares with others."""
    found: dict[str, Finding] = {}

    def find(sample: Sample) -> Finding:
        if sample.name not in found:
            together = next(arena for arena in ARENAS if sample in arena)
            findings = run_together(place, together, tmp_path_factory.mktemp("arena"), starts=STARTS)
            found.update((each.sample.name, each) for each in findings)
        return found[sample.name]

    return find


@pytest.mark.parametrize("sample", [_parameter(sample) for arena in ARENAS for sample in arena])
def test_cheats_are_caught_and_honest_ones_are_not_accused(
    sample: Sample, finding_of: Callable[[Sample], Finding], place: Place, tmp_path: Path
) -> None:
    finding = finding_of(sample)
    if not finding.right and (finding.is_open or not sample.is_cheating):  # a busy machine has its say in few starts
        [finding] = run_together(place, [sample], tmp_path, starts=MORE_STARTS)
    assert finding.right, f"{finding.verdict}: {sample.does}\n{finding}"


@pytest.mark.parametrize("name", HARMFUL)
def test_who_harms_the_others_does_not_change_what_becomes_of_them(name: str, place: Place, tmp_path: Path) -> None:
    harmful, *others = load(name, "cheating"), load("heap", "honest"), load("no_change", "honest")
    if missing(harmful):
        pytest.skip(missing(harmful))
    for starts in (STARTS, MORE_STARTS):
        mine, *theirs = run_together(place, [harmful, *others], tmp_path / str(starts), starts=starts)
        if all(each.right for each in (mine, *theirs)):
            break
    assert mine.right, str(mine)
    assert not any(each.accused for each in theirs), "\n".join(map(str, theirs))


def test_there_are_enough_of_both_and_no_name_twice() -> None:
    for kind in KINDS:
        assert sum(sample.kind == kind for sample in SAMPLES) >= 24
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)


def test_every_case_says_what_it_does_in_a_sentence() -> None:
    assert [sample.name for sample in SAMPLES if not sample.does.endswith(".") or len(sample.does) > 160] == []
