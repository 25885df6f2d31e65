"""Functions of Python's modules math and cmath, and of NumPy on arrays of several types, sizes and strides, against their
derivatives. Each line is a type, a function's name and the largest error of its derivative."""
import cmath
import ctypes
import math
import sys

import numpy as np

library = ctypes.CDLL(sys.argv[1])
PI = math.pi
SIZES = [1, 2, 3, 7, 8, 33, 1000]
# Of a float object, and of a complex one.
OFFSET_OF_VALUE = 16


def memory(address, array):
    return ctypes.c_void_p(address), ctypes.c_void_p(array.ctypes.data), ctypes.c_long(array.nbytes)


def set_dots(address, dots):
    library.set_dots(*memory(address, dots))


def get_dots(address, like):
    dots = np.zeros_like(like)
    library.get_dots(*memory(address, dots))
    return dots


def report(kind, name, found, expected):
    size = np.maximum(np.abs(expected), 1e-3)
    error = np.abs(found - expected) / size
    print(kind, name, float(np.max(np.where(np.isnan(error), np.inf, error))))


def of_object(function, x):
    """Derivative by a number that is an object of its own. The dot value of a complex number is 1 in the real part."""
    x = type(x)(str(x)) if isinstance(x, float) else complex(x.real, x.imag)
    dots = np.array([1.0, 0.0][: 1 if isinstance(x, float) else 2])
    set_dots(id(x) + OFFSET_OF_VALUE, dots)
    y = function(x)
    kind = 1 if isinstance(y, float) else 2
    found = get_dots(id(y) + OFFSET_OF_VALUE, np.zeros(kind))
    set_dots(id(x) + OFFSET_OF_VALUE, np.zeros_like(dots))
    return found[0] if kind == 1 else complex(*found)


def digamma(x):
    """For numbers above 1."""
    total = 0.0
    while x < 20:
        total -= 1 / x
        x += 1
    series = 1 / 12 - (1 / 120 - (1 / 252 - (1 / 240 - 1 / 132 / x**2) / x**2) / x**2) / x**2
    return total + math.log(x) - 0.5 / x - series / x**2


REAL = {
    "acos": (lambda x: -1 / math.sqrt(1 - x * x), 0.3),
    "acosh": (lambda x: 1 / math.sqrt(x * x - 1), 1.7),
    "asin": (lambda x: 1 / math.sqrt(1 - x * x), 0.3),
    "asinh": (lambda x: 1 / math.sqrt(x * x + 1), 0.3),
    "atan": (lambda x: 1 / (1 + x * x), 0.3),
    "atanh": (lambda x: 1 / (1 - x * x), 0.3),
    "cos": (lambda x: -math.sin(x), 1.3),
    "cosh": (math.sinh, 1.3),
    "degrees": (lambda x: 180 / PI, 1.3),
    "erf": (lambda x: 2 / math.sqrt(PI) * math.exp(-x * x), 0.7),
    "erfc": (lambda x: -2 / math.sqrt(PI) * math.exp(-x * x), 2.7),
    "exp": (math.exp, 1.3),
    "expm1": (math.exp, 1.3),
    "fabs": (lambda x: -1.0, -1.3),
    "gamma": (lambda x: math.gamma(x) * digamma(x), 4.3),
    "lgamma": (digamma, 4.3),
    "log": (lambda x: 1 / x, 1.3),
    "log10": (lambda x: 1 / (x * math.log(10)), 1.3),
    "log1p": (lambda x: 1 / (1 + x), 1.3),
    "log2": (lambda x: 1 / (x * math.log(2)), 1.3),
    "radians": (lambda x: PI / 180, 1.3),
    "sin": (math.cos, 1.3),
    "sinh": (math.cosh, 1.3),
    "sqrt": (lambda x: 0.5 / math.sqrt(x), 1.3),
    "tan": (lambda x: 1 + math.tan(x) ** 2, 1.3),
    "tanh": (lambda x: 1 / math.cosh(x) ** 2, 1.3),
}
OTHERS = {
    "pow": (lambda x: math.pow(x, 2.5), lambda x: 2.5 * x**1.5),
    "**": (lambda x: 3.0**x, lambda x: 3.0**x * math.log(3)),
    "atan2": (lambda x: math.atan2(x, 2.0), lambda x: 2 / (4 + x * x)),
    "hypot": (lambda x: math.hypot(x, 2.0, 3.0), lambda x: x / math.hypot(x, 2.0, 3.0)),
    "dist": (lambda x: math.dist([x, 1.0], [0.0, 3.0]), lambda x: x / math.hypot(x, 2.0)),
    "fmod": (lambda x: math.fmod(7.5, x), lambda x: -(7.5 // x)),
    "%": (lambda x: x % 0.5, lambda x: 1.0),
    "ldexp": (lambda x: math.ldexp(x, 3), lambda x: 8.0),
    "frexp": (lambda x: math.frexp(5 * x)[0], lambda x: 0.625),
    "modf": (lambda x: math.modf(5 * x)[0], lambda x: 5.0),
    "copysign": (lambda x: math.copysign(x, -1.0), lambda x: -1.0),
    "remainder": (lambda x: math.remainder(x, 0.5), lambda x: 1.0),
    "fsum": (lambda x: math.fsum([x, 2 * x, 0.1]), lambda x: 3.0),
    "prod": (lambda x: math.prod([x, x, x]), lambda x: 3 * x * x),
    "floor": (lambda x: x * math.floor(3 * x), lambda x: 3.0),
}
COMPLEX = {
    "acos": lambda z: -1 / (cmath.sqrt(1 - z) * cmath.sqrt(1 + z)),
    "acosh": lambda z: 1 / (cmath.sqrt(z - 1) * cmath.sqrt(z + 1)),
    "asin": lambda z: 1 / (cmath.sqrt(1 - z) * cmath.sqrt(1 + z)),
    "asinh": lambda z: 1 / cmath.sqrt(1 + z * z),
    "atan": lambda z: 1 / (1 + z * z),
    "atanh": lambda z: 1 / (1 - z * z),
    "cos": lambda z: -cmath.sin(z),
    "cosh": cmath.sinh,
    "exp": cmath.exp,
    "log": lambda z: 1 / z,
    "log10": lambda z: 1 / (z * math.log(10)),
    "sin": cmath.cos,
    "sinh": cmath.cosh,
    "sqrt": lambda z: 0.5 / cmath.sqrt(z),
    "tan": lambda z: 1 / cmath.cos(z) ** 2,
    "tanh": lambda z: 1 / cmath.cosh(z) ** 2,
}

for name, (derivative, x) in REAL.items():
    report("math", name, of_object(getattr(math, name), x), derivative(x))
for name, (function, derivative) in OTHERS.items():
    report("math", name, of_object(function, 1.3), derivative(1.3))
for name, derivative in COMPLEX.items():
    z = complex(0.8, -0.6)
    report("cmath", name, of_object(getattr(cmath, name), z), derivative(z))
report("cmath", "phase", of_object(cmath.phase, complex(0.8, -0.6)), 0.6)
report("cmath", "abs", of_object(abs, complex(0.8, -0.6)), 0.8)

LOG_2, LOG_10 = np.log(np.longdouble(2)), np.log(np.longdouble(10))
# Name, derivative, range.
UFUNCS = [
    ("exp", np.exp, -5, 5),
    ("exp2", lambda x: np.exp2(x) * LOG_2, -5, 5),
    ("expm1", np.exp, -2, 5),
    ("log", lambda x: 1 / x, 0.01, 20),
    ("log2", lambda x: 1 / (x * LOG_2), 0.01, 20),
    ("log10", lambda x: 1 / (x * LOG_10), 0.01, 20),
    ("log1p", lambda x: 1 / (1 + x), -0.5, 3),
    ("sin", np.cos, -30, 30),
    ("cos", lambda x: -np.sin(x), -30, 30),
    ("tan", lambda x: 1 / np.cos(x) ** 2, -1.5, 1.5),
    ("arcsin", lambda x: 1 / np.sqrt(1 - x * x), -0.9, 0.9),
    ("arccos", lambda x: -1 / np.sqrt(1 - x * x), -0.9, 0.9),
    ("arctan", lambda x: 1 / (1 + x * x), -5, 5),
    ("sinh", np.cosh, -5, 5),
    ("cosh", np.sinh, -5, 5),
    ("tanh", lambda x: 1 / np.cosh(x) ** 2, -5, 5),
    ("arcsinh", lambda x: 1 / np.sqrt(1 + x * x), -5, 5),
    ("arccosh", lambda x: 1 / np.sqrt(x * x - 1), 1.1, 5),
    ("arctanh", lambda x: 1 / (1 - x * x), -0.9, 0.9),
    ("cbrt", lambda x: 1 / (3 * np.cbrt(x) ** 2), 0.1, 30),
    ("sqrt", lambda x: 0.5 / np.sqrt(x), 0.1, 30),
    ("square", lambda x: 2 * x, -5, 5),
    ("reciprocal", lambda x: -1 / x**2, 0.1, 5),
    ("absolute", np.sign, -5, 5),
    ("deg2rad", lambda x: np.longdouble(PI) / 180 + 0 * x, -5, 5),
]
WITH_SECOND = [
    ("power", lambda x, y: y * x ** (y - 1), 0.1, 20),
    ("float_power", lambda x, y: y * x ** (y - 1), 0.1, 20),
    ("arctan2", lambda x, y: y / (x * x + y * y), -5, 5),
    ("hypot", lambda x, y: x / np.sqrt(x * x + y * y), -5, 5),
    ("fmod", lambda x, y: 1 + 0 * x, -5, 5),
    ("logaddexp", lambda x, y: 1 / (1 + np.exp(y - x)), -5, 5),
    ("copysign", lambda x, y: np.sign(x), -5, 5),
    ("maximum", lambda x, y: np.where(x > y, 1, 0), -5, 5),
    ("divide", lambda x, y: 1 / y, -5, 5),
    ("multiply", lambda x, y: y, -5, 5),
]
OF_COMPLEX = [
    ("exp", np.exp),
    ("log", lambda z: 1 / z),
    ("sin", np.cos),
    ("cos", lambda z: -np.sin(z)),
    ("tan", lambda z: 1 / np.cos(z) ** 2),
    ("sinh", np.cosh),
    ("cosh", np.sinh),
    ("tanh", lambda z: 1 / np.cosh(z) ** 2),
    ("arcsin", lambda z: 1 / (np.sqrt(1 - z) * np.sqrt(1 + z))),
    ("arctan", lambda z: 1 / (1 + z * z)),
    ("sqrt", lambda z: 0.5 / np.sqrt(z)),
    ("square", lambda z: 2 * z),
    ("multiply", None),
]


def of_array(function, x, dots, stride):
    """The dot values of the results."""
    whole = np.zeros(stride * len(x), dtype=x.dtype)
    whole[::stride] = x
    dots_of_whole = np.zeros_like(whole)
    dots_of_whole[::stride] = dots
    set_dots(whole.ctypes.data, dots_of_whole)
    y = function(whole[::stride])
    y = np.ascontiguousarray(y)
    found = get_dots(y.ctypes.data, y)
    set_dots(whole.ctypes.data, np.zeros_like(whole))
    return found


def points(kind, start, end, count):
    return (start + (end - start) * (np.arange(count) + 0.37) / count).astype(kind)


for kind in (np.float64, np.float32, np.longdouble):
    for name, derivative, start, end in UFUNCS:
        found, expected = [], []
        for size in SIZES:
            for stride in (1, 3):
                x = points(kind, start, end, size)
                dots = np.where(np.arange(size) % 5 == 4, 0, 1).astype(kind)
                found.append(of_array(getattr(np, name), x, dots, stride))
                expected.append(dots * derivative(x.astype(np.longdouble)))
        report(kind.__name__, name, np.concatenate(found), np.concatenate(expected))
    for name, derivative, start, end in WITH_SECOND:
        x, y = points(kind, start, end, 33), kind(1.75)
        found = of_array(lambda x: getattr(np, name)(x, y), x, np.ones_like(x), 1)
        report(kind.__name__, name, found, derivative(x.astype(np.longdouble), np.longdouble(1.75)))

for name, derivative in OF_COMPLEX:
    for size in SIZES[:-1]:
        z = points(np.float64, 0.2, 1.7, size) - 1j * points(np.float64, 0.3, 1.1, size)
        function = getattr(np, name)
        if derivative is None:
            found = of_array(lambda z: np.multiply(z, 2 - 1j), z, np.ones_like(z), 1)
            report("complex128", name, found, (2 - 1j) * np.ones_like(z))
        else:
            report("complex128", name, of_array(function, z, np.ones_like(z), 1), derivative(z))
