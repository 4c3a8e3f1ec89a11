#!/usr/bin/env python3
"""
Performance test for commit ab5163022000b598185fb91e901f34e8fff4ad43
[Fix] RadixCache: pretty-print for debugging
"""

import json
import os
import statistics
import time

from minisglang.srt.mem_cache.radix_cache import RadixCache

COMMIT_HASH = os.getenv("COMMIT_HASH", "ab5163022000b598185fb91e901f34e8fff4ad43")


def setup():
    """A tree with a few hundred leaves."""
    tree = RadixCache()
    for number in range(300):
        key = [1, 2, 3, number % 17, number, number + 1]
        tree.insert(key, key)
    return tree
