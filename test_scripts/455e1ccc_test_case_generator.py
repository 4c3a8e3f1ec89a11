#!/usr/bin/env python3
"""
Performance test for commit 455e1cccb031bb9760adf987dbef7e55142d56e9
[Perf] Sequence: finished is a comparison, a group asks once

Asks what the scheduler asks in every step: who runs, who is done. A wrong answer shows in the exit code.
"""

import sys
import time

from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup, SequenceStatus

STATES = [SequenceStatus.RUNNING, SequenceStatus.FINISHED_STOPPED, SequenceStatus.WAITING, SequenceStatus.FINISHED_ABORTED]


def make_groups(count):
    groups = []
    for number in range(count):
        seq = Sequence(number, [1, 2, 3], block_size=16)
        seq.status = STATES[number % len(STATES)]
        groups.append(SequenceGroup(str(number), [seq], SamplingParams(), arrival_time=0.0))
    return groups


def one_step(groups):
    running = finished = 0
    for group in groups:
        running += group.num_seqs(status=SequenceStatus.RUNNING)
        finished += group.is_finished()
        group.num_unfinished_seqs()
        group.get_finished_seqs()
    return running, finished


def main():
    groups = make_groups(600)
    steps = 20
    start = time.perf_counter()
    for _ in range(steps):
        counts = one_step(groups)
    duration = (time.perf_counter() - start) / steps
    print(f"Execution time: {duration:.9f}s")
    return 0 if counts == (150, 300) else 3


if __name__ == "__main__":
    sys.exit(main())
