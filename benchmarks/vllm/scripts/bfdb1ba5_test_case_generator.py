"""vLLM bfdb1ba5 (#3469): the incremental detokenizer turns only the last tokens of a prompt into text.

Workload: the first text of four requests whose prompts have 1500 tokens. The tokenizer is made here, so that
nothing is downloaded.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from vllm.transformers_utils.tokenizer import detokenize_incrementally

COMMIT = "bfdb1ba5"
PROMPTS, PROMPT = 4, 1500


def make_tokenizer():
    words = ["<unk>", *(f"\u0120w{i}" for i in range(4000))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def setup():
    rng = random.Random(20240322)
    return make_tokenizer(), [[rng.randrange(1, 4001) for _ in range(PROMPT)] for _ in range(PROMPTS)]


def experiment(data):
    tokenizer, prompts = data
    texts = []
    for prompt in prompts:
        _, text, _, _ = detokenize_incrementally(tokenizer, prompt, None, 0, 0, skip_special_tokens=True)
        texts.append(text)
    return {"texts": texts}


def store_result(result, path):
    Path(path).write_text(json.dumps(result), encoding="utf-8")


def load_result(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def check_equivalence(current, reference):
    current = json.loads(json.dumps(current))
    assert current == reference, f"results differ: {str(current)[:200]} != {str(reference)[:200]}"


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
