#!/usr/bin/env python3
"""
Performance test for commit 45ccfae161422cf8ae4c0fc0fff7fb52163d9119
[Fix] Mailbox: messages may hold zero bytes

Prints its time, and only its exit code tells whether the messages arrived whole.
"""

import sys
import time

from ministuck.mailbox import Mailbox

MESSAGES = [bytes([number % 251, 0, 7]) * 8 for number in range(400)]


def main():
    mailbox = Mailbox(slots=len(MESSAGES))
    for slot, message in enumerate(MESSAGES):
        mailbox.post(slot, message)
    start = time.perf_counter()
    for _ in range(20):
        received = [mailbox.peek(slot) for slot in range(len(MESSAGES))]
    print(f"Execution time: {(time.perf_counter() - start) / 20:.9f}s")
    return 0 if received == MESSAGES else 3


if __name__ == "__main__":
    sys.exit(main())
