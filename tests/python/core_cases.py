"""CPython itself: arithmetic, containers, round trips, and the modules of its library that compute."""

import array
import bisect
import cmath
import copy
import functools
import heapq
import itertools
import marshal
import math
import pickle
import random
import statistics
import struct
from collections import deque, namedtuple
from dataclasses import astuple, dataclass

from cases import case

arithmetic = functools.partial(case, group="float arithmetic")
containers = functools.partial(case, group="containers and round trips")
mathematics = functools.partial(case, group="math")
complex_mathematics = functools.partial(case, group="cmath")
summaries = functools.partial(case, group="sums and statistics")
X = [0.75, -1.375, 2.3125, 0.4375]
BINARY32 = {"tolerance": 1e-4, "agreement": 1e-6}


@arithmetic("+ - * / of floats and integers", X)
def _(x):
    return [x[0] + x[1] * 3 - 2 / x[2], x[0] / x[3] - x[1], -x[2], +x[0], 2 * x[0] - x[1] / 7, (1 - x[0]) * x[0]]


@arithmetic("**", X)
def _(x):
    return [x[0] ** 2, x[1] ** 3, x[2] ** x[0], x[0] ** -1.5, 2**x[1], pow(x[2], 0.5), x[3] ** x[3]]


@arithmetic("%, //, divmod", X, step=1 / 1024)
def _(x):
    quotient, rest = divmod(x[2], x[3])
    return [x[2] % x[0], x[1] % 0.4, (x[2] // x[3]) * x[0], quotient * x[0] + rest, x[2] % -x[0]]


@arithmetic("abs, min, max, comparisons", X)
def _(x):
    return [abs(x[1]), min(x), max(x), x[0] if x[0] > x[1] else x[1], min(x[0], 0.5), max(abs(v) for v in x)]


@arithmetic("+=, -=, *=, /=, **=", X)
def _(x):
    a = x[0]
    a += x[1]
    a *= x[2]
    a -= 1
    a /= x[3]
    b = x[2]
    b **= x[0]
    return [a, b]


@arithmetic("complex numbers", X)
def _(x):
    z, w = complex(x[0], x[1]), complex(x[2], x[3])
    return [z + w, z * w, z / w, z - 2, -z, abs(z), z.conjugate(), z * 1j, z**2, z**w, z**-3, 1 / z, z.real * z.imag]


@arithmetic("loops and recursion", X)
def _(x):
    def fibonacci(n, a, b):
        return a if n == 0 else fibonacci(n - 1, b, a + b * 0.5)

    total = 0.0
    for k in range(1, 60):
        total += x[0] ** k / k
    y = x[2]
    for _ in range(6):
        y = 0.5 * (y + x[2] / y)
    return [total, y, fibonacci(20, x[1], x[3])]


@arithmetic("comprehensions and generators", X)
def _(x):
    squares = [a * b for a in x for b in x if a is not b]
    table = {name: value * 2 for name, value in zip("abcd", x)}
    return [sum(squares), sum(v * v for v in x), *table.values(), sum(a - b for a, b in itertools.combinations(x, 2))]


@containers("list, tuple, dict, set, deque", X)
def _(x):
    stack = list(x)
    stack.append(stack.pop(0) * 2)
    stack[1:3] = [v + 1 for v in stack[1:3]]
    mapping = {v: v * v for v in x}
    queue = deque(x, maxlen=3)
    queue.rotate(1)
    members = {v * 3 for v in x}
    return [stack, [mapping[v] for v in x], list(queue), sum(sorted(members)), tuple(reversed(x))]


@containers("sorted, heapq, bisect", X)
def _(x):
    heap = [v * v for v in x]
    heapq.heapify(heap)
    ordered = sorted(x, key=lambda v: -v)
    bisect.insort(ordered, x[0] * 0.5, key=lambda v: -v)
    return [sorted(x), [heapq.heappop(heap) for _ in x], ordered, heapq.nlargest(2, x)]


@containers("classes, dataclasses, namedtuple, closures", X)
def _(x):
    @dataclass
    class Point:
        a: float
        b: float

    class Slots:
        __slots__ = ("v",)

    pair = namedtuple("pair", "a b")(x[0] * x[1], x[2])
    slots = Slots()
    slots.v = x[3] * x[3]
    scaled = lambda factor: x[0] * factor  # noqa: E731
    return [astuple(Point(x[0] + 1, x[1] * 2)), pair, slots.v, scaled(x[2])]


@containers("copy, deepcopy", X)
def _(x):
    return [copy.copy(x), copy.deepcopy({"a": [v * v for v in x]})["a"]]


@containers("array.array", X)
def _(x):
    numbers = array.array("d", [v * v for v in x])
    numbers.append(x[0])
    numbers.extend(array.array("d", x))
    copied = array.array("d")
    copied.frombytes(numbers.tobytes())
    copied.reverse()
    return [list(copied), numbers[1] * 2, list(memoryview(numbers).cast("B").cast("d"))]


@containers("array.array of binary32", X, **BINARY32)
def _(x):
    return list(array.array("f", [v * v for v in x]))


@containers("struct", X)
def _(x):
    little = struct.unpack("<4d", struct.pack("<4d", *x))
    big = struct.unpack(">4d", struct.pack(">4d", *[v * v for v in x]))
    native = struct.unpack("@id", struct.pack("@id", 3, x[0] * x[1]))
    return [little, big, native[1]]


@containers("struct of binary32", X, **BINARY32)
def _(x):
    return [struct.unpack("<4f", struct.pack("<4f", *x)), struct.unpack(">4f", struct.pack(">4f", *[v * v for v in x]))]


@containers("pickle, protocols 1 to 5", X)
def _(x):
    numbers = [v * v for v in x]
    return [pickle.loads(pickle.dumps(numbers, protocol)) for protocol in range(1, pickle.HIGHEST_PROTOCOL + 1)]


@containers("marshal", X)
def _(x):
    return marshal.loads(marshal.dumps([v * v for v in x]))


@containers("bytes and bytearray", X)
def _(x):
    data = bytearray(struct.pack("4d", *x))
    data += bytes(data)
    data[0:8], data[8:16] = data[8:16], data[0:8]
    return struct.unpack("8d", b"".join([bytes(data[:32]), bytes(data)[32:]]))


@mathematics("exp, expm1, log, log1p, log2, log10, sqrt, pow", X)
def _(x):
    a, b, c, d = x
    logarithms = [math.log(a), math.log(c, 3), math.log(c, a), math.log1p(d), math.log2(c), math.log10(a)]
    return [math.exp(b), math.expm1(d), *logarithms, math.sqrt(c), math.pow(a, b), math.pow(c, 3)]


@mathematics("trigonometric and hyperbolic functions", X)
def _(x):
    a, b, c, d = x
    inverse = [math.asin(d), math.acos(a * d), math.atan(b), math.atan2(b, c), math.asinh(b), math.acosh(c), math.atanh(d)]
    return [math.sin(b), math.cos(c), math.tan(a), math.sinh(b), math.cosh(c), math.tanh(a), *inverse]


@mathematics("erf, erfc, gamma, lgamma", X, step=1 / 512)
def _(x):
    return [math.erf(x[0]), math.erfc(x[1]), math.gamma(x[2]), math.lgamma(x[0]), math.gamma(x[1]), math.lgamma(x[2])]


@mathematics("hypot, dist", X)
def _(x):
    return [math.hypot(x[0], x[1]), math.hypot(*x), math.hypot(x[2]), math.dist(x[:2], x[2:]), math.dist(x[1:], x[:3])]


@mathematics("fabs, copysign, fmod, remainder, modf, floor, ceil, round", X)
def _(x):
    a, b, c, d = x
    rounded = [a * math.floor(c), b * math.ceil(a), b * round(c)]
    return [math.fabs(b), math.copysign(a, b), math.fmod(c, a), math.remainder(c, a), math.modf(c)[0], *rounded]


@mathematics("frexp, ldexp, degrees, radians", X)
def _(x):
    mantissa, exponent = math.frexp(x[2])
    return [mantissa * x[0], math.ldexp(mantissa, exponent), math.ldexp(x[0], 3), math.degrees(x[0]), math.radians(x[1])]


@mathematics("nextafter, isclose, isfinite", X)
def _(x):
    kept = [v for v in x if math.isfinite(v) and not math.isclose(v, x[0])]
    return [math.nextafter(x[0], 2.0), kept]


if hasattr(math, "cbrt"):

    @mathematics("cbrt, exp2", X)
    def _(x):
        return [math.cbrt(x[2]), math.cbrt(x[1]), math.exp2(x[1])]


@complex_mathematics("exp, log, log10, sqrt", X)
def _(x):
    z, w = complex(x[0], x[1]), complex(x[2], -x[3])
    return [cmath.exp(z), cmath.log(z), cmath.log(z, 3), cmath.log10(w), cmath.sqrt(z), cmath.sqrt(-w), cmath.log(w, z)]


@complex_mathematics("trigonometric and hyperbolic functions", X)
def _(x):
    z = complex(x[0], x[3])
    functions = (cmath.sin, cmath.cos, cmath.tan, cmath.sinh, cmath.cosh, cmath.tanh)
    return [function(z) for function in functions]


@complex_mathematics("inverse functions", X)
def _(x):
    z, w = complex(x[0], x[3]), complex(x[1], x[2])
    functions = (cmath.asin, cmath.acos, cmath.atan, cmath.asinh, cmath.acosh, cmath.atanh)
    return [[function(z), function(w)] for function in functions]


@complex_mathematics("phase, polar, rect", X)
def _(x):
    z = complex(x[0], x[1])
    return [cmath.phase(z), cmath.polar(z), cmath.rect(x[2], x[0])]


@summaries("sum, math.fsum, math.prod", X)
def _(x):
    many = [v * k for k in range(1, 20) for v in x]
    return [sum(many), sum(x, x[0]), math.fsum(many), math.prod(x)]


@summaries("accumulate, reduce", X)
def _(x):
    products = itertools.accumulate(x, lambda a, b: a * b)
    return [list(itertools.accumulate(x)), list(products), functools.reduce(lambda a, b: a * b + 1, x)]


@summaries("statistics.fmean, median, quantiles", X)
def _(x):
    middle = [statistics.median(x), statistics.median_low(x), statistics.median_high(x)]
    return [statistics.fmean(x), *middle, statistics.quantiles(x, n=3)]


@summaries("statistics.NormalDist", X)
def _(x):
    normal = statistics.NormalDist(x[1], x[0])
    return [normal.pdf(x[3]), normal.cdf(x[3]), normal.inv_cdf(x[3])]


@summaries("statistics.geometric_mean", [0.75, 1.375, 2.25, 0.4375])
def _(x):
    return statistics.geometric_mean(x)


@summaries("random with active parameters", X)
def _(x):
    generator = random.Random(7)
    drawn = [generator.gauss(x[0], x[2]), generator.uniform(x[1], x[2]), generator.expovariate(x[0])]
    return [*drawn, generator.normalvariate(x[0], x[2]), generator.triangular(x[1], x[2], x[0])]
