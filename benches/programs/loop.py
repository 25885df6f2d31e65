"""A loop of 10^7 additions. With a library as argument, that library is loaded first."""

import sys
import time


def additions(count):
    total = 0.0
    for _ in range(count):
        total += 1.0
    return total


if len(sys.argv) > 1:
    import ctypes

    ctypes.CDLL(sys.argv[1])
wall, processor = time.perf_counter(), time.process_time()
total = additions(10_000_000)
wall, processor = time.perf_counter() - wall, time.process_time() - processor
assert total == 1e7
print("seconds", wall, processor)
