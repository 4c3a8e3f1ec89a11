"""vLLM 2bb0489c (#6442): the tokens that penalties need are padded in numpy arrays, no longer in lists of lists that a
tensor is made of.

Workload: the sampling tensors of a decode batch of 64 requests with presence and frequency penalties, each with up
to 1024 prompt and 256 output tokens.
"""

import argparse
import json
import os
import random
import time

import torch
import vllm.model_executor.sampling_metadata as target
from vllm import SamplingParams
from vllm.sequence import SequenceData

COMMIT = "2bb0489c"
SEQUENCES, PROMPT, OUTPUT, VOCABULARY = 64, 1024, 256, 32000


def setup():
    # No accelerator, hence no pinned memory: what is_pin_memory_available() says on an installed CPU build.
    target.is_pin_memory_available = lambda: False
    rng = random.Random(20240716)
    groups = []
    for i in range(SEQUENCES):
        prompt = [rng.randrange(VOCABULARY) for _ in range(PROMPT - rng.randrange(64))]
        data = SequenceData(prompt, [rng.randrange(VOCABULARY) for _ in range(OUTPUT - rng.randrange(64))])
        groups.append(
            target.SequenceGroupToSample(
                seq_ids=[i],
                sampling_params=SamplingParams(temperature=0.8, presence_penalty=0.5, frequency_penalty=0.1),
                seq_data={i: data},
                seq_len=None,
                query_len=None,
                generator=None,
                is_prompt=False,
                prompt_logprob_indices=[],
                sample_indices=[i],
            )
        )
    return target.SamplingMetadata(groups, torch.arange(SEQUENCES), {}, 0)


def experiment(data):
    tensors = target.SamplingTensors.from_sampling_metadata(
        data, VOCABULARY, torch.device("cpu"), torch.float32, extra_seeds_to_generate=0, extra_entropy=None
    )[0]
    return tensors.prompt_tokens, tensors.output_tokens, tensors.presence_penalties


def store_result(result, path):
    torch.save([tensor.tolist() for tensor in result], path)


def load_result(path):
    return torch.load(path)


def check_equivalence(current, reference):
    assert [tensor.tolist() for tensor in current] == reference, "the tensors differ"


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
