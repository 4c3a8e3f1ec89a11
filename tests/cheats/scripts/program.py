"""The same plan as a program that prints its own times, with the usual arguments for a reference."""

import argparse
import json
import random
import time

from mill.shop import Shop


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--eqcheck", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--prefix", default="")
    options = parser.parse_args()
    chance = random.Random(21)
    jobs = [chance.uniform(1.0, 9.0) for _ in range(800)]
    shop = Shop(240)
    began = time.perf_counter()
    for _ in range(15):
        result = shop.run(jobs)
    elapsed = time.perf_counter() - began
    file = options.prefix + "_plan.json"
    if options.reference:
        with open(file, "w") as out:
            json.dump(result, out)
    if options.eqcheck:
        with open(file) as stored:
            assert json.load(stored) == result, "another plan"
    print(json.dumps({"avg_ms": elapsed * 1000 / 15, "iters": 15}))


if __name__ == "__main__":
    main()
