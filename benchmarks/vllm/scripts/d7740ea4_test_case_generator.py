"""vLLM d7740ea4 (#4594): the sampler takes log probabilities and ranks out of their tensors as lists, no longer number
by number.

Workload: the prompt and sample log probabilities of four prefills of 128 tokens, top 2, become Python objects.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

import torch
from vllm import SamplingParams
from vllm.model_executor.layers import sampler as target
from vllm.model_executor.sampling_metadata import SequenceGroupToSample
from vllm.sequence import SequenceData

COMMIT = "d7740ea4"
GROUPS, PROMPT, TOP, VOCABULARY = 4, 128, 2, 32000


def setup():
    generator = torch.Generator().manual_seed(20240509)
    rng = random.Random(20240509)
    groups, results, row = [], [], 0
    for i in range(GROUPS):
        prompt = [rng.randrange(VOCABULARY) for _ in range(PROMPT)]
        groups.append(
            SequenceGroupToSample(
                seq_ids=[i],
                sampling_params=SamplingParams(logprobs=TOP, prompt_logprobs=TOP),
                seq_data={i: SequenceData(prompt)},
                seq_len=PROMPT,
                query_len=PROMPT,
                generator=None,
                is_prompt=True,
                prompt_logprob_indices=list(range(row, row + PROMPT - 1)),
                sample_indices=[row + PROMPT - 1],
            )
        )
        results.append(([rng.randrange(VOCABULARY)], [0]))
        row += PROMPT
    selected = -torch.rand(row, generator=generator)
    ranks = torch.randint(1, 100, (row,), generator=generator)
    top_logprobs = torch.sort(-torch.rand(row, TOP, generator=generator), descending=True).values
    top_ids = torch.randint(0, VOCABULARY, (row, TOP), generator=generator)
    return groups, results, selected, ranks, top_ids, top_logprobs


def experiment(data):
    groups, results, selected, ranks, top_ids, top_logprobs = data
    top_row, selected_row, out = 0, 0, []
    for group, result in zip(groups, results, strict=True):
        prompt, top_row, selected_row = target._get_prompt_logprob_if_needed(
            group, selected, ranks, top_ids, top_logprobs, selected_row, top_row
        )
        sampled, top_row, selected_row = target._get_sampled_logprob_if_needed(
            group, result, selected, ranks, top_ids, top_logprobs, selected_row, top_row
        )
        out.append((prompt, sampled))
    return out, top_row, selected_row


def plain(result):
    out, top_row, selected_row = result
    return (
        [
            [[[[token, p.logprob, p.rank] for token, p in position.items()] for position in part] for part in group]
            for group in out
        ],
        top_row,
        selected_row,
    )


def store_result(result, path):
    Path(path).write_text(json.dumps(plain(result)), encoding="utf-8")


def check_equivalence(current, reference):
    assert json.loads(json.dumps(plain(current))) == reference, "the log probabilities differ"


def load_result(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def run_test(eqcheck=False, reference=False, prefix=""):
    """Average seconds of one experiment; keeps or checks the reference."""
    data = setup()
    for _ in range(3):
        result = experiment(data)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        result = experiment(data)
        times.append(time.perf_counter() - begin)
    path = f"{prefix}_{os.environ.get('IMPL_TAG', 'impl')}_{os.environ.get('COMMIT_HASH', COMMIT)}_reference.json"
    if reference:
        store_result(result, path)
    if eqcheck:
        check_equivalence(result, load_result(path))
    return sum(times) / len(times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eqcheck", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--prefix", default="")
    options = parser.parse_args()
    average = run_test(options.eqcheck, options.reference, options.prefix)
    print(
        json.dumps(
            {
                "impl_tag": os.environ.get("IMPL_TAG", "impl"),
                "commit_hash": COMMIT,
                "device": "cpu",
                "iters": 20,
                "warmup": 3,
                "avg_ms": average * 1e3,
                "target_resolved": True,
            }
        )
    )
