"""Products of 500 x 500 matrices with NumPy. With a library as argument, that library is loaded first."""

import sys
import time

import numpy

if len(sys.argv) > 1:
    import ctypes

    ctypes.CDLL(sys.argv[1])
left = numpy.linspace(-1.0, 1.0, 250_000).reshape(500, 500)
right = left.T.copy()
wall, processor = time.perf_counter(), time.process_time()
for _ in range(50):
    product = left @ right
wall, processor = time.perf_counter() - wall, time.process_time() - processor
assert numpy.isfinite(product).all()
print("seconds", wall, processor)
