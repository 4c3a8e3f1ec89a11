#!/usr/bin/env python3
"""
Performance test for commit d54730646b932142792789438a4904256131377a
[Perf] io_struct: copy parameters once, and only what can change

In the style of timeit: prints "N loops, best of 5: ... usec per loop".
"""

import timeit

SETUP = """
from minisglang.srt.managers.io_struct import GenerateReqInput

params = {"temperature": 0.7, "stop": ["###", "User:"], "logit_bias": {"17": -2.0, "42": 1.5}}
request = GenerateReqInput(text=[f"prompt {i}" for i in range(300)], sampling_params=params)
tokenized = request.normalize()
assert len(tokenized) == 300
assert tokenized[0].sampling_params["stop"] is not tokenized[1].sampling_params["stop"]
"""

if __name__ == "__main__":
    timeit.main(["-n", "8", "-r", "5", "-u", "usec", "-s", SETUP, "request.normalize()"])
