"""
Performance test for commit 92cf158742558a1da767b2afca806d6d44465928
[Perf] Block manager: ask for the length, not for the tokens

In the style of pytest-benchmark: pytest 92cf1587_test_case_generator.py
"""

from minivllm.config import CacheConfig
from minivllm.core.block_manager import BlockSpaceManager
from minivllm.sampling_params import SamplingParams
from minivllm.sequence import Sequence, SequenceGroup, SequenceStatus

COMMIT_HASH = "92cf158742558a1da767b2afca806d6d44465928"


def make_batch():
    """A block manager with sixteen long sequences whose last block has one free slot left."""
    manager = BlockSpaceManager(CacheConfig(block_size=4096, num_blocks=64))
    seqs = []
    for number in range(16):
        seq = Sequence(number, [number] * (3000 + number), block_size=4096)
        manager.allocate(SequenceGroup(str(number), [seq], SamplingParams(), arrival_time=0.0))
        seq.status = SequenceStatus.RUNNING
        seqs.append(seq)
    return manager, seqs


def append_everywhere(manager, seqs):
    """Thirty steps of the whole batch; the sequences stay as they are."""
    copies = []
    for _ in range(30):
        for seq in seqs:
            copies.append(manager.append_slots(seq))
    return copies


def test_append_slots(benchmark):
    manager, seqs = make_batch()
    copies = benchmark(append_everywhere, manager, seqs)
    assert copies == [None] * 480
