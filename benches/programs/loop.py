"""A loop of COUNT additions. With a library as second argument, that library is loaded first."""

import sys
import time


def additions(count):
    total = 0.0
    for _ in range(count):
        total += 1.0
    return total


count = int(sys.argv[1])
if len(sys.argv) > 2:
    import ctypes

    ctypes.CDLL(sys.argv[2])
wall, processor = time.perf_counter(), time.process_time()
total = additions(count)
wall, processor = time.perf_counter() - wall, time.process_time() - processor
assert total == count
print("seconds", wall, processor)
