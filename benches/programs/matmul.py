"""COUNT products of 500 x 500 matrices with NumPy. With a library as second argument, that library is loaded first."""

import sys
import time

import numpy

count = int(sys.argv[1])
if len(sys.argv) > 2:
    import ctypes

    ctypes.CDLL(sys.argv[2])
left = numpy.linspace(-1.0, 1.0, 250_000).reshape(500, 500)
right = left.T.copy()
wall, processor = time.perf_counter(), time.process_time()
for _ in range(count):
    product = left @ right
wall, processor = time.perf_counter() - wall, time.process_time() - processor
assert numpy.isfinite(product).all()
print("seconds", wall, processor)
