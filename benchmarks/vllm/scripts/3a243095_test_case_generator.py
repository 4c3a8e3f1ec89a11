"""vLLM 3a243095 (#3623): the sampler makes its index tensors once and ranks the chosen tokens by them, which saves
synchronisations with a GPU. On a CPU there is nothing to gain: neutral or inconclusive is the right answer here.

Workload: log probabilities and ranks of the sampled tokens of 32 sequences, over a vocabulary of 32,000.
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
from vllm.model_executor.sampling_metadata import SamplingMetadata

COMMIT = "3a243095"
SEQUENCES, VOCABULARY = 32, 32000


def setup():
    generator = torch.Generator().manual_seed(20240325)
    logprobs = torch.log_softmax(torch.randn(SEQUENCES, VOCABULARY, generator=generator), dim=-1)
    rng = random.Random(20240325)
    groups = [([i], SamplingParams()) for i in range(SEQUENCES)]
    metadata = SamplingMetadata(
        seq_groups=groups,
        seq_data={},
        prompt_lens=[],
        selected_token_indices=torch.arange(SEQUENCES),
        categorized_sample_indices={},
        generators=[],
    )
    return logprobs, metadata, [([rng.randrange(VOCABULARY)], [0]) for _ in range(SEQUENCES)]


def experiment(data):
    return target._get_logprobs(*data)


def plain(result):
    prompt, sampled = result
    return [
        prompt,
        [[[[token, p.logprob, p.rank] for token, p in position.items()] for position in group] for group in sampled],
    ]


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
