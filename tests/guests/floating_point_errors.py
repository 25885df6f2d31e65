"""Arithmetic of NumPy on active arrays, with every floating-point error an exception."""
import ctypes
import sys
import numpy

library = ctypes.CDLL(sys.argv[1])
numpy.seterr(all="raise", under="ignore")


def pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def active(values, dots):
    values, dots = numpy.array(values), numpy.array(dots, dtype=float)
    library.set_dots(pointer(values), pointer(dots), ctypes.c_long(values.size))
    return values


def dots_of(array):
    array = numpy.ascontiguousarray(array, dtype=float)
    dots = numpy.zeros(array.shape)
    library.get_dots(pointer(array), pointer(dots), ctypes.c_long(array.size))
    return dots


def check(name, values, expected):
    values = numpy.atleast_1d(values)
    dots, expected = dots_of(values), numpy.broadcast_to(expected, values.shape)
    # Natively there are no dot values.
    wanted = dots.any()
    close = not wanted or numpy.allclose(dots, expected, rtol=1e-12, atol=0)
    print(name, "right" if close else f"{dots} instead of {expected}", file=sys.stdout if close else sys.stderr)
    return wanted


n = 37
plain = numpy.linspace(0.5, 3, n)
x = active(numpy.linspace(0.5, 3, n), numpy.linspace(-1, 1, n))
dx = numpy.linspace(-1, 1, n)
zeros = numpy.zeros(n)
found = 0
found += check("sum", x + plain, dx)
found += check("product", x * x, 2 * plain * dx)
found += check("quotient", plain / x, -dx / plain)
found += check("root", numpy.sqrt(x), dx / (2 * numpy.sqrt(plain)))
# Zeros that are passive, beside active numbers.
mixed = numpy.concatenate([zeros, x])
found += check("root of zeros", numpy.sqrt(mixed)[n:], dx / (2 * numpy.sqrt(plain)))
found += check("maximum", numpy.maximum(mixed, 1)[n:], numpy.where(plain > 1, dx, 0))
found += check("selection", numpy.where(mixed > 1, mixed, 0)[n:], numpy.where(plain > 1, dx, 0))
quotients = numpy.divide(1, mixed, out=numpy.zeros(2 * n), where=mixed > 0)
found += check("masked quotient", quotients[n:], -dx / plain**2)
found += check("mean", x.mean(), dx.mean())
found += check("inner product", x @ plain, dx @ plain)
matrix = numpy.eye(n) * 9 + numpy.outer(plain, plain)
found += check("solution", numpy.linalg.solve(matrix, x), numpy.linalg.solve(matrix, dx))
if "exact" in sys.argv:
    # The derivative is infinite, which is no error of the program's.
    x = active([0.0, 0, 4, 4, 4], [1.0, 0, 1, 1, 1])
    roots = numpy.sqrt(x)
    print("infinite", [value.hex() for value in roots.tolist()], (roots * roots).tolist())
print(found in (0, 11))
